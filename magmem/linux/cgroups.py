"""Control groups: what each is charged for, beside what its processes use.

A group is charged for what its processes touched first: page cache and tmpfs that stay when they
have ended, sockets, and the kernel's objects made for them. So the charge is not the sum of its
processes' PSS, and a group without processes may have one. Read are versions 1 and 2; every figure
of a group includes the groups below it, as the limits do. Sizes are bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from magmem.linux.machine import parse_counters

__all__ = ["Files", "Group", "container_of", "read_groups"]

MAX_GROUPS = 100_000
NO_LIMIT = 1 << 60
"""Limits above this are none (version 1 writes 2^63 cut down to pages)."""

ROOTS = ("fs/cgroup/memory", "fs/cgroup", "fs/cgroup/unified")
"""Where the groups of the memory controller may be found below ``/sys``."""

_ID = re.compile(r"(?:^|[-/:_])([0-9a-f]{64})(?:\.scope)?(?:/|$)")
_POD = re.compile(r"pod([0-9a-f]{8}[-_][0-9a-f]{4}[-_][0-9a-f_-]{12,})")
_ENGINES = ("docker", "libpod", "crio", "cri-containerd", "lxc", "machine")


class Files(Protocol):
    """What is needed of ``/sys``."""

    def read_sys(self, name: str) -> bytes:
        """A file."""

    def names_in_sys(self, folder: str) -> list[str]:
        """The names in a folder."""


@dataclass(frozen=True, slots=True)
class Group:
    """One control group; None for what the kernel does not tell.

    Attributes
    ----------
    path : from the root of the hierarchy, ``/`` for the root itself.
    version : 1 or 2.
    charge_bytes : what it is charged for now; of a version 2 root, where no file tells it, the sum
        of its parts.
    peak_bytes, limit_bytes, swap_bytes : None for no limit.
    anonymous_bytes, shmem_bytes, cache_bytes, kernel_bytes, socket_bytes : the parts of the charge:
        written by processes; tmpfs and shared memory; other page cache; the kernel's objects,
        stacks and page tables; what lies in sockets.
    """

    path: str
    version: int
    charge_bytes: int | None
    peak_bytes: int | None
    limit_bytes: int | None
    swap_bytes: int | None
    anonymous_bytes: int | None
    shmem_bytes: int | None
    cache_bytes: int | None
    kernel_bytes: int | None
    socket_bytes: int | None

    @property
    def rest_bytes(self) -> int | None:
        """What the parts do not explain: pages charged in advance, counters told late."""
        if self.charge_bytes is None:
            return None
        parts = (
            self.anonymous_bytes,
            self.shmem_bytes,
            self.cache_bytes,
            self.kernel_bytes,
            self.socket_bytes,
        )
        return self.charge_bytes - sum(part or 0 for part in parts)


def container_of(path: str) -> str:
    """The container a group belongs to, as its path tells: engine, pod, short id; or nothing."""
    found = _ID.search(path)
    pod = _POD.search(path)
    engine = next((name for name in _ENGINES if name in path), "container")
    parts = [f"pod {pod[1].replace('_', '-')[:8]}"] if pod else []
    parts += [f"{engine} {found[1][:12]}"] if found else []
    return ", ".join(parts)


def read_groups(files: Files) -> list[Group]:
    """Every group of the memory controller, each before those below it; none where there are none.

    Parameters
    ----------
    files : Files
    """
    for root in ROOTS:
        names = files.names_in_sys(root)
        if "memory.usage_in_bytes" in names:
            return [_first_version(files, root, path) for path in _paths(files, root)]
        if "cgroup.controllers" in names:
            with suppress(OSError):
                if b"memory" in files.read_sys(f"{root}/cgroup.controllers").split():
                    return [_second_version(files, root, path) for path in _paths(files, root)]
    return []


def _paths(files: Files, root: str) -> Iterator[str]:
    waiting = ["/"]
    for _ in range(MAX_GROUPS):
        if not waiting:
            return
        path = waiting.pop()
        names = files.names_in_sys(f"{root}{path}")
        if not any(name.startswith("cgroup.") for name in names):
            continue
        yield path
        # Files of a controller have a dot and a known beginning; folders may have any name.
        below = [name for name in names if not _FILE.match(name)]
        waiting += [f"{path.rstrip('/')}/{name}" for name in reversed(below)]


_FILE = re.compile(
    r"(cgroup|memory|cpu|cpuset|cpuacct|io|pids|hugetlb|rdma|misc|dmem|irq|blkio|devices|freezer|"
    r"net_cls|net_prio|perf_event|debug)\.|tasks$|notify_on_release$|release_agent$"
)


def _number(files: Files, name: str) -> int | None:
    """A file of one number; None for no limit, and where it is missing."""
    try:
        text = files.read_sys(name).strip()
    except OSError:
        return None
    value = int(text) if text.isdigit() else NO_LIMIT
    return value if value < NO_LIMIT else None


def _stat(files: Files, name: str) -> Mapping[str, int]:
    try:
        return parse_counters(files.read_sys(name))
    except OSError:
        return {}


def _first_version(files: Files, root: str, path: str) -> Group:
    place = f"{root}{path.rstrip('/')}/memory"
    stat = _stat(files, f"{place}.stat")
    cache, shmem = stat.get("total_cache"), stat.get("total_shmem")
    usage = _number(files, f"{place}.usage_in_bytes")
    limit = stat.get("hierarchical_memory_limit", NO_LIMIT)
    return Group(
        path,
        1,
        usage,
        _number(files, f"{place}.max_usage_in_bytes"),
        limit if limit < NO_LIMIT else None,
        stat.get("total_swap"),
        stat.get("total_rss"),
        shmem,
        None if cache is None else cache - (shmem or 0),
        _number(files, f"{place}.kmem.usage_in_bytes"),
        _number(files, f"{place}.kmem.tcp.usage_in_bytes"),
    )


def _second_version(files: Files, root: str, path: str) -> Group:
    place = f"{root}{path.rstrip('/')}/memory"
    stat = _stat(files, f"{place}.stat")
    file, shmem = stat.get("file"), stat.get("shmem")
    kernel = stat.get("kernel")
    if kernel is None and stat:
        names = ("kernel_stack", "pagetables", "sec_pagetables", "percpu", "slab", "vmalloc")
        kernel = sum(stat.get(name, 0) for name in names)
    charge = _number(files, f"{place}.current")
    if charge is None and stat:
        charge = stat.get("anon", 0) + (file or 0) + (kernel or 0) + stat.get("sock", 0)
    return Group(
        path,
        2,
        charge,
        _number(files, f"{place}.peak"),
        _number(files, f"{place}.max"),
        _number(files, f"{place}.swap.current"),
        stat.get("anon"),
        shmem,
        None if file is None else file - (shmem or 0),
        kernel,
        stat.get("sock"),
    )
