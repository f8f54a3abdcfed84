"""The ledger: every byte between what ``ps`` reports and physical memory, by name.

Rules: reference/accounting.md "The ledger". For each process the way from its reported PSS to the
exact one, for the machine from the sum of those to the total, with nothing left unexplained. Sizes
are bytes and exact. A capture that does not know its mappings or pages gets bounds and an unknown
line instead (`magmem.accounting.bounds`).
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from magmem.accounting.account import exact_column
from magmem.accounting.amounts import Amounts
from magmem.accounting.attribution import STAGES, Attribution, attribution_of
from magmem.accounting.ledger_text import complete_text
from magmem.accounting.report import Report, plain_number
from magmem.accounting.rules import magenta_2017
from magmem.accounting.runs import Ints
from magmem.accounting.statement import Statement, statement_of
from magmem.snapshot.source import Source, snapshot_of

if TYPE_CHECKING:
    from magmem.still import Still

__all__ = ["Ledger", "ledger"]


class Ledger(Report):
    """The ledger of one machine state; a listing with the numbers behind it.

    Attributes
    ----------
    df : pandas.DataFrame
        One row per process in the order of the tasks table: koid, name, running, reported_bytes,
        the six steps as ``…_bytes`` (`magmem.accounting.attribution.STAGES`), exact_bytes,
        uss_bytes, handle_only_bytes. Sizes are int, or `Fraction` where divided.
    statement : Statement
        The lines of the whole machine.
    """

    def __init__(self, attribution: Attribution) -> None:
        super().__init__(
            self._frame, self._text, self._json, title=f"ledger of {_name(attribution)}"
        )
        object.__setattr__(self, "_attribution", attribution)
        object.__setattr__(self, "statement", statement_of(attribution, self.reported_bytes))

    statement: Statement
    _attribution: Attribution

    @cached_property
    def reported(self) -> Ints:
        """PSS of each process as ``ps`` reports it, bytes; int64 array."""
        charges = magenta_2017.charge(self._attribution)
        return np.asarray(charges.private_bytes + charges.scaled.alone_bytes, dtype=np.int64)

    @property
    def reported_bytes(self) -> int:
        """Sum of the reported PSS."""
        return int(self.reported.sum())

    @cached_property
    def stages(self) -> tuple[Amounts, ...]:
        """R0 … R5 of each process."""
        return tuple(map(self._attribution.by_process, self._attribution.stages))

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

        return draw(self.statement, _name(self._attribution), dark=dark)

    def _frame(self) -> pd.DataFrame:
        population = self._attribution.population
        before: Sequence[Fraction] = [Fraction(size) for size in self.reported.tolist()]
        columns: dict[str, Any] = {
            "koid": population.koid,
            "name": population.name,
            "running": population.runs,
            "reported_bytes": self.reported,
        }
        for step, stage in zip(STAGES, self.stages, strict=True):
            after = stage.fractions
            change = [new - old for new, old in zip(after, before, strict=True)]
            columns[f"{step.replace(' ', '_')}_bytes"] = exact_column(change)
            before = after
        columns["exact_bytes"] = exact_column(before)
        columns["uss_bytes"] = self.stages[-1].alone_bytes
        held = self._attribution.hidden.by_process.fractions
        columns["handle_only_bytes"] = exact_column(held)
        return pd.DataFrame(columns)

    def _text(self, table: pd.DataFrame) -> str:
        return complete_text(_name(self._attribution), table, self.stages, self.statement)

    def _json(self, table: pd.DataFrame) -> dict[str, Any]:
        held = self._attribution.hidden.by_process.fractions
        stages = [stage.fractions for stage in self.stages]
        processes = [
            {
                "koid": koid,
                "name": name,
                "running": running,
                "reported_bytes": reported,
                "stages": [str(stage[row]) for stage in stages],
                "uss_bytes": uss,
                "handle_only": str(held[row]),
            }
            for row, (koid, name, running, reported, uss) in enumerate(
                zip(
                    *(
                        table[column].tolist()
                        for column in ("koid", "name", "running", "reported_bytes", "uss_bytes")
                    ),
                    strict=True,
                )
            )
        ]
        return {"processes": processes, "machine": self._machine_json()}

    def _machine_json(self) -> dict[str, Any]:
        statement = self.statement
        known = {line.key: line.size_bytes for line in statement.lines}
        hidden = self._attribution.hidden
        vmos = self._attribution.view.snap.vmos
        wired = vmos["pages_are_wired"].fillna(False).to_numpy(dtype=bool)
        owned = int(self._attribution.view.committed_bytes[wired].sum())
        machine: dict[str, Any] = {
            "reported_bytes": self.reported_bytes,
            "stages": [str(stage.total) for stage in self.stages],
            "alloc_bytes": self._attribution.alloc_bytes,
            "wired_owned_bytes": owned,
            "kernel_mapped": str(known["kernel-mapped"]),
            "handle_only_bytes": hidden.handle_only_bytes,
            "kernel_only_bytes": hidden.kernel_only_bytes,
            "unknown_processes": str(known.get("unknown processes", Fraction(0))),
        }
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
        left = statement.unexplained_bytes
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
        machine["unexplained_bytes"] = None if left is None else plain_number(left)
        return machine


def ledger(source: Source) -> Ledger:
    """Every byte between what ``ps`` reports and physical memory, by name.

    Parameters
    ----------
    source : Snapshot or Machine

    Returns
    -------
    Ledger
        A listing; see its attributes. ``unexplained_bytes`` is 0 on every machine whose source
        does not contradict itself; contradictions are shown apart, with their size.
    """
    return Ledger(attribution_of(snapshot_of(source)))


def _name(attribution: Attribution) -> str:
    return attribution.view.snap.name or "this machine"
