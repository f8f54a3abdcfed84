"""The kernel console's commands: k, vmm and pmm.

The guide types ``k mx vmos hidden``; ``k zx …`` and plain ``k …`` say the same.
"""

from __future__ import annotations

from collections.abc import Callable

import click
from click.shell_completion import CompletionItem

from magmem.cli.tool import KoidOr, Tool, shell_command

__all__ = ["console", "k", "pmm", "pmm_group", "vmm", "vmm_group"]

PS = Tool(
    name="k ps",
    function="k_ps",
    help="""How many handles does each process have, by type?

    Handles cost kernel memory that ps does not show. The word help explains the columns.
    """,
    examples=(("", "every process"),),
    help_text="magmem.tools.k_tasks:PS_KEY",
)

VMOS = Tool(
    name="k vmos",
    function="k_vmos",
    help="""Which VMOs are there, and which does no process map?

    WHICH is all, hidden (mapped by no process: held by handles only, by the kernel, or both), or
    the koid of a process.
    """,
    examples=(
        ("hidden", "what ps and vmaps cannot show"),
        ("all -uk", "every VMO, sizes in k"),
        ("1118", "handles and mappings of process 1118"),
    ),
    params=lambda: [
        click.Argument(["which"], type=KoidOr("all", "hidden")),
        click.Option(
            ["-u", "unit"], default="", metavar="?", help="Fix all sizes to one of BkMGTPE."
        ),
    ],
)

ASD = Tool(
    name="k asd",
    function="asd",
    help="""Dump an address space: its VMARs, mappings and VMOs.

    WHICH is kernel (or any beginning of that word) or the koid of a process.
    """,
    examples=(("kernel", "the kernel's address space"), ("1118", "that of process 1118")),
    params=lambda: [
        click.Argument(["which"], type=KoidOr("kernel", beginnings=True)),
    ],
)

JOBS = Tool(
    name="k jobs",
    function="k_jobs",
    help="""Every job, from least to most important.

    The least important is killed first when memory runs out.
    """,
    examples=(("", "every job"),),
)

HT = Tool(
    name="k ht",
    function="k_ht",
    help="""The handle table of a process.""",
    examples=(("1118", "the handles of process 1118"),),
    params=lambda: [click.Argument(["koid"], type=KoidOr())],
)

ASPACES = Tool(
    name="vmm aspaces",
    function="vmm_aspaces",
    help="""Dump every address space, the kernel's first.""",
    examples=(("", "every address space"),),
)

ARENAS = Tool(
    name="pmm arenas",
    function="pmm_arenas",
    help="""The arenas of physical memory, and the states of their pages.""",
    examples=(("", "every arena"),),
)

Maker = Callable[[Tool], click.Command]


class Console(click.Group):
    """The kernel console: ``mx`` or ``zx`` may stand before the subcommand."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Leave out the name of the kernel."""
        return super().parse_args(ctx, args[1:] if args[:1] in (["mx"], ["zx"]) else args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The subcommands, and mx and zx."""
        kernels = [CompletionItem(name) for name in ("mx", "zx") if name.startswith(incomplete)]
        return [*super().shell_complete(ctx, incomplete), *kernels]


def console(make: Maker) -> click.Group:
    """The group ``k`` with commands made by `make`."""
    group = Console(
        "k",
        help="Ask the kernel console (mx or zx may follow): tasks, handles, VMOs, address spaces.",
        epilog="The guide types `k mx vmos hidden`; `k vmos hidden` says the same.",
    )
    for tool in (PS, VMOS, ASD, JOBS, HT):
        group.add_command(make(tool))
    group.add_command(vmm_group(make))
    group.add_command(pmm_group(make))
    return group


def vmm_group(make: Maker) -> click.Group:
    """The group ``vmm`` with commands made by `make`."""
    return click.Group("vmm", [make(ASPACES)], help="Ask the kernel's virtual memory manager.")


def pmm_group(make: Maker) -> click.Group:
    """The group ``pmm`` with commands made by `make`."""
    return click.Group("pmm", [make(ARENAS)], help="Ask the kernel's physical memory manager.")


k = console(shell_command)
vmm = vmm_group(shell_command)
pmm = pmm_group(shell_command)
