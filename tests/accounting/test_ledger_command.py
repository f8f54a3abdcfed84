"""A machine description of someone else's, through the command line, against the slow model."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from slow_model import PAGE, SlowModel
from support.random_snapshots import random_machine

from magmem.cli.main import run


@pytest.mark.parametrize("crowded", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_ledger_of_a_description_equals_the_slow_model(
    seed: int, crowded: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What `magmem ledger --json FILE` prints is the slow model's, for processes and machine."""
    snap = random_machine(seed, 4, crowded)
    path = tmp_path / "machine.json"
    snap.save(path)
    assert run(["ledger", "--json", str(path)]) == 0
    told = json.loads(capsys.readouterr().out)
    slow = SlowModel(snap)
    kernel = check_processes(told["processes"], slow)
    machine = told["machine"]
    owned = sum(map(len, slow.owned))
    wired = sum(len(own) for own, yes in zip(slow.owned, slow.wired, strict=True) if yes)
    _, held, kernel_only = slow.hidden()
    assert machine["alloc_bytes"] == owned * PAGE
    assert machine["wired_owned_bytes"] == wired * PAGE
    assert Fraction(machine["kernel_mapped"]) == kernel
    assert machine["handle_only_bytes"] == held
    assert machine["kernel_only_bytes"] == kernel_only
    assert machine["unexplained_bytes"] == 0


def check_processes(rows: list[dict[str, Any]], slow: SlowModel) -> Fraction:
    """Assert that each process's row is the slow model's; return the kernel's exact bytes."""
    stages, uss, (held, _, _) = slow.stages(), slow.uss(), slow.hidden()
    space = {koid: row for row, koid in slow.process_of.items()}
    assert {row["koid"] for row in rows} == set(slow.state)
    for row in rows:
        koid, runs = row["koid"], slow.state[row["koid"]] == "running"
        mine = [stage[space[koid]] if koid in space else 0 for stage in stages]
        assert row["running"] is runs
        assert row["reported_bytes"] == (mine[0] if runs else 0)
        assert [Fraction(stage) for stage in row["stages"]] == mine
        assert row["uss_bytes"] == (uss[space[koid]] if koid in space else 0)
        assert Fraction(row["handle_only"]) == held[koid]
    return sum((stages[5][row] for row in slow.kernel), Fraction(0))
