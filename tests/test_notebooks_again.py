"""A run of the course changes nothing that is stored, pictures included."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from support.run_notebooks import changes, executed

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
NOTEBOOKS += sorted((ROOT / "notebooks" / "labs").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_fresh_run_changes_nothing(path: Path) -> None:
    """Run in a fresh kernel and stored again, a chapter is what git has."""
    assert changes(path.read_text(encoding="utf-8"), executed(path)) == []


def test_a_change_is_found() -> None:
    """A text, a picture, an output more: each is told by its cell."""
    for path in NOTEBOOKS:  # the first that has two pictures to mix up, after a text
        notebook = nbformat.read(path, as_version=4)
        texts = [cell for cell in notebook.cells if cell.get("outputs")]
        pictures = [cell for cell in texts[1:] if "image/png" in cell.outputs[0].get("data", {})]
        if len(pictures) > 1 and "text/plain" in texts[0].outputs[0].get("data", {}):
            break
    stored = nbformat.writes(notebook) + "\n"
    assert changes(stored, notebook) == []
    texts[0].outputs[0]["data"]["text/plain"] += "!"
    pictures[0].outputs[0]["data"]["image/png"] = pictures[1].outputs[0]["data"]["image/png"]
    texts[-1].outputs.append(texts[0].outputs[0])
    assert changes(stored, notebook) == [
        f"{texts[0].id}: text/plain of output 0",
        f"{pictures[0].id}: the picture of output 0",
        f"{texts[-1].id}: 1 outputs were stored, a run gives 2",
    ]
