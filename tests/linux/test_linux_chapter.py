"""The chapter on one's own machine prints the same wherever it runs, also without ``/proc``."""

from __future__ import annotations

import contextlib
import io
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest

import magmem
from magmem.errors import NotSupported

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the chapter forks")

CHAPTER = Path(__file__).parents[2] / "notebooks" / "13-a-linux-machine.ipynb"
HEADING = "## Now on your machine"


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
        raise NotSupported("expected a proc file system at /proc, found none")

    if not is_linux:
        monkeypatch.setattr(magmem, "capture_linux", refused, raising=False)
    names = {"magmem": magmem, "fork": magmem.read_capture("linux-fork")}
    stored, printed = "", io.StringIO()
    with contextlib.redirect_stdout(printed):
        for cell in own_machine_cells():
            magic, _, rest = cell.source.partition("\n")
            source = rest if magic.startswith("%%predict") else cell.source
            stored += "".join(str(o.data) for o in cell.outputs if "data" in o)
            exec(compile(source, CHAPTER.name, "exec"), names)  # noqa: S102 (our own chapter)
    lines = printed.getvalue().splitlines()
    assert len(lines) == 2
    for line in lines:
        assert line.endswith("True")
        assert line in stored
