"""The five tables of a fleet: columns and DuckDB types, stated once.

Every row carries the labels of its capture. Sizes are bytes in ``*_bytes`` columns (BIGINT);
missing is NULL, never 0. A further label is a VARCHAR column under its own name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from magmem.fleet.facts import LINES, RULE_COLUMNS, STEP_COLUMNS

__all__ = ["LABELS", "LAYOUT", "REFUSED", "TABLES", "check_label"]

LAYOUT: Final = 1
"""Number of the layout that this magmem writes; it reads all up to it."""

_TEXT, _INT, _FLAG = "VARCHAR", "BIGINT", "BOOLEAN"

LABELS: Final[Mapping[str, str]] = MappingProxyType(
    {"capture_id": _TEXT, "device": _TEXT, "build": _TEXT, "captured_at": "TIMESTAMP"}
)
"""What every row begins with; `captured_at` is UTC without a zone."""

TABLES: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "captures": {
            "source": _TEXT,
            "kind": _TEXT,
            "machine": _TEXT,
            "processes": _INT,
            "vmos": _INT,
            "complete": _FLAG,
            "reason": _TEXT,
            **dict.fromkeys(LINES, _INT),
            "hidden_bytes": _INT,
            "unexplained_bytes": _INT,
            "source_bytes": _INT,
            "sha256": _TEXT,
            "original": _TEXT,
            "magmem": _TEXT,
        },
        "processes": {
            "koid": _INT,
            "name": _TEXT,
            "job": _TEXT,
            "running": _FLAG,
            **dict.fromkeys(RULE_COLUMNS, _INT),
            "private_bytes": _INT,
            "uss_bytes": _INT,
            "handle_only_bytes": _INT,
            "exact_low_bytes": _INT,
            "exact_high_bytes": _INT,
            "reported_pss_bytes": _INT,
            **dict.fromkeys(STEP_COLUMNS, _INT),
        },
        "hidden": {
            "why": _TEXT,
            "name": _TEXT,
            "holder": _TEXT,
            "vmos": _INT,
            "size_bytes": _INT,
        },
        "ledger": {"position": _INT, "line": _TEXT, "is_sum": _FLAG, "size_bytes": _INT},
        "vmos": {"name": _TEXT, "vmos": _INT, "size_bytes": _INT, "committed_bytes": _INT},
    }
)
"""The columns of each table after its labels, and their types."""

REFUSED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "source": _TEXT,
        "device": _TEXT,
        "build": _TEXT,
        "captured_at": "TIMESTAMP",
        "sha256": _TEXT,
        "source_bytes": _INT,
        "error": _TEXT,
        "place": _TEXT,
        "expected": _TEXT,
        "found": _TEXT,
        "tries": _INT,
        "magmem": _TEXT,
    }
)
"""The columns of what was not taken."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")


def check_label(name: str) -> None:
    """Refuse the name of a further label that cannot be a column of every table.

    Raises
    ------
    ValueError
        It is no plain word, or a column has that name.
    """
    taken = {column for table in TABLES.values() for column in table} | {"capture_id"}
    if not _NAME.fullmatch(name) or name in taken:
        raise ValueError(
            f"expected a label of small letters, digits and _ that is no column already, "
            f"found {name!r}"
        )
