"""Explorers for JupyterLab, each a class with one screen.

>>> from magmem_widgets import PssExplorer
>>> explorer = PssExplorer(pages=2, processes=4)
>>> print(explorer.summary())  # doctest: +SKIP

State is in traits, so that a notebook can set it; ``summary()`` says in words what is shown.
``%load_ext magmem_widgets`` gives a notebook ``%%predict`` and the other magics of
`magmem_widgets.predictions`.
"""

from magmem_widgets.aspace import AddressSpaceExplorer
from magmem_widgets.challenges import Challenged, challenge
from magmem_widgets.diff import DiffExplorer
from magmem_widgets.explorer import Explorer, SceneView
from magmem_widgets.fleet import FleetExplorer
from magmem_widgets.hidden import HiddenVmoExplorer
from magmem_widgets.history import TimeMachine
from magmem_widgets.kernel import KernelExplorer
from magmem_widgets.lab import MultiplyMappedLab
from magmem_widgets.machine import MachineExplorer, MachineView
from magmem_widgets.predictions import load_ipython_extension
from magmem_widgets.pss import PssExplorer
from magmem_widgets.treemap import TreemapExplorer, TreemapView

__all__ = [
    "AddressSpaceExplorer",
    "Challenged",
    "DiffExplorer",
    "Explorer",
    "FleetExplorer",
    "HiddenVmoExplorer",
    "KernelExplorer",
    "MachineExplorer",
    "MachineView",
    "MultiplyMappedLab",
    "PssExplorer",
    "SceneView",
    "TimeMachine",
    "TreemapExplorer",
    "TreemapView",
    "challenge",
    "load_ipython_extension",
]
