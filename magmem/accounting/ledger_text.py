"""The ledger as text: two tables whose numbers add up both ways, and a word for each line."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pandas as pd

from magmem.accounting.amounts import Amounts, whole_bytes
from magmem.accounting.attribution import STAGES
from magmem.accounting.report import columns_text, grouped, signed
from magmem.accounting.statement import STEPS, Statement
from magmem.printable import one_line

__all__ = ["complete_text", "partial_text", "statement_text"]

HEADS = {
    "not running": "NOT-RUNNING",
    "rounding": "ROUNDING",
    "sharer estimate": "ESTIMATE",
    "duplicate mappings": "DUPLICATES",
    "partial sharing": "PARTIAL",
    "clones": "CLONES",
}


def complete_text(
    name: str, table: pd.DataFrame, stages: Sequence[Amounts], statement: Statement
) -> str:
    """The whole ledger; processes with the largest exact PSS first.

    Steps that change no process have no column.
    """
    order = np.lexsort((table["koid"].to_numpy(), -stages[-1].approximate)).tolist()
    shown = [table["reported_bytes"].tolist()]
    for stage in stages:
        fractions = stage.fractions
        in_order = whole_bytes([fractions[row] for row in order])
        column = [0] * len(order)
        for row, size in zip(order, in_order, strict=True):
            column[row] = size
        shown.append(column)
    steps = {
        step: [new - old for new, old in zip(after, before, strict=True)]
        for step, before, after in zip(STAGES, shown[:-1], shown[1:], strict=True)
    }
    steps = {step: change for step, change in steps.items() if any(change)}
    told = table["handle_only_bytes"].notna().all()
    held = whole_bytes([Fraction(size) for size in table["handle_only_bytes"] if told])
    rows = [
        [
            str(table["koid"].iat[row]),
            grouped(shown[0][row]),
            *(signed(change[row]) for change in steps.values()),
            grouped(shown[-1][row]),
            grouped(int(table["uss_bytes"].iat[row])),
            grouped(held[row]) if told else "?",
            one_line(table["name"].iat[row]),
        ]
        for row in order
    ]
    total = [
        "",
        grouped(sum(shown[0])),
        *(signed(sum(change)) for change in steps.values()),
        grouped(sum(shown[-1])),
        grouped(int(table["uss_bytes"].sum())),
        grouped(sum(held)) if told else "?",
        "all processes",
    ]
    heads = ["KOID", "REPORTED", *(HEADS[step] for step in steps)]
    heads += ["EXACT", "USS", "HANDLE-ONLY", "NAME"]
    legend = [f"  {HEADS[step].lower():12}{STEPS[step]}" for step in steps]
    return "\n".join(
        [
            f"Ledger of {one_line(name)}. Sizes are bytes, rounded so that they add up.",
            "",
            "Each process, from the PSS that ps reports to the exact one:",
            "",
            *columns_text(heads, [*rows, total]),
            "",
            *legend,
            "  uss         pages that no other address space reaches (part of exact)",
            "  handle-only its part of pages that no mapping reaches (not part of exact)",
            "",
            *statement_text(statement),
            "",
        ]
    )


def partial_text(name: str, table: pd.DataFrame, statement: Statement, reason: str) -> str:
    """The ledger of a partly known state; processes in the order of the tasks table."""
    rows = [
        [
            str(koid),
            "?" if reported is pd.NA else grouped(reported),
            grouped(math.floor(low)),
            "?" if high is pd.NA else grouped(math.ceil(high)),
            one_line(label),
        ]
        for koid, label, reported, low, high, _ in table.itertuples(index=False)
    ]
    lines = [f"Ledger of {one_line(name)}. Sizes are bytes.", "", one_line(reason) + ","]
    if rows:
        lines += ["so the exact PSS is not known; it lies between these bounds:", ""]
        lines += columns_text(["KOID", "REPORTED", "AT LEAST", "AT MOST", "NAME"], rows)
    else:
        lines.append("so nothing can be said of processes.")
    return "\n".join([*lines, "", *statement_text(statement), ""])


def statement_text(statement: Statement) -> list[str]:
    """The machine's half: a line per part, sums under rules, what is unexplained last."""
    parts = [line for line in statement.lines if not line.is_sum]
    whole = whole_bytes([line.size_bytes for line in parts])
    size_of = {id(line): size for line, size in zip(parts, whole, strict=True)}
    done = 0
    rows: list[tuple[str, str]] = []
    for line in statement.lines:
        if line.is_sum:
            rows.append((grouped(done), f"= {line.says}"))
        else:
            size = size_of[id(line)]
            done += size
            shown = signed(size) if rows else grouped(size)
            rows.append((shown, f"  {line.key}: {line.says}"))
    width = max((len(size) for size, _ in rows), default=1)
    text = ["The machine, from the sum of those PSS to physical memory:", ""]
    text += [f"{size.rjust(width)} {says}" for size, says in rows]
    left = statement.unexplained_bytes
    if left is None:
        text.append(f"{'?'.rjust(width)} = physical memory (the source does not tell)")
    else:
        text.append(f"{str(left).rjust(width)} unexplained")
    if statement.contradictions:
        text += ["", "The source contradicts itself:"]
        text += [
            f"{grouped(abs(one.difference_bytes)).rjust(width)}   {one.what}"
            for one in statement.contradictions
        ]
    return text
