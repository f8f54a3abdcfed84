"""Processes: an address space, threads, and a table of handles.

A process that has exited but to which handles are held elsewhere stays listed, as dead, with no
address space. One whose last handle closes is killed, unless the laboratory holds it, which it does
until `Process.release` (reference/kernel.md "Tasks"). What a process can make is in
`magmem.sim.creation`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from magmem.errors import BadHandle, BadState
from magmem.sim import debugging
from magmem.sim.arguments import (
    address_of,
    bytes_of,
    flag,
    name_text,
    number_of,
    shown_hex,
    size_of,
)
from magmem.sim.aspace import USER_BASE, USER_SIZE, AddressSpace
from magmem.sim.creation import Creation
from magmem.sim.handle import Handle, KernelObject
from magmem.sim.handle_table import HandleTable
from magmem.sim.heap import HEAP_BYTES
from magmem.sim.kernel import STACK_PAGES_BOUND
from magmem.sim.mapping import access_of
from magmem.sim.statistics import TaskStatistics
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
    held : bool
        Whether the laboratory holds it, so that it lives without a handle.
    """

    __slots__ = (
        "_root",
        "aspace",
        "exit_code",
        "handle_count",
        "held",
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
        self.held = True
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
        handle = self.table.by_value.get(address_of(value, "value"))
        if handle is None:
            raise BadHandle(f"{self!r} has no handle {shown_hex(value)}")
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
        """End by itself: threads, handles and address space go.

        A process that is dying already keeps the exit code that it has.
        """
        number_of(code, "code", -(1 << 31), (1 << 31) - 1)
        if self.state == "dead":
            raise BadState(f"{self!r} has exited")
        self.end(code)
        self._record("exit", code)

    def kill(self, finish: bool = True) -> None:
        """End from outside, with exit code -1.

        With ``finish=False`` a process that has threads stays dying until `finish` is called: its
        mappings and handles stay, sharers still count it, and it is not readable. One without
        threads is dead at once.
        """
        flag(finish, "finish")
        if self.state == "dead":
            raise BadState(f"{self!r} has exited")
        if finish or not self.threads_by_koid:
            self.end(-1)
        elif self.state == "dying":
            raise BadState(f"{self!r} is dying already")
        else:
            self.state = "dying"
            self.exit_code = -1
            for thread in self.threads_by_koid.values():
                thread.state, thread.exception_port = "dying", "none"
        self._record("kill", finish)

    def finish(self) -> None:
        """Let a dying process die."""
        if self.state != "dying":
            raise BadState(f"expected a dying process, found {self!r}")
        self.end(-1)
        self._record("finish")

    def release(self) -> None:
        """Let the laboratory's hold go: the process is killed with its last handle, now if none.

        Raises
        ------
        BadState
            The laboratory does not hold it, or it has exited.
        """
        if not self.held or self.state == "dead":
            raise BadState(f"expected a living process that the laboratory holds, found {self!r}")
        self.held = False
        if not self.handle_count:
            self.last_handle_closed()
        self._record("release")

    def end(self, code: int) -> None:
        """Give everything back, handles first and then the address space; the process is dead."""
        if self.state != "dying":
            # From here on the end of its own handles is no reason to kill it again.
            self.state = "dying"
            self.exit_code = code
        for thread in self.threads:
            thread.end()
        for handle in self.handles:
            self.table.drop(handle)
        assert self.aspace is not None  # noqa: S101 (only the dead have none)
        self.aspace.destroy()
        self.aspace = None
        self.state = "dead"
        if not self.handle_count:
            self.last_handle_closed()

    def last_handle_closed(self) -> None:
        """Be killed, unless the laboratory holds it; be forgotten, if it is dead.

        Processes that hold the last handle to one another end one after the other, not inside each
        other: a chain of them may be longer than Python's stack is deep.
        """
        if self.state == "dead":
            self._forget()
            return
        if self.held or self.state == "dying":
            return
        orphans = self.machine.orphans
        orphans.append(self)
        if len(orphans) == 1:
            while orphans:
                if orphans[0].state != "dead":
                    orphans[0].end(-1)
                del orphans[0]

    def _forget(self) -> None:
        if self.machine.processes_by_koid.pop(self.koid, None) is not None:
            self.machine.heap.used -= HEAP_BYTES["process"]
            del self.machine.objects[self.koid]
            del self.job.processes_by_koid[self.koid]
            self.job.forget()

    def statistics(self) -> TaskStatistics:
        """What its mappings come to, as the kernel sums it up for `ps`.

        Raises
        ------
        BadState
            The process does not run: it has not started, is dying, or has exited.
        """
        if self.state != "running" or self.aspace is None:
            raise BadState(f"expected a running process, found {self!r}")
        return TaskStatistics.of(self.aspace)

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
        map_range: bool = False,
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
            Never: COMPACT belongs to a region (`allocate`).
        map_range : bool
            Install the page-table entries of the pages that are there. A quirk of this kernel: on
            a clone it also copies the parent's pages that are seen into the clone.

        Raises
        ------
        WrongType
            A handle to something else than a VMO.
        InvalidArgs
            Offset or address not page aligned, length 0, outside the VMAR, write or execute without
            read, COMPACT, or MAP_RANGE with a `vmo_offset`.
        AccessDenied
            Rights or VMAR permissions are lacking, or the vDSO's code would be mapped twice.
        NoMemory
            The place is taken, nothing fits, or the kernel heap cannot grow.
        """
        offset = None if at is None else address_of(at, "at") - USER_BASE
        return self._root.map_with(
            vmo, perms, vmo_offset, length, offset, overwrite, compact, map_range, None
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
        offset = None if at is None else address_of(at, "at") - USER_BASE
        return self._root.allocate_with(
            size, offset, perms, specific, compact, overwrite, koid, None
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
            The first address that may not be accessed so, and why; the pages before it have been.
        """
        address, size = address_of(address), size_of(length, "length")
        return self._living_aspace().touch(address, size, access_of(write, execute))

    def read(self, address: int, length: int | str) -> bytes:
        """Bytes at an address, through page faults."""
        address, size = address_of(address), size_of(length, "length")
        return self._living_aspace().read(address, size)

    def write(self, address: int, data: bytes) -> int:
        """Write bytes at an address, through page faults; returns the pages newly committed."""
        return self._living_aspace().write(address_of(address), data)

    def read_memory(self, address: int, length: int | str) -> bytes:
        """Bytes of the VMO mapped at an address, as a debugger reads them; commits nothing.

        Permissions of mappings do not matter, and no entry is installed. The laboratory needs no
        handle for it; a process does (`magmem.sim.handle.ProcessHandle`).

        Raises
        ------
        InvalidArgs
            Length 0, or more than 64 MiB.
        BadState
            The process has exited.
        NoMemory
            Nothing is mapped there.
        OutOfRange
            The address shows a place past the VMO's end.
        """
        address, size = address_of(address), debugging.debugged_length(length)
        return debugging.read(self._living_aspace(), address, size)

    def write_memory(self, address: int, data: bytes) -> int:
        """Write to the VMO mapped at an address, as a debugger does; returns how many bytes.

        The pages are committed, behind a read-only mapping too. Errors as `read_memory`.
        """
        address, data = address_of(address), bytes_of(data)
        debugging.debugged_length(len(data))
        written = debugging.write(self._living_aspace(), address, data)
        # What did not fit is recorded too: a write of no bytes at all would not be one again.
        self._record("write_memory", address, data)
        return len(written)

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

    def _record(self, op: str, *args: object) -> None:
        if self.machine.recording:
            self.machine.record(op, self.koid, self.koid, *args)

    def __repr__(self) -> str:
        return f"<Process {self.koid} {self.name!r}, {self.state}>"
