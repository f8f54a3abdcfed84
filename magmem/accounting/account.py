"""One rule over every process, and every rule side by side.

Sizes are bytes and exact: whole numbers or `Fraction`. Text shows whole bytes that still add up
(each less than a byte from the exact one).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import pandas as pd

from magmem.accounting.amounts import whole_bytes
from magmem.accounting.attribution import Attribution, attribution_of
from magmem.accounting.bounds import bounds_of
from magmem.accounting.knowledge import known_in_part, lacks, require
from magmem.accounting.report import Report, columns_text, grouped, plain_records
from magmem.accounting.rules import RULES, Charges, Rule
from magmem.errors import MissingData
from magmem.kernel.mappings import kept_with
from magmem.listing import Listing
from magmem.printable import one_line
from magmem.snapshot.source import Source, snapshot_of

__all__ = ["account", "charges_of", "compare", "exact_column"]

NOTE = "Bytes. Shared pages are charged in exact fractions; shown here rounded so that they add up."


def account(source: Source, rule: str = "exact") -> Listing:
    """What every process is charged by one rule.

    Parameters
    ----------
    source : Snapshot or Machine
    rule : str
        A name of `magmem.accounting.rules.RULES`: ``magenta-2017``, ``exact``, ``linux``,
        ``memory_monitor``, ``rfc-0254`` or ``treemap-2017``.

    Returns
    -------
    Listing
        `df` has one row per process in the order of the tasks table: koid, name, running,
        pss_bytes, private_bytes, shared_bytes (before division), scaled_bytes (after); the exact
        rule adds uss_bytes and, where handles are known, handle_only_bytes. Sizes are int, or
        `Fraction` where divided.

    Raises
    ------
    ValueError
        No such rule.
    MissingData
        The snapshot does not know what the rule needs. The exact rule answers with bounds then:
        columns pss_low_bytes, pss_high_bytes (missing where nothing limits it) and reason.
    """
    if rule not in RULES:
        raise ValueError(f"expected one of the rules {', '.join(RULES)}, found {rule!r}")
    snap = snapshot_of(source)
    chosen = RULES[rule]
    attribution = attribution_of(snap)
    if rule == "exact" and lacks(snap, chosen.needs):
        return _bounded(attribution)
    charges = charges_of(attribution, chosen)

    def frame() -> pd.DataFrame:
        return pd.DataFrame(
            _who(attribution)
            | {
                "pss_bytes": _known(exact_column(charges.pss.fractions), charges),
                "private_bytes": _known(charges.private_bytes, charges),
                "shared_bytes": _known(charges.shared_bytes, charges),
                "scaled_bytes": _known(exact_column(_scaled(charges)), charges),
            }
            | {name: exact_column(values()) for name, values in charges.more.items()}
        )

    def text(table: pd.DataFrame) -> str:
        return _account_text(table, chosen, charges)

    def data(table: pd.DataFrame) -> dict[str, Any]:
        return {
            "rule": chosen.name,
            "says": chosen.says,
            "source": chosen.source,
            "processes": plain_records(table),
            "total_bytes": str(charges.pss.total),
            "elsewhere": {why: str(size) for why, size in charges.elsewhere.items()},
        }

    title = f"{chosen.name}: {chosen.says}"
    return Report(frame, text, data, title, known_in_part(snap, chosen))


def _bounded(attribution: Attribution) -> Report:
    """The exact rule on a capture that does not know enough: what is certain."""
    bounds = bounds_of(attribution)

    def frame() -> pd.DataFrame:
        high = pd.Series([pd.NA if size is None else size for size in bounds.high], dtype=object)
        sides = {"pss_low_bytes": exact_column(bounds.low), "pss_high_bytes": high}
        return pd.DataFrame(_who(attribution) | sides | {"reason": bounds.reason})

    def text(table: pd.DataFrame) -> str:
        rows = [
            [
                str(koid),
                grouped(math.floor(low)),
                "?" if high is pd.NA else grouped(math.ceil(high)),
                one_line(name),
            ]
            for koid, name, _, low, high, _ in table.itertuples(index=False)
        ]
        head = [
            one_line(bounds.reason) + ",",
            "so the exact PSS lies between these bounds (bytes):",
        ]
        return "\n".join([*head, *columns_text(["KOID", "AT LEAST", "AT MOST", "NAME"], rows), ""])

    return Report(frame, text, title="exact, between bounds", warnings=(bounds.reason,))


def compare(source: Source, rules: Sequence[str] | None = None) -> Listing:
    """What every process is charged by each rule, one column per rule.

    Parameters
    ----------
    source : Snapshot or Machine
    rules : sequence of str, optional
        Names as for `account`, in the order of the columns; all rules if not given.

    Returns
    -------
    Listing
        `df` has one row per process: koid, name, running, and the bytes by each rule under the
        rule's name (int, or `Fraction` where divided). A rule that asks for what the snapshot does
        not know is missing in every row, and a warning says why.

    Raises
    ------
    ValueError
        No such rule.
    """
    names = list(RULES) if rules is None else list(dict.fromkeys(rules))
    for name in names:
        if name not in RULES:
            raise ValueError(f"expected one of the rules {', '.join(RULES)}, found {name!r}")
    snap = snapshot_of(source)
    attribution = attribution_of(snap)
    charged: dict[str, Charges | None] = {}
    warnings: list[str] = []
    for rule in (RULES[name] for name in names):
        try:
            charged[rule.name] = charges_of(attribution, rule)
            warnings += known_in_part(snap, rule)
        except MissingData as gap:
            charged[rule.name] = None
            warnings.append(f"compare: no column {rule.name}: {gap}")

    def frame() -> pd.DataFrame:
        unknown = [pd.NA] * len(attribution.population)
        return pd.DataFrame(
            _who(attribution)
            | {
                name: unknown
                if charges is None
                else _known(exact_column(charges.pss.fractions), charges)
                for name, charges in charged.items()
            }
        )

    def text(table: pd.DataFrame) -> str:
        rows = []
        shown = {
            name: _shown(charges) if charges else ["?"] * len(table)
            for name, charges in charged.items()
        }
        for place, (koid, name) in enumerate(zip(table["koid"], table["name"], strict=True)):
            rows.append([str(koid), *(column[place] for column in shown.values()), one_line(name)])
        totals = [
            grouped(sum(whole_bytes([charges.pss.total]))) if charges else "?"
            for charges in charged.values()
        ]
        rows.append(["", *totals, "all processes"])
        return "\n".join([*columns_text(["KOID", *charged, "NAME"], rows), NOTE, ""])

    return Report(frame, text, title="every rule", warnings=tuple(warnings))


def charges_of(attribution: Attribution, rule: Rule) -> Charges:
    """The rule's answer, once the snapshot is known to suffice.

    Raises
    ------
    MissingData
        It does not.
    """
    snap = attribution.view.snap
    if rule.reported and lacks(snap, rule.needs):
        printed = rule.reported(attribution)
        if printed is not None:
            return printed
    require(snap, rule.name, rule.needs, rule.needs_some)
    return kept_with(attribution, f"_charges {rule.name}", lambda: rule.charge(attribution))


def _scaled(charges: Charges) -> Sequence[Fraction]:
    private = charges.private_bytes.tolist()
    return [size - alone for size, alone in zip(charges.pss.fractions, private, strict=True)]


def _who(attribution: Attribution) -> dict[str, Any]:
    population = attribution.population
    return {
        "koid": population.koid,
        "name": population.name,
        "running": population.runs,
    }


def exact_column(values: Sequence[Any]) -> Any:
    """A column of exact sizes: int64 where all are whole, else objects."""
    if all(not isinstance(value, Fraction) or value.denominator == 1 for value in values):
        return pd.array([int(value) for value in values], dtype="int64")
    return pd.Series(list(values), dtype=object)


def _known(column: Any, charges: Charges) -> Any:
    """The column, missing where nothing is known of a process."""
    if charges.unknown is None:
        return column
    return pd.Series(column).astype(object).mask(charges.unknown, pd.NA)


def _shown(charges: Charges) -> list[str]:
    return _cells(whole_bytes(charges.pss.fractions), charges)


def _cells(sizes: Sequence[int], charges: Charges) -> list[str]:
    """Sizes as text, ``?`` where nothing is known of a process."""
    unknown = [False] * len(sizes) if charges.unknown is None else charges.unknown.tolist()
    return ["?" if gap else grouped(size) for size, gap in zip(sizes, unknown, strict=True)]


def _account_text(table: pd.DataFrame, rule: Rule, charges: Charges) -> str:
    heads = ["KOID", "PSS", "PRIVATE", "SHARED", "SCALED", "NAME"]
    pss, private = whole_bytes(charges.pss.fractions), charges.private_bytes.tolist()
    scaled = [size - alone for size, alone in zip(pss, private, strict=True)]
    sizes = (pss, private, charges.shared_bytes.tolist(), scaled)
    columns = [_cells(column, charges) for column in sizes]
    koids, names = map(str, table["koid"].tolist()), map(one_line, table["name"].tolist())
    rows = list(zip(koids, *columns, names, strict=True))
    total = grouped(sum(whole_bytes([charges.pss.total])))
    rows.append(("", total, grouped(int(charges.private_bytes.sum())), "", "", "all processes"))
    for why, size in charges.elsewhere.items():
        if size:
            rows.append(("", grouped(sum(whole_bytes([size]))), "", "", "", why))
    head = f"{rule.name}: {rule.says}"
    return "\n".join([head, *columns_text(heads, rows), NOTE, ""])
