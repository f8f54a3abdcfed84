"""The ``magmem`` command: one subcommand per tool, the capture last."""

from __future__ import annotations

__all__ = ["main"]


def main() -> None:
    """Run the command line and exit with its status."""
    from magmem.cli.main import run

    raise SystemExit(run())
