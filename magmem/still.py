"""A matplotlib figure that shows itself in a notebook, whether or not pyplot was imported."""

from __future__ import annotations

import io

from matplotlib.figure import Figure

__all__ = ["Still"]


class Still(Figure):
    """A still picture; its bytes do not name the version that drew it."""

    def _repr_png_(self) -> bytes:
        file = io.BytesIO()
        self.savefig(file, format="png", metadata={"Software": None})
        return file.getvalue()
