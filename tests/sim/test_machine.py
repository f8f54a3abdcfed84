"""The machine as its user meets it: the sketch of the design, determinism, koids, lifetimes."""

from __future__ import annotations

import subprocess
import sys

import pytest

import magmem
from magmem.errors import InvalidArgs
from magmem.sim import HEAP_BYTES, Machine
from magmem.sim.rights import default_rights

PAGE = 4096


def test_the_sketch_of_the_interface_works_as_written() -> None:
    """The lines of the design are what a user types."""
    m = magmem.Machine(memory="2G", seed=7)
    sh = m.root_job.spawn("sh")
    heap = sh.create_vmo("2M", name="jemalloc-heap")
    at = sh.map(heap, perms="rw")
    at.touch("68k", write=True)
    lib = sh.create_vmo("132k", name="lib.so")
    child = lib.clone(name="data:lib.so")
    sh.map(child, perms="rw").write(0, b"x")
    snap = m.snapshot()
    text = str(magmem.vmos(snap, sh.koid))
    assert "rwxmdt  1040      -     0    1    1      2M     68k jemalloc-heap" in text
    assert "132k      4k data:lib.so" in text
    with m.at_step(4) as earlier:
        assert len(earlier.vmos) == len(m.vmos) - 2


SCRIPT = """
from magmem import scenarios
machine = scenarios.random_machine(4, 20, 40, 500, seed=3)
print(machine.fingerprint())
"""


def test_a_seed_gives_the_same_machine_in_every_process() -> None:
    """Hash seeds and processes make no difference: same seed, same addresses, koids, values."""
    prints = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(prints) == 1
    assert len(prints.pop()) == 65


def test_another_seed_gives_other_addresses() -> None:
    """The seed decides where things lie and what handles are called, not what there is."""
    places, values = set(), set()
    for seed in range(20):
        process = Machine("64M", seed=seed).root_job.spawn("p")
        places.add(process.map(process.create_vmo(PAGE)).base)
        values.add(process.handles[0].value)
    assert len(places) == len(values) == 20


def test_koids_are_given_in_order_and_may_be_set_forward() -> None:
    """A chosen koid must be above all given ones, and the count goes on behind it."""
    machine = Machine("64M")
    job = machine.root_job.create_job("a", koid=2000)
    assert machine.root_job.create_job("b").koid == 2001
    process = job.spawn("p", koid=3000)
    assert process.root_vmar.koid == 3001
    assert process.create_vmo(1, koid=4000).clone(koid=5000).koid == 5000
    assert process.create_thread("t", koid=5001).koid == 5001
    assert process.allocate(PAGE, koid=5002).koid == 5002
    with pytest.raises(InvalidArgs, match="expected 5003 or above, found 5002"):
        job.create_process("late", koid=5002)


def test_names_are_cut_to_31_bytes_at_a_character() -> None:
    """The kernel keeps 31 bytes; half a character is none."""
    machine = Machine("64M")
    process = machine.root_job.spawn("p")
    assert process.create_vmo(1, "x" * 40).name == "x" * 31
    assert process.create_vmo(1, "é" * 16).name == "é" * 15
    assert machine.root_job.create_job("j" * 99).name == "j" * 31


def test_the_clock_runs_when_it_is_told_to() -> None:
    """Time is part of the state; it moves only by `advance`."""
    machine = Machine("64M", time="2017-06-07T05:51:08.021Z")
    machine.root_job.spawn("p")
    assert machine.time == "2017-06-07T05:51:08.021Z"
    machine.advance(1_979)
    assert machine.time == "2017-06-07T05:51:10.000Z"
    assert machine.snapshot().timestamp == (1496814670, 0)


@pytest.mark.parametrize("time", ["yesterday", "2017-13-01", 5])
def test_a_clock_needs_a_time(time: object) -> None:
    """Anything but ISO 8601 is refused."""
    with pytest.raises(InvalidArgs, match="a time in ISO 8601"):
        Machine("64M", time=time)  # type: ignore[arg-type]


def test_everything_goes_when_its_process_goes() -> None:
    """After the last process all that it took is free again, but for what kernel tables keep."""
    machine = Machine("64M", seed=2)
    first = machine.root_job.spawn("first")
    first.exit()
    before = (machine.heap.used, machine.pages, len(machine.objects), len(machine.vmos))
    job = machine.root_job.create_job("job")
    process = job.spawn("p")
    vmo = process.create_vmo("1M")
    process.map(vmo.clone(), "rw").touch(write=True)
    vmo.write(0, bytes(range(256)))
    process.allocate("2M").map(vmo, "r", offset=0).touch()
    process.create_thread("t")
    port = process.create_port()
    port.queue(3)
    process.create_channel()
    machine.root_job.spawn("other").open(process)
    job.kill()
    machine.processes[1].exit() if len(machine.processes) > 1 else machine.processes[0].kill()
    packets = machine.kernel.packet_arena.vmo.committed_pages
    tables = machine.kernel.aspace.table_pages
    assert (machine.heap.used, len(machine.objects), len(machine.vmos)) == (
        before[0], before[2], before[3]
    )  # fmt: skip
    assert machine.pages["object"] == before[1]["object"] + packets
    assert machine.pages["mmu"] == 16 + tables
    assert machine.jobs == (machine.super_root, machine.root_job)


