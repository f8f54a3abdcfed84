"""Every number the kernel derives: share counts, sharers, kernel statistics, heap bytes."""

from __future__ import annotations

from collections.abc import Mapping as Table
from fractions import Fraction

from sim.model import vmars, vmos
from sim.model.state import PAGE, State, page_count
from sim.model.tasks import handles_to

__all__ = [
    "GROW_PAGES",
    "children",
    "exact_shares",
    "free_pages",
    "heap_used_bytes",
    "mappings_of",
    "page_states",
    "reported_pss",
    "share_count",
    "sharers",
    "table_pages_total",
]

GROW_PAGES = 16
"""The heap grows by 64 KiB."""

MOST_ASPACES = 64


def mappings_of(state: State, vmo: int) -> list[int]:
    """#map: the mappings of a VMO, everywhere, oldest first."""
    mine = [mapping for mapping in state.mappings.values() if mapping.vmo == vmo]
    return [mapping.serial for mapping in sorted(mine, key=lambda mapping: mapping.map_seq)]


def children(state: State, vmo: int) -> int:
    """#chld: living clones."""
    return sum(child.parent == vmo for child in state.vmos.values())


def share_count(state: State, vmo: int) -> int:
    """#shr: 1 below two mappings, else the distinct address spaces; above 64 an estimate."""
    newest_first = mappings_of(state, vmo)[::-1]
    if len(newest_first) < 2:
        return 1
    seen: set[int] = set()
    for visited, serial in enumerate(newest_first):
        aspace = state.vmars[state.mappings[serial].vmar].aspace
        if aspace not in seen and len(seen) == MOST_ASPACES:
            return MOST_ASPACES + (len(newest_first) - visited) * MOST_ASPACES // visited
        seen.add(aspace)
    return len(seen)


def sharers(state: State) -> dict[tuple[int, int], set[int]]:
    """For every committed page (VMO, page): the address spaces in which it is visible."""
    found: dict[tuple[int, int], set[int]] = {
        (vmo.serial, page): set() for vmo in state.vmos.values() for page in vmo.pages
    }
    for mapping in state.mappings.values():
        vmo = state.vmos[mapping.vmo]
        first = mapping.vmo_offset_pages
        end = min(first + mapping.size_bytes // PAGE, page_count(vmo.size_bytes))
        for page in range(first, 0 if vmo.physical else end):
            owner = vmos.see(state, vmo.serial, page)[1]
            if owner is not None:
                found[owner[0].serial, owner[1]].add(state.vmars[mapping.vmar].aspace)
    return found


def exact_shares(state: State) -> dict[int | None, Fraction]:
    """Bytes of each address space by the exact rule; None: pages that none of them sees."""
    shares: dict[int | None, Fraction] = {aspace: Fraction(0) for aspace in state.aspaces}
    shares[None] = Fraction(0)
    for aspaces in sharers(state).values():
        for aspace in aspaces or (None,):
            shares[aspace] += Fraction(PAGE, max(1, len(aspaces)))
    return shares


def reported_pss(state: State, process: int) -> int:
    """PSS as magenta-2017 sums it up, mapping by mapping; 0 for a process that does not run."""
    if state.processes[process].state != "running":
        return 0
    total = 0
    for mapping in state.mappings.values():
        if state.vmars[mapping.vmar].aspace == state.processes[process].aspace:
            vmo = state.vmos[mapping.vmo]
            first, pages = mapping.vmo_offset_pages, mapping.size_bytes // PAGE
            committed = sum(first <= page < first + pages for page in vmo.pages) * PAGE
            total += committed // share_count(state, vmo.serial)
    return total


def table_pages_total(state: State) -> int:
    """Page-table pages of all address spaces, and what booting took for the physical map."""
    return state.boot_table_pages + sum(
        vmars.table_pages(state, aspace) for aspace in state.aspaces
    )


def page_states(state: State) -> dict[str, int]:
    """Pages in each of the six states; free is what the others leave.

    The state of its pages is a VMO's own: copies that the quirk leaves in a variant of the vDSO
    count as wired too.
    """
    owned = {
        wired: sum(len(vmo.pages) for vmo in state.vmos.values() if vmo.wired is wired)
        for wired in (True, False)
    }
    pages = {
        "alloc": state.other_pages,
        "wired": state.wired_pages + owned[True],
        "heap": state.heap_pages,
        "object": owned[False],
        "mmu": table_pages_total(state),
    }
    return {"free": state.total_pages - sum(pages.values()), **pages}


def free_pages(state: State) -> int:
    """Pages free; below 0 there was not enough memory for what was done."""
    return page_states(state)["free"]


def heap_used_bytes(state: State, costs: Table[str, int]) -> int:
    """The sum of what every living object costs, over what the heap held at boot."""
    held_vmos = sum(handles_to(state, "vmo", vmo) > 0 for vmo in state.vmos)
    held_vmars = {h.target for h in state.handles.values() if h.kind == "vmar"}
    physical = sum(vmo.physical for vmo in state.vmos.values())
    return (
        state.heap_base_bytes
        + len(state.aspaces) * costs["address space"]
        + len(state.vmars.keys() | held_vmars) * costs["vmar"]
        + len(state.mappings) * costs["mapping"]
        + (len(state.vmos) - physical) * costs["paged vmo"]
        + physical * costs["physical vmo"]
        + held_vmos * costs["vmo dispatcher"]
        + len(held_vmars) * costs["vmar dispatcher"]
        + len(state.jobs) * costs["job"]
        + len(state.processes) * costs["process"]
        + len(state.threads) * costs["thread"]
        + sum(costs[item.kind] for item in state.objects.values())
    )
