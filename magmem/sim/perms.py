"""Permissions of mappings and VMARs: a mask of read 1, write 2, execute 4, and their text.

Text is any spelling of letters out of ``rwx``; ``-`` is ignored, so ``rw``, ``rw-`` and ``wr`` are
one. Anything else is `InvalidArgs`.
"""

from __future__ import annotations

from typing import Final

from magmem.errors import InvalidArgs
from magmem.sim.arguments import wrong

__all__ = [
    "ACCESS_NAMES",
    "EXECUTE",
    "PERMS_MASKS",
    "PERMS_TEXT",
    "READ",
    "WRITE",
    "parse_perms",
    "require_read",
]

READ: Final = 1
WRITE: Final = 2
EXECUTE: Final = 4

PERMS_TEXT: Final = tuple(
    "".join(letter if mask >> bit & 1 else "-" for bit, letter in enumerate("rwx"))
    for mask in range(8)
)
"""The text of each mask as `vmaps` prints it."""

ACCESS_NAMES: Final = {READ: "read", WRITE: "write", EXECUTE: "execute"}

_BITS = {"r": READ, "w": WRITE, "x": EXECUTE, "-": 0}
_FULL = {text: mask for mask, text in enumerate(PERMS_TEXT)}

PERMS_MASKS: Final[dict[str, int]] = _FULL | {t.replace("-", ""): m for t, m in _FULL.items()}
"""Masks of the usual spellings: ``rw-`` and ``rw``."""


def parse_perms(text: str) -> int:
    """The mask of a permissions text.

    Raises
    ------
    WrongArgument
        Not text.
    InvalidArgs
        Letters other than ``rwx-``.
    """
    if not isinstance(text, str):
        raise wrong("perms", "text of letters out of rwx", text)
    mask = PERMS_MASKS.get(text)
    if mask is None:
        mask = 0
        for letter in text:
            if letter not in _BITS:
                raise InvalidArgs(f"perms: expected permissions out of rwx, found {text[:20]!r}")
            mask |= _BITS[letter]
    return mask


def require_read(mask: int) -> None:
    """Raise `InvalidArgs` for a mask without read that asks for write or execute.

    This kernel cannot express such a mapping (reference/kernel.md "VMARs and mappings").
    """
    if mask & (WRITE | EXECUTE) and not mask & READ:
        right = "write" if mask & WRITE else "execute"
        raise InvalidArgs(f"perms: {right} permission needs read permission")
