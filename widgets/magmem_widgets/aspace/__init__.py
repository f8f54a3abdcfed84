"""The address space explorer: regions and mappings drawn to scale, and what a click opens."""

from magmem_widgets.aspace.explorer import AddressSpaceExplorer

__all__ = ["AddressSpaceExplorer"]
