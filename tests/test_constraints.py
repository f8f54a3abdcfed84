"""The constraints file makes a fresh install repeat, on the oldest promised Python too."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent


def pins() -> dict[str, str]:
    """Every package and version of constraints.txt."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").split()
    return {canonicalize_name(name): version for name, version in (x.split("==") for x in lines)}


def oldest() -> str:
    """The oldest promised Python, as the Makefile names it."""
    found = re.search(r"^OLDEST := (\S+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    assert found
    return found.group(1)


def test_pins_install_on_the_oldest_python() -> None:
    """No pin asks for a newer Python than the oldest that is promised."""
    checked = 0
    for name, version in pins().items():
        try:
            found = distribution(name)
        except PackageNotFoundError:  # another platform's
            continue
        assert found.version == version, f"{name} is installed as {found.version}"
        needs = found.metadata.get("Requires-Python") or ""
        assert oldest() in SpecifierSet(needs), f"{name} {version} needs Python {needs}"
        checked += 1
    assert checked > 100


def test_oldest_python_is_the_one_that_the_package_asks_for() -> None:
    """`requires-python` and the constraints are made for the same Python."""
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f'requires-python = ">={oldest().rpartition(".")[0]}"' in project


def test_one_pin_a_line() -> None:
    """Each line is one exact version: no host, no file, no marker."""
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines():
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line), line
