"""The commands of this machine itself: ``capture live``, ``top live``, ``linux-ledger``."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import click

from magmem.cli.common import capture_argument, emit, output_options, write

__all__ = ["capture", "linux_ledger", "top"]

LIVE = click.Choice(["live"])
QUIET_SECONDS = 0.5
"""Progress is shown when a capture takes longer."""


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
        progress=_progress() if sys.stderr.isatty() else None,
    )
    notes = snap.notes
    if redact or keep:
        snap = redacted(snap, keep)
    snap.save(path)
    for kind, message in zip(notes["kind"], notes["message"], strict=True):
        click.echo(f"{kind}: {message}", err=True)
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
    default=20,
    show_default=True,
    help="Processes shown; 0 shows all.",
)
def top(machine: str, times: int | None, delay: float, lines: int) -> int:  # noqa: ARG001
    """Show the processes of this machine by PSS, and what changed, again and again."""
    from magmem.linux.top import top as looks

    on_screen = sys.stdout.isatty()
    with suppress(KeyboardInterrupt):
        for listing in looks(times, delay, lines):
            if on_screen:
                click.clear()
            write(listing.text)
    return 0


@click.command("linux-ledger", epilog="\b\nExample:\n  magmem linux-ledger live")
@capture_argument
@output_options
def linux_ledger(capture: tuple[str, ...], output: str | None) -> int:
    """Show where the memory of a Linux machine is, to the byte.

    The sum of PSS, the page cache, tmpfs, the kernel's heap, page tables, stacks and free memory
    add up to physical memory; what no counter tells is a line of its own.
    """
    if output == "python":
        captures = ", ".join(map(repr, capture))
        write(f"import magmem\n\nprint(magmem.linux_ledger(magmem.read_capture({captures})))\n")
        return 0
    from magmem.accounting.linux_ledger import linux_ledger as ledger
    from magmem.captures import read_capture

    return emit(ledger(read_capture(*capture)), output)


def _progress() -> Callable[[int, int], None]:
    """Write how far a capture is, once it takes long, over one line of standard error."""
    began = time.monotonic()
    shown = False

    def show(done: int, total: int) -> None:
        nonlocal shown
        if done < total and time.monotonic() - began > QUIET_SECONDS:
            click.echo(f"\r{done} of {total} processes", err=True, nl=False)
            shown = True
        elif shown:
            click.echo(f"\r{total} of {total} processes", err=True)

    return show
