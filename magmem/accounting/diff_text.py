"""The text of a difference: each section's changes, largest first, and their sum."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import pandas as pd

from magmem.accounting.report import columns_text, grouped, signed
from magmem.listing import count
from magmem.printable import one_line

__all__ = ["SECTIONS", "diff_text"]

SECTIONS = {
    "memory": ("Physical memory by use", "physical memory"),
    "processes": ("Processes by {measure}", "all processes"),
    "hidden": ("Memory that no process maps", "all of it"),
    "holders": ("The same by who holds it", "all of it"),
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
    unknown = int(rows["change_bytes"].isna().sum())
    known = rows[rows["change_bytes"].notna()]
    changed = known[known["change"] != "same"]
    found = sorted(
        zip(
            changed["change_bytes"].tolist(),
            changed["before_bytes"].tolist(),
            changed["after_bytes"].tolist(),
            changed["koid"].tolist(),
            changed["change"],
            changed["name"],
            strict=True,
        ),
        key=lambda row: -abs(row[0]),
    )
    cells = [
        [
            signed(round(by)),
            grouped(round(low)),
            grouped(round(high)),
            "-" if koid is pd.NA else str(koid),
            change,
            one_line(name) or "-",
        ]
        for by, low, high, koid, change, name in found[:MOST]
    ]
    sums = [
        sum(known[name].tolist(), Fraction(0))
        for name in ("change_bytes", "before_bytes", "after_bytes")
    ]
    rest = sum((row[0] for row in found[MOST:]), Fraction(0))
    if len(found) > MOST:
        more = count(len(found) - MOST, "smaller change")
        cells.append([signed(round(rest)), "", "", "", "", more])
    if unknown:
        cells.append(["?", "", "", "", "", f"{unknown:,} more, a size of which is not known"])
        total += " known"
    cells.append(
        [signed(round(sums[0])), grouped(round(sums[1])), grouped(round(sums[2])), "", "", total]
    )
    heads = ["CHANGE", "BEFORE", "AFTER", "KOID", "WHAT", "NAME"]
    return columns_text(heads, cells, left=2)
