"""Chapter 10's look at the reader's own machine prints the same everywhere, also without Linux."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

import nbformat
import pytest

import magmem
from magmem.errors import NotSupported

CHAPTER = Path(__file__).parents[2] / "notebooks" / "10-real-capture.ipynb"
HEADING = "## Your own machine"


def own_machine_cells() -> list[Any]:
    """The code cells between that heading and the next."""
    cells = list(nbformat.read(CHAPTER, as_version=4).cells)
    first = next(at for at, cell in enumerate(cells) if cell.source.startswith(HEADING))
    last = next(at for at, cell in enumerate(cells) if at > first and cell.source.startswith("## "))
    return [cell for cell in cells[first:last] if cell.cell_type == "code"]


@pytest.mark.parametrize("is_linux", [True, False])
def test_own_machine_prints_the_same_everywhere(
    is_linux: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is stored is printed on Linux, root or not, and where there is no /proc at all."""

    def refused(*_: object, **__: object) -> magmem.Snapshot:
        raise NotSupported("expected a whole proc file system at /proc, found none")

    if not is_linux:
        monkeypatch.setattr(magmem, "capture_linux", refused, raising=False)
    names = {"magmem": magmem, "lab": magmem.read_capture("linux-lab")}
    stored, printed = "", io.StringIO()
    with contextlib.redirect_stdout(printed):
        for cell in own_machine_cells():
            stored += "".join(o.text for o in cell.outputs if o.output_type == "stream")
            exec(compile(cell.source, CHAPTER.name, "exec"), names)  # noqa: S102 (our own chapter)
    assert printed.getvalue() == stored
    assert stored.count("True") == 2
