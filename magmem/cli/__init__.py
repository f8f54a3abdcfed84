"""The ``magmem`` command: one subcommand per tool, the capture last."""

from __future__ import annotations

__all__ = ["main"]


def main() -> None:
    """Run the command line and exit with its status; 130 whenever it is interrupted."""
    try:
        from magmem.cli.main import run  # most of the start is here, and may be interrupted too

        status = run()
    except KeyboardInterrupt:
        status = 130
    raise SystemExit(status)
