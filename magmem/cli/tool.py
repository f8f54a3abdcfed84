"""A tool of the guide as a command: its arguments stated once, for the shell and for notebooks.

A `Tool` names the guide's arguments and the library function they go to. `shell_command` adds
CAPTURE and the output options to them; the magics use the same arguments on the current machine.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from magmem.cli.common import (
    capture_parameter,
    emit,
    on_terminal,
    output_parameters,
    read,
    say,
    write,
)
from magmem.cli.progress import progress_line
from magmem.errors import KernelError, NotFound, WrongType

if TYPE_CHECKING:
    from magmem.listing import Listing

    _ParamType = click.ParamType[int | str]
else:
    _ParamType = click.ParamType

__all__ = ["Answer", "KoidOr", "Tool", "command", "complain", "era_option", "shell_command"]

KOID = re.compile("0[xX][0-9a-fA-F]{1,16}|[0-9]{1,20}")


@dataclass(frozen=True)
class Tool:
    """One tool of the guide.

    Attributes
    ----------
    name : str
        As the guide types it: ``ps``, ``k vmos`` …
    function : str
        Name of the function in `magmem`; its first parameter is the snapshot.
    help : str
        What ``--help`` says.
    examples : tuple of (str, str)
        Arguments, and what they show.
    params : callable
        Makes the guide's arguments; they have the names of the function's parameters.
    usage : str
        What follows the message when a task is not found; empty for nothing.
    help_text : str
        ``module:name`` of what the argument ``help`` prints; empty where there is none.
    quick_live : str
        ``module:name`` of a function that prints the same of ``live`` sooner, given the progress to
        show and the arguments; it returns text and warnings, or None for arguments it leaves to
        the tool. Empty where there is none.
    """

    name: str
    function: str
    help: str
    examples: tuple[tuple[str, str], ...]
    params: Callable[[], list[click.Parameter]] = list
    usage: str = ""
    help_text: str = ""
    quick_live: str = ""

    def listing(self, source: object, arguments: Mapping[str, Any]) -> Listing:
        """Ask the library function.

        Raises
        ------
        MagmemError
            The function cannot answer.
        """
        import magmem

        listing: Listing = getattr(magmem, self.function)(source, **arguments)
        return listing

    def program(self, captures: tuple[str, ...], arguments: Mapping[str, Any]) -> str:
        """A Python program that does the same with the library."""
        import inspect

        import magmem

        function = getattr(magmem, self.function)
        defaults = {
            name: parameter.default
            for name, parameter in inspect.signature(function).parameters.items()
        }
        given = [
            repr(arguments[name])
            if default is inspect.Parameter.empty
            else f"{name}={arguments[name]!r}"
            for name, default in defaults.items()
            if name in arguments and arguments[name] != default
        ]
        call = f"magmem.{self.function}({', '.join(['snap', *given])})"
        return (
            "import magmem\n\n"
            f"snap = magmem.read_capture({', '.join(map(repr, captures))})\n"
            f"listing = {call}\n"
            'print(listing, end="")  # the exact text\n'
            "table = listing.df  # the same rows as a DataFrame, sizes in bytes\n"
        )


Answer = Callable[[Tool, dict[str, Any]], object]
"""What a command does with its tool and the arguments given."""


class KoidOr(_ParamType):
    """A koid, or one of some words (or, for a single word, any beginning of it)."""

    name = "koid"

    def __init__(self, *words: str, beginnings: bool = False) -> None:
        self.words = words
        self.beginnings = beginnings

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | str:
        """The number, or the word itself."""
        if isinstance(value, int):
            return value
        if value in self.words or (self.beginnings and value and self.words[0].startswith(value)):
            return str(value)
        if not KOID.fullmatch(value):
            wanted = " or ".join([*self.words, "a koid (a number, as ps shows it)"])
            self.fail(f"expected {wanted}, found {value!r}", param, ctx)
        return int(value, 16 if value[1:2] in ("x", "X") else 10)

    def shell_complete(
        self,
        ctx: click.Context,
        param: click.Parameter,  # noqa: ARG002
        incomplete: str,
    ) -> list[CompletionItem]:
        """The words, and the koids the command's surroundings know (see `magmem.magics`)."""
        known = [*self.words, *(ctx.obj.koids() if ctx.obj is not None else ())]
        return [CompletionItem(word) for word in known if word.startswith(incomplete)]


class ToolCommand(click.Command):
    """A click command of a tool; ``help`` as its first argument prints the tool's own help."""

    def __init__(self, tool: Tool, **settings: Any) -> None:
        super().__init__(tool.name.split()[-1], help=tool.help, **settings)
        self.tool = tool

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Answer ``help`` before anything else is asked for."""
        if self.tool.help_text and args[:1] == ["help"]:
            module, name = self.tool.help_text.split(":")
            write(getattr(import_module(module), name))
            ctx.exit()
        return super().parse_args(ctx, args)


def command(
    tool: Tool,
    answer: Answer,
    extra: list[click.Parameter] | None = None,
    example: str = "{}",
) -> click.Command:
    """A click command with the tool's arguments and `extra`.

    Parameters
    ----------
    answer : callable
        What it does and returns.
    example : str
        How an example of this command line is typed, ``{}`` for tool and arguments.
    """
    lines = [
        (example.format(f"{tool.name} {typed}".strip()), what) for typed, what in tool.examples
    ]
    width = max(len(typed) for typed, _ in lines)
    epilog = "\n".join(
        ["\b", "Examples:", *(f"  {typed:{width}}  {what}" for typed, what in lines)]
    )
    return ToolCommand(
        tool,
        params=[*tool.params(), *(extra or [])],
        callback=partial(_answer, tool, answer),
        epilog=epilog,
    )


def shell_command(tool: Tool) -> click.Command:
    """The tool as a subcommand of ``magmem``: its arguments, then CAPTURE."""
    return command(tool, _print, [capture_parameter(), *output_parameters()], "magmem {} CAPTURE")


def complain(tool: Tool, error: KernelError) -> None:
    """Say what failed as the tool itself does, on standard error."""
    say(f"ERROR: {error}")
    if tool.usage and isinstance(error, (NotFound, WrongType)):
        click.echo(f"Usage: {tool.usage}", err=True)


def era_option(default: str, what: str) -> click.Option:
    """``--era mx|zx``: mid-2017 (the guide) or September 2017."""
    return click.Option(
        ["--era"],
        type=click.Choice(["mx", "zx"]),
        default=default,
        show_default=True,
        help=f"{what} of mid-2017 (mx, the guide) or September 2017 (zx).",
    )


def _answer(tool: Tool, answer: Answer, **arguments: Any) -> object:
    return answer(tool, arguments)


def _print(tool: Tool, arguments: dict[str, Any]) -> int:
    captures: tuple[str, ...] = arguments.pop("capture")
    output: str | None = arguments.pop("output")
    if output == "python":
        write(tool.program(captures, arguments))
        return 0
    if captures == ("live",) and tool.quick_live and output is None:
        module, name = tool.quick_live.split(":")
        told = getattr(import_module(module), name)(progress_line(), **arguments)
        if told is not None:
            write(told[0])
            for warning in told[1]:
                say(warning)
            return 0
    try:
        snap = read(*captures)
        shown = snap if output == "json" else on_terminal(snap)
        listing = tool.listing(shown, arguments)
        if listing.is_json and shown is not snap:  # JSON escapes names itself
            listing = tool.listing(snap, arguments)
    except KernelError as error:
        complain(tool, error)
        return 1
    return emit(listing, output)
