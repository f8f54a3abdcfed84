"""A fleet of captures: facts of many machines, derived once, kept as Parquet, asked by DuckDB.

`magmem.fleet` is both this package and the function that opens a fleet: importing a module of the
package puts the package in the function's place on `magmem`, so the package can be called too.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from magmem.fleet.answer import Answer
from magmem.fleet.errors import FleetError, NewerFleet
from magmem.fleet.fleet import Fleet, fleet

__all__ = ["Answer", "Fleet", "FleetError", "NewerFleet", "fleet"]


class _Callable(ModuleType):
    def __call__(self, *args: Any, **kwargs: Any) -> Fleet:
        return fleet(*args, **kwargs)


sys.modules[__name__].__class__ = _Callable
