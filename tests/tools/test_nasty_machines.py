"""On machines far nastier than the goldens, every tool prints what its rule says.

The rules are written down a second time, plainly, in `support.plain_tools`; the goldens prove that
writing too.
"""

from __future__ import annotations

import json
from functools import cache

import pytest
from support.nasty_machines import nasty_machine
from support.plain_tools import PlainTools
from support.shared import goldens

import magmem
from magmem.captures import parse_machine
from magmem.errors import BadState, NotFound
from magmem.snapshot import Snapshot

SEEDS = range(12)
SYSTEMS = ["system-1", "system-2", "system-doc-ps", "system-doc-vmos"]


@cache
def machine(source: int | str) -> tuple[Snapshot, PlainTools]:
    """A nasty machine by seed, or a golden one by name."""
    if isinstance(source, str):
        raw = json.loads((goldens() / f"{source}.json").read_text(encoding="utf-8"))
    else:
        raw = nasty_machine(source)
    return parse_machine(json.dumps(raw).encode(), f"{source}.json"), PlainTools(raw)


def koids(source: int | str) -> list[int]:
    """Some processes of a machine: the first, the last and those between at a step."""
    found = [process["koid"] for process in machine(source)[1].raw["processes"]]
    return found[:: max(1, len(found) // 3)]


machines = pytest.mark.parametrize("source", [*SEEDS, *SYSTEMS])


@machines
@pytest.mark.parametrize("threads", [False, True])
@pytest.mark.parametrize("jobs", [False, True])
def test_ps(source: int | str, threads: bool, jobs: bool) -> None:
    """Order, widths, sums of jobs and states, with and without threads and processes."""
    snap, plain = machine(source)
    assert str(magmem.ps(snap, threads, jobs)) == plain.ps(threads, jobs)


@pytest.mark.parametrize("units", ["B", "k", "M", "G", "T", "P", "E", "K", "m", "?", "kM", "%s"])
def test_units(units: str) -> None:
    """A fixed unit holds for every size; only its first character counts; an unknown one says ?."""
    snap, plain = machine(3)
    assert str(magmem.ps(snap, units=units)) == plain.ps(units=units)
    assert str(magmem.k_vmos(snap, "all", units)) == plain.k_vmos("all", units)


@machines
def test_vmaps_and_vmos(source: int | str) -> None:
    """Processes below the root job that run are listed; others are refused as the kernel does."""
    snap, plain = machine(source)
    below = {t["koid"] for _, _, t in plain.tree(plain.raw["root_job_koid"])}
    for koid in koids(source):
        if koid not in below:
            with pytest.raises(NotFound, match=f"find process with koid {koid}: ZX_ERR_NOT_FOUND"):
                magmem.vmaps(snap, koid)
        elif plain.processes[koid]["state"] != "running":
            with pytest.raises(BadState, match=r"couldn't get vmos .* ERR_BAD_STATE \(-20\)"):
                magmem.vmos(snap, koid, era="mx")
        else:
            assert str(magmem.vmaps(snap, koid)) == plain.vmaps(koid)
            assert str(magmem.vmos(snap, koid)) == plain.vmos_of(koid)


@machines
def test_kernel_console(source: int | str) -> None:
    """The kernel sees every process in whatever state, and VMOs without koid."""
    snap, plain = machine(source)
    assert str(magmem.k_ps(snap)) == plain.k_ps()
    for which in ("all", "hidden", *koids(source)):
        assert str(magmem.k_vmos(snap, which, "k")) == plain.k_vmos(which, "k")
    for koid in koids(source):
        assert str(magmem.k_ht(snap, koid)) == plain.k_ht(koid)
        assert str(magmem.asd(snap, koid)) == plain.asd(plain.processes[koid]["aspace"])
    spaces = [plain.raw["kernel_aspace"], *(p["aspace"] for p in plain.raw["processes"])]
    assert str(magmem.asd(snap, "ker")) == plain.asd(spaces[0])
    assert str(magmem.vmm_aspaces(snap)) == "".join(map(plain.asd, spaces))


@machines
@pytest.mark.parametrize("threads", [False, True])
@pytest.mark.parametrize("vmos", [False, True])
def test_memgraph(source: int | str, threads: bool, vmos: bool) -> None:
    """Valid JSON whatever the names are, in the original's spacing."""
    snap, plain = machine(source)
    listing = magmem.memgraph(snap, threads, vmos)
    assert json.loads(str(listing)) == plain.memgraph(threads, vmos)
    assert str(listing) == plain.memgraph_text(threads, vmos)
