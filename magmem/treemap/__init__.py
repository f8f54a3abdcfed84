"""The treemap of a machine: where all of its memory is, in one picture.

`magmem.treemap` is both this package and the function that makes a treemap: importing a module of
the package puts the package in the function's place on `magmem`, so the package can be called too.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from magmem.treemap.treemap import Treemap, treemap

__all__ = ["Treemap", "treemap"]


class _Callable(ModuleType):
    def __call__(self, *args: Any, **kwargs: Any) -> Treemap:
        return treemap(*args, **kwargs)


sys.modules[__name__].__class__ = _Callable
