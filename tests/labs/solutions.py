"""Reference solutions of the labs: at most 40 lines each, page by page, without the engine."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

PAGE = 4096
STEPS = ("not running", "rounding", "sharer estimate", "duplicate mappings")
STEPS += ("partial sharing", "clones")


def resident(mapping: Any, vmo: Any) -> int:
    """Own pages inside the window."""
    begin = mapping.vmo_offset_bytes // PAGE
    end = begin + mapping.size_bytes // PAGE
    return PAGE * sum(
        max(0, min(end, run.first + run.count) - max(begin, run.first)) for run in vmo.runs
    )


def share_count(number: int, machine: Any) -> int:
    """Address spaces that map the VMO, newest mapping first, estimated from the 65th on."""
    mine = sorted((m for m in machine.mappings if m.vmo == number), key=lambda m: -m.order)
    if len(mine) < 2:
        return 1
    spaces: set[int] = set()
    for visited, mapping in enumerate(mine):
        if mapping.process not in spaces and len(spaces) == 64:
            return 64 + (len(mine) - visited) * 64 // visited
        spaces.add(mapping.process)
    return len(spaces)


def ps(machine: Any) -> dict[int, tuple[int, int, int]]:
    """The rule of 2017, every mapping for itself."""
    shares = [share_count(vmo.number, machine) for vmo in machine.vmos]
    private: Counter[int] = Counter()
    shared: Counter[int] = Counter()
    scaled: Counter[int] = Counter()
    for mapping in machine.mappings:
        size = resident(mapping, machine.vmos[mapping.vmo])
        if shares[mapping.vmo] == 1:
            private[mapping.process] += size
        else:
            shared[mapping.process] += size
            scaled[mapping.process] += size // shares[mapping.vmo]
    table = {}
    for process in machine.processes:
        koid = process.koid
        sums = (private[koid] + scaled[koid], private[koid], shared[koid])
        table[koid] = sums if process.is_running else (0, 0, 0)
    return table


def owns(machine: Any) -> list[set[int]]:
    """The pages that each VMO owns."""
    return [
        {page for run in vmo.runs for page in range(run.first, run.first + run.count)}
        for vmo in machine.vmos
    ]


def owner(machine: Any, pages: list[set[int]], number: int, page: int) -> Any:
    """Which VMO's page one sees there: itself or an ancestor, as (number, page), or None."""
    while page * PAGE < machine.vmos[number].size_bytes:
        vmo = machine.vmos[number]
        if page in pages[number]:
            return number, page
        if vmo.parent is None:
            return None
        number, page = vmo.parent, page + vmo.parent_offset_bytes // PAGE
    return None


