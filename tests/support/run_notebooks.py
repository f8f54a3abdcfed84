"""Run notebooks and store their outputs so that a second run changes no byte.

They are stored as JupyterLab saves them under `make lab`: nothing of the machine is kept.
Usage: run_notebooks.py NOTEBOOK... [--check]   (--check: fail if a run would change a file)
"""

from __future__ import annotations

import re
import sys
from base64 import b64decode
from io import BytesIO
from pathlib import Path
from typing import Any

import nbformat
from matplotlib.image import imread
from nbclient import NotebookClient

sys.path.insert(0, str(Path(__file__).parents[2] / ".jupyter"))

from stored import settle

EDGE = 4 / 255
"""By so much of full light a pixel may differ."""


def executed(path: Path) -> nbformat.NotebookNode:
    """The notebook as it is after a fresh run of all cells, without anything volatile."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=300,
        kernel_name="python3",
        coalesce_streams=True,
        resources={"metadata": {"path": path.parent}},
    )
    client.execute()
    settle(notebook)
    return notebook


def changes(stored: str, fresh: nbformat.NotebookNode) -> list[str]:
    """What a fresh run would change in the stored text of a notebook; nothing is an empty list.

    Everything is compared to the byte but pictures: their pixels may differ by what rounding on
    another processor makes of an edge.
    """
    if stored == nbformat.writes(fresh) + "\n":
        return []
    found = []
    old = nbformat.reads(stored, as_version=4)
    if len(old.cells) != len(fresh.cells) or old.metadata != fresh.metadata:
        return ["other cells or metadata"]
    for before, after in zip(old.cells, fresh.cells, strict=True):
        outputs = before.get("outputs", []), after.get("outputs", [])
        if _rest(before, "outputs") != _rest(after, "outputs"):
            found.append(f"{after.id}: its source or metadata")
        if len(outputs[0]) != len(outputs[1]):
            found.append(
                f"{after.id}: {len(outputs[0])} outputs were stored, a run gives {len(outputs[1])}"
            )
            continue
        for place, pair in enumerate(zip(*outputs, strict=True)):
            found += [f"{after.id}: {what} of output {place}" for what in _differing(*pair)]
    return found


def _differing(before: Any, after: Any) -> list[str]:
    """Which parts of an output differ."""
    old, new = before.get("data", {}), after.get("data", {})
    found = [] if _rest(before, "data") == _rest(after, "data") else ["text or kind"]
    kinds = sorted({*old, *new} - {"image/png"})
    found += [kind for kind in kinds if _words(old.get(kind)) != _words(new.get(kind))]
    pictures = [_pictures(data) for data in (old, new)]
    if pictures[0] != pictures[1] and not (
        len(pictures[0]) == len(pictures[1]) and all(map(_look_alike, *pictures))
    ):
        found.append("the picture")
    return found


_INSIDE = re.compile(r'src="data:image/png;base64,([A-Za-z0-9+/=\s]*)"')
"""A picture in the HTML of a prediction's answer."""


def _words(text: Any) -> Any:
    """An output's text without the pictures in it."""
    return _INSIDE.sub("", text) if isinstance(text, str) else text


def _pictures(data: dict[str, Any]) -> list[str]:
    """Every picture of an output, in base64: its own, and those in its HTML."""
    own = [data["image/png"]] if "image/png" in data else []
    return [*own, *_INSIDE.findall(data.get("text/html", ""))]


def _look_alike(before: str, after: str) -> bool:
    """Whether two PNGs in base64 have the same pixels, up to rounding of their edges."""
    old, new = (imread(BytesIO(b64decode(text)), format="png") for text in (before, after))
    return old.shape == new.shape and float(abs(old - new).max()) <= EDGE


def _rest(node: Any, name: str) -> dict[str, Any]:
    return {key: value for key, value in node.items() if key != name}


def main(arguments: list[str]) -> int:
    """Run each notebook; returns 1 if --check found one that a run would change."""
    check = "--check" in arguments
    changed = 0
    for name in arguments:
        if name == "--check":
            continue
        path = Path(name)
        stored, fresh = path.read_text(encoding="utf-8"), executed(path)
        found = changes(stored, fresh)
        if not found:
            print(f"{path}: unchanged")
        elif check:
            changed = 1
            told = "; ".join(found)
            print(f"{path}: a run changes {told}; `make notebooks-run` stores what a run gives")
        else:
            path.write_text(nbformat.writes(fresh) + "\n", encoding="utf-8")
            print(f"{path}: stored")
    return changed


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
