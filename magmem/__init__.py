"""magmem: a laboratory for memory accounting on Magenta (Zircon), the kernel of Fuchsia.

Read a capture of a real machine or build a simulated one, ask the guide's tools, and see every
byte explained:

>>> import magmem
>>> snap = magmem.read_capture("small-machine")  # a file, or a dataset that ships
>>> print(magmem.ps(snap))  # doctest: +SKIP

Names are loaded when first used, so ``import magmem`` itself costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_EXPORTS = {
    # the waist
    "Snapshot": "magmem.snapshot",
    # the simulated machine
    "Machine": "magmem.sim",
    "BootPlan": "magmem.sim",
    # captures
    "read_capture": "magmem.captures",
    "info": "magmem.tools.info",
    # this Linux machine
    "capture_linux": "magmem.linux.capture",
    "cgroups": "magmem.linux.cgroup_listing",
    "linux_ledger": "magmem.accounting.linux_ledger",
    "Recording": "magmem.linux.timeline",
    "read_recording": "magmem.linux.timeline",
    "record": "magmem.linux.recording",
    "redact": "magmem.linux.redaction",
    "top": "magmem.linux.top",
    # the guide's tools
    "asd": "magmem.tools.asd",
    "k_ht": "magmem.tools.k_tasks",
    "k_jobs": "magmem.tools.k_tasks",
    "k_ps": "magmem.tools.k_tasks",
    "k_vmos": "magmem.tools.k_vmos",
    "kstats": "magmem.tools.kstats",
    "memgraph": "magmem.tools.memgraph",
    "memgraph_schema": "magmem.tools.memgraph_schema",
    "pmm_arenas": "magmem.tools.pmm_arenas",
    "ps": "magmem.tools.ps",
    "vmaps": "magmem.tools.vmaps",
    "vmm_aspaces": "magmem.tools.asd",
    "vmos": "magmem.tools.vmos",
    # rules and the ledger
    "account": "magmem.accounting.account",
    "compare": "magmem.accounting.account",
    "diff": "magmem.accounting.diff",
    "hidden": "magmem.accounting.hidden",
    "ledger": "magmem.accounting.ledger",
    "page": "magmem.accounting.page",
    "vmo": "magmem.accounting.vmo",
    # pictures
    "picture": "magmem.pictures",
    # sizes
    "format_size": "magmem.sizes",
    "parse_size": "magmem.sizes",
    # the treemap
    "Treemap": "magmem.treemap",
    "treemap": "magmem.treemap",
    # many captures
    "Fleet": "magmem.fleet",
    "FleetError": "magmem.fleet",
    "fleet": "magmem.fleet",
    # what tools return and what goes wrong
    "Listing": "magmem.listing",
    "CaptureError": "magmem.errors",
    "KernelError": "magmem.errors",
    "MagmemError": "magmem.errors",
    "MissingData": "magmem.errors",
    "NoSuchObject": "magmem.errors",
    "SnapshotError": "magmem.errors",
    "UnknownDataset": "magmem.errors",
    # kernel statuses
    "AccessDenied": "magmem.errors",
    "AlreadyBound": "magmem.errors",
    "BadHandle": "magmem.errors",
    "BadState": "magmem.errors",
    "InvalidArgs": "magmem.errors",
    "NoMemory": "magmem.errors",
    "NoResources": "magmem.errors",
    "NotFound": "magmem.errors",
    "NotSupported": "magmem.errors",
    "OutOfRange": "magmem.errors",
    "PageFault": "magmem.errors",
    "Unavailable": "magmem.errors",
    "WrongArgument": "magmem.errors",
    "WrongType": "magmem.errors",
}
"""Public names and the module each lives in; `tests/test_public_api.py` keeps the list true."""

_MODULES = ("datasets", "exercises", "labs", "predictions", "scenarios")
"""Public submodules reachable as attributes."""

__all__ = ["__version__", *_EXPORTS, *_MODULES]  # noqa: PLE0604 (all are strings)


def __getattr__(name: str) -> Any:
    if name in _EXPORTS:
        value = getattr(import_module(_EXPORTS[name]), name)
        globals()[name] = value
        return value
    if name in _MODULES:
        return import_module(f"magmem.{name}")
    raise AttributeError(f"module 'magmem' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def load_ipython_extension(ipython: Any) -> None:
    """Make the guide's commands available as magics (``%load_ext magmem``)."""
    from magmem.magics import load_ipython_extension as load

    load(ipython)
