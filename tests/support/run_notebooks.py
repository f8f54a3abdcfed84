"""Run notebooks and store their outputs so that a second run changes no byte.

They are stored as JupyterLab saves them under `make lab`: nothing of the machine is kept.
Usage: run_notebooks.py NOTEBOOK... [--check]   (--check: fail if a run would change a file)
"""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

sys.path.insert(0, str(Path(__file__).parents[2] / ".jupyter"))

from stored import settle


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


def main(arguments: list[str]) -> int:
    """Run each notebook; returns 1 if --check found one that a run would change."""
    check = "--check" in arguments
    changed = 0
    for name in arguments:
        if name == "--check":
            continue
        path = Path(name)
        text = nbformat.writes(executed(path)) + "\n"
        if text == path.read_text(encoding="utf-8"):
            print(f"{path}: unchanged")
        elif check:
            changed = 1
            print(f"{path}: a fresh run gives other outputs; run `make notebooks-run`")
        else:
            path.write_text(text, encoding="utf-8")
            print(f"{path}: stored")
    return changed


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
