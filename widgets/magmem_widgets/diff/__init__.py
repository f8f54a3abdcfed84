"""The diff explorer: what changed between two states, its table and its words."""

from magmem_widgets.diff.explorer import DiffExplorer

__all__ = ["DiffExplorer"]
