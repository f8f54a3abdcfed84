"""Text cells of CSV that a spreadsheet takes for text, whatever they hold.

A spreadsheet runs a cell that begins with ``=``, ``+``, ``-`` or ``@`` as a formula, also after a
tab or a line break, and a process may have any name. Such a cell gets an apostrophe in front, and
so does one that begins with an apostrophe itself: taking one leading apostrophe off every text
cell gives all of them back exactly. Numbers are left alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["csv_text", "defused", "restored"]

_SIGNS = ("+", "-", "@", "=")  # alone they are no formula, and the tools print "-" for nothing
_BEGINNINGS = tuple("=+-@\t\r\n'＝＋－＠")  # spreadsheets take the full-width forms too


def defused(cell: object) -> object:
    """The cell as it is written: text that could be run gets an apostrophe in front.

    >>> defused("=1+1"), defused("bin/sh"), defused(-4096)
    ("'=1+1", 'bin/sh', -4096)
    """
    if not isinstance(cell, str):
        return cell
    text = cell.lstrip(" ")
    runs = text.startswith(_BEGINNINGS) and text not in _SIGNS
    return f"'{cell}" if runs else cell


def restored(cell: str) -> str:
    """The text of a cell as it was before `defused`."""
    return cell.removeprefix("'")


def csv_text(table: pd.DataFrame) -> str:
    """The table as CSV with a header line; missing values are empty, text cells are defused."""
    safe = {
        column: series.astype(object).map(defused, na_action="ignore")
        if _may_hold_text(series)
        else series
        for column, series in table.items()
    }
    rows: str = type(table)(safe, columns=table.columns).to_csv(index=False, lineterminator="\n")
    return rows


def _may_hold_text(series: pd.Series) -> bool:
    return str(series.dtype) in ("object", "string", "str", "category")
