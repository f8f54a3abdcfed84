"""Every argument of a wrong Python type is a TypeError that names it; nothing changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from magmem import BootPlan, InvalidArgs, Machine, WrongArgument
from magmem.sim import Process

PAGE = 4096


class Stage:
    """Objects to call."""

    def __init__(self) -> None:
        self.m = Machine("64M", seed=5)
        self.p: Any = self.m.root_job.spawn("p")
        self.v = self.p.create_vmo("64k", "v")
        self.map = self.p.map(self.v)
        self.r = self.p.allocate("1M")
        self.port = self.p.create_port()
        self.d: Any = self.p.open(self.p)
        self.k: Any = self.m.kernel


CALLS: list[tuple[str, Callable[[Stage], Any]]] = [
    ("name", lambda s: s.m.root_job.create_job(5)),  # type: ignore[arg-type]
    ("name", lambda s: s.v.set_name(None)),
    ("koid", lambda s: s.p.create_vmo(1, koid="7")),
    ("koid", lambda s: s.m.find("7")),  # type: ignore[arg-type]
    ("stack", lambda s: s.m.root_job.spawn("x", stack=1.5)),  # type: ignore[arg-type]
    ("vdso", lambda s: s.m.root_job.spawn("x", vdso=1)),  # type: ignore[arg-type]
    ("code", lambda s: s.p.exit("done")),
    ("finish", lambda s: s.p.kill(finish="no")),
    ("size", lambda s: s.p.create_vmo(1.5)),
    ("size", lambda s: s.p.create_vmo(True)),
    ("size", lambda s: s.v.resize([])),
    ("alignment_bytes", lambda s: s.p.create_contiguous_vmo(PAGE, alignment_bytes=None)),
    ("phys_base", lambda s: s.p.create_physical_vmo(None, PAGE)),
    ("kind", lambda s: s.p.create_object(7)),
    ("target", lambda s: s.p.open(s.v)),
    ("target", lambda s: s.p.open(1043)),
    ("rights", lambda s: s.v.duplicate(1.5)),
    ("rights", lambda s: s.v.replace([])),
    ("process", lambda s: s.v.transfer(5)),
    ("value", lambda s: s.p.handle("3")),
    ("offset", lambda s: s.v.read(None)),
    ("length", lambda s: s.v.commit(0, b"4k")),
    ("data", lambda s: s.v.write(0, 5)),
    ("data", lambda s: s.map.write(0, "text")),
    ("vmo", lambda s: s.p.map("heap")),
    ("vmo", lambda s: s.r.map(s.v.vmo)),
    ("vmo", lambda s: s.r.handle.map(None)),
    ("perms", lambda s: s.p.map(s.v, 3)),
    ("perms", lambda s: s.p.map(s.v, ["r"])),
    ("perms", lambda s: s.map.protect(None)),
    ("perms", lambda s: s.p.allocate(PAGE, perms=7)),
    ("vmo_offset", lambda s: s.p.map(s.v, vmo_offset=None)),
    ("at", lambda s: s.p.map(s.v, at="0x1000000")),
    ("offset", lambda s: s.r.map(s.v, offset=1.0)),
    ("overwrite", lambda s: s.p.map(s.v, overwrite=1)),
    ("compact", lambda s: s.p.map(s.v, compact=None)),
    ("map_range", lambda s: s.p.map(s.v, map_range="yes")),
    ("specific", lambda s: s.p.allocate(PAGE, specific=0)),
    ("compact", lambda s: s.r.allocate(PAGE, compact="a")),
    ("address", lambda s: s.p.unmap("4k", PAGE)),
    ("address", lambda s: s.p.protect(None, PAGE, "r")),
    ("address", lambda s: s.p.touch("4k")),
    ("address", lambda s: s.p.read([], 1)),
    ("write", lambda s: s.p.touch(s.map.base, write=1)),
    ("execute", lambda s: s.map.touch(execute="x")),
    ("length", lambda s: s.map.touch(1.5)),
    ("offset", lambda s: s.map.decommit(None)),
    ("address", lambda s: s.d.read_memory("4k", 1)),
    ("data", lambda s: s.d.write_memory(s.map.base, "x")),
    ("count", lambda s: s.port.queue("1")),
    ("count", lambda s: s.port.dequeue(1.0)),
    ("port", lambda s: s.p.threads[0].raise_exception(5)),
    ("milliseconds", lambda s: s.m.advance("5")),  # type: ignore[arg-type]
    ("milliseconds", lambda s: s.m.advance(True)),
    ("step", lambda s: s.m.at_step("1")),  # type: ignore[arg-type]
    ("vmo", lambda s: s.k.commit(s.v)),
    ("vmo", lambda s: s.k.map("k")),
    ("at", lambda s: s.k.map(s.v, at="0")),
    ("cache", lambda s: s.k.map(s.v, cache=1.0)),
]


@pytest.mark.parametrize(("argument", "call"), CALLS)
def test_wrong_types(argument: str, call: Callable[[Stage], Any]) -> None:
    """The error is a TypeError and InvalidArgs in one, and begins with the argument's name."""
    stage = Stage()
    before = stage.m.fingerprint()
    with pytest.raises(WrongArgument, match=f"^{argument}: expected .*, found") as caught:
        call(stage)
    assert isinstance(caught.value, TypeError)
    assert isinstance(caught.value, InvalidArgs)
    assert stage.m.fingerprint() == before


@pytest.mark.parametrize(
    ("argument", "options"),
    [
        ("seed", {"seed": "lucky"}),
        ("memory", {"memory": None}),
        ("memory_map", {"memory_map": 5}),
        ("priority", {"memory_map": [(1 << 20, 1 << 26, "first")]}),
        ("boot", {"boot": "all"}),
        ("table_pages", {"boot": BootPlan(table_pages="16")}),  # type: ignore[arg-type]
        ("page_array", {"boot": BootPlan(page_array=1)}),  # type: ignore[arg-type]
        ("regions", {"boot": BootPlan(regions="image")}),  # type: ignore[arg-type]
        ("time", {"time": 2017}),
        ("name", {"name": None}),
        ("history", {"history": "no"}),
    ],
)
def test_wrong_types_of_a_machine(argument: str, options: dict[str, Any]) -> None:
    """A machine names the argument that it cannot be made with."""
    with pytest.raises(WrongArgument, match=f"^{argument}: expected"):
        Machine(**options)


def test_integers_of_numpy_are_numbers(process: Process) -> None:
    """Whatever Python takes for an integer is one, and is kept as a plain number."""
    vmo = process.create_vmo(np.int64(3 * PAGE))
    assert type(vmo.size_bytes) is int
    mapping = process.map(vmo, vmo_offset=np.uint32(PAGE))
    assert mapping.size_bytes == 2 * PAGE


def test_arguments_that_misbehave(process: Process) -> None:
    """An argument whose own methods fail is a WrongArgument all the same."""

    class Odd:
        def __repr__(self) -> str:
            raise RuntimeError

        def __index__(self) -> int:
            raise RuntimeError

    with pytest.raises(WrongArgument, match=r"^size: expected .* found <"):
        process.create_vmo(Odd())  # type: ignore[arg-type]
    with pytest.raises(InvalidArgs, match="a number of more than 60 digits"):
        process.create_vmo(10**5000)
