"""Calling a student's function: with a limit of steps and of time, and what it printed kept.

A step is a line of Python (or a call). Steps are counted by a trace function, so the same function
ends at the same step on every computer. Time is watched by a second thread, which raises
`TooLong` in the first one. A bare ``except:`` could hold that up for ever, so `bare_excepts` finds
them beforehand. One call into C that never returns cannot be ended from inside: whoever runs the
functions of others runs them in a process that can be killed.
"""

from __future__ import annotations

import ast
import ctypes
import inspect
import io
import sys
import textwrap
import threading
from collections.abc import Callable
from contextlib import redirect_stdout
from time import sleep
from types import FrameType
from typing import Any, Final, NamedTuple

__all__ = ["MOST_SECONDS", "MOST_STEPS", "Outcome", "TooLong", "bare_excepts", "called"]

MOST_STEPS: Final = 5_000_000
MOST_SECONDS: Final = 20.0
KEPT: Final = 2000
"""Characters kept of what a function prints."""


class TooLong(BaseException):
    """A function took too many steps or too long; no ``except Exception`` holds it up."""


class Outcome(NamedTuple):
    """What became of a call: its value, or what was raised; and what it printed."""

    value: object
    raised: BaseException | None
    printed: str


class _Kept(io.TextIOBase):
    """A stream that keeps the beginning of what is written to it."""

    def __init__(self) -> None:
        self.text = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if len(self.text) < KEPT:
            self.text = (self.text + text)[:KEPT]
        return len(text)


def called(
    function: Callable[[], object],
    most_steps: int = MOST_STEPS,
    most_seconds: float = MOST_SECONDS,
) -> Outcome:
    """Call it, and say what became of it; `KeyboardInterrupt` alone comes through."""
    printed = _Kept()
    watch = _Watch(most_steps, most_seconds)
    value: object = None
    raised: BaseException | None = None
    try:
        with redirect_stdout(printed):
            try:
                value = watch.run(function)
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # also SystemExit: it must not end the notebook
                raised = error
    except TooLong as late:
        raised = late
    if watch.over:
        raised = TooLong(watch.over)
    return Outcome(value, raised, printed.text)


def bare_excepts(function: Callable[..., object]) -> list[str]:
    """Names of the functions, this one and those of its module that it uses, with such a clause."""
    found: list[str] = []
    pending: list[Callable[..., object]] = [function]
    seen: set[object] = set()
    while pending:
        one = pending.pop()
        code = getattr(one, "__code__", None)
        if code is None or code in seen:
            continue
        seen.add(code)
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(one)))
        except (OSError, TypeError, SyntaxError):
            continue
        handlers = (node for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler))
        if any(_catches_all(handler.type) for handler in handlers):
            found.append(one.__name__)
        around = getattr(one, "__globals__", {})
        used = (around[name] for name in code.co_names if name in around)
        pending += [each for each in used if getattr(each, "__module__", None) == one.__module__]
    return found


def _catches_all(kind: ast.expr | None) -> bool:
    names = [node.id for node in ast.walk(kind) if isinstance(node, ast.Name)] if kind else []
    return kind is None or "BaseException" in names


class _Watch:
    """Counts steps in this thread, and time in another."""

    def __init__(self, most_steps: int, most_seconds: float) -> None:
        self.left = most_steps
        self.over = ""
        self._steps, self._seconds = most_steps, most_seconds
        self._wake = threading.Event()
        self._done = self._raises = False
        self._watched = threading.get_ident()
        self._watcher = threading.Thread(target=self._wait, daemon=True, name="magmem lab")

    def run(self, function: Callable[[], object]) -> object:
        """The function's value.

        Raises
        ------
        TooLong
        """
        before = sys.gettrace()
        self._watcher.start()
        try:
            sys.settrace(self._trace)
            return function()
        finally:
            sys.settrace(before)
            self._end()

    def _trace(self, _frame: FrameType, _event: str, _argument: Any) -> Any:
        self.left -= 1
        if self.left < 0:
            self.over = self.over or f"{self._steps:,} steps"
            self._wake.set()
            # Tracing ends with this error; should it be caught, the watcher takes over.
            raise TooLong(self.over)
        return self._trace

    def _wait(self) -> None:
        if not self._wake.wait(self._seconds) and not self._done:
            self.over = self.over or f"{self._seconds:g} seconds"
        self._raises = True
        while not self._done:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(self._watched), ctypes.py_object(TooLong)
            )
            sleep(0.05)

    def _end(self) -> None:
        """Stop the watcher; an error that it has sent and that has not arrived arrives here."""
        while True:
            try:
                self._done = True
                self._wake.set()
                if self._raises:
                    self._watcher.join()
                    for _ in range(100):
                        pass
            except TooLong:
                continue
            return
