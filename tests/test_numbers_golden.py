"""The numbers of every dataset by every rule and tool are those that were stored.

`python tests/test_numbers_golden.py` stores them anew; review the difference before committing it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import magmem
from magmem.accounting.rules import RULES

STORED = Path(__file__).parent / "goldens" / "numbers.json"
DATASETS = list(magmem.datasets.names())


def _digest(table: pd.DataFrame) -> dict[str, Any]:
    """Rows, whole sums of the columns of sizes, and a digest of every cell."""
    cells = table.astype(object).where(table.notna(), None)
    sums = {
        name: str(sum(value for value in cells[name] if value is not None))
        for name in cells
        if name.endswith("_bytes")
    }
    text = json.dumps([[str(cell) for cell in row] for row in cells.to_numpy().tolist()])
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return {"rows": len(table), "sums": sums, "cells": digest}


def _answer(ask: Callable[[], pd.DataFrame]) -> dict[str, Any]:
    """The numbers, or why there are none."""
    try:
        return _digest(ask())
    except magmem.MagmemError as error:
        return {"refused": str(error)}


def numbers(name: str) -> dict[str, Any]:
    """What every tool and rule answers of a dataset."""
    snap = magmem.datasets.load(name)
    answers = {"ps": _answer(lambda: magmem.ps(snap).df)}
    answers["vmos"] = _answer(lambda: magmem.k_vmos(snap, "all").df)
    for rule in RULES:
        answers[f"account {rule}"] = _answer(lambda rule=rule: magmem.account(snap, rule).df)  # type: ignore[misc]
        answers[f"treemap {rule}"] = _answer(lambda rule=rule: magmem.treemap(snap, rule=rule).df)  # type: ignore[misc]
    return answers


@pytest.mark.parametrize("name", DATASETS)
def test_numbers_are_those_stored(name: str) -> None:
    """No number of any tool or rule changes unless its stored form is changed with it."""
    assert numbers(name) == json.loads(STORED.read_text(encoding="utf-8"))[name]


def test_every_dataset_is_stored() -> None:
    """A dataset that ships has stored numbers, and nothing else has."""
    assert sorted(json.loads(STORED.read_text(encoding="utf-8"))) == sorted(DATASETS)


if __name__ == "__main__":
    stored = {name: numbers(name) for name in DATASETS}
    STORED.write_text(json.dumps(stored, indent=1, sort_keys=True) + "\n", encoding="utf-8")
