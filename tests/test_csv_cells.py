"""CSV that a spreadsheet opens runs nothing, and reads back exactly."""

from __future__ import annotations

import csv
import io
from fractions import Fraction

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from magmem.csv_cells import csv_text, defused, restored

RUN = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "＝1")


def test_what_a_spreadsheet_would_run_is_text() -> None:
    """Each beginning of a formula gets an apostrophe, after blanks too; other text gets none."""
    for cell in RUN:
        assert str(defused(cell)) == f"'{cell}"
    for cell in ("bin/sh", "a=b", "", "1-2", "-"):
        assert defused(cell) == cell


@given(st.text())
def test_every_cell_can_be_read_back(text: str) -> None:
    """Taking one leading apostrophe off gives the text again, whatever it was."""
    assert restored(str(defused(text))) == text


def test_numbers_stay_numbers() -> None:
    """Negative integers, fractions and missing values are written as they are."""
    table = pd.DataFrame(
        {
            "bytes": pd.array([-4096, None], dtype="Int64"),
            "share": pd.Series([Fraction(-1, 3), Fraction(2)], dtype=object),
            "name": ["=cmd()", None],
            "kind": pd.Categorical(["-x", "y"]),
        }
    )
    rows = list(csv.reader(io.StringIO(csv_text(table))))
    assert rows == [
        ["bytes", "share", "name", "kind"],
        ["-4096", "-1/3", "'=cmd()", "'-x"],
        ["", "2", "", "y"],
    ]
