"""What the subcommands share: CAPTURE, the output options, and how a listing is printed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from magmem.listing import Listing

__all__ = ["capture_argument", "emit", "output_options"]

F = TypeVar("F", bound=Callable[..., Any])


def capture_argument(function: F) -> F:
    """Add ``CAPTURE...``: one or more files, dataset names or ``-``, merged when several."""
    return click.argument(
        "capture", nargs=-1, required=True, metavar="CAPTURE...", shell_complete=_complete
    )(function)


def output_options(function: F) -> F:
    """Add ``--json``, ``--csv`` and ``--python``."""
    for option in (
        click.option("--python", "output", flag_value="python", help="Show the library call."),
        click.option("--csv", "output", flag_value="csv", help="The table as CSV."),
        click.option("--json", "output", flag_value="json", help="The table as JSON."),
    ):
        function = option(function)
    return function


def emit(listing: Listing, output: str | None = None) -> int:
    """Print a listing in the asked form, its warnings to stderr; returns its exit status."""
    if output == "json":
        text = listing.to_json()
    elif output == "csv":
        text = listing.to_csv()
    else:
        text = listing.text
    sys.stdout.write(text)
    sys.stdout.flush()
    for warning in listing.warnings:
        click.echo(warning, err=True)
    return listing.exit_status


def _complete(
    ctx: click.Context,  # noqa: ARG001
    param: click.Parameter,  # noqa: ARG001
    incomplete: str,
) -> list[click.shell_completion.CompletionItem]:
    from click.shell_completion import CompletionItem

    from magmem import datasets

    names = [name for name in datasets.names() if name.startswith(incomplete)]
    return [*map(CompletionItem, names), CompletionItem(incomplete, type="file")]
