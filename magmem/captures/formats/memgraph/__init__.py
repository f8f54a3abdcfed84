"""Memgraph JSON: what the tool of the guide writes for the treemap."""

from __future__ import annotations

from magmem.captures.formats.memgraph.reader import parse_memgraph

__all__ = ["parse_memgraph"]
