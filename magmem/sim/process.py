"""Processes: an address space, threads, and a table of handles.

A process that has exited but to which handles are held elsewhere stays listed, as dead, with no
address space (reference/kernel.md "Tasks"). What a process can make is in `magmem.sim.creation`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from magmem.errors import BadHandle, BadState, InvalidArgs
from magmem.sim.arguments import name_text, size_of
from magmem.sim.aspace import USER_BASE, USER_SIZE, AddressSpace
from magmem.sim.creation import Creation
from magmem.sim.handle import Handle, KernelObject
from magmem.sim.handle_table import HandleTable
from magmem.sim.heap import HEAP_BYTES
from magmem.sim.kernel import STACK_PAGES_BOUND
from magmem.sim.perms import EXECUTE, READ, WRITE
from magmem.sim.thread import Thread
from magmem.sim.vmar import Vmar

if TYPE_CHECKING:
    from magmem.sim.job import Job
    from magmem.sim.mapping import Mapping
    from magmem.sim.vmo_handle import VmoHandle

__all__ = ["PROCESS_HEAP_BYTES", "THREAD_HEAP_BYTES", "Process"]

PROCESS_HEAP_BYTES = HEAP_BYTES["process"] + HEAP_BYTES["address space"] + HEAP_BYTES["vmar"]
"""Heap bytes of a process without handles and threads."""

THREAD_HEAP_BYTES = (
    HEAP_BYTES["thread"] + HEAP_BYTES["paged vmo"] + HEAP_BYTES["vmar"] + HEAP_BYTES["mapping"]
)
"""Heap bytes of a thread with its kernel stack."""


class Process(Creation):
    """One process; made by `Job.spawn` or `Job.create_process`.

    Attributes
    ----------
    koid, name
    job : Job
    state : str
        initial, running, dying or dead.
    exit_code : int or None
    aspace : AddressSpace or None
        None once it is dead.
    table : HandleTable
        The handles it holds.
    handle_count : int
        Handles to this process, in all processes.
    """

    __slots__ = (
        "_root",
        "aspace",
        "exit_code",
        "handle_count",
        "job",
        "koid",
        "machine",
        "name",
        "state",
        "table",
        "threads_by_koid",
    )

    def __init__(self, job: Job, name: str, koid: int, root_koid: int) -> None:
        machine = job.machine
        self.machine = machine
        self.job = job
        self.koid = koid
        self.name = name
        self.state = "initial"
        self.exit_code: int | None = None
        self.handle_count = 0
        self.threads_by_koid: dict[int, Thread] = {}
        self.table = HandleTable(self, machine.random(1 << 31) << 1)
        machine.heap.take(HEAP_BYTES["process"])
        machine.objects[koid] = self
        machine.processes_by_koid[koid] = self
        job.processes_by_koid[koid] = self
        self.aspace: AddressSpace | None = AddressSpace(
            machine, self, USER_BASE, USER_SIZE, root_koid
        )
        self._root = self.aspace.root

    @property
    def threads(self) -> tuple[Thread, ...]:
        """Its threads, oldest first."""
        return tuple(self.threads_by_koid.values())

    @property
    def handles(self) -> tuple[Handle, ...]:
        """Its handles in the kernel's order: newest first."""
        return tuple(reversed(self.table.by_value.values()))

    @property
    def root_vmar(self) -> Vmar:
        """The VMAR over its whole range."""
        return self._root

    def handle(self, value: int) -> Handle:
        """The handle of that value; `BadHandle` if there is none."""
        handle = self.table.by_value.get(value)
        if handle is None:
            raise BadHandle(f"{self!r} has no handle {value:#x}")
        return handle

    # ------------------------------------------------------------------ life

    def create_thread(self, name: str, *, koid: int | None = None) -> Thread:
        """A thread that has not started; nobody gets a handle to it."""
        text = name_text(name)
        self.need_new_objects()
        new_koid = self.machine.check_koid(koid)
        self.machine.require("the thread", heap_bytes=THREAD_HEAP_BYTES, pages=STACK_PAGES_BOUND)
        self.machine.use_koid(new_koid)
        thread = Thread(self, text, new_koid)
        self._record("create_thread", text, new_koid)
        return thread

    def start(self, name: str = "initial-thread", *, koid: int | None = None) -> Thread:
        """Make the first thread and start it."""
        text = name_text(name)
        if self.state != "initial":
            raise BadState(f"expected a process that has not started, found {self!r}")
        new_koid = self.machine.check_koid(koid)
        self.machine.require("the thread", heap_bytes=THREAD_HEAP_BYTES, pages=STACK_PAGES_BOUND)
        self.machine.use_koid(new_koid)
        thread = Thread(self, text, new_koid)
        thread.state = self.state = "running"
        self._record("start", text, new_koid)
        return thread

    def exit(self, code: int = 0) -> None:
        """End by itself: threads, handles and address space go."""
        if self.state == "dead":
            raise BadState(f"{self!r} has exited")
        self.end(code)
        self._record("exit", code)

    def kill(self, finish: bool = True) -> None:
        """End from outside; with ``finish=False`` it stays dying until `finish` is called.

        A dying process is not readable, but its mappings still count.
        """
        if self.state == "dead":
            raise BadState(f"{self!r} has exited")
        if finish:
            self.end(-1)
        elif self.state == "dying":
            raise BadState(f"{self!r} is dying already")
        else:
            self.state = "dying"
            for thread in self.threads_by_koid.values():
                thread.state, thread.exception_port = "dying", "none"
        self._record("kill", finish)

    def finish(self) -> None:
        """Let a dying process die."""
        if self.state != "dying":
            raise BadState(f"expected a dying process, found {self!r}")
        self.end(-1)
        self._record("finish")

    def end(self, code: int) -> None:
        """Give everything back; the process is dead."""
        for thread in self.threads:
            thread.end()
        for handle in self.handles:
            self.table.drop(handle)
        assert self.aspace is not None  # noqa: S101 (only the dead have none)
        self.aspace.destroy()
        self.aspace = None
        self.state = "dead"
        self.exit_code = code
        if not self.handle_count:
            self.last_handle_closed()

    def last_handle_closed(self) -> None:
        """Be forgotten, if it is dead."""
        if self.state == "dead":
            self.machine.heap.used -= HEAP_BYTES["process"]
            del self.machine.objects[self.koid]
            del self.machine.processes_by_koid[self.koid]
            del self.job.processes_by_koid[self.koid]
            self.job.forget()

    # --------------------------------------------------------------- handles

    def open(self, target: KernelObject, rights: int | str | None = None) -> Handle:
        """A new handle to an existing object: a power of the laboratory, not of the kernel.

        Parameters
        ----------
        target : Job, Process, Thread, Vmo, Vmar or Object
            A VMO that userspace never had a handle to gets its koid now.
        rights : int or str, optional
            All that the type has, if not given; the kernel's data never gets write.
        """
        return self.open_object(target, rights)

    # ---------------------------------------------------------------- memory

    def map(
        self,
        vmo: VmoHandle,
        perms: str = "rw",
        *,
        vmo_offset: int | str = 0,
        length: int | str | None = None,
        at: int | None = None,
        overwrite: bool = False,
        compact: bool = False,
    ) -> Mapping:
        """Map a part of a VMO into the root VMAR; nothing is committed by it.

        Parameters
        ----------
        vmo : VmoHandle
            Needs the right to map, and to read, write and execute as `perms` ask.
        perms : str
            Letters out of ``rwx``.
        vmo_offset, length : int or str
            The part; whole pages. `length` defaults to the rest of the VMO; it may reach past the
            end.
        at : int, optional
            The address; without it the kernel picks one at random.
        overwrite : bool
            Replace mappings (not VMARs) in the way; needs `at`.
        compact : bool
            Pick a place 1 to 128 pages from another region.

        Raises
        ------
        InvalidArgs
            Offset or address not page aligned, length 0, outside the VMAR, write without read.
        AccessDenied
            Rights or VMAR permissions are lacking.
        NoMemory
            The place is taken, nothing fits, or the kernel heap cannot grow.
        """
        offset = None if at is None else self._offset(at)
        return self._root.map(
            vmo,
            perms,
            vmo_offset=vmo_offset,
            length=length,
            offset=offset,
            overwrite=overwrite,
            compact=compact,
        )

    def allocate(
        self,
        size: int | str,
        *,
        at: int | None = None,
        perms: str = "rwx",
        specific: bool = True,
        compact: bool = False,
        overwrite: bool = False,
        koid: int | None = None,
    ) -> Vmar:
        """A child VMAR of the root VMAR (`Vmar.allocate`), at an address if one is given."""
        return self._root.allocate(
            size,
            offset=None if at is None else self._offset(at),
            perms=perms,
            specific=specific,
            compact=compact,
            overwrite=overwrite,
            koid=koid,
        )

    def unmap(self, address: int, length: int | str) -> None:
        """Unmap a range (`Vmar.unmap` of the root VMAR)."""
        self._root.unmap(address, length)

    def protect(self, address: int, length: int | str, perms: str) -> None:
        """Change the permissions of a range (`Vmar.protect` of the root VMAR)."""
        self._root.protect(address, length, perms)

    def touch(
        self, address: int, length: int | str = 1, *, write: bool = False, execute: bool = False
    ) -> int:
        """Access every page of a range of addresses; returns the pages newly committed.

        Raises
        ------
        PageFault
            The first address that may not be accessed so, and why; nothing has changed.
        """
        access = WRITE if write else EXECUTE if execute else READ
        return self._living_aspace().touch_recorded(address, size_of(length), access)

    def read(self, address: int, length: int | str) -> bytes:
        """Bytes at an address, through page faults."""
        return self._living_aspace().read(address, size_of(length))

    def write(self, address: int, data: bytes) -> int:
        """Write bytes at an address, through page faults; returns the pages newly committed."""
        return self._living_aspace().write(address, data)

    # ---------------------------------------------------------------- checks

    def need_alive(self) -> None:
        """Raise `BadState` for a dead process."""
        if self.state == "dead":
            raise BadState(f"{self!r} has exited")

    def need_new_objects(self) -> None:
        """Raise `BadState` for a process that may not make new objects."""
        if self.state in ("dying", "dead"):
            raise BadState(f"{self!r} is {self.state}")

    def _living_aspace(self) -> AddressSpace:
        if self.aspace is None:
            raise BadState(f"{self!r} has exited: it has no address space")
        return self.aspace

    def _offset(self, address: int) -> int:
        if address < USER_BASE:
            raise InvalidArgs(
                f"{address:#x} is below the user range, which begins at {USER_BASE:#x}"
            )
        return address - USER_BASE

    def _record(self, op: str, *args: object) -> None:
        if self.machine.recording:
            self.machine.record(op, self.koid, self.koid, *args)

    def __repr__(self) -> str:
        return f"<Process {self.koid} {self.name!r}, {self.state}>"
