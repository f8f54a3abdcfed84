"""The fleet explorer: questions as tabs, a ranking, small multiples, and the way to a machine."""

from magmem_widgets.fleet.explorer import FleetExplorer

__all__ = ["FleetExplorer"]
