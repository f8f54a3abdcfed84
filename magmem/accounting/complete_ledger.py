"""The ledger of a machine whose mappings and pages are known: the stages R0 … R5 by name.

Rules: reference/accounting.md "The ledger". Sizes are bytes and exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from magmem.accounting.account import exact_column
from magmem.accounting.amounts import Amounts
from magmem.accounting.attribution import STAGES, Attribution
from magmem.accounting.book import Ledger, statement_json
from magmem.accounting.ledger_text import complete_text
from magmem.accounting.rules import magenta_2017
from magmem.accounting.statement import statement_of
from magmem.kernel.runs import Ints

__all__ = ["CompleteLedger"]


class CompleteLedger(Ledger):
    """The ledger of one machine state; a listing with the numbers behind it.

    Attributes
    ----------
    df : pandas.DataFrame
        One row per process in the order of the tasks table: koid, name, running, reported_bytes,
        the six steps as ``…_bytes`` (`magmem.accounting.attribution.STAGES`), exact_bytes,
        uss_bytes, handle_only_bytes (missing if the capture has no handles). Sizes are int, or
        `Fraction` where divided.
    """

    def __init__(self, attribution: Attribution) -> None:
        name = attribution.view.snap.name or "this machine"
        super().__init__(self._frame, self._text, self._json, title=f"ledger of {name}")
        statement = statement_of(attribution, int(_reported(attribution).sum()))
        for key, value in (
            ("name", name),
            ("reason", ""),
            ("_attribution", attribution),
            ("statement", statement),
        ):
            object.__setattr__(self, key, value)

    _attribution: Attribution

    @property
    def reported(self) -> Ints:
        """PSS of each process as ``ps`` reports it, bytes; int64 array."""
        return _reported(self._attribution)

    @property
    def reported_bytes(self) -> int:
        """Sum of the reported PSS."""
        return int(self.reported.sum())

    @property
    def stages(self) -> tuple[Amounts, ...]:
        """R0 … R5 of each process."""
        return self._attribution.process_stages

    @cached_property
    def _held(self) -> Sequence[Fraction] | None:
        """Handle-only bytes of each process, None if the capture has no handles."""
        if not self._attribution.view.snap.knows("handles"):
            return None
        return self._attribution.hidden.by_process.fractions

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
        held = self._held
        columns["handle_only_bytes"] = pd.NA if held is None else exact_column(held)
        return pd.DataFrame(columns)

    def _text(self, table: pd.DataFrame) -> str:
        return complete_text(self.name, table, self.stages, self.statement)

    def _json(self, table: pd.DataFrame) -> dict[str, Any]:
        held = self._held
        stages = [stage.fractions for stage in self.stages]
        processes = [
            {
                "koid": koid,
                "name": name,
                "running": running,
                "reported_bytes": reported,
                "stages": [str(stage[row]) for stage in stages],
                "uss_bytes": uss,
                "handle_only": None if held is None else str(held[row]),
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
        snap, hidden = self._attribution.view.snap, self._attribution.hidden
        wired = snap.vmos["pages_are_wired"].fillna(False).to_numpy(dtype=bool)
        owned = int(self._attribution.view.committed_bytes[wired].sum())
        known = {line.key: line.size_bytes for line in self.statement.lines}
        told = self._held is not None
        return {
            "reported_bytes": self.reported_bytes,
            "stages": [str(stage.total) for stage in self.stages],
            "alloc_bytes": self._attribution.alloc_bytes,
            "wired_owned_bytes": owned,
            "kernel_mapped": str(known["kernel-mapped"]),
            "hidden_bytes": hidden.size_bytes,
            "handle_only_bytes": hidden.handle_only_bytes if told else None,
            "kernel_only_bytes": hidden.kernel_only_bytes if told else None,
            "unknown_processes": str(known.get("unknown processes", Fraction(0))),
            **statement_json(self.statement, self.reason),
        }


def _reported(attribution: Attribution) -> Ints:
    charges = magenta_2017.charge(attribution)
    return np.asarray(charges.private_bytes + charges.scaled.alone_bytes, dtype=np.int64)
