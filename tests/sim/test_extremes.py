"""Extremes that legal calls reach: whatever lists a machine goes on working."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import magmem
from magmem import InvalidArgs, Machine, NoMemory, NoResources, OutOfRange, PageFault
from magmem.sim import MAX_VMO_BYTES
from magmem.sim.process import Process

PAGE = 4096


@pytest.mark.parametrize("offset", [1 << 63, (1 << 64) - 2 * PAGE])
def test_mapping_far_past_its_vmo(
    machine: Machine, process: Process, tmp_path: Path, offset: int
) -> None:
    """A mapping may begin far past its VMO's end; whatever lists the machine goes on working."""
    process.start()
    process.map(process.create_vmo(PAGE, "far"), vmo_offset=offset, length=PAGE)
    snap = machine.snapshot()
    assert snap.regions["vmo_offset_bytes"].max() == offset
    for listing in (magmem.ps, magmem.ledger, magmem.treemap, magmem.memgraph):
        assert str(listing(machine))
    assert "far" in str(magmem.k_vmos(machine, "all"))
    text = str(magmem.asd(machine, process.koid))
    assert f"off {offset:#x} " in text
    snap.save(tmp_path / "machine.json")
    (tmp_path / "asd.txt").write_text(text)
    for name in ("machine.json", "asd.txt"):
        again = magmem.read_capture(tmp_path / name)
        assert again.regions["vmo_offset_bytes"].max() == offset


def test_offset_of_more_than_64_bits_is_refused(machine: Machine, tmp_path: Path) -> None:
    """A description whose mapping begins at 2^64 is no capture: one error, and it says where."""
    process = machine.root_job.spawn("one")
    process.map(process.create_vmo(PAGE), vmo_offset=(1 << 64) - 2 * PAGE, length=PAGE)
    path = tmp_path / "machine.json"
    machine.snapshot().save(path)
    path.write_text(path.read_text().replace(str((1 << 64) - 2 * PAGE), str(1 << 64)))
    with pytest.raises(magmem.CaptureError, match="vmo_offset: expected a range that ends below"):
        magmem.read_capture(path)


def test_koids_run_out(machine: Machine) -> None:
    """Koids end below 2^63: what needs more is NoResources, and the machine can be listed."""
    process = machine.root_job.spawn("last", koid=(1 << 63) - 8)
    kernels = machine.kernel.create_vmo(PAGE)
    vmo = process.create_vmo(PAGE)
    assert machine.next_koid == (1 << 63) - 2
    before = machine.fingerprint()
    with pytest.raises(NoResources):
        machine.root_job.spawn("x")
    with pytest.raises(InvalidArgs):
        process.create_vmo(PAGE, koid=1 << 63)
    assert machine.fingerprint() == before
    process.create_channel()
    before = machine.fingerprint()
    for refused in (
        lambda: process.create_vmo(PAGE),
        lambda: process.create_contiguous_vmo(PAGE),
        lambda: process.allocate(PAGE),
        lambda: process.open(kernels),
        lambda: process.create_thread("t"),
        process.create_event,
        process.create_channel,
        vmo.clone,
        lambda: machine.root_job.create_job("j"),
        lambda: machine.root_job.create_process("p"),
    ):
        with pytest.raises(NoResources):
            refused()
    assert machine.fingerprint() == before
    assert "last" in str(magmem.ps(machine))
    assert Machine.replay(machine.history).fingerprint() == machine.fingerprint()


def test_clock_ends(machine: Machine) -> None:
    """The clock ends with the year 9999: OutOfRange beyond, and every listing works."""
    before = machine.fingerprint()
    for milliseconds in (10**15, 1 << 100):
        with pytest.raises(OutOfRange, match="past the year 9999"):
            machine.advance(milliseconds)
    assert machine.fingerprint() == before
    with pytest.raises(InvalidArgs):
        machine.advance(-1)
    machine.advance(10**14)
    assert machine.time.startswith("5186-")
    assert str(magmem.kstats(machine))


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999Z"])
def test_clock_begins(time: str) -> None:
    """A machine may live in any year from 1 to 9999 of UTC; others are InvalidArgs."""
    machine = Machine("64M", time=time)
    assert machine.time[:19] == time[:19]
    assert str(magmem.ps(machine))
    with pytest.raises(InvalidArgs):
        Machine("64M", time=f"{time[:19]}{'+14:00' if time < '2' else '-12:00'}")


