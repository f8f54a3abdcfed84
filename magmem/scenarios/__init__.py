"""Named, seeded machines: the guide's own, and one for each thing worth seeing."""

from __future__ import annotations

__all__: list[str] = []
