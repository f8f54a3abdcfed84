"""The vDSO's code: mapped once, and neither unmapped, overwritten nor protected by userspace.

The rule is in public sources of September 2017 (Zircon's VmAddressRegion, VmMapping and RoDso); see
docs/kernel-differences.md.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from magmem import AccessDenied, Machine
from magmem.sim import Process
from magmem.sim.mapping import Mapping
from magmem.sim.vmo_handle import VmoHandle

PAGE = 4096


@pytest.fixture
def spawned(machine: Machine) -> Process:
    """A process as a launcher leaves it, the vDSO mapped."""
    return machine.root_job.spawn("p", stack=0)


def code_of(process: Process) -> Mapping:
    """Where the vDSO's code is."""
    assert process.aspace is not None
    code = process.aspace.vdso_code
    assert code is not None
    return code


class Stage:
    """A process with the vDSO mapped, its code, the region around, and a VMO beside."""

    def __init__(self, process: Process) -> None:
        self.process = process
        (vdso,) = [h for h in process.handles if h.type == "vmo"]
        assert isinstance(vdso, VmoHandle)
        self.vdso = vdso
        self.other = process.create_vmo(PAGE)
        self.code = code_of(process)
        self.region = self.code.vmar


REFUSED: list[Callable[[Stage], Any]] = [
    lambda s: s.code.unmap(),
    lambda s: s.code.protect("r"),
    lambda s: s.process.unmap(s.region.base, s.region.size_bytes),
    lambda s: s.region.unmap(s.code.base, PAGE),
    lambda s: s.region.unmap(s.region.base, s.region.size_bytes),
    lambda s: s.region.protect(s.region.base, s.region.size_bytes, "r"),
    lambda s: s.region.destroy(),
    lambda s: s.process.root_vmar.destroy(),
    lambda s: s.region.map(s.other, "r", offset=6 * PAGE, overwrite=True),
    lambda s: s.process.map(s.vdso, "rx", vmo_offset=6 * PAGE, length=PAGE),
]


@pytest.mark.parametrize("act", REFUSED)
def test_the_code_stays(machine: Machine, spawned: Process, act: Callable[[Stage], Any]) -> None:
    """What would unmap, change or double the code's mapping is AccessDenied; nothing changes."""
    stage = Stage(spawned)
    before = machine.fingerprint()
    with pytest.raises(AccessDenied):
        act(stage)
    assert machine.fingerprint() == before
    assert stage.code.alive


@pytest.mark.parametrize(("first", "pages"), [(0, 7), (5, 2), (0, 1), (6, 2)])
def test_only_the_code_is_executable(
    machine: Machine, process: Process, first: int, pages: int
) -> None:
    """Of the vDSO only the code, and all of it, is mapped executable; nothing changes else."""
    vdso = process.open(machine.kernel.vdso)
    before = machine.fingerprint()
    with pytest.raises(AccessDenied):
        process.map(vdso, "rx", vmo_offset=first * PAGE, length=pages * PAGE)  # type: ignore[arg-type]
    assert machine.fingerprint() == before
    assert process.map(vdso, "r", vmo_offset=first * PAGE, length=pages * PAGE).alive  # type: ignore[arg-type]


def test_every_variant_counts(machine: Machine, process: Process) -> None:
    """The variants of the vDSO share the rule: the code of one is mapped, or of another."""
    full, test1 = (process.open(vmo) for vmo in machine.kernel.vdso_variants[:2])
    process.map(test1, "rx", vmo_offset=6 * PAGE, length=PAGE)  # type: ignore[arg-type]
    with pytest.raises(AccessDenied):
        process.map(full, "rx", vmo_offset=6 * PAGE, length=PAGE)  # type: ignore[arg-type]


def test_the_data_beside_the_code_is_free(spawned: Process) -> None:
    """The vDSO's data is a mapping like others: it can be unmapped and mapped again."""
    code = code_of(spawned)
    code.vmar.unmap(code.vmar.base, 6 * PAGE)
    assert code.vmar.children == [code]


def test_the_code_goes_with_its_process(machine: Machine, spawned: Process) -> None:
    """The end of the process takes the code's mapping along."""
    code = code_of(spawned)
    spawned.exit()
    assert not code.alive
    assert all(m.vmar.aspace.koid == 0 for m in machine.kernel.vdso.mappings)
