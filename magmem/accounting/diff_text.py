"""The text of a difference: each section's changes, largest first, and their sum."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import pandas as pd

from magmem.accounting.report import columns_text, count, grouped, one_line, signed

__all__ = ["SECTIONS", "diff_text"]

SECTIONS = {
    "memory": ("Physical memory by use", "physical memory"),
    "processes": ("Processes by {measure}", "all processes"),
    "hidden": ("Memory that no process maps", "all of it"),
    "vmos": ("VMOs by the pages they own", "all VMOs"),
}
"""Section to its heading and the word of its sum."""

MOST = 30
"""Rows printed per section; the table has them all."""


def diff_text(
    names: tuple[str, str], table: pd.DataFrame, measure: str, missing: Sequence[str]
) -> str:
    """The listing.

    Parameters
    ----------
    names : (str, str)
        Of the two states.
    table : pandas.DataFrame
        As `magmem.accounting.diff.Diff.df` has it.
    measure : str
        What the processes' sizes are.
    missing : sequence of str
        Sections left out, and why.
    """
    first, second = map(one_line, names)
    lines = [f"From {first} to {second}. Sizes are bytes."]
    for section, (heading, total) in SECTIONS.items():
        rows = table[table["section"] == section]
        if len(rows):
            lines += ["", heading.format(measure=measure) + ":", *_section(rows, total)]
    lines += [f"# Left out: {one_line(why)}." for why in missing]
    return "\n".join(lines) + "\n"


def _section(rows: pd.DataFrame, total: str) -> list[str]:
    changed = rows[(rows["change"] != "same")].reset_index(drop=True)
    order = sorted(range(len(changed)), key=lambda at: -abs(changed["change_bytes"][at]))
    cells = [
        [
            signed(round(changed["change_bytes"][at])),
            grouped(round(changed["before_bytes"][at])),
            grouped(round(changed["after_bytes"][at])),
            "-" if changed["koid"][at] is pd.NA else str(changed["koid"][at]),
            str(changed["change"][at]),
            one_line(str(changed["name"][at])) or "-",
        ]
        for at in order[:MOST]
    ]
    sums = [
        sum(rows[name].tolist(), Fraction(0))
        for name in ("change_bytes", "before_bytes", "after_bytes")
    ]
    rest = sum((changed["change_bytes"][at] for at in order[MOST:]), Fraction(0))
    if len(order) > MOST:
        more = count(len(order) - MOST, "smaller change")
        cells.append([signed(round(rest)), "", "", "", "", more])
    cells.append(
        [signed(round(sums[0])), grouped(round(sums[1])), grouped(round(sums[2])), "", "", total]
    )
    heads = ["CHANGE", "BEFORE", "AFTER", "KOID", "WHAT", "NAME"]
    return columns_text(heads, cells, left=2)