def window(mapping: Any) -> range:
    """Page numbers of the VMO that the mapping shows."""
    first = mapping.vmo_offset_bytes // PAGE
    return range(first, first + mapping.size_bytes // PAGE)


def sharers(machine: Any) -> dict[Any, set[int]]:
    """Address spaces that reach each page."""
    pages = owns(machine)
    found: defaultdict[Any, set[int]] = defaultdict(set)
    for mapping in machine.mappings:
        for page in window(mapping):
            place = owner(machine, pages, mapping.vmo, page)
            if place:
                found[place].add(mapping.process)
    return found


def exact(machine: Any) -> dict[int, Fraction]:
    """Each page once, divided by those who reach it."""
    pss = {koid: Fraction(0) for koid in (0, *(p.koid for p in machine.processes))}
    for spaces in sharers(machine).values():
        for koid in spaces:
            pss[koid] += Fraction(PAGE, len(spaces))
    return pss


def behind(machine: Any, number: int, page: int) -> Iterator[tuple[int, int]]:
    """A place and those of its ancestors behind it, whoever owns a page there."""
    while page * PAGE < machine.vmos[number].size_bytes:
        yield number, page
        vmo = machine.vmos[number]
        if vmo.parent is None:
            return
        number, page = vmo.parent, page + vmo.parent_offset_bytes // PAGE


def hidden(machine: Any) -> dict[tuple[int, str], int]:
    """Every page that no process reaches, by VMO and cause."""
    pages, reached = owns(machine), sharers(machine)
    covered, held = set(), set()
    for mapping in machine.mappings:
        for page in window(mapping):
            covered.update(behind(machine, mapping.vmo, page))
    for handle in machine.handles:
        size = machine.vmos[handle.vmo].size_bytes
        for page in range(-(-size // PAGE)):
            held.add(owner(machine, pages, handle.vmo, page))
    mapped = {mapping.vmo for mapping in machine.mappings}
    found: Counter[tuple[int, str]] = Counter()
    for number, own in enumerate(pages):
        for page in own:
            place = (number, page)
            if reached.get(place, set()) - {0}:
                continue
            if place in reached:
                cause = "kernel-mapped"
            elif place in covered:
                cause = "shadowed"
            elif number in mapped:
                cause = "unmapped part"
            else:
                cause = "handle-only" if place in held else "kernel-only"
            found[number, cause] += PAGE
    return dict(found)


def ledger(machine: Any) -> dict[str, Fraction]:
    """From what ps reports to physical memory."""
    pages, count = owns(machine), [share_count(v.number, machine) for v in machine.vmos]
    spaces: defaultdict[Any, set[int]] = defaultdict(set)
    for m in machine.mappings:
        spaces[m.vmo].add(m.process)
        for page in window(m):
            if page in pages[m.vmo]:
                spaces[m.vmo, page].add(m.process)
    sizes = [(m, resident(m, machine.vmos[m.vmo])) for m in machine.mappings if m.process]
    once = [(place, koid) for place in spaces if isinstance(place, tuple) for koid in spaces[place]]
    once = [(place, koid) for place, koid in once if koid]
    charged = exact(machine)
    kernel = charged.pop(0)
    stages = [
        sum(pss for pss, _, _ in ps(machine).values()),
        sum(size // count[m.vmo] for m, size in sizes),
        sum(Fraction(size, count[m.vmo]) for m, size in sizes),
        sum(Fraction(size, len(spaces[m.vmo])) for m, size in sizes),
        sum(Fraction(PAGE, len(spaces[place[0]])) for place, _ in once),
        sum(Fraction(PAGE, len(spaces[place])) for place, _ in once),
        sum(charged.values()),
    ]
    lines = {step: stages[at + 1] - stages[at] for at, step in enumerate(STEPS)}
    causes: Counter[str] = Counter()
    for (_, cause), size in hidden(machine).items():
        causes[cause] += size
    names = ("shadowed", "unmapped part", "handle-only", "kernel-only")
    owned = sum(PAGE * len(pages[v.number]) for v in machine.vmos if v.is_wired)
    memory = machine.memory
    return {"reported": stages[0], **lines, "kernel": kernel} | {
        **{name: causes[name] for name in names},
        "wired": memory.wired_bytes - owned,
        "heap in use": memory.heap_used_bytes,
        "heap free": memory.heap_free_bytes,
        "mmu": memory.mmu_bytes,
        "other": memory.other_bytes,
        "free": memory.free_bytes,
    }


def linux(machine: Any) -> dict[int, Fraction]:
    """Pages in page tables, divided by the entries that map them."""
    pages = owns(machine)
    entries = [
        (mapping.process, owner(machine, pages, mapping.vmo, window(mapping)[page]))
        for mapping in machine.mappings
        for run in mapping.entries
        for page in range(run.first, min(run.first + run.count, len(window(mapping))))
    ]
    count = Counter(place for _, place in entries)
    pss = {process.koid: Fraction(0) for process in machine.processes}
    for koid, place in entries:
        if place and koid:
            pss[koid] += Fraction(PAGE, count[place])
    return pss


SOLUTIONS: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (resident, share_count, ps, exact, hidden, ledger, linux)
}
"""Every solution by the name of its lab."""
