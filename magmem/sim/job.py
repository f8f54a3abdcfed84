"""Jobs: the tree that every process is in, and how processes are made.

A killed job takes everything below it along. `spawn` does what a launcher does: address space,
vDSO, initial stack, first thread, and the handles a program starts with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from magmem.errors import AccessDenied, BadState, InvalidArgs
from magmem.sim.arguments import flag, name_text, round_up, shown, size_of
from magmem.sim.heap import HEAP_BYTES
from magmem.sim.kernel import STACK_PAGES_BOUND
from magmem.sim.mapping import fault
from magmem.sim.perms import EXECUTE, READ, WRITE
from magmem.sim.process import PROCESS_HEAP_BYTES, THREAD_HEAP_BYTES, Process
from magmem.sim.rights import VDSO_RIGHTS
from magmem.sim.thread import Thread
from magmem.sim.vdso import CODE_BYTES, CODE_OFFSET
from magmem.sim.vmar import Vmar
from magmem.sim.vmo import Vmo, release_vmo
from magmem.units import PAGE_BYTES

if TYPE_CHECKING:
    from magmem.sim.machine import Machine

__all__ = ["Job"]

MAX_STACK_BYTES: Final = 1 << 40
"""Such a stack always finds a place in a fresh address space."""

_SPAWN_HEAP_BYTES: Final = (
    PROCESS_HEAP_BYTES
    + THREAD_HEAP_BYTES
    + HEAP_BYTES["paged vmo"]
    + HEAP_BYTES["vmar"]
    + 3 * HEAP_BYTES["mapping"]
    + 2 * HEAP_BYTES["vmo dispatcher"]
    + HEAP_BYTES["vmar dispatcher"]
)


class Job:
    """One job; made by `Job.create_job`.

    Attributes
    ----------
    koid, name
    parent : Job or None
        None for the super-root.
    alive : bool
        False once it is killed; it stays listed while handles to it exist.
    handle_count : int
        Handles to it.
    """

    __slots__ = (
        "alive",
        "handle_count",
        "jobs_by_koid",
        "koid",
        "machine",
        "name",
        "parent",
        "processes_by_koid",
    )

    def __init__(self, machine: Machine, parent: Job | None, name: str, koid: int) -> None:
        self.machine = machine
        self.parent = parent
        self.name = name
        self.koid = koid
        self.alive = True
        self.handle_count = 0
        self.jobs_by_koid: dict[int, Job] = {}
        self.processes_by_koid: dict[int, Process] = {}
        machine.heap.take(HEAP_BYTES["job"])
        machine.objects[koid] = self
        machine.jobs_by_koid[koid] = self
        if parent is not None:
            parent.jobs_by_koid[koid] = self

    @property
    def jobs(self) -> tuple[Job, ...]:
        """Its child jobs, oldest first."""
        return tuple(self.jobs_by_koid.values())

    @property
    def processes(self) -> tuple[Process, ...]:
        """Its processes, oldest first."""
        return tuple(self.processes_by_koid.values())

    def create_job(self, name: str, *, koid: int | None = None) -> Job:
        """A job below this one."""
        text = name_text(name)
        new_koid = self._check("the job", koid, 1, HEAP_BYTES["job"], 0)
        self.machine.use_koid(new_koid)
        job = Job(self.machine, self, text, new_koid)
        self._record("create_job", text, new_koid)
        return job

    def create_process(self, name: str, *, koid: int | None = None) -> Process:
        """A process with an empty address space, no thread and no handles; state initial.

        The laboratory holds it until it exits or is killed, or until `Process.release`.
        """
        text = name_text(name)
        new_koid = self._check("the process", koid, 2, PROCESS_HEAP_BYTES, 1)
        process = self._make(text, new_koid)
        self._record("create_process", text, new_koid)
        return process

    def spawn(
        self,
        name: str,
        *,
        koid: int | None = None,
        stack: int | str = "256k",
        vdso: bool = True,
    ) -> Process:
        """A running process as a launcher leaves it.

        Parameters
        ----------
        name : str
        koid : int, optional
            Its koid; what is made with it takes the ones after it.
        stack : int or str
            Size of the initial stack; its last page, where the launcher's message lies, is
            committed. 0 makes none.
        vdso : bool
            Map the vDSO, 24k read-only and 4k executable in a VMAR of 28k, and give it a handle.

        Returns
        -------
        Process
            Its handles: itself, its root VMAR, its thread, and (with `vdso`) ``vdso/full``.

        Raises
        ------
        BadState
            The job was killed.
        InvalidArgs
            A koid that is not above all given ones.
        NoMemory, NoResources
            Not everything fits; nothing has changed. Up to a few pages more are asked for than
            are taken in the end.
        """
        text = name_text(name)
        stack_bytes = size_of(stack, "stack")
        flag(vdso, "vdso")
        if stack_bytes > MAX_STACK_BYTES:
            raise InvalidArgs(
                f"expected a stack of at most {MAX_STACK_BYTES}, found {shown(stack_bytes)}"
            )
        # One page each for top table and stack, three tables for the stack.
        pages = 5 + STACK_PAGES_BOUND
        new_koid = self._check("the process", koid, 5, _SPAWN_HEAP_BYTES, pages, handles=4)
        machine = self.machine
        process = self._make(text, new_koid)
        thread = Thread(process, "initial-thread", machine.take_koid())
        for target in (process, process.root_vmar, thread):
            process.table.new(target)
        if vdso:
            self._map_vdso(process)
        if stack_bytes:
            self._map_stack(process, stack_bytes)
        thread.state = process.state = "running"
        self._record("spawn", text, new_koid, stack_bytes, vdso)
        return process

    def kill(self) -> None:
        """Kill every process below, then the jobs below, then this one.

        Raises
        ------
        AccessDenied
            The root job: the machine would have to stop.
        """
        if not self.alive:
            raise BadState(f"{self!r} was killed before")
        machine = self.machine
        if self in (machine.root_job, machine.super_root):
            raise AccessDenied(f"{self!r} cannot be killed: the machine would stop")
        below = [self]
        for job in below:
            below += job.jobs
        for job in below:
            for process in job.processes:
                if process.state != "dead":
                    process.end(-1)
        for job in reversed(below):
            job.alive = False
            job.forget()
        self._record("kill_job")

    def last_handle_closed(self) -> None:
        """Be forgotten, if it was killed."""
        self.forget()

    def forget(self) -> None:
        """Leave the tree, if it was killed and nothing refers to it; then its parent may, too."""
        machine = self.machine
        job: Job | None = self
        while job is not None and job.koid in machine.jobs_by_koid:
            if job.alive or job.handle_count or job.jobs_by_koid or job.processes_by_koid:
                return
            machine.heap.used -= HEAP_BYTES["job"]
            del machine.objects[job.koid]
            del machine.jobs_by_koid[job.koid]
            if job.parent is not None:
                del job.parent.jobs_by_koid[job.koid]
            job = job.parent

    def _check(
        self, what: str, koid: int | None, koids: int, heap_bytes: int, pages: int, handles: int = 0
    ) -> int:
        if not self.alive:
            raise BadState(f"{self!r} was killed: nothing new below it")
        new_koid = self.machine.check_koid(koid, koids)
        self.machine.require_handles(handles, what, heap_bytes=heap_bytes, pages=pages)
        return new_koid

    def _make(self, name: str, koid: int) -> Process:
        machine = self.machine
        machine.use_koid(koid)
        return Process(self, name, koid, machine.take_koid())

    def _map_vdso(self, process: Process) -> None:
        machine = self.machine
        vmo = machine.kernel.vdso
        process.table.new(vmo, VDSO_RIGHTS)
        vmar = self._region(process, vmo.size_bytes, machine.take_koid())
        code = READ | EXECUTE
        vmar.place_mapping(vmo, READ, code, 0, CODE_OFFSET, 0)
        vmar.place_mapping(vmo, code, code, CODE_OFFSET, CODE_BYTES, CODE_OFFSET)

    def _map_stack(self, process: Process, size_bytes: int) -> None:
        machine = self.machine
        vmo = Vmo(machine, size_bytes, "initial-stack", machine.take_koid())
        mapping = process.root_vmar.place_mapping(
            vmo, READ | WRITE, READ | WRITE, 0, size_bytes, None
        )
        last = mapping.size_bytes // PAGE_BYTES - 1
        fault(mapping, last, last + 1, WRITE, mapping.base + last * PAGE_BYTES)
        release_vmo(vmo)

    def _region(self, process: Process, size_bytes: int, koid: int) -> Vmar:
        """A VMAR whose handle the launcher has closed again."""
        root = process.root_vmar
        base = root.find_spot(round_up(size_bytes))
        return Vmar(
            root.aspace, root, "useralloc", base, round_up(size_bytes), 7, specific=True, koid=koid
        )

    def _record(self, op: str, *args: object) -> None:
        if self.machine.recording:
            self.machine.record(op, 0, self.koid, *args)

    def __repr__(self) -> str:
        return f"<Job {self.koid} {self.name!r}>"
