"""``cgroups``: what each control group is charged for, beside its processes, as a listing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from magmem.errors import MissingData, NotFound
from magmem.linux.cgroups import Group, container_of, read_groups
from magmem.linux.procfs import Proc
from magmem.linux.reading import read_system
from magmem.linux.records import ProcessRecord
from magmem.listing import Listing
from magmem.sizes import format_size

__all__ = ["cgroups"]

PARTS = (
    ("anonymous_bytes", "anonymous", "written by processes"),
    ("shmem_bytes", "tmpfs", "files in memory and shared memory, mapped or not"),
    ("cache_bytes", "page cache", "pages of files, kept in case they are read again"),
    ("kernel_bytes", "kernel", "its objects, stacks and page tables made for the group"),
    ("socket_bytes", "sockets", "what lies in them unread"),
    ("rest_bytes", "rest", "charged in advance, or counted late"),
)

HEADER = (
    f"{'CHARGE':>8} {'PEAK':>8} {'LIMIT':>8} {'SWAP':>8} {'PSS':>8} {'ANON':>8} {'TMPFS':>8} "
    f"{'CACHE':>8} {'KERNEL':>8} {'PROCS':>5}  GROUP"
)


@dataclass(slots=True)
class _Use:
    """What the processes of a group use, those of the groups below it among them."""

    processes: int = 0
    unread: int = 0
    pss_bytes: int = 0
    swap_bytes: int = 0


def cgroups(group: str | None = None, *, proc: Path | Proc = Path("/proc")) -> Listing:
    """Charge, peak, limit and swap of every control group, beside the sum of its processes.

    Parameters
    ----------
    group : str, optional
        One group by its path, or by the end of it: the answer is then a small ledger of its
        charge.
    proc : Path or Proc
        Where the proc file system is mounted, or a tree that was saved with ``sys`` beside it.

    Returns
    -------
    Listing
        `df` has one row per group, each before those below it: path, container, version,
        processes, unread, charge_bytes, peak_bytes, limit_bytes (missing: none), swap_bytes, the
        parts of the charge (anonymous_bytes, shmem_bytes, cache_bytes, kernel_bytes,
        socket_bytes, rest_bytes) and pss_bytes of its processes (Int64). Of one group: one row per
        line with part, size_bytes, says.

    Raises
    ------
    MissingData
        There are no control groups of the memory controller.
    NotFound
        No such group, or several whose path ends so.
    """
    source = proc if isinstance(proc, Proc) else Proc(proc)
    reading = read_system(source, "processes", None, source.page_bytes(), None)
    groups = read_groups(source)
    if not groups:
        raise MissingData("cgroups", "control groups", "the memory controller's, below /sys")
    use = _uses(reading.records, {each.path for each in groups})
    table = _table(groups, use)
    if group is not None:
        return _ledger(_chosen(groups, group), use)
    lines = [HEADER, *(_line(each, use[each.path]) for each in groups)]
    closed = sum(each.unread for path, each in use.items() if path == "/")
    warnings = (f"cgroups: {closed} processes may not be read; PSS lacks theirs",) if closed else ()
    return Listing("\n".join(lines) + "\n", table, title="control groups", warnings=warnings)


def _uses(records: list[ProcessRecord], paths: set[str]) -> dict[str, _Use]:
    use = {path: _Use() for path in paths}
    for record in records:
        if not record.has_memory:
            continue
        known = record.sums is not None and record.sums.pss_bytes is not None
        path = record.cgroup
        while True:
            if path in use:
                here = use[path]
                here.processes += 1
                here.unread += not known
                if record.sums is not None:
                    here.pss_bytes += record.sums.pss_bytes or 0
                    here.swap_bytes += record.sums.swap_bytes or 0
            if path in ("/", ""):
                break
            path = path.rpartition("/")[0] or "/"
    return use


def _table(groups: list[Group], use: dict[str, _Use]) -> pd.DataFrame:
    def sizes(name: str) -> pd.api.extensions.ExtensionArray:
        return pd.array([getattr(each, name) for each in groups], dtype="Int64")

    named = ("charge", "peak", "limit", "swap")
    columns = {f"{name}_bytes": sizes(f"{name}_bytes") for name in named}
    columns |= {name: sizes(name) for name, _, _ in PARTS}
    return pd.DataFrame(
        {
            "path": [each.path for each in groups],
            "container": [container_of(each.path) for each in groups],
            "version": [each.version for each in groups],
            "processes": [use[each.path].processes for each in groups],
            "unread": [use[each.path].unread for each in groups],
            **columns,
            "pss_bytes": pd.array([use[each.path].pss_bytes for each in groups], dtype="Int64"),
        }
    )


def _size(size_bytes: int | None, missing: str = "?") -> str:
    if size_bytes is None:
        return missing
    return format_size(size_bytes) if size_bytes >= 0 else f"-{format_size(-size_bytes)}"


def _line(group: Group, use: _Use) -> str:
    cells = [
        _size(group.charge_bytes),
        _size(group.peak_bytes),
        _size(group.limit_bytes, "-"),
        _size(group.swap_bytes),
        _size(use.pss_bytes),
        _size(group.anonymous_bytes),
        _size(group.shmem_bytes),
        _size(group.cache_bytes),
        _size(group.kernel_bytes),
    ]
    depth = group.path.count("/") if group.path != "/" else 0
    name = group.path.rpartition("/")[2] or "/"
    container = container_of(group.path)
    label = f"{'  ' * depth}{name}" + (f" ({container})" if container else "")
    return " ".join(f"{cell:>8}" for cell in cells) + f" {use.processes:>5}  {label}"


def _chosen(groups: list[Group], name: str) -> Group:
    exact = [each for each in groups if each.path == name]
    ends = exact or [each for each in groups if each.path.endswith(f"/{name.strip('/')}")]
    if len(ends) != 1:
        found = f"{len(ends)} of {len(groups)}" if ends else f"none of {len(groups)}"
        raise NotFound(f"expected a control group whose path ends with {name!r}, found {found}")
    return ends[0]


def _ledger(group: Group, use: dict[str, _Use]) -> Listing:
    """From what the processes use to what the group is charged."""
    here = use[group.path]
    rows = [
        (label, size, says)
        for name, label, says in PARTS
        if (size := getattr(group, name)) is not None
    ]
    rows.append(("charge", group.charge_bytes or 0, "what the limit is held against"))
    beyond = (group.charge_bytes or 0) - here.pss_bytes
    rows += [
        ("processes", here.pss_bytes, f"PSS of {here.processes}, whoever was charged for it"),
        ("beyond them", beyond, "charged and in no PSS of the group, less what others pay"),
    ]
    width = max(len(f"{size:,}") for _, size, _ in rows)
    text = [f"Control group {group.path}, bytes:", ""]
    text += [f"{size:>{width},} {label:12} {says}".rstrip() for label, size, says in rows]
    table = pd.DataFrame(rows, columns=["part", "size_bytes", "says"])
    return Listing("\n".join(text) + "\n", table, title=f"control group {group.path}")
