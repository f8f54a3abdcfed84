"""Imports run one way through the hourglass, and nothing pulls Jupyter into the core."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
GROUND = {
    "magmem",
    "magmem.errors",
    "magmem.sizes",
    "magmem.csv_cells",
    "magmem.files",
    "magmem.listing",
    "magmem.palette",
    "magmem.printable",
    "magmem.still",
    "magmem.units",
}
ALLOWED = {
    "magmem.snapshot": {"magmem.captures"},  # Snapshot.save and load, when called
    "magmem.captures": {"magmem.snapshot", "magmem.datasets", "magmem.linux"},
    "magmem.linux": {"magmem.snapshot"},
    "magmem.sim": {"magmem.snapshot"},
    "magmem.scenarios": {"magmem.snapshot", "magmem.sim"},
    "magmem.kernel": {"magmem.snapshot"},
    "magmem.accounting": {"magmem.snapshot", "magmem.kernel"},
    "magmem.tools": {"magmem.snapshot", "magmem.kernel", "magmem.accounting"},
    "magmem.treemap": {"magmem.snapshot", "magmem.kernel", "magmem.accounting"},
    "magmem.pictures": {"magmem.snapshot"},
    # Nothing below it knows of many captures.
    "magmem.fleet": {"magmem.snapshot", "magmem.captures", "magmem.accounting"},
    # Exercises are made of everything, as a student's notebook is.
    "magmem.exercises": {
        "magmem.accounting",
        "magmem.kernel",
        "magmem.scenarios",
        "magmem.sim",
        "magmem.snapshot",
        "magmem.tools",
    },
    # Labs ask the public tools and rules for what is right.
    "magmem.labs": {"magmem.exercises", "magmem.snapshot"},
    # Answers are read and numbers drawn as in exercises.
    "magmem.predictions": {"magmem.exercises"},
}
"""For each package: the packages it may import beside itself and the ground."""


def imported(path: Path) -> set[str]:
    """Every module named in an import statement, wherever in the file it stands."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


def package(module: str) -> str:
    """`magmem.captures.detect` belongs to `magmem.captures`."""
    return ".".join(module.split(".")[:2])


@pytest.mark.parametrize("layer", ALLOWED)
def test_imports_run_one_way(layer: str) -> None:
    """A layer imports itself, the ground, and what stands left of it; nothing else of magmem."""
    place = ROOT / layer.replace(".", "/")
    files = sorted(place.rglob("*.py")) or [place.with_suffix(".py")]
    for path in files:
        wrong = {
            name
            for name in imported(path)
            if name.startswith("magmem") and package(name) not in GROUND | ALLOWED[layer] | {layer}
        }
        assert not wrong, f"{path.relative_to(ROOT)} imports {sorted(wrong)}"


def test_core_does_not_import_jupyter() -> None:
    """No module of magmem but the magics names Jupyter, ipywidgets, anywidget or IPython."""
    banned = {"IPython", "ipywidgets", "anywidget", "jupyterlab", "jupyter_core", "ipykernel"}
    for path in sorted((ROOT / "magmem").rglob("*.py")):
        if "magics" in path.relative_to(ROOT).as_posix():
            continue
        tops = {name.split(".")[0] for name in imported(path)}
        assert not tops & banned, path


def test_the_waist_and_its_makers_do_not_import_pandas() -> None:
    """Tables are made, checked and read from descriptions without pandas, slow to load."""
    folders = ("snapshot", "captures/machine", "captures/formats/memgraph")
    files = [path for folder in folders for path in (ROOT / "magmem" / folder).glob("*.py")]
    files += [ROOT / "magmem/captures/columns.py", ROOT / "magmem/sim/snapshotting.py"]
    importing = {
        path.relative_to(ROOT).as_posix()
        for path in files
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Import) and any(name.name == "pandas" for name in node.names)
    }
    assert importing <= {
        "magmem/snapshot/frames.py",  # DataFrames of tables, when asked for
        "magmem/snapshot/columns.py",  # columns of DataFrames, for readers of those
        "magmem/captures/machine/records.py",  # written from DataFrames
    }
