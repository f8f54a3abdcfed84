"""A tree as the plain lists the view reads: JSON, deflated when long.

Each VMO's own facts are written once, however many processes map it. Numbers that JavaScript cannot
hold exactly (above 2**53) are written as text.
"""

from __future__ import annotations

import base64
import json
import zlib
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from magmem.palette import TINTS
from magmem.treemap.tree import KINDS, NO_KOID

if TYPE_CHECKING:
    from magmem.treemap.treemap import Treemap

__all__ = ["encode", "payload"]

_LARGEST: Final = 2**53 - 1
_PLAIN_LENGTH: Final = 100_000


def payload(treemap: Treemap) -> dict[str, Any]:
    """Everything the view needs, as lists, texts and numbers."""
    tree = treemap.tree
    vmo_node = tree.kind == KINDS.index("vmo")
    used, row = np.unique(tree.vmo[tree.vmo >= 0], return_inverse=True)
    rows = np.full(len(tree), -1, np.int64)
    rows[tree.vmo >= 0] = row
    name_of = np.zeros(len(used), np.int64)
    name_of[rows[vmo_node]] = tree.name[vmo_node]
    koid_of = np.zeros(len(used), np.int64)
    koid_of[rows[vmo_node]] = tree.koid[vmo_node]
    vmos = treemap.vmo_facts.iloc[used]
    return {
        "title": treemap.title,
        "caption": list(treemap.remarks),
        "over": int(treemap.over_bytes),
        "names": list(tree.names),
        "kinds": list(KINDS),
        "tints": [{"name": name, "word": tint.word} for name, tint in TINTS.items()],
        "count": _numbers(tree.child_count),
        "kind": _numbers(tree.kind),
        "tint": _numbers(tree.tint),
        # A VMO node has its name and koid in `vmos`.
        "name": _numbers(np.where(vmo_node, 0, tree.name)),
        "koid": _numbers(np.where(vmo_node | (tree.koid == NO_KOID), 0, tree.koid)),
        "vmo": _numbers(rows),
        "amount": _numbers(tree.amount_bytes),
        "divisor": _numbers(tree.divisor),
        "marked": _numbers(np.flatnonzero(tree.marked)),
        "vmos": {
            "name": _numbers(name_of),
            "koid": _numbers(np.maximum(koid_of, 0)),
            **{name: _known(vmos[name]) for name in vmos.columns},
        },
    }


def encode(data: dict[str, Any]) -> str:
    """Text that may stand in a script element: JSON, or the same deflated and in base64.

    Neither form holds ``<``, ``>`` or ``&``, so no name can end the element or open a comment.
    """
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":"))
    if len(text) > _PLAIN_LENGTH:
        return base64.b64encode(zlib.compress(text.encode("ascii"), 3)).decode("ascii")
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _numbers(column: Any) -> list[int | str]:
    values: list[int | str] = column.tolist()
    if len(column) and column.max() > _LARGEST:
        return [value if int(value) <= _LARGEST else str(value) for value in values]
    return values


def _known(column: Any) -> list[int | str | None]:
    values = column.astype(object).where(column.notna(), None).tolist()
    return [str(value) if value is not None and value > _LARGEST else value for value in values]