def test_largest_sizes(machine: Machine, process: Process) -> None:
    """The largest VMOs, clones and physical ranges are listed like others."""
    process.start()
    vmo = process.create_vmo(MAX_VMO_BYTES, "huge")
    vmo.write(MAX_VMO_BYTES - 1, b"x")
    process.map(vmo, length=process.root_vmar.size_bytes // 2)
    process.map(vmo, vmo_offset=MAX_VMO_BYTES - PAGE).touch(PAGE, write=True)
    vmo.clone(1 << 62, (1 << 62) - 2 * PAGE).clone(1 << 62, 1 << 61)
    process.create_physical_vmo((1 << 64) - PAGE, PAGE)
    with pytest.raises(InvalidArgs):
        process.create_physical_vmo((1 << 64) - PAGE, 2 * PAGE)
    for listing in (magmem.ps, magmem.ledger, magmem.treemap, magmem.hidden, magmem.compare):
        assert str(listing(machine))


def test_memory_ends_at_52_bits() -> None:
    """Physical addresses have 52 bits: memory beyond is InvalidArgs."""
    top = 1 << 52
    assert Machine(memory_map=[(top - (1 << 26), 1 << 26)]).pages["free"] > 0
    with pytest.raises(InvalidArgs):
        Machine(memory_map=[(top - (1 << 26), (1 << 26) + PAGE)])


def test_huge_touches_are_refused_quickly(process: Process, machine: Machine) -> None:
    """A touch of more than memory can map is NoMemory, without counting every table."""
    mapping = process.map(process.create_vmo("60T"))
    huge = process.create_vmo(1 << 60)
    before = machine.fingerprint()
    for write in (False, True):
        with pytest.raises(NoMemory):
            mapping.touch(write=write)
    with pytest.raises(NoMemory):
        mapping.read()
    with pytest.raises(NoMemory):
        huge.read()
    assert machine.fingerprint() == before


def test_nothing_at_all_of_a_dead_process(machine: Machine, process: Process) -> None:
    """Touching no byte through a mapping that is gone is a fault, and no event."""
    mapping = process.map(process.create_vmo(PAGE))
    process.kill()
    before, step = machine.fingerprint(), machine.step
    for refused in (lambda: mapping.touch(0), lambda: mapping.read(0, 0)):
        with pytest.raises(PageFault):
            refused()
    assert (machine.fingerprint(), machine.step) == (before, step)


def test_depths(machine: Machine, tmp_path: Path) -> None:
    """Jobs, regions and clones may lie deep in one another; every listing works."""
    job, process = machine.root_job, machine.root_job.spawn("deep")
    for depth in range(300):
        job = job.create_job(f"j{depth}")
    region = process.allocate("4M")
    for _ in range(300):
        region = region.allocate(region.size_bytes - PAGE, offset=0)
    vmo = process.create_vmo(2 * PAGE)
    for _ in range(300):
        vmo = vmo.clone()
    region.map(vmo, length=PAGE, offset=0).touch(write=True)
    for listing in (magmem.ps, magmem.ledger, magmem.treemap, magmem.memgraph, magmem.k_ps):
        assert str(listing(machine))
    for tool in (magmem.vmaps, magmem.vmos, magmem.asd, magmem.k_ht):
        assert str(tool(machine, process.koid))
    snap = machine.snapshot("deep.json")
    snap.save(tmp_path / "deep.json")
    assert magmem.read_capture(tmp_path / "deep.json").equals(snap)


def test_overflow_is_the_same_from_every_way_in(machine: Machine, process: Process) -> None:
    """One call's overflow has one error, by handle, by region, by process or by the kernel."""
    vmo = process.create_vmo(4 * PAGE)
    kernel, region = machine.kernel, process.allocate(1 << 20)
    far, before = (1 << 64) - PAGE, machine.fingerprint()
    same: list[tuple[type[Exception], list[Callable[[], Any]]]] = [
        (
            InvalidArgs,
            [
                lambda: process.map(vmo, vmo_offset=far, length=PAGE),
                lambda: region.map(vmo, vmo_offset=far, length=PAGE),
                lambda: region.handle.map(vmo, vmo_offset=far, length=PAGE),  # type: ignore[union-attr]
                lambda: kernel.map(vmo, vmo_offset=far, length=PAGE),
            ],
        ),
        (
            OutOfRange,
            [lambda: vmo.clone(PAGE, MAX_VMO_BYTES), lambda: kernel.clone(vmo.vmo, PAGE, 1 << 63)],
        ),
        (
            OutOfRange,
            [lambda: vmo.commit(PAGE, far), lambda: kernel.commit(vmo.vmo, PAGE, far)],
        ),
        (
            OutOfRange,
            [lambda: vmo.write(1 << 64, b"x"), lambda: kernel.write(vmo.vmo, 1 << 64, b"x")],
        ),
        (
            InvalidArgs,
            [lambda: process.create_vmo(1 << 63), lambda: kernel.create_vmo(1 << 63)],
        ),
    ]
    for status, calls in same:
        for call in calls:
            with pytest.raises(status) as caught:
                call()
            assert type(caught.value) is status
    assert machine.fingerprint() == before
