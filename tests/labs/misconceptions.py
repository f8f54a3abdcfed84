"""Typical wrong solutions of the labs, each a small change of a right one."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from labs.solutions import PAGE, exact, hidden, ledger, owns, ps, resident, share_count, window

WRONG: dict[str, tuple[str, Callable[..., Any]]] = {}
"""Lab and function of each misconception by its name."""


def wrong(lab: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Put a wrong solution on the list."""

    def add(function: Callable[..., Any]) -> Callable[..., Any]:
        WRONG[function.__name__] = (lab, function)
        return function

    return add


@wrong("resident")
def size_is_memory(mapping: Any, vmo: Any) -> int:
    """What is mapped is allocated."""
    return mapping.size_bytes


@wrong("resident")
def whole_vmo(mapping: Any, vmo: Any) -> int:
    """All pages of the VMO, wherever the window is."""
    return PAGE * sum(run.count for run in vmo.runs)


@wrong("resident")
def window_from_zero(mapping: Any, vmo: Any) -> int:
    """The window's offset is forgotten."""
    return resident(mapping._replace(vmo_offset_bytes=0), vmo)


@wrong("resident")
def last_page_lost(mapping: Any, vmo: Any) -> int:
    """An end that is one page too early."""
    return resident(mapping._replace(size_bytes=mapping.size_bytes - PAGE), vmo)


@wrong("resident")
def pages_not_bytes(mapping: Any, vmo: Any) -> int:
    """Pages are counted, and not made bytes."""
    return resident(mapping, vmo) // PAGE


@wrong("share_count")
def counts_mappings(number: int, machine: Any) -> int:
    """Mappings are taken for address spaces."""
    return max(1, sum(m.vmo == number for m in machine.mappings))


@wrong("share_count")
def no_estimate(number: int, machine: Any) -> int:
    """The exact number of address spaces, also above 64."""
    return max(1, len({m.process for m in machine.mappings if m.vmo == number}))


@wrong("share_count")
def without_kernel(number: int, machine: Any) -> int:
    """The kernel's address space is forgotten."""
    return share_count(
        number, machine._replace(mappings=[m for m in machine.mappings if m.process])
    )


@wrong("share_count")
def nobody_is_zero(number: int, machine: Any) -> int:
    """0 for a VMO that nobody maps."""
    mapped = any(m.vmo == number for m in machine.mappings)
    return share_count(number, machine) if mapped else 0


@wrong("ps")
def mappings_once(machine: Any) -> Any:
    """A VMO that a process maps twice counts once."""
    seen: dict[Any, Any] = {}
    for m in machine.mappings:
        seen.setdefault((m.process, m.vmo), m)
    return ps(machine._replace(mappings=list(seen.values())))


@wrong("ps")
def counts_those_at_rest(machine: Any) -> Any:
    """A process that does not run has sizes too."""
    return ps(machine._replace(processes=[p._replace(is_running=True) for p in machine.processes]))


@wrong("ps")
def sum_then_divide(machine: Any) -> Any:
    """SHARED is divided once at the end, by the largest #shr."""
    table = {}
    for koid, (pss, private, shared) in ps(machine).items():
        counts = [share_count(m.vmo, machine) for m in machine.mappings if m.process == koid]
        table[koid] = (private + shared // max([1, *counts]) if pss else 0, private, shared)
    return table


@wrong("ps")
def shared_is_scaled(machine: Any) -> Any:
    """SHARED is the process's part of it."""
    return {koid: (pss, private, pss - private) for koid, (pss, private, _) in ps(machine).items()}


@wrong("exact")
def vmo_not_page(machine: Any) -> Any:
    """Each page divided by those who map its VMO; clones and places are ignored."""
    return _own_only(machine, by_vmo=True)


@wrong("exact")
def own_pages_only(machine: Any) -> Any:
    """Pages of the parent are not seen through a clone."""
    return _own_only(machine, by_vmo=False)


def _own_only(machine: Any, by_vmo: bool) -> Any:
    pages, spaces, seen = owns(machine), defaultdict(set), defaultdict(set)
    for m in machine.mappings:
        spaces[m.vmo].add(m.process)
        for page in window(m):
            if page in pages[m.vmo]:
                seen[m.vmo, page].add(m.process)
    pss = {koid: Fraction(0) for koid in (0, *(p.koid for p in machine.processes))}
    for (number, _), koids in seen.items():
        for koid in koids:
            pss[koid] += Fraction(PAGE, len(spaces[number] if by_vmo else koids))
    return pss


@wrong("exact")
def each_mapping(machine: Any) -> Any:
    """A page counts as often as the process maps it."""
    pss = exact(machine)
    pages, times = owns(machine), Counter()
    for m in machine.mappings:
        times.update((m.process, m.vmo, p) for p in window(m) if p in pages[m.vmo])
    for (koid, _, _), count in times.items():
        pss[koid] += PAGE * (count - 1)
    return pss


@wrong("exact")
def ignores_those_at_rest(machine: Any) -> Any:
    """The mappings of a process that does not run are left out."""
    running = {0, *(p.koid for p in machine.processes if p.is_running)}
    return exact(machine._replace(mappings=[m for m in machine.mappings if m.process in running]))


@wrong("exact")
def past_the_parents_end(machine: Any) -> Any:
    """A VMO's size is not looked at, so shadowed pages past the end of a clone are still seen."""
    return exact(machine._replace(vmos=[v._replace(size_bytes=10**9) for v in machine.vmos]))


@wrong("hidden")
def whole_vmos_hide(machine: Any) -> Any:
    """Only VMOs that nobody maps have hidden pages."""
    mapped = {m.vmo for m in machine.mappings if m.process}
    return {key: size for key, size in hidden(machine).items() if key[0] not in mapped}


@wrong("hidden")
def kernel_is_a_process(machine: Any) -> Any:
    """What the kernel maps is not hidden."""
    return {key: size for key, size in hidden(machine).items() if key[1] != "kernel-mapped"}


@wrong("hidden")
def no_handles_through_clones(machine: Any) -> Any:
    """A handle to a clone does not show the parent's pages."""
    own = {handle.vmo for handle in machine.handles}
    return {
        (number, "kernel-only" if why == "handle-only" and number not in own else why): size
        for (number, why), size in hidden(machine).items()
    }


@wrong("hidden")
def copies_do_not_hide(machine: Any) -> Any:
    """A page behind a clone's copy is taken for an unmapped part or for held."""
    mapped = {m.vmo for m in machine.mappings}
    found: Counter[Any] = Counter()
    for (number, why), size in hidden(machine).items():
        plain = "unmapped part" if number in mapped else "handle-only"
        found[number, plain if why == "shadowed" else why] += size
    return dict(found)


@wrong("ledger")
def wired_twice(machine: Any) -> Any:
    """Wired pages that VMOs own count there and under wired."""
    return ledger(machine) | {"wired": machine.memory.wired_bytes}


@wrong("ledger")
def kernel_part_forgotten(machine: Any) -> Any:
    """Nobody pays the kernel's part of what it maps."""
    return ledger(machine) | {"kernel": 0}


@wrong("ledger")
def floats(machine: Any) -> Any:
    """Sizes are divided with /."""
    return {line: float(size) for line, size in ledger(machine).items()}
