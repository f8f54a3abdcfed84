"""``magmem treemap``: the memory of a machine as one page, picture or text."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from magmem.cli.common import capture_parameter, read, write

if TYPE_CHECKING:
    from magmem.treemap import Treemap

__all__ = ["treemap"]


@click.command(
    epilog="""\b
Examples:
  magmem treemap CAPTURE -o mem.html          a page to look into
  magmem memgraph -vt CAPTURE | magmem treemap > mem.html
  magmem treemap CAPTURE --by vmo --text      the biggest VMOs, as text
  magmem treemap CAPTURE -o mem.png           a picture for paper"""
)
@click.option(
    "-o", "--output", default="-", metavar="FILE", help="Where to write; - is standard output."
)
@click.option("--png", "form", flag_value="png", help="A PNG picture (also if FILE ends in .png).")
@click.option("--text", "form", flag_value="text", help="The biggest nodes as an indented tree.")
@click.option(
    "--by",
    type=click.Choice(["process", "vmo"]),
    default="process",
    show_default=True,
    help="What holds what: processes their VMOs, or VMOs their processes.",
)
@click.option(
    "--rule",
    default="treemap-2017",
    show_default=True,
    help="How a shared VMO is divided: a rule of `magmem compare`.",
)
def treemap(capture: tuple[str, ...], output: str, form: str | None, by: str, rule: str) -> int:
    """Where is all of the memory: a treemap of the whole machine.

    Every process with its VMOs, hidden memory, the kernel's own, and what is free. The page is one
    file that needs no network. Without CAPTURE it reads standard input.
    """
    if not capture and sys.stdin.isatty():
        raise click.UsageError("Missing argument 'CAPTURE...' (a file, a dataset name or -).")
    from magmem.treemap.charges import RULES
    from magmem.treemap.treemap import treemap as make

    if rule not in RULES:
        raise click.BadParameter(
            f"expected one of {', '.join(RULES)}, found {rule!r}.", param_hint="--rule"
        )
    made = make(read(*(capture or ("-",))), by=by, rule=rule)
    if form is None:
        form = "png" if output.lower().endswith(".png") else "html"
    _put(made, output, form)
    where = "the treemap" if output == "-" else output
    tiles = "1 tile" if made.tiles == 1 else f"{made.tiles:,} tiles"
    click.echo(f"{where}: {made.total_text} in {tiles}", err=True)
    for remark in made.remarks:
        click.echo(f"treemap: {remark}", err=True)
    return 0


def _put(made: Treemap, output: str, form: str) -> None:
    """Write one form of the treemap to a file, whole or not at all, or to standard output."""
    from magmem.files import write_atomically

    if form == "png":
        picture = made.png()
        if output == "-":
            sys.stdout.buffer.write(picture)
            sys.stdout.flush()
        else:
            write_atomically(output, picture)
        return
    text = made.html() if form == "html" else str(made)
    if output == "-":
        write(text)
    else:
        write_atomically(Path(output), text)


treemap.params.append(capture_parameter(required=False))
