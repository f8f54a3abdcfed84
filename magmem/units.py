"""The size of a page, which simulator, tables and tools all count in."""

from __future__ import annotations

from typing import Final

__all__ = ["PAGE_BYTES"]

PAGE_BYTES: Final = 4096
"""Bytes of a page (reference/kernel.md)."""
