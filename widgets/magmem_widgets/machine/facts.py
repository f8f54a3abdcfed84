"""What a capture tells of VMOs, mappings and handles, ready to be asked for one process at a time.

Columns are int64 with `UNKNOWN` for what is missing; sizes are bytes. Made once per snapshot.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from magmem.kernel.address_space import resident_bytes
from magmem.kernel.mappings import view_of
from magmem.kernel.runs import Ints
from magmem.kernel.tasks import runs
from magmem.kernel.vmos import vmo_facts
from magmem.listing import count
from magmem.printable import one_line
from magmem.sizes import format_size
from magmem.snapshot import PAGE_BYTES, Snapshot
from magmem.tools.vmo_rows import rights_words
from magmem_widgets.machine.tree import Bools, Names, plain

__all__ = ["Grouped", "MachineFacts"]


class Grouped:
    """Rows of a table by a number in one of its columns."""

    def __init__(self, column: Ints, rows: Ints | None = None) -> None:
        self._rows = np.arange(len(column)) if rows is None else rows
        order = np.argsort(column, kind="stable")
        self._rows, self._sorted = self._rows[order], column[order]

    def of(self, value: int) -> Ints:
        """The rows that have this number, in the order of the table."""
        begin, end = np.searchsorted(self._sorted, [value, value + 1])
        return self._rows[begin:end]

    def holds(self, value: int) -> bool:
        """Whether any has it."""
        return len(self.of(value)) > 0


class MachineFacts:
    """The columns of one snapshot.

    Attributes
    ----------
    vmo_koid, vmo_size, vmo_committed, vmo_share, vmo_parent : int64 arrays, one item per VMO
    vmo_names : Names
    vmo, offset, size, resident : int64 arrays, one item per region
    maybe_mapped : bool array, one item per VMO
        There may be mappings of it that the capture does not tell.
    """

    def __init__(self, snap: Snapshot) -> None:
        self.snap = snap
        self.view = view_of(snap)
        facts = vmo_facts(snap)
        self.vmo_koid = plain(facts["koid"])
        self.vmo_size = plain(facts["size_bytes"])
        self.vmo_committed = plain(facts["committed_bytes"])
        self.vmo_share = plain(facts["share_count"])
        self.vmo_parent = plain(snap.vmos["parent"])
        self.vmo_names = Names(snap.vmos["name"])
        self.physical: Bools = (snap.vmos["kind"] == "physical").to_numpy()
        self.pages_known: Bools = snap.vmos["pages_known"].to_numpy()
        regions = snap.regions
        self.vmo = plain(regions["vmo"])
        # In pages, because in bytes an offset may be above what int64 holds.
        self.first_page = plain(regions["vmo_offset_bytes"] // PAGE_BYTES)
        self.size = plain(regions["size_bytes"])
        self.resident = plain(resident_bytes(snap))
        self.handle_vmo = plain(snap.handles["vmo"])
        self._runs = runs(snap)
        told = (snap.vmos["reported_num_mappings"] == 0).fillna(False).to_numpy(dtype=bool)
        self.maybe_mapped: Bools = ~told & (not snap.knows("mappings"))

    @cached_property
    def spaces(self) -> Grouped:
        """Rows of aspaces by the koid of their process."""
        return Grouped(plain(self.snap.aspaces["process_koid"]))

    @cached_property
    def _regions(self) -> Grouped:
        mapping = np.flatnonzero((self.snap.regions["kind"] == "mapping").to_numpy())
        return Grouped(self.snap.regions["aspace"].to_numpy()[mapping], mapping)

    @cached_property
    def _handles(self) -> Grouped:
        of_vmo = np.flatnonzero((self.snap.handles["type"] == "vmo").to_numpy())
        return Grouped(self.snap.handles["process_koid"].to_numpy()[of_vmo], of_vmo)

    @cached_property
    def _holders(self) -> Grouped:
        return Grouped(self.snap.handles["process_koid"].to_numpy())

    @cached_property
    def koids_of_pairs(self) -> tuple[Ints, Ints]:
        """Process koid and VMO row of every mapping by a process and every handle to a VMO."""
        owner = plain(self.snap.aspaces["process_koid"])[self.view.aspace]
        mine = owner >= 0
        held = self._handles._rows
        held = held[self.handle_vmo[held] >= 0]
        holder = self.snap.handles["process_koid"].to_numpy()[held]
        return (
            np.concatenate((owner[mine], holder)),
            np.concatenate((self.view.vmo[mine], self.handle_vmo[held])),
        )

    def mappings(self, koid: int) -> Ints:
        """Region rows of a process's mappings, in address order."""
        found = [self._regions.of(space) for space in self.spaces.of(koid).tolist()]
        return np.concatenate([np.zeros(0, np.int64), *found])

    def handles(self, koid: int) -> Ints:
        """Rows of a process's handles to VMOs, in the kernel's order."""
        return self._handles.of(koid)

    def lacks(self, koid: int) -> list[str]:
        """What the capture does not tell of a process: its mappings, its handles."""
        snap = self.snap
        some = [len(self.mappings(koid)) > 0, self._holders.holds(koid)]
        facets = zip(("mappings", "handles"), some, strict=True)
        return [facet for facet, there in facets if not there and not snap.knows(facet)]

    def runs(self, row: int) -> bool:
        """Whether a process (row of tasks) runs, or the capture does not say."""
        return bool(self._runs[row])

    def vmo_label(self, row: int) -> str:
        """Koid and name; the id in the snapshot where it has no koid."""
        name = self.vmo_names[row]
        said = "?" if name is None else one_line(name) or "(no name)"
        return f"{self.vmo_key(row)} {said}"

    def vmo_key(self, row: int) -> str:
        """Koid of a VMO, else its id in the snapshot."""
        koid = int(self.vmo_koid[row])
        return str(koid) if koid > 0 else str(self.snap.vmos["id"].iat[row])

    def vmo_words(self, row: int) -> str:
        """Committed, size, sharers and parent, as far as they are known."""
        size, committed = int(self.vmo_size[row]), int(self.vmo_committed[row])
        of = f" of {format_size(size)}" if size >= 0 else ""
        if self.physical[row]:
            said = "physical"
        elif committed >= 0:
            said = f"{format_size(committed)}{of} committed"
        else:
            said = f"committed ?{of}"
        share, parent = int(self.vmo_share[row]), int(self.vmo_parent[row])
        by = f", shared by {share:,}" if share > 1 else ""
        clone = f", clone of {self.vmo_key(parent)}" if parent >= 0 else ""
        return said + by + clone

    def base(self, region: int) -> str:
        """Where a mapping begins, such as ``0x1000``; ``?`` where that is not known."""
        base = self.snap.regions["base"].iat[region]
        return f"{int(base):#x}" if isinstance(base, (int, np.integer)) else "?"

    def mapping_words(self, region: int) -> str:
        """Permissions, length and what is resident."""
        perms = self.snap.regions["perms"].iat[region]
        said = [perms if isinstance(perms, str) else "???"]
        size, resident = int(self.size[region]), int(self.resident[region])
        said.append(format_size(size) if size >= 0 else "size ?")
        said.append(f"{format_size(resident)} resident" if resident >= 0 else "resident ?")
        return ", ".join(said)

    def handle_words(self, row: int) -> str:
        """The rights of a handle as `vmos` prints them."""
        rights = self.snap.handles["rights"].iloc[[row]]
        return "rights " + ("?" if rights.isna().any() else rights_words(rights)[0])

    def process_words(self, koid: int, row: int) -> str:
        """How much is known to be inside a process."""
        if not self.runs(row):
            return f"{self.snap.tasks['state'].iat[row]}: counts nothing"
        mappings, handles = self.mappings(koid), self.handles(koid)
        vmo = np.concatenate((self.vmo[mappings], self.handle_vmo[handles]))
        lacks = self.lacks(koid)
        said = []
        if len(lacks) < 2:
            known = count(len(np.unique(vmo[vmo >= 0])), "VMO")
            said.append("VMOs ?" if len(vmo) and (vmo < 0).all() else known)
        if "mappings" not in lacks:
            said.append(count(len(mappings), "mapping"))
        told = self.snap.tasks["reported_resident_bytes"].iat[row]
        if isinstance(told, (int, np.integer)):
            said.append(f"resident {format_size(int(told))}")
        return ", ".join(said) or "inside: not in this capture"
