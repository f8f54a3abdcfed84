"""The line magics of one IPython shell, and the machine they ask.

The commands are those of the command line (`magmem.cli.tool`): the same options, the same help.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

import click
from click.shell_completion import ShellComplete

from magmem.cli.tool import Tool, command, complain
from magmem.errors import KernelError, MagmemError
from magmem.listing import Listing
from magmem.magics.choice import choices, find
from magmem.snapshot.source import Source, snapshot_of

__all__ = ["MAGICS", "MagicConsole"]

MAGICS = {
    "ps": "magmem.cli.guide:PS",
    "vmaps": "magmem.cli.guide:VMAPS",
    "vmos": "magmem.cli.guide:VMOS",
    "kstats": "magmem.cli.guide:KSTATS",
    "memgraph": "magmem.cli.guide:MEMGRAPH",
    "k": "magmem.cli.kernel:console",
    "account": "magmem.cli.accounting:ACCOUNT",
    "compare": "magmem.cli.accounting:COMPARE",
    "ledger": "magmem.cli.accounting:LEDGER",
    "hidden": "magmem.cli.accounting:HIDDEN",
    "linux-ledger": "magmem.cli.live:LINUX_LEDGER",
    "vmm": "magmem.cli.kernel:vmm_group",
    "pmm": "magmem.cli.kernel:pmm_group",
}
"""Magic to ``module:name`` of its `Tool`, or of a function that makes a group of tools."""


class MagicConsole:
    """The magics of one shell.

    Parameters
    ----------
    shell : IPython's InteractiveShell

    Attributes
    ----------
    current : Snapshot, Machine or None
        What the magics ask.
    """

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        self.current: Source | None = None

    def register(self) -> None:
        """Add the magics and their completion to the shell."""
        functions: dict[str, Callable[[str], object]] = {
            "machine": self.machine,
            "fleet": self.fleet,
        }
        for name in MAGICS:
            functions[name] = partial(self.run, name)
        for name, function in functions.items():
            self.shell.register_magic_function(_documented(function, name), "line", name)
            completer = partial(self.complete, name)
            for key in (name, f"%{name}"):
                self.shell.set_hook("complete_command", completer, str_key=key)

    def machine(self, line: str) -> None:
        """Choose the machine to ask: ``%machine NAME``; without a name, tell which it is."""
        try:
            names = shlex.split(line)
            if names:
                self.current = find(names, self.shell.user_ns)
            if self.current is None:
                offered = ", ".join(choices(self.shell.user_ns))
                click.echo("No machine chosen. %machine NAME takes a variable, scenario, dataset")
                click.echo(f"or file. Known here: {offered}")
            else:
                click.echo(repr(self.current))
        except (MagmemError, OSError, ValueError) as error:
            _tell(f"magmem: {error}")

    def fleet(self, line: str) -> Listing | None:
        """Ask a fleet of captures: ``%fleet grew FLEET --since-build 2026.06``.

        The commands are those of ``magmem fleet``; `%fleet --help` lists them.
        """
        from magmem.cli.fleet import fleet_group

        return self._run(fleet_group(lambda listing, _: listing), "fleet", line)

    def run(self, name: str, line: str) -> Listing | None:
        """Run one tool's command line on the current machine.

        Returns
        -------
        Listing or None
            None where there is nothing to show; standard error says why.
        """
        return self._run(self._command(name), name, line)

    @staticmethod
    def _run(command: click.Command, name: str, line: str) -> Listing | None:
        try:
            result = command.main(shlex.split(line), prog_name=f"%{name}", standalone_mode=False)
        except click.ClickException as error:
            error.show()
        except (MagmemError, ValueError) as error:
            _tell(f"magmem: {error}")
        else:
            return result if isinstance(result, Listing) else None
        return None

    def koids(self) -> list[str]:
        """Koids of the current machine's processes, for completion."""
        if self.current is None:
            return []
        return [str(koid) for koid in snapshot_of(self.current).processes["koid"].tolist()]

    def complete(self, name: str, _shell: object, event: Any) -> list[str]:
        """What may stand where the cursor is."""
        before = event.line[: len(event.line) - len(event.symbol)]
        typed = before.split()[1:]
        if name == "machine":
            return [item for item in choices(self.shell.user_ns) if item.startswith(event.symbol)]
        asked = ShellComplete(self._asked(name), {"obj": self}, f"%{name}", "")
        return [item.value for item in asked.get_completions(typed, event.symbol)]

    def _asked(self, name: str) -> click.Command:
        if name != "fleet":
            return self._command(name)
        from magmem.cli.fleet import fleet_group

        return fleet_group()

    def _command(self, name: str) -> click.Command:
        module, attribute = MAGICS[name].split(":")
        made = getattr(import_module(module), attribute)
        result: click.Command = self._make(made) if isinstance(made, Tool) else made(self._make)
        return result

    def _make(self, tool: Tool) -> click.Command:
        return command(tool, self._ask, example="%{}")

    def _ask(self, tool: Tool, arguments: dict[str, Any]) -> Listing | None:
        if self.current is None:
            _tell("magmem: no machine yet; %machine NAME chooses one")
            return None
        try:
            listing = tool.listing(self.current, arguments)
        except KernelError as error:
            complain(tool, error)
            return None
        for warning in listing.warnings:
            _tell(warning)
        return listing


def _documented(function: Callable[[str], object], name: str) -> Callable[[str], object]:
    """What ``%name?`` shows."""

    def magic(line: str) -> object:
        return function(line)

    magic.__doc__ = function.__doc__
    if name in MAGICS:
        magic.__doc__ = f"The guide's `{name}` on the current machine; `%{name} --help` tells more."
    return magic


def _tell(text: str) -> None:
    click.echo(text, err=True)
