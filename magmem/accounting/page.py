"""Who sees this page: everyone who can reach it, by which way, and which tools count it.

Rules: reference/accounting.md and reference/tools.md. Sizes are bytes of the page's 4096, exact.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pandas as pd

from magmem.accounting.account import exact_column
from magmem.accounting.attribution import Attribution, attribution_of
from magmem.accounting.knowledge import HIDDEN_NEEDS, require
from magmem.accounting.report import Report, columns_text, plain_records
from magmem.accounting.sight import (
    Sight,
    chain_of,
    find_vmo,
    holders_of,
    sharers_of,
    sight_of,
    vmo_label,
)
from magmem.errors import NoSuchObject
from magmem.listing import count, wrapped
from magmem.printable import one_line
from magmem.snapshot import PAGE_BYTES
from magmem.snapshot.source import Source, snapshot_of

__all__ = ["PageReport", "page"]


class PageReport(Report):
    """The answer about one page.

    Attributes
    ----------
    sentence : str
        The answer in plain words.
    df : pandas.DataFrame
        One row per mapping that reaches the page: koid and name of the process (missing for the
        kernel), through (koid or id of the mapped VMO), clones (how many lie between it and the
        owner), base (address of the mapping), pays_bytes (exact, once per process), ps_bytes
        (what ps counts for this mapping).
    tools : pandas.DataFrame
        One row per tool: tool, size_bytes (as how much it counts the page, over all processes),
        says.
    sight : Sight or None
        Owner, paths and mappings; None for a page that is not committed.
    """

    def __init__(self, attribution: Attribution, vmo: int, index: int) -> None:
        found = chain_of(attribution, vmo, index)
        sight = sight_of(attribution, *found) if found else None
        super().__init__(
            lambda: _ways(attribution, sight),
            lambda table: _text(self, table),
            lambda table: _json(self, table),
            title=f"page {index} of {vmo_label(attribution.view.snap, vmo)}",
        )
        tools = _tools(attribution, sight)
        sentence = _sentence(attribution, vmo, index, sight)
        for name, value in (("sight", sight), ("tools", tools), ("sentence", sentence)):
            object.__setattr__(self, name, value)

    sentence: str
    tools: pd.DataFrame
    sight: Sight | None


def page(source: Source, vmo: int | str, index: int) -> PageReport:
    """Who sees one page, through what, and which tools count it as how much.

    Parameters
    ----------
    source : Snapshot or Machine
    vmo : int or str
        Koid of a VMO; for one without a koid its id in the snapshot.
    index : int
        Page index in that VMO. If the VMO owns no page there but shows an ancestor's, the answer
        is about that page.

    Raises
    ------
    NoSuchObject
        No such VMO, or the index lies past its end.
    MissingData
        The capture does not know the mappings or pages.
    """
    snap = snapshot_of(source)
    require(snap, "page", HIDDEN_NEEDS)
    attribution = attribution_of(snap)
    row = find_vmo(snap, vmo)
    size = int(attribution.view.size_pages[row])
    if not 0 <= index < size:
        label = vmo_label(snap, row)
        raise NoSuchObject(f"expected a page index 0 … {size - 1} of {label}, found {index}")
    return PageReport(attribution, row, index)


def _ways(attribution: Attribution, sight: Sight | None) -> pd.DataFrame:
    view, snap = attribution.view, attribution.view.snap
    population = attribution.population
    sharers = sharers_of(attribution, sight) if sight else []
    rows: list[dict[str, Any]] = []
    paid: set[int] = set()
    for place, path in sight.mappings if sight else ():
        aspace = int(view.aspace[place])
        process = int(population.of_aspace[aspace])
        reads = process >= 0 and bool(population.runs[process])
        direct = not path.clones and reads
        koid = snap.vmos["koid"].iat[path.vmo]
        rows.append(
            {
                "koid": int(population.koid[process]) if process >= 0 else pd.NA,
                "name": population.name[process] if process >= 0 else "kernel",
                "through": snap.vmos["id"].iat[path.vmo] if koid is pd.NA or not koid else koid,
                "clones": len(path.clones),
                "base": snap.regions["base"].iat[int(view.region[place])],
                "pays_bytes": Fraction(0 if aspace in paid else PAGE_BYTES, len(sharers)),
                "ps_bytes": Fraction(PAGE_BYTES if direct else 0, int(view.share_count[path.vmo])),
            }
        )
        paid.add(aspace)
    names = ["koid", "name", "through", "clones", "base", "pays_bytes", "ps_bytes"]
    table = pd.DataFrame(rows, columns=names)
    table["koid"] = table["koid"].astype("Int64")
    for name in ("pays_bytes", "ps_bytes"):
        table[name] = exact_column(table[name].tolist())
    return table


def _tools(attribution: Attribution, sight: Sight | None) -> pd.DataFrame:
    """As how much each tool counts the page, summed over all that it prints."""
    rows = _tool_rows(attribution, sight) if sight else []
    table = pd.DataFrame(rows, columns=["tool", "size_bytes", "says"])
    table["size_bytes"] = exact_column([Fraction(size) for size in table["size_bytes"].tolist()])
    return table


def _tool_rows(attribution: Attribution, sight: Sight) -> list[tuple[str, Fraction, str]]:
    view, runs = attribution.view, attribution.population.runs
    owner, one = sight.owner, Fraction(PAGE_BYTES)
    share = int(view.share_count[owner])
    process = attribution.population.of_aspace
    direct = [int(process[view.aspace[at]]) for at, path in sight.mappings if not path.clones]
    direct = [row for row in direct if row >= 0 and runs[row]]
    # vmos and the treemap show a VMO whole, wherever it is mapped.
    mapped = [int(process[aspace]) for aspace in view.aspace[view.vmo == owner].tolist()]
    mapped = [row for row in mapped if row >= 0 and runs[row]]
    held = [row for row, vmo in holders_of(attribution, sight) if vmo == owner and runs[row]]
    only_held = set(held) - set(mapped)
    area = len(set(mapped)) * one / share + len(only_held) * one / (share + 1)
    listed = len(set(mapped) | set(held))
    hidden = not view.mapped_by_user[owner]
    flag = view.snap.vmos["pages_are_wired"].iat[owner]
    wired = flag is not pd.NA and bool(flag)
    mappings = count(len(direct), "mapping")
    return [
        ("ps", len(direct) * one / share, f"{mappings}, #shr of the VMO is {share}"),
        ("vmaps", len(direct) * one, f"in :res of {mappings}"),
        (
            "vmos",
            listed * one,
            f"in alloc of its VMO, listed by {count(listed, 'process', 'processes')}",
        ),
        (
            "k mx vmos hidden",
            one * hidden,
            "no process maps its VMO" if hidden else "VMO is mapped",
        ),
        ("treemap", area, "its VMO's area, over all processes"),
        ("kstats -m", one, "in wired" if wired else "in VMOs"),
        ("ledger", one, "once"),
    ]


def _sentence(attribution: Attribution, vmo: int, index: int, sight: Sight | None) -> str:
    snap, population = attribution.view.snap, attribution.population
    asked = f"Page {index} of {vmo_label(snap, vmo)}"
    if sight is None:
        return f"{asked} is not committed: whoever reads it sees zeros."
    words = [f"{asked} is committed."]
    if sight.owner != vmo:
        owner = vmo_label(snap, sight.owner)
        words = [f"{asked} has no copy of its own: it shows page {sight.index} of {owner}."]
    names = []
    for aspace in sharers_of(attribution, sight):
        row = int(population.of_aspace[aspace])
        names.append(_process(attribution, row) if row >= 0 else "the kernel")
    if names:
        size = _bytes(Fraction(PAGE_BYTES, len(names)))
        reach = "reaches it and pays" if len(names) == 1 else "reach it; each pays"
        words.append(f"{_list(names)} {reach} {size} of its {PAGE_BYTES:,} bytes.")
    else:
        holders = [_process(attribution, row) for row, _ in holders_of(attribution, sight)]
        holders = list(dict.fromkeys(holders))
        who = f"{_list(holders)} can by a handle" if holders else "only the kernel knows it"
        words.append(f"No mapping reaches it; {who}.")
    if sight.shadowed:
        clones = [vmo_label(snap, path.vmo) for path in sight.shadowed]
        have = "has a copy of its own" if len(clones) == 1 else "have copies of their own"
        words.append(f"{_list(clones)} {have} in front of it.")
    return " ".join(words)


def _text(report: PageReport, table: pd.DataFrame) -> str:
    lines = [wrapped(one_line(report.sentence)), ""]
    if report.sight is None:
        return "\n".join([*lines[:1], ""])
    if len(table):
        rows = [
            [
                "-" if koid is pd.NA else str(koid),
                "?" if base is pd.NA else f"{base:#x}",
                str(through),
                str(clones),
                _bytes(Fraction(pays)),
                _bytes(Fraction(counted)),
                one_line(name),
            ]
            for koid, name, through, clones, base, pays, counted in table.itertuples(index=False)
        ]
        heads = ["KOID", "ADDRESS", "THROUGH VMO", "CLONES", "PAYS", "IN PS", "NAME"]
        lines += ["Mappings that reach it:", *columns_text(heads, rows), ""]
    tools = report.tools
    rows = [
        [_bytes(Fraction(size)), f"{tool}: {says}"]
        for tool, size, says in tools.itertuples(index=False)
    ]
    lines += ["As how many bytes each tool counts it:", *columns_text(["BYTES", "TOOL"], rows)]
    return "\n".join([*lines, ""])


def _json(report: PageReport, table: pd.DataFrame) -> dict[str, Any]:
    sight = report.sight
    return {
        "sentence": report.sentence,
        "owner_row": sight.owner if sight else None,
        "owner_index": sight.index if sight else None,
        "mappings": plain_records(table),
        "tools": plain_records(report.tools),
    }


def _process(attribution: Attribution, row: int) -> str:
    population = attribution.population
    name = population.name[row]
    return f"{name} ({population.koid[row]})" if name else f"process {population.koid[row]}"


def _bytes(size: Fraction) -> str:
    return (
        f"{size.numerator:,}" if size.denominator == 1 else f"{size.numerator}/{size.denominator}"
    )


def _list(names: list[str], most: int = 4) -> str:
    """``A, B and C``, or ``A, B, C and 9 more``."""
    shown, rest = names[:most], len(names) - most
    if rest > 0:
        return f"{', '.join(shown)} and {rest} more"
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
