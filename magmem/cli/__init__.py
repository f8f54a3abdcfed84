"""The ``magmem`` command: one subcommand per tool, the capture last."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

__all__ = ["main"]


def main() -> None:
    """Run the command line and exit with its status; 130 whenever it is interrupted."""
    sys.unraisablehook = _dropped
    try:
        from magmem.cli.main import run  # most of the start is here, and may be interrupted too

        status = run()
    except KeyboardInterrupt:
        status = 130
    raise SystemExit(status)


def _dropped(dropped: UnraisableHookArgs) -> None:
    """End where Python would print an interrupt and go on: in the callback of a weak reference."""
    if dropped.exc_type is KeyboardInterrupt:
        os._exit(130)
    sys.__unraisablehook__(dropped)
