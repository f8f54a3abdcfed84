"""Running a function as the user nobody, in a process of its own."""

from __future__ import annotations

import ctypes
import os
import pickle
import traceback
from collections.abc import Callable
from typing import TypeVar

import pytest

__all__ = ["NOBODY", "as_nobody"]

NOBODY = 65534
PR_SET_DUMPABLE = 4

T = TypeVar("T")


def as_nobody(function: Callable[[], T]) -> T:
    """What `function` returns when an ordinary user calls it.

    Modules it needs must have been imported: nobody may not read them here. Run by an ordinary
    user, the test is that user's.
    """
    if os.geteuid() != 0:
        return function()
    ready, done = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            # After a change of user the kernel closes a process's /proc files to itself.
            ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 1)
            answer = pickle.dumps((True, function()))
        except BaseException:
            answer = pickle.dumps((False, traceback.format_exc()))
        with os.fdopen(done, "wb") as pipe:
            pipe.write(answer)
        os._exit(0)
    os.close(done)
    with os.fdopen(ready, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(pid, 0)
    worked, value = pickle.loads(answer)  # noqa: S301 (our own child wrote it)
    if not worked and "PermissionError" in value and "setgroups" in value:
        pytest.skip("this process may not become another user")
    assert worked, value
    return value  # type: ignore[no-any-return]
