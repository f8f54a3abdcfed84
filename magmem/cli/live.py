"""The commands of this machine itself: ``capture live``, ``top live``, ``linux-ledger``."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import click

from magmem.cli.common import emit, say, write
from magmem.cli.progress import progress_line
from magmem.cli.tool import Tool, shell_command

__all__ = ["LINUX_LEDGER", "capture", "cgroups", "linux_ledger", "top"]

LIVE = click.Choice(["live"])

TOP_LINES = 20
"""What `top` shows where it is not on a terminal."""

HOME_AND_ERASE = "\x1b[H\x1b[J"
"""The cursor to the top, and everything below it gone; no mode of the terminal changes."""


@click.command(epilog="\b\nExample:\n  magmem capture live -o mine.json && magmem ps mine.json")
@click.argument("machine", type=LIVE, metavar="live")
@click.option(
    "-o",
    "--output",
    "path",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to write it, as a machine description.",
)
@click.option(
    "--detail",
    type=click.Choice(["auto", "pages", "mappings", "processes"]),
    default="auto",
    show_default=True,
    help="Page frames (root), mappings, or sums per process; auto: as much as is allowed.",
)
@click.option(
    "--jobs",
    type=click.Choice(["cgroup", "parent"]),
    default="cgroup",
    show_default=True,
    help="The job tree: control groups, or who started whom.",
)
@click.option("--redact", is_flag=True, help="Give programs, files and groups neutral names.")
@click.option("--keep", multiple=True, metavar="NAME", help="A name that --redact leaves.")
@click.option("--pid", "pids", multiple=True, type=int, help="Only this process (repeatable).")
def capture(
    machine: str,  # noqa: ARG001 (there is one choice)
    path: Path,
    detail: str,
    jobs: str,
    redact: bool,
    keep: tuple[str, ...],
    pids: tuple[int, ...],
) -> int:
    """Save the state of this Linux machine as a capture that every command reads.

    It only looks: at process names, mappings, page frames where that is allowed, file descriptors
    and the kernel's statistics. Command lines and environments are never read. What it may not
    see it says, on standard error and in the capture.
    """
    from magmem.linux.capture import capture_linux
    from magmem.linux.redaction import redact as redacted

    snap = capture_linux(
        detail,  # type: ignore[arg-type]
        jobs,  # type: ignore[arg-type]
        pids=pids or None,
        progress=progress_line(),
    )
    notes = snap.notes
    if redact or keep:
        snap = redacted(snap, keep)
    snap.save(path)
    for kind, message in zip(notes["kind"], notes["message"], strict=True):
        say(f"{kind}: {message}")
    many = len(snap.processes)
    held = f"{many:,} process{'' if many == 1 else 'es'}, {len(snap.mappings):,} mappings"
    say(f"{path}: {held}")
    return 0


@click.command(epilog="\b\nExample:\n  magmem top live -d 1 --lines 10")
@click.argument("machine", type=LIVE, metavar="live")
@click.option("-n", "times", type=click.IntRange(min=1), help="How often; else until interrupted.")
@click.option(
    "-d",
    "delay",
    type=click.FloatRange(min=0),
    default=2.0,
    show_default=True,
    help="Seconds between two looks.",
)
@click.option(
    "--lines",
    type=click.IntRange(min=0),
    help=f"Processes shown, 0 for all; else what the terminal holds, or {TOP_LINES}.",
)
def top(machine: str, times: int | None, delay: float, lines: int | None) -> int:  # noqa: ARG001
    """Show the processes of this machine by PSS, and what changed, again and again."""
    from magmem.linux.top import OTHER_LINES
    from magmem.linux.top import top as looks

    on_screen = sys.stdout is not None and sys.stdout.isatty()
    if lines is None:
        rows = shutil.get_terminal_size().lines if on_screen else TOP_LINES + OTHER_LINES
        lines = max(1, rows - OTHER_LINES)
    try:
        for listing in looks(times, delay, lines):
            write((HOME_AND_ERASE * on_screen).encode())
            write(listing.text)
    except KeyboardInterrupt:
        write("\n" * on_screen)  # the terminal has shown ^C where the next prompt would stand
    return 0


@click.command(
    epilog="""\b
Examples:
  magmem cgroups live                     every group: charge, limit, parts, and PSS
  magmem cgroups live --group user.slice  one group's charge, line by line"""
)
@click.argument("machine", type=LIVE, metavar="live")
@click.option("--group", metavar="PATH", help="One group, by its path or the end of it.")
@click.option("--json", "output", flag_value="json", help="The table as JSON.")
@click.option("--csv", "output", flag_value="csv", help="The table as CSV.")
def cgroups(machine: str, group: str | None, output: str | None) -> int:  # noqa: ARG001
    """Show what each control group is charged for, and what its processes use.

    Groups without processes may be charged too: for page cache, tmpfs and the kernel's objects
    that are left of those that ran in them.
    """
    from magmem.linux.cgroup_listing import cgroups as listing

    return emit(listing(group), output)


LINUX_LEDGER = Tool(
    name="linux-ledger",
    function="linux_ledger",
    help="""Where is the memory of a Linux machine, to the byte?

    The sum of PSS, the page cache, tmpfs, the kernel's heap, page tables, stacks and free memory
    add up to physical memory; what no counter tells is a line of its own.
    """,
    examples=(("", "every line; CAPTURE may be live or of capture live"),),
)

linux_ledger = shell_command(LINUX_LEDGER)
