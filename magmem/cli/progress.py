"""How far a capture of this machine is: one line of standard error, once it takes long."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import click

__all__ = ["progress_line"]

QUIET_SECONDS = 0.5
"""Shorter captures say nothing."""

STEP_SECONDS = 0.1
"""The line is not written anew more often."""


def progress_line() -> Callable[[int, int], None] | None:
    """What to call with processes read and processes in all; None where nobody looks.

    Nobody looks when standard error is no terminal: a file, a pipe, a notebook.
    """
    if sys.stderr is None or not sys.stderr.isatty():
        return None
    due = time.monotonic() + QUIET_SECONDS
    is_shown = False

    def show(done: int, total: int) -> None:
        nonlocal due, is_shown
        now = time.monotonic()
        if done < total and now >= due:
            click.echo(f"\r{done} of {total} processes", err=True, nl=False)
            due, is_shown = now + STEP_SECONDS, True
        elif done == total and is_shown:
            click.echo(f"\r{total} of {total} processes", err=True)

    return show
