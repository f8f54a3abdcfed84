"""The command group: which subcommand lives where, and how errors end.

A subcommand's module is imported only when it is asked for, so that a quick command stays quick.
"""

from __future__ import annotations

import io
import os
import sys
from importlib import import_module

import click

from magmem import __version__
from magmem.cli.common import say
from magmem.errors import MagmemError
from magmem.printable import printable

__all__ = ["COMMANDS", "cli", "run"]

COMMANDS = {
    "info": "magmem.cli.info:info",
    "datasets": "magmem.cli.info:datasets",
    "ps": "magmem.cli.guide:ps",
    "vmaps": "magmem.cli.guide:vmaps",
    "vmos": "magmem.cli.guide:vmos",
    "k": "magmem.cli.kernel:k",
    "vmm": "magmem.cli.kernel:vmm",
    "pmm": "magmem.cli.kernel:pmm",
    "kstats": "magmem.cli.guide:kstats",
    "memgraph": "magmem.cli.guide:memgraph",
    "treemap": "magmem.cli.treemap:treemap",
    "account": "magmem.cli.accounting:account",
    "compare": "magmem.cli.accounting:compare",
    "ledger": "magmem.cli.accounting:ledger",
    "hidden": "magmem.cli.accounting:hidden",
    "diff": "magmem.cli.accounting:diff",
    "vmo": "magmem.cli.accounting:vmo",
    "page": "magmem.cli.accounting:page",
    "capture": "magmem.cli.live:capture",
    "top": "magmem.cli.live:top",
    "linux-ledger": "magmem.cli.live:linux_ledger",
    "cgroups": "magmem.cli.live:cgroups",
    "fleet": "magmem.cli.fleet:fleet",
    "record": "magmem.cli.recording:record",
    "recording": "magmem.cli.recording:recording",
    "exercises": "magmem.cli.exercises:exercises",
    "guesses": "magmem.cli.guesses:guesses",
    "completion": "magmem.cli.completion:completion",
}
"""Subcommand name to ``module:function`` of its click command."""


class LazyGroup(click.Group):
    """A group whose commands are imported on first use."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Every subcommand's name, in the order of `COMMANDS`."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The subcommand of that name, or None."""
        if cmd_name not in COMMANDS:
            return None
        module, function = COMMANDS[cmd_name].split(":")
        command = getattr(import_module(module), function)
        assert isinstance(command, click.Command)  # noqa: S101 (COMMANDS names only commands)
        return command


@click.command(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="CAPTURE is a file, the name of a dataset that ships (`magmem datasets`), - for "
    "standard input, or live for this Linux machine. Any kind is detected: machine descriptions, "
    "memgraph JSON, transcripts.",
)
@click.version_option(__version__, prog_name="magmem")
def cli() -> None:
    """Ask a captured or described Magenta machine where its memory is."""


def run(arguments: list[str] | None = None) -> int:
    """Run one command line; returns the exit status, with errors told in one line on stderr."""
    try:
        status = cli.main(arguments, prog_name="magmem", standalone_mode=False)
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.ClickException as error:
        shown = io.StringIO()
        error.show(file=shown)
        click.echo(printable(shown.getvalue()), err=True, nl=False)
        return error.exit_code
    except click.Abort:
        return 130
    except MagmemError as error:
        say(f"magmem: {error}")
        return 1
    except BrokenPipeError:
        # The reader of our output has gone (`magmem ps … | head`): nothing is wrong, and what is
        # left in the buffer must not raise again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        name = os.fsdecode(error.filename) if error.filename else "output"
        say(f"magmem: {name}: {error.strerror or error}")
        return 1
    return status if isinstance(status, int) else 0
