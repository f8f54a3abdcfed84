"""Listings that are made when they are looked at, and the columns of numbers they print.

Accounting numbers of 10,000 processes are a few arrays; their text is 10,000 lines. A `Report`
keeps the numbers and makes text, table and JSON data on first use.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import cached_property
from typing import Any

import pandas as pd

from magmem.listing import Listing

__all__ = [
    "Report",
    "columns_text",
    "grouped",
    "plain_number",
    "plain_records",
    "signed",
]


class Report(Listing):
    """A listing whose text, table and data are made on first use.

    Parameters
    ----------
    make_df : callable
        The table.
    make_text : callable
        The exact text, given the report.
    make_data : callable
        What ``to_json`` writes, given the report; None: the rows of the table.
    title : str
    warnings : tuple of str
    """

    def __init__(
        self,
        make_df: Callable[[], pd.DataFrame],
        make_text: Callable[[pd.DataFrame], str],
        make_data: Callable[[pd.DataFrame], Mapping[str, Any]] | None = None,
        title: str = "",
        warnings: tuple[str, ...] = (),
    ) -> None:
        for name, value in (
            ("_make_df", make_df),
            ("_make_text", make_text),
            ("_make_data", make_data),
            ("title", title),
            ("warnings", warnings),
            ("exit_status", 0),
        ):
            object.__setattr__(self, name, value)

    @cached_property
    def df(self) -> pd.DataFrame:
        """The rows, typed; exact sizes are integers or `Fraction`."""
        return self._make_df()

    @cached_property
    def text(self) -> str:
        """The exact text, with its line ends."""
        return self._make_text(self.df)

    @cached_property
    def data(self) -> Mapping[str, Any]:
        """What ``to_json`` writes."""
        return self._make_data(self.df) if self._make_data else {"rows": plain_records(self.df)}

    _make_df: Callable[[], pd.DataFrame]
    _make_text: Callable[[pd.DataFrame], str]
    _make_data: Callable[[pd.DataFrame], Mapping[str, Any]] | None


def grouped(size: int) -> str:
    """A number with its digits in groups of three."""
    return f"{size:,}"


def signed(size: int) -> str:
    """The same with its sign, 0 without."""
    return f"{size:+,}" if size else "0"


def plain_number(size: Fraction) -> int | str:
    """For JSON: a whole number as such, a fraction as text."""
    return size.numerator if size.denominator == 1 else str(size)


def plain_records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows for JSON: fractions as text, missing values as None."""
    names = list(frame.columns)
    columns = [[_plain(value) for value in frame[name].tolist()] for name in names]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _plain(value: Any) -> Any:
    if isinstance(value, Fraction):
        return str(value)
    return None if value is pd.NA or value is None else value


def columns_text(heads: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> list[str]:
    """Lines of right-aligned columns under their heads; the last `left` are left-aligned."""
    columns = list(zip(heads, *rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    right = len(heads) - left
    lines = []
    for row in (heads, *rows):
        cells = [
            text.rjust(width) if place < right else text.ljust(width)
            for place, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return lines
