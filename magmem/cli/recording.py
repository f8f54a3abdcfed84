"""The commands of recordings: ``record live`` makes one, ``recording`` looks into it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from magmem.cli.common import emit, say, write

__all__ = ["record", "recording"]

UNITS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}

_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhd]?)")


class Seconds(click.ParamType[float]):
    """A span of time: ``10``, ``10s``, ``500ms``, ``1h30m``."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The span in seconds."""
        if isinstance(value, float):
            return value
        text = str(value).strip()
        parts = _PART.findall(text)
        seconds = sum(float(number) * UNITS[unit] for number, unit in parts)
        if not parts or "".join(map("".join, parts)) != text or seconds <= 0:
            self.fail(f"expected a time such as 10s, 5m or 1h30m, found {value!r}", param, ctx)
        return seconds


@click.command(
    epilog="""\b
Examples:
  magmem record live -o day.rec --every 1m --for 24h   a day
  magmem record live -o now.rec                        every 10 seconds, until Ctrl-C
  magmem recording day.rec                             who grows"""
)
@click.argument("machine", type=click.Choice(["live"]), metavar="live")
@click.option(
    "-o",
    "--output",
    "path",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to write it; every moment is on disk as soon as it is over.",
)
@click.option(
    "--every", type=Seconds(), default="10s", show_default=True, help="From moment to moment."
)
@click.option("--for", "duration", type=Seconds(), help="How long; else until Ctrl-C.")
@click.option("-q", "--quiet", is_flag=True, help="No line for each moment.")
def record(
    machine: str,  # noqa: ARG001 (there is one choice)
    path: Path,
    every: float,
    duration: float | None,
    quiet: bool,
) -> int:
    """Record this machine: the memory of every process, again and again, in one file.

    Kept are the kernel's own sums of each process, its meminfo and what control groups are charged
    for, each moment as what changed. Ctrl-C ends the recording; nothing is lost.
    """
    from magmem.linux.recording import record as recorded
    from magmem.sizes import format_size

    def tell(moment: dict[str, Any]) -> None:
        sizes = [values[8] or 0 for values in moment["processes"].values()]
        say(
            f"{len(sizes)} processes, PSS {format_size(sum(sizes))}, read in {moment['took']:.3f} s"
        )

    count = recorded(path, every, duration, told=None if quiet else tell)
    say(f"{path}: {count} moment{'' if count == 1 else 's'}, {path.stat().st_size:,} bytes")
    return 0


@click.command(
    epilog="""\b
Examples:
  magmem recording day.rec                 who grows, steepest first
  magmem recording day.rec --diff 0 -1     what changed from the first moment to the last
  magmem recording day.rec --at 10 -o s.json   one moment as a capture"""
)
@click.argument("path", type=click.Path(dir_okay=False, exists=True, path_type=Path))
@click.option("--lines", type=click.IntRange(min=0), default=20, show_default=True, help="0: all.")
@click.option(
    "--diff", "between", type=int, nargs=2, metavar="BEFORE AFTER", help="Two moments by number."
)
@click.option("--at", "moment", type=int, help="One moment, by number (negative: from the end).")
@click.option(
    "-o",
    "--output",
    "target",
    type=click.Path(dir_okay=False, path_type=Path),
    help="With --at: write it as a machine description instead of listing its processes.",
)
@click.option("--json", "output", flag_value="json", help="The table as JSON.")
@click.option("--csv", "output", flag_value="csv", help="The table as CSV.")
def recording(
    path: Path,
    lines: int,
    between: tuple[int, int] | None,
    moment: int | None,
    target: Path | None,
    output: str | None,
) -> int:
    """Look into a recording: who grows, what changed, or one moment of it."""
    import magmem

    opened = magmem.read_recording(path)
    for number in (*(between or ()), *(() if moment is None else (moment,))):
        if not -len(opened) <= number < len(opened):
            last = len(opened) - 1
            raise click.BadParameter(f"expected a moment from 0 to {last}, found {number}.")
    if moment is not None:
        snap = opened.at(moment)
        if target is None:
            return emit(magmem.ps(snap), output)
        snap.save(target)
        write(f"{target}: {opened.times[moment].isoformat()}\n")
        return 0
    if between:
        return emit(opened.diff(*between), output)
    return emit(opened.leaks(lines), output)
