"""On any machine every tool prints whole lines whose columns stand under their heads."""

from __future__ import annotations

import json
import re

from hypothesis import given, settings
from hypothesis import strategies as st
from support.random_snapshots import random_machine

import magmem

SIZE = r" *\d+(?:\.\d)?[BkMGTPE]"


@settings(max_examples=5)
@given(seed=st.integers(0, 2**32), islands=st.integers(1, 3))
def test_tools_never_fail_and_align(seed: int, islands: int) -> None:
    """Heads and rows end at the same columns, whatever the machine holds."""
    snap = random_machine(seed, islands)
    lines = str(magmem.ps(snap)).splitlines()
    assert lines[0] == lines[-1]
    ends = [match.end() for match in re.finditer(r"PSS|PRIVATE|SHARED", lines[0])]
    for line in lines[1:-1]:
        cells = re.fullmatch(rf" *[jp]:\d+ *({SIZE}) *({SIZE}) ({SIZE}|       ) .*", line)
        assert cells
        assert [cells.end(group) for group in (1, 2, 3)] == ends
    for which in ("all", "hidden"):
        rows = str(magmem.k_vmos(snap, which)).splitlines()[2:-1]
        assert all(
            re.fullmatch(rf" {{11}}- {{6}}- .{{29}}{SIZE} ({SIZE}|   phys) .*", r) for r in rows
        )
        assert {row[56] + row[64] for row in rows} <= {"  "}
    running = snap.processes["koid"][(snap.processes["state"] == "running").to_numpy()]
    for koid in running.tolist():
        nodes = str(magmem.vmaps(snap, koid)).splitlines()
        # Where nothing is deeper than the root's children, /A and /R stand two columns apart.
        assert len({line.index(":sz") for line in nodes[2:]}) <= 1
        assert len(str(magmem.vmos(snap, koid)).splitlines()) >= 2
    for koid in snap.processes["koid"].tolist():
        assert str(magmem.k_vmos(snap, koid)).startswith(f"process [{koid}]:\n")
        assert str(magmem.asd(snap, koid)).startswith("as ? ")
    assert json.loads(str(magmem.memgraph(snap, threads=True, vmos=True)))[0]["name"] == "physmem"
    assert len(str(magmem.k_ps(snap)).splitlines()) == 1 + len(snap.processes)


@settings(max_examples=3)
@given(seed=st.integers(0, 2**32))
def test_sums_agree_between_tools(seed: int) -> None:
    """A job's PSS is the sum of its processes'; memgraph and ps say the same of each."""
    snap = random_machine(seed, 2, crowded=True)
    table = magmem.ps(snap).df
    processes = table[table["kind"] == "process"]
    assert table["pss_bytes"][0] == processes["pss_bytes"].sum()
    assert table["private_bytes"][0] == processes["private_bytes"].sum()
    records = {record.get("koid"): record for record in json.loads(str(magmem.memgraph(snap)))}
    for row in processes.itertuples():
        assert records[row.koid]["pss_bytes"] == row.pss_bytes
        assert records[row.koid]["shared_bytes"] == row.shared_bytes
