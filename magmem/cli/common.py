"""What the subcommands share: CAPTURE, the output options, and how a listing is printed."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from magmem.printable import one_line, printable

if TYPE_CHECKING:
    import pandas as pd

    from magmem.listing import Listing
    from magmem.snapshot import Snapshot

__all__ = [
    "capture_parameter",
    "complete_capture",
    "emit",
    "escaped",
    "on_terminal",
    "output_parameters",
    "read",
    "say",
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
        say(warning)
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
        say(f"live: {message}")
    return snap


def write(content: str | bytes) -> None:
    """Print to standard output: text as UTF-8 with its own line ends, whatever the locale says.

    On a terminal what it would obey is escaped; a pipe or file gets the exact bytes. A name that is
    not Unicode (a lone surrogate) prints as ``?``. Bytes are written as they are.
    """
    if sys.stdout is None:  # started with standard output closed
        return
    if isinstance(content, str) and sys.stdout.isatty():
        content = printable(content)
    stream = getattr(sys.stdout, "buffer", None)
    if stream is None:
        sys.stdout.write(content if isinstance(content, str) else content.decode("utf-8"))
    else:
        sys.stdout.flush()
        stream.write(content.encode("utf-8", "replace") if isinstance(content, str) else content)
    sys.stdout.flush()


def say(message: str) -> None:
    """Print one line to standard error; no name in it can break the line."""
    click.echo(one_line(message), err=True)


def on_terminal(snap: Snapshot) -> Snapshot:
    """The state as a listing on a terminal shows it: every name on its own line, as ``ls`` does.

    Where no name needs it, and where standard output is no terminal, it is `snap` itself.
    """
    if sys.stdout is None or not sys.stdout.isatty():
        return snap
    return escaped(snap)


def escaped(snap: Snapshot) -> Snapshot:
    """The same state with everything unprintable in its texts escaped."""
    from magmem.snapshot import TABLES

    changed: dict[str, pd.DataFrame] = {}
    for table, frame in snap.tables().items():
        for column, spec in TABLES[table].columns.items():
            if spec.sort != "text" or "".join(frame[column].dropna().tolist()).isprintable():
                continue
            frame = changed.setdefault(table, frame.copy())  # noqa: PLW2901 (the copy from now on)
            frame[column] = frame[column].map(one_line, na_action="ignore").astype(spec.dtype)
    named = snap if snap.name.isprintable() else snap.renamed(one_line(snap.name))
    return named.with_tables(changed) if changed else named


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
