"""VMOs as `vmos`, `k vmos` and `memgraph` print them, and the rights of handles to them.

Fields and widths are those of reference/tools.md "vmos KOID".
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from magmem.snapshot.columns import integers
from magmem.tools import columns

__all__ = ["RIGHTS", "rights_words", "vmo_lines"]

RIGHTS = (
    ("r", "READ", 4),
    ("w", "WRITE", 8),
    ("x", "EXECUTE", 16),
    ("m", "MAP", 32),
    ("d", "DUPLICATE", 1),
    ("t", "TRANSFER", 2),
)
"""Letter, name and bit of each right a VMO listing shows, in its order (reference/kernel.md)."""


def vmo_lines(facts: pd.DataFrame, unit: str = "") -> npt.NDArray[np.object_]:
    """The fields koid … name of each row, as one line with its end; object array of str."""
    alloc = np.array(columns.sizes(facts["committed_bytes"], unit), dtype=object)
    physical = (facts["kind"] == "physical").to_numpy()
    fields = (
        columns.integers(facts["koid"]),
        _parents(facts),
        columns.integers(facts["num_children"]),
        columns.integers(facts["num_mappings"]),
        columns.integers(facts["share_count"]),
        columns.sizes(facts["size_bytes"], unit),
        np.where(physical, "phys", alloc).tolist(),
        columns.names(facts["name"], empty="-"),
    )
    template = "%5s %6s %5s %4s %4s %7s %7s %s\n"
    return np.array([*map(template.__mod__, zip(*fields, strict=True))], dtype=object)


def _parents(facts: pd.DataFrame) -> list[str]:
    """The parent's koid, or ``-`` for no clone."""
    none = facts["is_clone"].eq(False).fillna(False).to_numpy(dtype=bool)
    texts = np.array(columns.integers(facts["parent_koid"]), dtype=object)
    result: list[str] = np.where(none, "-", texts).tolist()
    return result


def rights_words(rights: pd.Series[int]) -> list[str]:
    """Each mask as ``rwxmdt`` with ``-`` for missing; ``-`` alone where there is no handle."""
    words: dict[object, str] = {
        mask: "".join(letter if mask & bit else "-" for letter, _, bit in RIGHTS)
        for mask in range(64)
    }
    masks = np.where(rights.isna().to_numpy(), -1, integers(rights) & 63)
    words[-1] = "-"
    return list(map(words.__getitem__, masks.tolist()))
