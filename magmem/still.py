"""A matplotlib figure that shows itself in a notebook, whether or not pyplot was imported."""

from __future__ import annotations

import io
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.text import Text

__all__ = ["PICTURES", "Still"]

PICTURES = ("png", "svg", "pdf")
"""Forms in which a still picture can be written."""

_UNSAID = {
    "png": {"Software": None},
    "svg": {"Creator": None, "Date": None},
    "pdf": {"Creator": None, "Producer": None, "CreationDate": None},
}
"""What a picture's file says of its making by default: version and time, so no two are equal."""


class Still(Figure):
    """A still picture: its bytes do not name the version that drew it, and text is only text.

    matplotlib typesets what is between two dollar signs as a formula, and refuses a picture whose
    formula it cannot read. Processes and VMOs may have any name.
    """

    def draw(self, renderer: Any) -> None:
        """Draw every text as it is written."""
        for text in self.findobj(Text):
            assert isinstance(text, Text)  # noqa: S101 (what findobj was asked for)
            text.set_parse_math(False)
        super().draw(renderer)

    def picture(self, form: str = "png") -> bytes:
        """The picture as a file's bytes, the same every time.

        Parameters
        ----------
        form : str
            ``png``, ``svg`` or ``pdf``.

        Raises
        ------
        ValueError
            `form` is none of these.
        """
        if form not in PICTURES:
            raise ValueError(f"expected form to be {', '.join(PICTURES)}, found {form!r}")
        file = io.BytesIO()
        with mpl.rc_context({"svg.hashsalt": "magmem"}):
            self.savefig(file, format=form, dpi=self.dpi, metadata=_UNSAID[form])
        return file.getvalue()

    def _repr_png_(self) -> bytes:
        return self.picture()
