"""What a ledger is: a listing of processes with the statement of the whole machine behind it.

`magmem.ledger` gives a `CompleteLedger` where the snapshot knows its mappings and pages, else a
`PartialLedger` with bounds and an unknown line.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pandas as pd

from magmem.accounting.account import exact_column
from magmem.accounting.report import Report, plain_number
from magmem.accounting.statement import Statement

if TYPE_CHECKING:
    from magmem.still import Still

__all__ = ["Ledger", "statement_json"]


class Ledger(Report):
    """The ledger of one machine state.

    Attributes
    ----------
    name : str
        Of the state.
    statement : Statement
        The lines of the whole machine.
    reason : str
        What the capture does not know; empty if the ledger is complete.
    """

    name: str
    statement: Statement
    reason: str

    @property
    def unexplained_bytes(self) -> Fraction | None:
        """What no line explains: 0; None where the source does not tell the physical total."""
        return self.statement.unexplained_bytes

    @property
    def machine(self) -> pd.DataFrame:
        """The statement as a table: line, says, size_bytes (exact), is_sum."""
        lines = self.statement.lines
        return pd.DataFrame(
            {
                "line": [line.key for line in lines],
                "says": [line.says for line in lines],
                "size_bytes": exact_column([line.size_bytes for line in lines]),
                "is_sum": [line.is_sum for line in lines],
            }
        )

    def figure(self, *, dark: bool = False) -> Still:
        """The whole machine as a waterfall, from the reported PSS to physical memory."""
        from magmem.accounting.waterfall import draw

        return draw(self.statement, self.name, dark=dark)


def statement_json(statement: Statement, reason: str) -> Mapping[str, Any]:
    """What every ledger's JSON tells of the machine, under the statement's own names."""
    known = {line.key: line.size_bytes for line in statement.lines}
    machine: dict[str, Any] = {}
    for key, line in (
        ("wired_rest_bytes", "wired"),
        ("heap_used_bytes", "heap in use"),
        ("heap_free_bytes", "heap free"),
        ("mmu_bytes", "mmu"),
        ("other_bytes", "other"),
        ("free_bytes", "free"),
        ("total_bytes", "total"),
    ):
        machine[key] = int(known[line]) if line in known else None
    machine["contradiction_bytes"] = statement.contradiction_bytes
    machine["contradictions"] = [
        {
            "what": one.what,
            "counted_bytes": one.counted_bytes,
            "stated_bytes": one.stated_bytes,
            "difference_bytes": one.difference_bytes,
        }
        for one in statement.contradictions
    ]
    machine["reason"] = reason
    unknown, left = statement.unknown_bytes, statement.unexplained_bytes
    machine["unknown_bytes"] = None if unknown is None else plain_number(unknown)
    machine["unexplained_bytes"] = None if left is None else plain_number(left)
    return machine
