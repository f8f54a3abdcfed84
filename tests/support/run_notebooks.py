"""Run notebooks and store their outputs so that a second run changes no byte.

Cell ids follow the position, and nothing of the machine is kept: no times, no versions, no paths.
Usage: run_notebooks.py NOTEBOOK... [--check]   (--check: fail if a run would change a file)
"""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
LANGUAGE = {"name": "python"}


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
    notebook.metadata = {"kernelspec": KERNEL, "language_info": LANGUAGE}
    notebook.nbformat_minor = 5
    for position, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", []):
            # A widget's view has a random id and no kernel behind it; its still form stays.
            output.get("data", {}).pop("application/vnd.jupyter.widget-view+json", None)
        cell.id = f"cell-{position:02d}"
        cell.metadata = {
            key: value for key, value in cell.metadata.items() if key in ("tags", "jupyter")
        }
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
