"""Threads: their states, and the kernel stack each one costs.

A user thread's kernel stack is a kernel VMO of two committed pages, mapped in the kernel's address
space between two guard pages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from magmem.errors import BadState, InvalidArgs
from magmem.sim.arguments import shown, text_of
from magmem.sim.heap import HEAP_BYTES

if TYPE_CHECKING:
    from magmem.sim.process import Process

__all__ = ["EXCEPTION_PORTS", "Thread"]

EXCEPTION_PORTS: Final = ("none", "debugger", "thread", "process", "job", "system")


class Thread:
    """One thread; made by `Process.create_thread` or `Process.start`.

    Attributes
    ----------
    koid, name
    process : Process
    state : str
        new, running, suspended, blocked, dying or dead.
    exception_port : str
        Where it waits for an exception to be handled; ``none`` if it does not.
    handle_count : int
        Handles to it.
    """

    __slots__ = (
        "exception_port",
        "handle_count",
        "koid",
        "machine",
        "name",
        "process",
        "stack",
        "state",
    )

    def __init__(self, process: Process, name: str, koid: int) -> None:
        self.process = process
        self.machine = process.machine
        self.name = name
        self.koid = koid
        self.state = "new"
        self.exception_port = "none"
        self.handle_count = 0
        machine = self.machine
        machine.heap.take(HEAP_BYTES["thread"])
        self.stack = machine.kernel.new_stack()
        machine.objects[koid] = self
        machine.threads_by_koid[koid] = self
        process.threads_by_koid[koid] = self

    def start(self) -> None:
        """Begin to run; starts the process if it has not yet."""
        self._expect("start", "new")
        if self.process.state == "initial":
            self.process.state = "running"
        self._become("running", "start_thread")

    def suspend(self) -> None:
        """Stop a running or blocked thread."""
        self._expect("suspend", "running", "blocked")
        self._become("suspended", "suspend")

    def resume(self) -> None:
        """Let a suspended thread run."""
        self._expect("resume", "suspended")
        self._become("running", "resume")

    def block(self) -> None:
        """Wait for something."""
        self._expect("block", "running")
        self._become("blocked", "block")

    def unblock(self) -> None:
        """Get what it waited for."""
        self._expect("unblock", "blocked")
        if self.exception_port != "none":
            raise BadState(f"{self!r} waits for its exception to be handled")
        self._become("running", "unblock")

    def raise_exception(self, port: str = "process") -> None:
        """Take an exception and wait for its handler on a port."""
        text_of(port, "port")
        if port not in EXCEPTION_PORTS[1:]:
            raise InvalidArgs(
                f"expected one of {', '.join(EXCEPTION_PORTS[1:])}, found {shown(port)}"
            )
        self._expect("raise an exception", "running")
        self.state, self.exception_port = "blocked", port
        self._record("raise_exception", port)

    def resume_exception(self) -> None:
        """Run on after the exception was handled."""
        if self.exception_port == "none":
            raise BadState(f"{self!r} waits for no exception")
        self.state, self.exception_port = "running", "none"
        self._record("resume_exception")

    def exit(self) -> None:
        """End; with the last thread the process exits."""
        if self.state in ("dying", "dead"):
            raise BadState(f"{self!r} is {self.state}")
        process = self.process
        self.end()
        if not process.threads_by_koid:
            process.end(0)
        self._record("exit_thread")

    def kill(self) -> None:
        """The same from outside."""
        self.exit()

    def end(self) -> None:
        """Give everything back; the thread is dead."""
        self.state, self.exception_port = "dead", "none"
        del self.process.threads_by_koid[self.koid]
        del self.machine.threads_by_koid[self.koid]
        self.machine.kernel.free_stack(self.stack)
        if not self.handle_count:
            self.last_handle_closed()

    def last_handle_closed(self) -> None:
        """Be forgotten, if it is dead."""
        if self.state == "dead":
            self.machine.heap.used -= HEAP_BYTES["thread"]
            del self.machine.objects[self.koid]

    def _expect(self, what: str, *states: str) -> None:
        if self.state not in states:
            raise BadState(
                f"{what}: expected a thread that is {' or '.join(states)}, found {self!r}"
            )

    def _become(self, state: str, op: str) -> None:
        self.state = state
        self._record(op)

    def _record(self, op: str, *args: object) -> None:
        if self.machine.recording:
            self.machine.record(op, self.process.koid, self.koid, *args)

    def __repr__(self) -> str:
        return f"<Thread {self.koid} {self.name!r}, {self.state}>"