def test_held_tasks_stay_listed_until_they_are_let_go() -> None:
    """An exited process and a killed job stay while someone has a handle to them."""
    machine = Machine("64M")
    job = machine.root_job.create_job("job")
    process = job.spawn("p")
    watcher = machine.root_job.spawn("watcher")
    handles = [watcher.open(job), watcher.open(process), watcher.open(process.threads[0])]
    job.kill()
    assert (process.state, process.aspace, process.threads) == ("dead", None, ())
    assert process in machine.processes
    assert job in machine.jobs
    handles[1].close()
    assert process not in machine.processes
    assert job in machine.jobs
    handles[0].close()
    assert job not in machine.jobs
    handles[2].close()
    assert machine.heap.used > 0


def test_the_last_thread_ends_its_process() -> None:
    """A process exits with its last thread."""
    machine = Machine("64M")
    process = machine.root_job.spawn("p")
    second = process.create_thread("second")
    process.threads[0].exit()
    assert process.state == "running"
    second.kill()
    assert process.state == "dead"


def test_a_task_handle_kills_with_the_right_to_write() -> None:
    """Killing through a handle needs the right to write."""
    machine = Machine("64M")
    killer, victim = machine.root_job.spawn("killer"), machine.root_job.spawn("victim")
    weak = killer.open(victim, "r")
    with pytest.raises(magmem.AccessDenied, match="killing"):
        weak.kill()  # type: ignore[attr-defined]
    killer.open(victim).kill()  # type: ignore[attr-defined]
    assert victim.state == "dead"


def test_every_type_of_object_costs_its_heap_bytes() -> None:
    """The heap grows by the documented bytes of an object and shrinks by them when it dies."""
    process = Machine("64M").root_job.spawn("p")
    heap = process.machine.heap
    singles = ["event", "timer", "log", "resource", "interrupt", "pci-device", "guest", "vcpu"]
    for kind in singles:
        before = heap.used
        handle = process.create_object(kind)
        assert (handle.type, heap.used - before) == (kind, HEAP_BYTES[kind])
        assert handle.rights == default_rights(kind)
        handle.close()
        assert heap.used == before
    for kind, make in (
        ("channel", process.create_channel),
        ("event-pair", process.create_eventpair),
        ("socket", process.create_socket),
        ("fifo", process.create_fifo),
    ):
        before = heap.used
        near, far = make()
        assert heap.used - before == 2 * HEAP_BYTES[kind]
        assert near.koid + 1 == far.koid
        near.close()
        assert heap.used - before == HEAP_BYTES[kind]
        far.close()
        assert heap.used == before


def test_handle_values_are_odd_and_differ() -> None:
    """A value is an odd 32-bit number; a slot used again gives another value."""
    process = Machine("64M").root_job.spawn("p")
    values = set()
    for _ in range(100):
        handle = process.create_event()
        assert handle.value % 2 == 1
        assert 0 < handle.value < 1 << 32
        values.add(handle.value)
        handle.close()
    assert len(values) == 100


def test_a_koid_0_vmo_gets_a_koid_with_its_first_handle() -> None:
    """The kernel's VMO has koid 0 until userspace gets a handle to it."""
    machine = Machine("64M")
    process = machine.root_job.spawn("p")
    ring = machine.kernel.create_vmo("64k", "ring")
    machine.kernel.write(ring, 0, b"from the kernel")
    assert ring.koid == 0
    handle = process.open(ring)
    assert ring.koid == handle.koid == machine.next_koid - 1
    assert handle.read(0, 15) == b"from the kernel"  # type: ignore[attr-defined]


def test_machines_do_not_mix() -> None:
    """An object of one machine is unknown to another."""
    one, other = Machine("64M"), Machine("64M")
    process, stranger = one.root_job.spawn("p"), other.root_job.spawn("p")
    vmo = stranger.create_vmo(PAGE)
    with pytest.raises(magmem.BadHandle, match="a handle of another machine"):
        process.map(vmo)
    with pytest.raises(magmem.BadState, match="not a living object of this machine"):
        process.open(vmo.vmo)
    with pytest.raises(magmem.BadState, match="not a living VMO of this machine"):
        one.kernel.map(vmo)
    with pytest.raises(magmem.BadHandle, match="process of another machine"):
        vmo.transfer(process)


def test_depth_is_no_limit() -> None:
    """Chains of thousands of clones, jobs and VMARs work, end, and can be looked at."""
    machine = Machine("256M", seed=1)
    process = machine.root_job.spawn("p")
    vmo = process.create_vmo(PAGE)
    vmo.write(0, b"deep")
    for _ in range(2000):
        clone = vmo.clone()
        vmo.close()
        vmo = clone
    assert vmo.read(0, 4) == b"deep"
    assert vmo.commit() == 2000
    vmo.close()
    watcher = machine.root_job.spawn("watcher")
    job = machine.root_job.create_job("top")
    top, vmar = job, process.allocate("64M")
    for _ in range(1500):
        job = job.create_job("below")
        vmar = vmar.allocate("64M", offset=0)
    handle = watcher.open(job)
    top.kill()
    assert len(machine.snapshot().jobs) == 1503
    assert len(machine.fingerprint()) == 64
    handle.close()
    assert machine.jobs == (machine.super_root, machine.root_job)
    process.exit()
    owned = sum(vmo.committed_pages for vmo in machine.vmos if not vmo.pages_are_wired)
    assert machine.pages["object"] == owned < 40
