"""``magmem guesses``: what students guessed, before, in and after the course."""

from __future__ import annotations

import click

from magmem.cli.common import emit

__all__ = ["guesses"]


@click.command(
    epilog="\b\nExample:\n  magmem guesses handed-in --csv > guesses.csv",
)
@click.argument("places", nargs=-1, required=True, type=click.Path())
@click.option("--json", "output", flag_value="json", help="A row a guess, as JSON.")
@click.option("--csv", "output", flag_value="csv", help="A row a guess, as CSV.")
def guesses(places: tuple[str, ...], output: str | None) -> int:
    """Read the guesses that students kept beside their notebooks.

    PLACES are folders with students' work, or single files guesses.jsonl. A line per student with
    the ten questions before and after the course, and what the class believes.
    """
    from magmem.predictions import report

    return emit(report(*places), output)
