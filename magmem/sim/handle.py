"""Handles: how a process refers to a kernel object, and what it may do with it.

A handle has a value (an odd 32-bit number), an object and rights, which can only be reduced. Every
handle takes an entry of the fixed handle arena (reference/kernel.md "Objects, handles, koids").
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from magmem.errors import AccessDenied, BadHandle, WrongType
from magmem.sim.arguments import bytes_of, name_text, shown_hex, wrong
from magmem.sim.debugging import debugged_length
from magmem.sim.rights import (
    RIGHT_DUPLICATE,
    RIGHT_GET_PROPERTY,
    RIGHT_READ,
    RIGHT_SET_PROPERTY,
    RIGHT_TRANSFER,
    RIGHT_WRITE,
    parse_rights,
    rights_text,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from magmem.sim.machine import Machine
    from magmem.sim.process import Process
    from magmem.sim.statistics import TaskStatistics

__all__ = ["Handle", "KernelObject", "ProcessHandle", "TaskHandle"]

_VMO: Final = "a VMO"
_REGION: Final = "a VMAR"
_TASK: Final = "a job, process or thread"

_ASKS_FOR: Final = {
    "clone": _VMO,
    "commit": _VMO,
    "decommit": _VMO,
    "lookup": _VMO,
    "pin": _VMO,
    "read": _VMO,
    "resize": _VMO,
    "unpin": _VMO,
    "write": _VMO,
    "allocate": _REGION,
    "destroy": _REGION,
    "map": _REGION,
    "protect": _REGION,
    "unmap": _REGION,
    "dequeue": "a port",
    "queue": "a port",
    "kill": _TASK,
    "read_memory": "a process",
    "statistics": "a process",
    "write_memory": "a process",
}
"""Operations that handles of one type have, and what the others refuse them for."""


class KernelObject(Protocol):
    """What handles can refer to."""

    koid: int
    handle_count: int

    def last_handle_closed(self) -> None:
        """What happens when no process refers to it any more."""


class Handle:
    """One handle of one process.

    Attributes
    ----------
    process : Process
        Who holds it.
    value : int
        Its value in that process.
    type : str
        Type of the object, as in the snapshot's handles table.
    object : KernelObject
        What it refers to.
    rights : int
        Rights mask (`magmem.sim.RIGHT_READ` and so on).
    entry : int
        Its place in the handle arena.
    alive : bool
        False once it is closed, transferred or replaced.
    """

    __slots__ = ("alive", "entry", "object", "process", "rights", "type", "value")

    def __init__(
        self, process: Process, value: int, kind: str, target: KernelObject, rights: int, entry: int
    ) -> None:
        self.process = process
        self.value = value
        self.type = kind
        self.object = target
        self.rights = rights
        self.entry = entry
        self.alive = True

    @property
    def koid(self) -> int:
        """Koid of the object."""
        return self.object.koid

    @property
    def rights_text(self) -> str:
        """The rights `vmos` shows: ``rwxmdt`` with ``-`` for missing."""
        return rights_text(self.rights)

    @property
    def name(self) -> str:
        """The object's name, empty if it has none; needs the right to get properties."""
        self.need(RIGHT_GET_PROPERTY, "getting its name")
        return str(getattr(self.object, "name", ""))

    def set_name(self, name: str) -> None:
        """Rename the object; needs the right to set properties."""
        self.need(RIGHT_SET_PROPERTY, "setting its name")
        text = name_text(name)
        if not hasattr(self.object, "name") or self.type == "vmar":
            raise WrongType(f"a {self.type} has no name to set")
        self.object.name = text
        self.record("set_name", text)

    def duplicate(self, rights: int | str | None = None) -> Handle:
        """A second handle to the object, with the same rights or fewer.

        Raises
        ------
        AccessDenied
            No right to duplicate.
        InvalidArgs
            Rights that this handle lacks.
        NoResources, NoMemory
            The handle arena is full, or cannot grow.
        """
        self.need(RIGHT_DUPLICATE, "duplicating it")
        mask = self.rights if rights is None else parse_rights(rights, self.rights)
        machine = self.machine
        machine.require_handles(1, "the handle")
        twin = self.process.table.new(self.object, mask, self.type)
        self.record("duplicate", mask)
        return twin

    def replace(self, rights: int | str) -> Handle:
        """The same with other rights, in place of this one; only reducing is possible."""
        self.need(0, "replacing it")
        mask = parse_rights(rights, self.rights)
        self.machine.require_handles(1, "the handle")
        twin = self.process.table.new(self.object, mask, self.type)
        self.record("replace", mask)
        self.process.table.drop(self)
        return twin

    def transfer(self, process: Process) -> Handle:
        """Move it into another process (as through a channel); returns the handle there."""
        from magmem.sim.process import Process

        if not isinstance(process, Process):
            raise wrong("process", "the process that gets it", process)
        self.need(RIGHT_TRANSFER, "transferring it")
        if process.machine is not self.machine:
            raise BadHandle(f"{process!r} is a process of another machine")
        process.need_alive()
        moved = process.table.adopt(self)
        self.record("transfer", process.koid)
        return moved

    def close(self) -> None:
        """Give it up; an object that nothing refers to any more dies."""
        self.need(0, "closing it")
        self.process.table.drop(self)
        self.record("close")

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Callable[..., Any]:
            """An operation of another type's handles: calling it is `WrongType`."""
            if name not in _ASKS_FOR:
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

            def refuse(*_args: object, **_options: object) -> None:
                self.need(0, name)
                raise WrongType(f"{name}: expected a handle to {_ASKS_FOR[name]}, found {self!r}")

            return refuse

    @property
    def machine(self) -> Machine:
        """The machine it belongs to."""
        return self.process.machine

    def need(self, rights: int, what: str) -> None:
        """Raise unless the handle is alive and has these rights."""
        if not self.alive:
            raise BadHandle(f"handle {self.value:#x} of {self.process!r} is closed")
        if rights & ~self.rights:
            raise AccessDenied(
                f"{what} needs rights {shown_hex(rights)}, "
                f"handle {self.value:#x} has {self.rights:#x} "
                f"({self.rights_text})"
            )

    def record(self, op: str, *args: object) -> None:
        """Append an event about this handle."""
        machine = self.process.machine
        if machine.recording:
            koid = self.process.koid
            machine.record(op, koid, koid, self.value, *args)

    def __repr__(self) -> str:
        state = "" if self.alive else ", closed"
        return f"<Handle {self.value:#x} to {self.type} {self.koid}, {self.rights_text}{state}>"


class TaskHandle(Handle):
    """A handle to a job, process or thread."""

    __slots__ = ()

    def kill(self) -> None:
        """Kill the task and everything below it; needs the right to write."""
        self.need(RIGHT_WRITE, "killing it")
        self.object.kill()  # type: ignore[attr-defined]


class ProcessHandle(TaskHandle):
    """A handle to a process."""

    __slots__ = ()

    object: Process

    def statistics(self) -> TaskStatistics:
        """`Process.statistics`; needs the right to read."""
        self.need(RIGHT_READ, "its statistics")
        return self.object.statistics()

    def read_memory(self, address: int, length: int | str) -> bytes:
        """`Process.read_memory`, as a debugger calls it; needs the rights to read and write."""
        self.need(0, "reading memory")
        size = debugged_length(length)
        self.need(RIGHT_READ | RIGHT_WRITE, "reading memory")
        return self.object.read_memory(address, size)

    def write_memory(self, address: int, data: bytes) -> int:
        """`Process.write_memory`, as a debugger calls it; needs the rights to read and write."""
        self.need(0, "writing memory")
        debugged_length(len(bytes_of(data)))
        self.need(RIGHT_READ | RIGHT_WRITE, "writing memory")
        return self.object.write_memory(address, data)
