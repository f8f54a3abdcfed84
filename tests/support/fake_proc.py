"""A proc file system made of plain files, for parsers and captures without a kernel.

`FakeProc` writes one; every file may be left out, damaged or extended by the test. Addresses are
low, so that page maps stay short.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["MEMINFO", "SLABINFO", "ZONEINFO", "Area", "FakeProc", "entry"]

PAGE = 4096

MEMINFO = b"""\
MemTotal:          65536 kB
MemFree:           32768 kB
Buffers:             128 kB
Cached:             4096 kB
AnonPages:          1024 kB
Mapped:              512 kB
Shmem:               256 kB
KernelStack:         128 kB
PageTables:           64 kB
Slab:               2048 kB
VmallocUsed:         512 kB
Percpu:               96 kB
HugePages_Total:       0
SwapTotal:             0 kB
SwapFree:              0 kB
"""

ZONEINFO = b"""\
Node 0, zone   Normal
  per-node stats
      nr_inactive_anon 12
  pages free     8192
        min      44
        present  17408
        managed  16384
      nr_zone_inactive_anon 100
      nr_zone_active_anon 156
      nr_zone_inactive_file 500
      nr_zone_active_file 556
      nr_zone_unevictable 0
  pagesets
    cpu: 0
              count:    10
              high:     0
    cpu: 1
              count:    6
  start_pfn:           4096
Node 0, zone  Movable
  pages free     0
        present  0
"""

SLABINFO = b"""\
slabinfo - version: 2.1
# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables
dentry 1000 1050 192 21 1 : tunables 0 0 0 : slabdata 50 50 0
inode cache 10 13 600 13 2 : tunables 0 0 0 : slabdata 1 1 0
"""

FIGURES = (
    "Size",
    "KernelPageSize",
    "Rss",
    "Pss",
    "Pss_Dirty",
    "Shared_Clean",
    "Shared_Dirty",
    "Private_Clean",
    "Private_Dirty",
    "Referenced",
    "Anonymous",
    "Swap",
)


@dataclass
class Area:
    """One mapping of a fake process.

    `entries` maps pages of the mapping to words of the page map; figures are kB.
    """

    start: int
    pages: int
    perms: str = "rw-p"
    offset: int = 0
    device: str = "00:00"
    inode: int = 0
    name: str = ""
    flags: str = "rd wr mr mw me ac"
    entries: Mapping[int, int] = field(default_factory=dict)
    figures: Mapping[str, int] = field(default_factory=dict)

    def text(self) -> bytes:
        """Its lines in smaps."""
        end = self.start + self.pages * PAGE
        head = f"{self.start:x}-{end:x} {self.perms} {self.offset:08x} {self.device} {self.inode}"
        kb = {"Size": self.pages * 4, "Rss": 4 * len(self.entries), **self.figures}
        lines = [f"{head:72} {self.name}".rstrip()]
        lines += [f"{name}:{' ' * (15 - len(name))}{kb.get(name, 0):>8} kB" for name in FIGURES]
        lines += ["THPeligible:           0", f"VmFlags: {self.flags} ", ""]
        return "\n".join(lines).encode()


def entry(frame: int, *, file: bool = False, exclusive: bool = False) -> int:
    """A word of the page map that holds a page."""
    return 1 << 63 | file << 61 | exclusive << 56 | frame


class FakeProc:
    """A folder that looks like ``/proc``."""

    def __init__(self, root: Path, *, machine: bool = True) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        if machine:
            self.write("meminfo", MEMINFO)
            self.write("zoneinfo", ZONEINFO)
            self.write("slabinfo", SLABINFO)

    def write(self, name: str, data: bytes) -> None:
        """A file of the whole machine or of a process (``7/stat``)."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def stat(
        self, pid: int, name: bytes, state: str = "S", parent: int = 1, flags: int = 0
    ) -> bytes:
        """A line of stat."""
        fields = [parent, 1, 1, 0, -1, flags, *[0] * 8, 20, 0, 1, 0, pid, 8192000, 17, *[0] * 28]
        return b"%d (%b) %b %b\n" % (pid, name, state.encode(), " ".join(map(str, fields)).encode())

    def process(
        self,
        pid: int,
        name: bytes = b"cat",
        areas: Sequence[Area] = (),
        *,
        state: str = "S",
        parent: int = 1,
        flags: int = 0,
        cgroup: bytes = b"0::/user\n",
    ) -> None:
        """A process with one thread and no open files."""
        line = self.stat(pid, name, state, parent, flags)
        self.write(f"{pid}/stat", line)
        self.write(f"{pid}/task/{pid}/stat", line)
        self.write(f"{pid}/cgroup", cgroup)
        self.write(f"{pid}/mountinfo", b"27 1 fe:00 / / rw - ext4 /dev/vda rw\n")
        self.write(f"{pid}/smaps", b"".join(area.text() for area in areas))
        (self.root / f"{pid}/fd").mkdir(exist_ok=True)
        with (self.root / f"{pid}/pagemap").open("wb") as file:
            for area in areas:
                for page, word in area.entries.items():
                    file.seek((area.start // PAGE + page) * 8)
                    file.write(struct.pack("<Q", word))
                # A page map answers for every page of a mapping.
                file.seek((area.start // PAGE + area.pages) * 8 - 8)
                if area.pages - 1 not in area.entries:
                    file.write(bytes(8))

    def frames(self, counts: Mapping[int, int], flags: Mapping[int, int] | None = None) -> None:
        """How often each frame is mapped, and the flags of each."""
        for name, words in (("kpagecount", counts), ("kpageflags", flags or {})):
            size = max([*counts, *(flags or {}), 0]) + 1
            self.write(name, struct.pack(f"<{size}Q", *(words.get(at, 0) for at in range(size))))
