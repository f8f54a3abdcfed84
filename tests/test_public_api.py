"""The public names of magmem are an artefact: listed, documented, and cheap to import."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import magmem

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("name", magmem._EXPORTS)
def test_export_is_there_and_documented(name: str) -> None:
    """Every listed name exists, is listed by its module, and has a docstring."""
    value = getattr(magmem, name)
    module = importlib.import_module(magmem._EXPORTS[name])
    assert name in module.__all__
    assert inspect.getdoc(value)


@pytest.mark.parametrize("name", magmem._MODULES)
def test_public_module_is_documented(name: str) -> None:
    """Public submodules are attributes of the package and say what they hold."""
    assert getattr(magmem, name).__doc__


def test_all_lists_exactly_the_public_names() -> None:
    """`__all__` is the exports and the public modules, no more and no fewer."""
    assert set(magmem.__all__) == {"__version__", *magmem._EXPORTS, *magmem._MODULES}


def test_architecture_lists_every_export() -> None:
    """A name that users hold on to stands in ARCHITECTURE.md's table."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    missing = [name for name in (*magmem._EXPORTS, *magmem._MODULES) if f"`{name}`" not in text]
    assert not missing


def test_unknown_name_is_an_attribute_error() -> None:
    """Asking for a name that does not exist says which."""
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = magmem.nonsense


def test_import_loads_nothing_heavy() -> None:
    """`import magmem` loads neither pandas nor matplotlib nor anything of Jupyter."""
    heavy = "pandas numpy matplotlib squarify msgspec IPython ipywidgets anywidget jupyterlab"
    code = f"import sys, magmem; print([m for m in {heavy.split()} if m in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert loaded.stdout.strip() == "[]", loaded.stderr


@pytest.mark.parametrize(
    "module",
    sorted(
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in (ROOT / "magmem").rglob("*.py")
        if path.name != "__init__.py"
    ),
)
def test_every_module_lists_its_names(module: str) -> None:
    """Each module has a docstring and an `__all__` whose names exist."""
    loaded = importlib.import_module(module)
    assert loaded.__doc__
    for name in loaded.__all__:
        assert hasattr(loaded, name), name
