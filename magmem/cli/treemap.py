"""``magmem treemap``: the memory of a machine as one page, picture or text."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from magmem.cli.common import capture_parameter, read, say, write

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
    "-o",
    "--output",
    default="-",
    metavar="FILE",
    help="Where to write; - is standard output. Without one of the options below the ending of the "
    "name says the form: .html, .png, .svg, .pdf, .txt.",
)
@click.option("--html", "form", flag_value="html", help="A page to look into (the default).")
@click.option("--png", "form", flag_value="png", help="A PNG picture.")
@click.option("--svg", "form", flag_value="svg", help="An SVG picture.")
@click.option("--pdf", "form", flag_value="pdf", help="A PDF picture.")
@click.option("--text", "form", flag_value="txt", help="The biggest nodes as an indented tree.")
@click.option(
    "--by",
    type=click.Choice(["process", "vmo"]),
    default="process",
    show_default=True,
    help="What holds what: processes their VMOs, or VMOs their processes.",
)
@click.option(
    "--rule",
    help="How a shared VMO is divided: a rule of `magmem compare`; by default that of the kernel "
    "captured (linux, else treemap-2017).",
)
def treemap(
    capture: tuple[str, ...], output: str, form: str | None, by: str, rule: str | None
) -> int:
    """Where is all of the memory: a treemap of the whole machine.

    Every process with its VMOs, hidden memory, the kernel's own, and what is free. The page is one
    file that needs no network. Without CAPTURE it reads standard input.
    """
    if not capture and sys.stdin.isatty():
        raise click.UsageError("Missing argument 'CAPTURE...' (a file, a dataset name or -).")
    from magmem.treemap.charges import RULES
    from magmem.treemap.treemap import form_of
    from magmem.treemap.treemap import treemap as make

    form = form or _form(output, form_of)
    if output == "-" and form != "txt" and sys.stdout is not None and sys.stdout.isatty():
        raise click.UsageError(
            f"{form.upper()} is not for a terminal: write it to a file with -o FILE, or ask for "
            "--text."
        )
    if rule is not None and rule not in RULES:
        raise click.BadParameter(
            f"expected one of {', '.join(RULES)}, found {rule!r}.", param_hint="--rule"
        )
    made = make(read(*(capture or ("-",))), by=by, rule=rule)
    _put(made, output, form)
    where = "the treemap" if output == "-" else output
    tiles = "1 tile" if made.tiles == 1 else f"{made.tiles:,} tiles"
    say(f"{where}: {made.total_text} in {tiles}")
    for remark in made.remarks:
        say(f"treemap: {remark}")
    return 0


def _form(output: str, form_of: Callable[[str], str]) -> str:
    if output == "-":
        return "html"
    try:
        return form_of(output)
    except ValueError as error:
        says = f"{error}, or one of --html, --png, --svg, --pdf, --text"
        raise click.BadParameter(says, param_hint="-o") from None


def _put(made: Treemap, output: str, form: str) -> None:
    """Write one form of the treemap to a file, whole or not at all, or to standard output."""
    from magmem.files import write_atomically

    if output != "-":
        write_atomically(output, made.written(form))
    else:
        write(str(made) if form == "txt" else made.written(form))


treemap.params.append(capture_parameter(required=False))
