"""Rights as the reference names them, and what new handles get."""

from __future__ import annotations

__all__ = [
    "ALL_RIGHTS",
    "BASIC",
    "DUPLICATE",
    "GET",
    "MAP",
    "OBJECT_RIGHTS",
    "READ",
    "REGION_RIGHTS",
    "SET",
    "TASK_RIGHTS",
    "TRANSFER",
    "VDSO_RIGHTS",
    "WRITE",
]

DUPLICATE, TRANSFER, READ, WRITE, EXECUTE, MAP, GET, SET = (1 << bit for bit in range(8))
ALL_RIGHTS = 255
BASIC = DUPLICATE | TRANSFER | READ | WRITE
TASK_RIGHTS = BASIC | GET | SET
OBJECT_RIGHTS = {"channel": TRANSFER | READ | WRITE}
"""Rights of the objects that do not get the basic ones."""

REGION_RIGHTS = {
    perms: DUPLICATE
    | TRANSFER
    | (READ if "r" in perms else 0)
    | (WRITE if "w" in perms else 0)
    | (EXECUTE if "x" in perms else 0)
    for perms in ("", "r", "w", "x", "rw", "rx", "wx", "rwx")
}
"""A new region's handle: what may be mapped in it, beside duplicate and transfer."""

VDSO_RIGHTS = ALL_RIGHTS & ~WRITE & ~SET
"""Nobody writes to what is wired."""
