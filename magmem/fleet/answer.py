"""Answers as listings: a title, what was left out, aligned columns, and a figure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from magmem.accounting.report import columns_text
from magmem.listing import Listing, count, wrapped
from magmem.printable import one_line
from magmem.sizes import format_size

if TYPE_CHECKING:
    from magmem.still import Still

__all__ = ["Answer", "answer", "left_out_text", "table_lines"]


@dataclass(frozen=True, eq=False, repr=False)
class Answer(Listing):
    """A listing about a fleet.

    Attributes
    ----------
    question : str
        Such as ``grew``; decides how `figure` draws.
    left_out : int
        Captures that the question could not use.
    """

    question: str = ""
    left_out: int = 0

    def figure(self, *, dark: bool = False) -> Still:
        """The same as a picture: the first rows as bars, hidden memory as bars over time."""
        from magmem.fleet.figure import draw

        return draw(self, dark=dark)


def answer(
    question: str, title: str, frame: Any, left_out: int, every: int, note: str = ""
) -> Answer:
    """The listing of one question.

    Parameters
    ----------
    frame : DataFrame
    left_out, every : int
        Captures that could not be used, and captures in the fleet.
    note : str
        How to read the columns.
    """
    lines = [wrapped(one_line(title)), ""]
    lines += table_lines(frame) if len(frame) else ["nothing to show"]
    lines.append("")
    if note:
        lines.append(wrapped(note))
    lines.append(wrapped(left_out_text(left_out, every)))
    return Answer("\n".join([*lines, ""]), frame, title=title, question=question, left_out=left_out)


def left_out_text(left_out: int, every: int) -> str:
    """How many captures a question used, and why not all."""
    if not left_out:
        return f"Of {count(every, 'capture')}; none left out."
    return (
        f"Of {count(every, 'capture')}, {left_out:,} left out: they do not have these numbers "
        "(captures.reason says what each lacks)."
    )


def table_lines(frame: Any) -> list[str]:
    """A DataFrame in columns: sizes as the guide prints them, numbers right, texts left."""
    heads, texts = [], []
    for name in frame.columns:
        heads.append(name.removesuffix("_bytes").upper().replace("_", " "))
        texts.append([_cell(name, value) for value in frame[name].tolist()])
    numeric = [
        all(cell == "-" or cell[:1] in "+-−.0123456789" for cell in column)
        and name not in ("build", "from_build", "capture_id")
        for name, column in zip(frame.columns, texts, strict=True)
    ]
    # Numbers stand before names, as in every other listing.
    order = [at for at, flag in enumerate(numeric) if flag]
    words = [at for at, flag in enumerate(numeric) if not flag]
    rows = list(zip(*(texts[at] for at in [*order, *words]), strict=True))
    return columns_text([heads[at] for at in [*order, *words]], rows, left=len(words))


def _cell(name: str, value: Any) -> str:
    """A value as the table shows it."""
    import pandas as pd

    if value is None or value is pd.NaT or value is pd.NA:
        return "-"
    if name == "growth_bytes":
        return f"{'+' if value > 0 else '-' if value < 0 else ''}{format_size(abs(value))}"
    if name.endswith("_bytes") or name == "bytes_per_hour":
        return format_size(value) if value >= 0 else f"-{format_size(-value)}"
    if name == "capture_id":
        return str(value)[:12]
    if name == "growth_percent":
        return f"{value:+.1f}%"
    if isinstance(value, pd.Timestamp):
        return str(value.strftime("%Y-%m-%d %H:%M")).removesuffix(" 00:00")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return one_line(str(value))
