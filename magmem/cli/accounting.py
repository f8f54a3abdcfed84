"""The accounting commands: rules side by side, the ledger, hidden memory, one VMO, one page."""

from __future__ import annotations

from typing import Any

import click

from magmem.cli.common import complete_capture, emit, output_parameters, read, write
from magmem.cli.tool import KoidOr, Tool, shell_command

__all__ = ["TOOLS", "account", "compare", "diff", "hidden", "ledger", "page", "vmo"]

RULES = ("magenta-2017", "exact", "linux", "memory_monitor", "rfc-0254", "treemap-2017")


class PageIndex(click.IntRange):
    """The number of a page in its VMO, from 0."""

    def __init__(self) -> None:
        super().__init__(min=0)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number."""
        if not str(value).isdecimal():
            says = f"expected the number of a page in the VMO, from 0, found {value!r}"
            self.fail(says, param, ctx)
        return super().convert(value, param, ctx)


ACCOUNT = Tool(
    name="account",
    function="account",
    help="""What is each process charged by one rule?

    magenta-2017 is what ps reports, exact looks at every page, the others are rules of other tools
    and times.
    """,
    examples=(
        ("", "by the exact rule"),
        ("--rule rfc-0254", "by the rule of 2024"),
    ),
    params=lambda: [
        click.Option(
            ["--rule"],
            type=click.Choice(RULES),
            default="exact",
            show_default=True,
            help="Whose rule.",
        )
    ],
)

COMPARE = Tool(
    name="compare",
    function="compare",
    help="""What is each process charged by every rule, one column a rule?

    A column of ? is a rule that this capture does not know enough for.
    """,
    examples=(("", "all rules side by side"),),
)

LEDGER = Tool(
    name="ledger",
    function="ledger",
    help="""Every byte between what ps reports and physical memory, by name.

    The first table goes from each process's reported PSS to its exact one. The second goes from
    their sum over hidden memory and the kernel's own to the physical total: 0 unexplained.
    """,
    examples=(("", "the whole ledger"), ("--json", "with exact fractions, for programs")),
)

HIDDEN = Tool(
    name="hidden",
    function="hidden",
    help="""Which memory does no process's mapping show, and why?

    Held only by a handle, mapped only by the kernel, known to the kernel alone, shadowed by copies,
    or the part of a mapped VMO that nobody maps.
    """,
    examples=(("", "every VMO with hidden pages"),),
)

VMO = Tool(
    name="vmo",
    function="vmo",
    help="""Who reaches one VMO, and as how much does each tool count it?

    KOID is what vmos shows.
    """,
    examples=(("1030", "VMO 1030"),),
    params=lambda: [click.Argument(["koid"], type=KoidOr())],
)

PAGE = Tool(
    name="page",
    function="page",
    help="""Who sees one page: through which mappings and clones, and what does each pay?

    KOID is the VMO, INDEX the number of the page in it, from 0.
    """,
    examples=(("1030 2", "the third page of VMO 1030"),),
    params=lambda: [
        click.Argument(["vmo"], type=KoidOr(), metavar="KOID"),
        click.Argument(["index"], type=PageIndex()),
    ],
)

TOOLS = (ACCOUNT, COMPARE, LEDGER, HIDDEN, VMO, PAGE)
"""Every tool of this module."""

account, compare, ledger, hidden, vmo, page = map(shell_command, TOOLS)


def _diff(before: str, after: str, output: str | None) -> int:
    import magmem

    if output == "python":
        write(
            "import magmem\n\n"
            f"before, after = magmem.read_capture({before!r}), magmem.read_capture({after!r})\n"
            "listing = magmem.diff(before, after)\n"
            'print(listing, end="")  # the exact text\n'
            "table = listing.df  # the same rows as a DataFrame, sizes in bytes\n"
        )
        return 0
    return emit(magmem.diff(read(before), read(after)), output)


diff = click.Command(
    "diff",
    callback=_diff,
    params=[
        click.Argument(["before"], metavar="BEFORE", shell_complete=complete_capture),
        click.Argument(["after"], metavar="AFTER", shell_complete=complete_capture),
        *output_parameters(),
    ],
    help="""What grew, shrank, came and went from one capture to another?

    Tasks and VMOs are matched by koid, else by name; each section adds up to the byte.
    """,
    epilog="\b\nExamples:\n  magmem diff before.json after.json  two states of one machine",
)
