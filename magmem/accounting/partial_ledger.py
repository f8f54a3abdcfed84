"""The ledger of a capture that does not know its mappings or pages: bounds, and an unknown line.

What the source reported is shown as such. The exact PSS of each process lies between bounds
(`magmem.accounting.bounds`). Of the machine, what the VMOs hold beyond the reported PSS is one
signed line, *unknown*: hidden memory, clones, duplicates and rounding cannot be told apart. Sizes
are bytes.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pandas as pd

from magmem.accounting.account import exact_column
from magmem.accounting.attribution import Attribution
from magmem.accounting.book import Ledger, statement_json
from magmem.accounting.bounds import Bounds, bounds_of
from magmem.accounting.ledger_text import partial_text
from magmem.accounting.statement import partial_statement

__all__ = ["PartialLedger"]


class PartialLedger(Ledger):
    """The ledger of one partly known state; a listing with the numbers behind it.

    Attributes
    ----------
    df : pandas.DataFrame
        One row per process in the order of the tasks table: koid, name, reported_bytes (missing
        if the source does not tell), exact_low_bytes, exact_high_bytes (missing where nothing
        limits it; int, or `Fraction` where divided), reason.
    bounds : Bounds
        The same bounds.
    """

    def __init__(self, attribution: Attribution) -> None:
        name = attribution.view.snap.name or "this machine"
        super().__init__(self._frame, self._text, self._json, title=f"ledger of {name}")
        bounds = bounds_of(attribution)
        reported = attribution.view.snap.processes["reported_pss_bytes"]
        statement = partial_statement(attribution.view.snap, reported)
        for key, value in (
            ("name", name),
            ("reason", bounds.reason),
            ("bounds", bounds),
            ("statement", statement),
            ("_attribution", attribution),
        ):
            object.__setattr__(self, key, value)

    bounds: Bounds
    _attribution: Attribution

    def _frame(self) -> pd.DataFrame:
        population = self._attribution.population
        reported = self._attribution.view.snap.processes["reported_pss_bytes"]
        high = pd.Series([pd.NA if size is None else size for size in self.bounds.high])
        return pd.DataFrame(
            {
                "koid": population.koid,
                "name": population.name,
                "reported_bytes": reported.reset_index(drop=True),
                "exact_low_bytes": exact_column(self.bounds.low),
                "exact_high_bytes": high.astype(object),
                "reason": self.reason,
            }
        )

    def _text(self, table: pd.DataFrame) -> str:
        return partial_text(self.name, table, self.statement, self.reason)

    def _json(self, table: pd.DataFrame) -> dict[str, Any]:
        runs = self._attribution.population.runs.tolist()
        processes = [
            {
                "koid": int(row.koid),
                "name": row.name,
                "running": running,
                "reported_bytes": None if pd.isna(row.reported_bytes) else int(row.reported_bytes),
                "stages": None,
                "exact_low": str(Fraction(row.exact_low_bytes)),
                "exact_high": None if row.exact_high_bytes is pd.NA else str(row.exact_high_bytes),
                "uss_bytes": None,
                "handle_only": None,
            }
            for row, running in zip(table.itertuples(index=False), runs, strict=True)
        ]
        reported = self.statement.of("reported")
        nothing = dict.fromkeys(
            (
                "stages",
                "alloc_bytes",
                "wired_owned_bytes",
                "kernel_mapped",
                "hidden_bytes",
                "handle_only_bytes",
                "kernel_only_bytes",
                "unknown_processes",
            )
        )
        machine = {
            "reported_bytes": None if reported is None else int(reported),
            **nothing,
            **statement_json(self.statement, self.reason),
        }
        return {"processes": processes, "machine": machine}
