"""The machine explorer: tasks as a tree with its sums, what is opened in it, its lines."""

from magmem_widgets.machine.explorer import MachineExplorer
from magmem_widgets.machine.sheet import MachineView

__all__ = ["MachineExplorer", "MachineView"]
