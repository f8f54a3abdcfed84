"""Every operation is an event; a history done again leads to the same machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from magmem import scenarios
from magmem.errors import BadState, CaptureError, KernelError, OutOfRange
from magmem.sim import BootPlan, Machine
from magmem.sim.operations import OPERATIONS

PAGE = 4096


def everything(machine: Machine) -> Machine:  # noqa: PLR0915 (one of each operation)
    """Do each operation there is at least once."""
    kernel, root = machine.kernel, machine.root_job
    machine.advance(1500)
    job = root.create_job("services")
    held = job.create_process("held")
    watcher = root.spawn("watcher")
    watcher.open(held)
    worker = held.start("first")
    other = held.create_thread("second")
    other.start()
    worker.suspend()
    worker.resume()
    worker.block()
    worker.unblock()
    worker.raise_exception("debugger")
    worker.resume_exception()
    other.exit()
    vmo = watcher.create_vmo("64k", name="data")
    vmo.write(5, b"hello \xff")
    vmo.commit(0, "16k")
    vmo.pin(0, PAGE)
    vmo.unpin(0, PAGE)
    clone = vmo.clone(PAGE, "32k", "copy")
    clone.clone(0, name="copy of copy").write(0, b"quirk")
    clone.set_name("renamed")
    clone.duplicate("rm").close()
    clone = clone.replace("rwmdtgs")
    clone.decommit(0, PAGE)
    clone.resize("16k")
    moved = clone.transfer(held)
    mapping = held.map(moved, "rw")
    mapping.touch(PAGE, write=True)
    mapping.write(PAGE - 2, b"abcd")
    assert mapping.read(PAGE - 2, 4) == b"abcd"
    mapping.protect("r")
    held.unmap(mapping.base + PAGE, PAGE)
    vmar = held.allocate("1M", compact=True)
    vmar.map(moved, "r", offset=0).unmap()
    vmar.allocate("64k", offset=PAGE, perms="r", specific=False)
    vmar.destroy()
    region = watcher.open(held.root_vmar)
    window = region.map(vmo, "r", map_range=True)
    region.allocate("64k", perms="r", compact=True).handle.close()
    region.protect(window.base, PAGE, "---")
    window.decommit(0, PAGE)
    region.unmap(window.base, PAGE)
    debugger = watcher.open(held)
    debugger.write_memory(window.base + PAGE, b"breakpoint")
    job.create_process("let go").release()
    watcher.create_contiguous_vmo("32k", "dma", alignment_bytes="16k")
    screen = watcher.create_physical_vmo(0xD0000000, "64k", "screen")
    watcher.map(screen, "rw").touch()
    watcher.create_channel()
    watcher.create_eventpair()
    watcher.create_socket()
    watcher.create_fifo()
    watcher.create_event()
    watcher.create_timer()
    watcher.create_object("vcpu")
    port = watcher.create_port()
    port.queue(100)
    port.dequeue(3)
    own = kernel.create_vmo("64k", "ring")
    kernel.write(own, 1, b"kernel")
    kernel.commit(own, 0, "8k")
    kernel.map(own, "rw").touch(PAGE)
    watcher.map(watcher.open(own), "r").touch()
    shadow = kernel.clone(own, 0, "32k", "shadow")
    kernel.release(shadow)
    kernel.map_device(0xFEC00000, PAGE, "ioapic", cache=1)
    dying = job.spawn("dying", stack="64k")
    dying.kill(finish=False)
    dying.finish()
    root.spawn("short", vdso=False, stack=0).exit(3)
    job.spawn("killed").kill()
    job.kill()
    return machine


def test_all_operations_are_exercised_here() -> None:
    """The machine of these tests does every operation that is recorded."""
    done = {event[0] for event in everything(Machine("64M")).history.events}
    assert done == set(OPERATIONS)


def test_replay_gives_the_same_state() -> None:
    """Doing the events again gives the same machine to the last bit, history included."""
    machine = everything(Machine("64M", seed=11, boot=BootPlan(kernel_threads=3), name="all"))
    again = Machine.replay(machine.history)
    assert again.fingerprint() == machine.fingerprint()
    assert again.history.events == machine.history.events
    assert again.snapshot().equals(machine.snapshot())


@pytest.mark.parametrize("name", scenarios.names())
def test_every_scenario_replays(name: str) -> None:
    """What a scenario builds follows from its history alone."""
    machine = scenarios.make(name, **({"handles": 2000} if name == "handle_hoarder" else {}))
    assert Machine.replay(machine.history).fingerprint() == machine.fingerprint()


def test_at_step_is_the_machine_as_it_was() -> None:
    """Any earlier step can be looked at; what is done there changes nothing here."""
    machine = Machine("64M", seed=3)
    prints = [machine.fingerprint()]
    process = machine.root_job.spawn("p")
    prints.append(machine.fingerprint())
    process.map(process.create_vmo("64k"), "rw").touch(write=True)
    with machine.at_step(1) as earlier:
        assert earlier.fingerprint() == prints[1]
        assert earlier.step == 1
        earlier.root_job.spawn("other life")
    assert machine.step == 4
    assert machine.at_step(0).fingerprint() == prints[0]
    assert machine.at_step(4).fingerprint() == machine.fingerprint()
    for step in (-1, 5):
        with pytest.raises(OutOfRange, match="a step in 0 … 4"):
            machine.at_step(step)


def test_saving_and_loading_gives_the_same_machine(tmp_path: Path) -> None:
    """A saved history leads to the same machine; the file is JSON, a line an event."""
    machine = everything(Machine(memory_map=[("1M", "40M"), ("64M", "24M", 1, "more")], seed=5))
    path = tmp_path / "machine.history"
    machine.save_history(path)
    loaded = Machine.load_history(path)
    assert loaded.fingerprint() == machine.fingerprint()
    assert loaded.snapshot().equals(machine.snapshot())
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) == machine.step + 1
    assert json.loads(lines[0])["format"] == "magmem-history/2"


def changed(path: Path, line: int, value: Any) -> None:
    """Replace a line of the file."""
    lines = path.read_text(encoding="utf-8").splitlines()
    lines[line] = value if isinstance(value, str) else json.dumps(value)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("line", "value", "message"),
    [
        (0, "", "line 1: expected JSON"),
        (0, {"format": "other/1"}, "line 1: expected a history of format magmem-history/2"),
        (0, {"format": "magmem-history/2"}, "line 1: expected machine, heap_used and counts"),
        (2, "[1, 2", "line 3: expected JSON"),
        (2, ["fly", 0], "line 3: expected a list that begins with an operation"),
        (2, 7, "line 3: expected a list that begins with an operation"),
        (2, ["advance", 0, 1], "line 3: expected operation, who, milliseconds and 5 effects"),
        (2, ["advance", 0, 1, "a", 0, 0, 0, 0], "line 3: expected numbers, text and bytes"),
        (2, ["advance", 0, -1, 0, 0, 0, 0, 0], "step 2: expected advance to succeed"),
        (2, ["advance", 0, 1, 0, 0, 0, 0, 0], r"step 2: expected effects \(0, 0, 0, 0, 0\)"),
        (2, ["exit", 9, 9, 0, 0, 0, 0, 0, 0], "step 2: expected exit to succeed"),
        (2, ["set_name", 0, 0, [], {}, 0, 0, 0, 0, 0], "line 3: expected numbers, text and bytes"),
    ],
)
def test_a_damaged_history_is_told(tmp_path: Path, line: int, value: Any, message: str) -> None:
    """A file that is no history, or whose events do not lead where it says, names its place."""
    machine = Machine("64M")
    machine.advance(1)
    machine.root_job.spawn("p")
    path = tmp_path / "h"
    machine.save_history(path)
    changed(path, line, value)
    with pytest.raises(CaptureError, match=message):
        Machine.load_history(path)


def test_binary_is_no_history(tmp_path: Path) -> None:
    """A file that is not text is told apart from damaged text."""
    path = tmp_path / "h"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CaptureError, match="expected UTF-8 text"):
        Machine.load_history(path)


def test_events_are_a_table() -> None:
    """One row a step: what, who, arguments in words, and the pages it took or gave back."""
    machine = Machine("64M", seed=1)
    process = machine.root_job.spawn("p")
    vmo = process.create_vmo("8k", name="v")
    vmo.commit()
    vmo.decommit()
    events = machine.events
    assert list(events["op"]) == ["spawn", "create_vmo", "commit", "decommit"]
    assert list(events["step"]) == [1, 2, 3, 4]
    assert list(events["who"]) == [0, process.koid, process.koid, process.koid]
    assert list(events["pages"])[1:] == [0, 2, -2]
    assert "size=8192 name='v'" in events["arguments"][1]
    assert events.dtypes["pages"] == "int64"


def test_statistics_follow_the_steps() -> None:
    """Row n is the kernel's memory after step n, row 0 after boot; it adds up in every row."""
    machine = Machine("64M", seed=1, boot=BootPlan(alloc_pages=5))
    rows = [vars(machine.kmem)]
    everything_so_far = [machine.step]
    process = machine.root_job.spawn("p")
    rows.append(vars(machine.kmem))
    process.map(process.create_vmo("1M"), "rw").touch(write=True)
    rows += [vars(machine.at_step(step).kmem) for step in (2, 3, 4)]
    table = machine.statistics()
    expected = pd.DataFrame(rows)
    assert table[list(expected.columns)].equals(expected)
    assert list(table["step"]) == [*everything_so_far, 1, 2, 3, 4]
    parts = table.drop(columns=["step", "op", "total_bytes", "free_heap_bytes"]).sum(axis=1)
    assert (parts == table["total_bytes"]).all()


def test_a_machine_may_keep_no_history() -> None:
    """Without history everything works but looking back."""
    machine, other = Machine("64M", seed=2, history=False), Machine("64M", seed=2)
    for each in (machine, other):
        each.root_job.spawn("p").create_vmo("8k").commit()
    assert machine.fingerprint() == other.fingerprint()
    assert machine.step == 0
    with pytest.raises(BadState, match="keeps no history"):
        machine.at_step(0)
    with pytest.raises(BadState, match="keeps no history"):
        machine.save_history("/nonexistent/h")


def test_refused_operations_are_no_events() -> None:
    """What failed is not in the history."""
    machine = Machine("64M")
    process = machine.root_job.spawn("p")
    with pytest.raises(KernelError):
        process.touch(0x1000000)
    assert machine.step == 1
