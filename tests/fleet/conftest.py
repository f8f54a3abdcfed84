"""A small simulated lab, written once: 6 devices, 3 builds, 3 hours."""

from __future__ import annotations

from pathlib import Path

import pytest

import magmem
from magmem.fleet import Fleet

LABELS = "{device}/{build}.{captured_at}.json"


@pytest.fixture(scope="session")
def captures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the captures of the lab; tests copy what they change."""
    folder = tmp_path_factory.mktemp("captures")
    for capture in magmem.scenarios.fleet(devices=6, builds=3, hours=3):
        path = folder / capture.path
        path.parent.mkdir(exist_ok=True)
        capture.snapshot().save(path)
    return folder


@pytest.fixture(scope="session")
def lab(captures: Path, tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    """A fleet of all of them; not to be changed."""
    fleet = magmem.fleet(tmp_path_factory.mktemp("lab"))
    fleet.add(captures, LABELS, batch=10)
    return fleet


def rows(fleet: Fleet, table: str) -> list[tuple]:
    """Every row of a table in an order that does not depend on batches; no place of a file."""
    fleet.reload()
    columns = "* EXCLUDE (source, original)" if table == "captures" else "*"
    found = fleet.engine.query(f"SELECT {columns} FROM {table}")
    return sorted(found, key=repr)


def same(one: Fleet, other: Fleet) -> bool:
    """Whether two fleets hold the same facts."""
    return all(
        rows(one, table) == rows(other, table)
        for table in ("captures", "processes", "hidden", "ledger", "vmos")
    )
