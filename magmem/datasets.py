"""The machine states and transcripts that ship with magmem, by name.

A dataset's name works wherever a capture's file name does. The catalogue
(``datasets/catalogue.toml``) says of each what it is and where it comes from.
"""

from __future__ import annotations

import tomllib
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from magmem.errors import UnknownDataset

if TYPE_CHECKING:
    import pandas as pd

    from magmem.snapshot import Snapshot

__all__ = ["catalogue", "load", "names", "path"]


def names() -> list[str]:
    """Names of all datasets, in the catalogue's order."""
    return list(_entries())


def path(name: str) -> Path:
    """The file of a dataset.

    Raises
    ------
    UnknownDataset
        No dataset has that name; the message names the nearest ones.
    """
    entries = _entries()
    if name not in entries:
        near = get_close_matches(name, entries, n=3, cutoff=0.5) or list(entries)
        raise UnknownDataset(f"no dataset {name!r}; there are {', '.join(near)}")
    return _folder() / entries[name]["file"]


def load(name: str) -> Snapshot:
    """Read a dataset into a snapshot.

    Raises
    ------
    UnknownDataset
        No dataset has that name.
    """
    from magmem.captures import read_capture

    return read_capture(path(name), name=name)


def catalogue() -> pd.DataFrame:
    """One row per dataset: name, what (one sentence), provenance, size_bytes (int64)."""
    import pandas as pd

    entries = _entries()
    return pd.DataFrame(
        {
            "name": list(entries),
            "what": [entry["what"] for entry in entries.values()],
            "provenance": [entry["provenance"] for entry in entries.values()],
            "size_bytes": [path(name).stat().st_size for name in entries],
        }
    )


@cache
def _entries() -> dict[str, dict[str, str]]:
    with (_folder() / "catalogue.toml").open("rb") as file:
        return tomllib.load(file)


@cache
def _folder() -> Path:
    """Inside the wheel the datasets are part of the package; in a checkout they stand beside it."""
    package = Path(__file__).parent
    packed = package / "_datasets"
    return packed if packed.is_dir() else package.parent / "datasets"
