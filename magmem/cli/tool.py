"""A tool of the guide as a command: its arguments stated once, for the shell and for notebooks.

A `Tool` names the guide's arguments and the library function they go to. `shell_command` adds
CAPTURE and the output options to them; the magics use the same arguments on the current machine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import click

from magmem.cli.common import capture_parameter, emit, output_parameters, write
from magmem.errors import KernelError, NotFound, WrongType
from magmem.listing import Listing

__all__ = ["Answer", "Tool", "command", "complain", "shell_command"]

Answer = Callable[["Tool", dict[str, Any]], object]
"""What a command does with its tool and the arguments given."""


@dataclass(frozen=True)
class Tool:
    """One tool of the guide.

    Attributes
    ----------
    name : str
        As the guide types it: ``ps``, ``vmaps``, ``vmos`` …
    function : str
        Name of the function in `magmem`; its first parameter is the snapshot.
    help : str
        What ``--help`` says.
    params : callable
        Makes the guide's arguments; they have the names of the function's parameters.
    usage : str
        Line that follows the message when a task is not found; empty for none.
    text : callable
        Output that needs no machine, such as ``help``; empty where there is none.
    """

    name: str
    function: str
    help: str
    params: Callable[[], list[click.Parameter]] = list
    usage: str = ""
    text: Callable[[Mapping[str, Any]], str] = field(default=lambda _: "")

    def listing(self, source: object, arguments: Mapping[str, Any]) -> Listing:
        """Ask the library function.

        Raises
        ------
        MagmemError
            The function cannot answer.
        """
        import magmem

        listing = getattr(magmem, self.function)(source, **arguments)
        assert isinstance(listing, Listing)  # noqa: S101 (every tool's function returns one)
        return listing

    def program(self, captures: tuple[str, ...], arguments: Mapping[str, Any]) -> str:
        """A Python program that does the same with the library."""
        import inspect

        import magmem

        function = getattr(magmem, self.function)
        defaults = inspect.signature(function).parameters
        given = [
            repr(value)
            if defaults[name].default is inspect.Parameter.empty
            else f"{name}={value!r}"
            for name, value in arguments.items()
            if value != defaults[name].default
        ]
        sources = ", ".join(map(repr, captures))
        call = f"magmem.{self.function}({', '.join(['snap', *given])})"
        return (
            "import magmem\n\n"
            f"snap = magmem.read_capture({sources})\n"
            f"listing = {call}\n"
            'print(listing, end="")  # the exact text\n'
            "table = listing.df  # the same rows as a DataFrame, sizes in bytes\n"
        )


def command(
    tool: Tool, answer: Answer, extra: list[click.Parameter] | None = None
) -> click.Command:
    """A click command with the tool's arguments and `extra`, answered by `answer`."""
    return click.Command(
        tool.name.split()[-1],
        params=[*tool.params(), *(extra or [])],
        callback=partial(_answer, tool, answer),
        help=tool.help,
    )


def shell_command(tool: Tool) -> click.Command:
    """The tool as a subcommand of ``magmem``: its arguments, then CAPTURE."""
    return command(tool, _print, [capture_parameter(required=False), *output_parameters()])


def complain(tool: Tool, error: KernelError) -> None:
    """Say what failed as the tool itself does, on standard error."""
    click.echo(f"ERROR: {error}", err=True)
    if tool.usage and isinstance(error, (NotFound, WrongType)):
        click.echo(f"Usage: {tool.usage}", err=True)


def _answer(tool: Tool, answer: Answer, **arguments: Any) -> object:
    return answer(tool, arguments)


def _print(tool: Tool, arguments: dict[str, Any]) -> int:
    captures: tuple[str, ...] = arguments.pop("capture")
    output: str | None = arguments.pop("output")
    text = tool.text(arguments)
    if text:
        write(text)
        return 0
    if not captures:
        raise click.UsageError("Missing argument 'CAPTURE...'.")
    if output == "python":
        write(tool.program(captures, arguments))
        return 0
    from magmem.captures import read_capture

    try:
        listing = tool.listing(read_capture(*captures), arguments)
    except KernelError as error:
        complain(tool, error)
        return 1
    return emit(listing, output)
