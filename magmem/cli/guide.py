"""The guide's userspace commands: ps, vmaps, vmos, kstats and memgraph."""

from __future__ import annotations

import click

from magmem.cli.common import write
from magmem.cli.tool import KoidOr, Tool, era_option, shell_command

__all__ = ["TOOLS", "kstats", "memgraph", "ps", "vmaps", "vmos"]

UNITS = "one of BkMGTPE"


def _koid() -> click.Argument:
    return click.Argument(["koid"], type=KoidOr())


def _print_schema(ctx: click.Context, param: click.Parameter, value: bool) -> None:  # noqa: ARG001
    if value:
        from magmem.tools.memgraph_schema import memgraph_schema

        write(memgraph_schema())
        ctx.exit()


PS = Tool(
    name="ps",
    function="ps",
    help="""Which processes are using all of the memory?

    One line per job and process: PSS, PRIVATE and SHARED as the kernel counts them. Memory that is
    not mapped is not in these numbers, and memory that is mapped twice is in them twice.
    """,
    examples=(
        ("", "every job and process"),
        ("-T", "with threads and what they do"),
        ("-J", "jobs only"),
        ("--units=k", "every size in k"),
    ),
    quick_live="magmem.linux.quick_ps:answer",
    params=lambda: [
        click.Option(["-T", "threads"], is_flag=True, help="Include threads."),
        click.Option(["-J", "jobs"], is_flag=True, help="Only show jobs."),
        click.Option(["--units"], default="", metavar="?", help=f"Fix all sizes to {UNITS}."),
        click.Option(
            ["--rule"],
            type=click.Choice(["linux", "magenta-2017"]),
            help="How shared memory is divided (default: as the kernel captured does).",
        ),
    ],
)

VMAPS = Tool(
    name="vmaps",
    function="vmaps",
    help="""Why does a process use so much memory: what has it mapped?

    One line per node of its address space: size (:sz) is a promise, resident (:res) is memory.
    KOID is what ps shows behind p:, or the word help.
    """,
    examples=(("2470", "the address space of process 2470"),),
    params=lambda: [_koid(), era_option("zx", "Words of messages")],
    usage="vmaps <process-koid>|help",
    help_text="magmem.tools.vmaps:USAGE",
)

VMOS = Tool(
    name="vmos",
    function="vmos",
    help="""Which VMOs does a process have handles to or map?

    One row per handle, then one per mapping, so also what ps and vmaps do not count: VMOs that are
    not mapped. KOID is what ps shows behind p:, or the word help.
    """,
    examples=(("1118", "the VMOs of process 1118"),),
    params=lambda: [_koid(), era_option("zx", "Words of messages")],
    usage="vmos <process-koid>|help",
    help_text="magmem.tools.vmos:USAGE",
)

KSTATS = Tool(
    name="kstats",
    function="kstats",
    help="""Where is the physical memory?

    The columns add up to the total. CPU statistics are not part of a memory capture: -m is needed.
    """,
    examples=(
        ("-m", "memory, in the guide's seven columns"),
        ("-m --era zx", "with the column other"),
        ("-m -n 3", "three reports"),
    ),
    params=lambda: [
        click.Option(["-m", "memory"], is_flag=True, help="Memory statistics."),
        click.Option(["-t", "timestamps"], is_flag=True, help="A timestamp for each report."),
        click.Option(
            ["-n", "times"],
            type=click.IntRange(min=1),
            metavar="TIMES",
            help="Number of reports (default: those in the capture).",
        ),
        click.Option(
            ["-d", "delay"],
            type=click.FloatRange(min=0),
            default=0.0,
            metavar="DELAY",
            help="Seconds between reports of a live machine.",
        ),
        era_option("mx", "Columns"),
    ],
)

MEMGRAPH = Tool(
    name="memgraph",
    function="memgraph",
    help="""The whole machine as JSON, for the treemap and for other programs.

    Names are escaped, so the output is always valid JSON.
    """,
    examples=(
        ("", "jobs and processes"),
        ("-vt", "with VMOs and threads"),
        ("-S", "the schema of the output"),
    ),
    params=lambda: [
        click.Option(["-t", "--threads"], is_flag=True, help="Include threads."),
        click.Option(["-v", "--vmos"], is_flag=True, help="Include VMOs."),
        click.Option(
            ["-S", "--schema"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_print_schema,
            help="Print the JSON schema of the output; needs no capture.",
        ),
        era_option("zx", "Words of messages"),
    ],
)

TOOLS = (PS, VMAPS, VMOS, KSTATS, MEMGRAPH)
"""Every tool of this module."""

ps, vmaps, vmos, kstats, memgraph = map(shell_command, TOOLS)
