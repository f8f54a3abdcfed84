"""What every tool returns: exact text first, the typed table behind it.

``str(listing)`` is the tool's text to the byte, ``listing.df`` the same rows typed (bytes as
integers), ``listing.html`` a plain table. A notebook shows the text.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

from magmem.csv_cells import csv_text

__all__ = ["LINE_WIDTH", "Listing", "count", "wrapped"]

LINE_WIDTH = 90
"""Characters in a line of prose in a listing; a notebook breaks a longer one within words."""


@dataclass(frozen=True, eq=False)
class Listing:
    """A tool's output.

    Attributes
    ----------
    text : str
        The exact text, with its line ends.
    df : pandas.DataFrame
        The rows, typed; sizes in ``*_bytes`` columns.
    title : str
        One line for captions of the HTML form.
    warnings : tuple of str
        Lines the tool writes to standard error beside its text.
    exit_status : int
        What the command exits with: 0, or 1 after a partial failure.
    data : mapping
        What ``to_json`` writes; empty means the rows of `df`.
    is_json : bool
        The text is JSON already, and what ``to_json`` gives.
    """

    text: str
    df: pd.DataFrame
    title: str = ""
    warnings: tuple[str, ...] = ()
    exit_status: int = 0
    data: Mapping[str, Any] = field(default_factory=dict)
    is_json: bool = False

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return self.text.removesuffix("\n")

    @property
    def html(self) -> str:
        """The rows as a plain HTML table; every name escaped."""
        caption = f"<caption>{_escape(self.title)}</caption>" if self.title else ""
        table: str = self.df.to_html(index=False, escape=True, border=0, na_rep="")
        return table.replace(">", f">{caption}", 1) if caption else table

    def to_json(self) -> str:
        """The table as JSON text (missing values are null)."""
        if self.is_json:
            return self.text
        if self.data:
            return json.dumps(self.data, indent=1, ensure_ascii=False) + "\n"
        rows: str = self.df.to_json(orient="records", indent=1, force_ascii=False)
        return rows + "\n"

    def to_csv(self) -> str:
        """The table as CSV text with a header line (missing values are empty).

        A text cell that a spreadsheet would run as a formula has an apostrophe in front
        (`magmem.csv_cells` says how to read such cells back exactly).
        """
        return csv_text(self.df)


def _escape(text: str) -> str:
    import html  # its table of entities would cost every quick command 8 ms

    return html.escape(text)


def wrapped(prose: str, indent: str = "") -> str:
    """Prose in lines of at most `LINE_WIDTH`, broken between words; later ones begin with `indent`.

    A word that is longer, such as a path, stays whole.
    """
    return textwrap.fill(
        prose,
        LINE_WIDTH,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def count(number: int, one: str, many: str = "") -> str:
    """``1 process``, ``3 processes``; the plural is the word with an s if not given."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
