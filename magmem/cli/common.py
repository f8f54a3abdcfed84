"""What the subcommands share: CAPTURE, the output options, and how a listing is printed."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from magmem.listing import Listing
    from magmem.snapshot import Snapshot

__all__ = [
    "capture_parameter",
    "complete_capture",
    "emit",
    "output_parameters",
    "read",
    "write",
]


def capture_parameter(required: bool = True) -> click.Argument:
    """``CAPTURE...``: files, dataset names, ``live`` or ``-``, merged when several."""
    return click.Argument(
        ["capture"],
        nargs=-1,
        required=required,
        metavar="CAPTURE...",
        shell_complete=complete_capture,
    )


def output_parameters() -> list[click.Parameter]:
    """``--json``, ``--csv`` and ``--python``."""
    return [
        click.Option(["--json", "output"], flag_value="json", help="The table as JSON."),
        click.Option(["--csv", "output"], flag_value="csv", help="The table as CSV."),
        click.Option(
            ["--python", "output"], flag_value="python", help="Show how to do it in Python."
        ),
    ]


def emit(listing: Listing, output: str | None = None) -> int:
    """Print a listing in the asked form, its warnings to stderr; returns its exit status."""
    if output == "json":
        text = listing.to_json()
    elif output == "csv":
        text = listing.to_csv()
    else:
        text = listing.text
    write(text)
    for warning in listing.warnings:
        click.echo(warning, err=True)
    return listing.exit_status


LIMITS = ("pagemap", "smaps", "fd")
"""Places of the notes that tell what this machine does not show us, and which right it takes."""


def read(*captures: str) -> Snapshot:
    """The state that CAPTURE means.

    Of this machine (``live``) it shows progress where that takes long, and says on standard error
    what may not be seen: what is missing must not look like nothing.

    Raises
    ------
    MagmemError
        It cannot be read.
    """
    from magmem.captures import read_capture

    if "live" not in captures:
        return read_capture(*captures)
    from magmem.cli.progress import progress_line

    snap = read_capture(*captures, progress=progress_line())
    for message in snap.notes["message"][snap.notes["place"].isin(LIMITS)]:
        click.echo(f"live: {message}", err=True)
    return snap


def write(text: str) -> None:
    """Print text to standard output as UTF-8 with its own line ends, whatever the locale says.

    A name that is not Unicode (a lone surrogate) prints as ``?``.
    """
    if sys.stdout is None:  # started with standard output closed
        return
    stream = getattr(sys.stdout, "buffer", None)
    if stream is None:
        sys.stdout.write(text)
    else:
        sys.stdout.flush()
        stream.write(text.encode("utf-8", "replace"))
    sys.stdout.flush()


def complete_capture(
    ctx: click.Context,  # noqa: ARG001
    param: click.Parameter,  # noqa: ARG001
    incomplete: str,
) -> list[click.shell_completion.CompletionItem]:
    """Datasets, `live`, and files that begin so."""
    from click.shell_completion import CompletionItem

    from magmem import datasets

    names = [name for name in (*datasets.names(), "live") if name.startswith(incomplete)]
    return [*map(CompletionItem, names), CompletionItem(incomplete, type="file")]
