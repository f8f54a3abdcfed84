"""Every accounting rule and the ledger on a large machine, beside one `np.lexsort`.

The machine: 10,000 processes, 200,000 VMOs (a tenth of them clones), 1,000,000 mappings, 16 million
committed pages. Bars: all rules and the ledger together at most 5 times one `np.lexsort` over 2
million int64 keys of the same run; peak memory at most 4 GiB; growth with the mappings no faster
than n log n (exponent over three sizes). Each size runs in a process of its own.

    python benchmarks/bench_ledger.py [PROCESSES] [--tables] [--scattered]

`--tables` also times making every table and every text of them. `--scattered` maps any part of the
libraries, thousands of different ranges of one VMO: the worst case.
"""

from __future__ import annotations

import gc
import json
import math
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from magmem.accounting.account import account, compare
from magmem.accounting.ledger import ledger
from magmem.accounting.rules import RULES
from magmem.snapshot import FACETS, PAGE_BYTES, Snapshot

TIME_BAR = 5.0
MEMORY_BAR_GIB = 4.0
GENERATOR_BAR_SECONDS = 60.0
LIBRARIES = 200
ROUNDS = 3

Ints = npt.NDArray[np.int64]


def big_machine(processes: int, scattered: bool = False, seed: int = 7) -> Snapshot:
    """Libraries mapped by everyone, data clones, heaps, rings between neighbours, unmapped VMOs.

    20 VMOs, 100 mappings, 40 handles and 1,600 pages per process on average.
    """
    rng = np.random.default_rng(seed)
    vmos, mappings = 20 * processes, 100 * processes
    clones = vmos // 10
    rings = vmos // 10
    kind = np.zeros(vmos, np.int64)  # 0 private, 1 library, 2 clone, 3 ring
    libraries = min(LIBRARIES, vmos // 20)
    kind[:libraries] = 1
    kind[libraries : libraries + clones] = 2
    kind[libraries + clones : libraries + clones + rings] = 3
    home = rng.integers(0, processes, vmos)
    size = np.minimum(2 + rng.geometric(1 / 140, vmos), 6000).astype(np.int64)
    size[kind == 1] = rng.integers(200, 4000, libraries)
    parent = np.full(vmos, -1, np.int64)
    clone = np.flatnonzero(kind == 2)
    parent[clone] = rng.integers(0, libraries, clones)
    # A clone is a library's data, as a loader makes one for each process; or anything of it.
    offset = np.zeros(vmos, np.int64)
    offset[clone] = size[parent[clone]] * 9 // 10
    size[clone] = np.maximum(size[parent[clone]] - offset[clone], 1)
    if scattered:
        offset[clone] = rng.integers(0, 20, clones)
    # A fifth of the clones are clones of clones.
    nested = clone[clones * 4 // 5 :]
    parent[nested] = rng.choice(clone[: clones * 4 // 5], len(nested))
    offset[nested], size[nested] = 0, size[parent[nested]]
    mapped_vmo, mapped_by = _mapped(rng, kind, home, processes, mappings)
    begin, length = _ranges(rng, size, kind, mapped_vmo, scattered)
    order = np.argsort(mapped_by, kind="stable")
    mapped_vmo, mapped_by, begin, length = (
        column[order] for column in (mapped_vmo, mapped_by, begin, length)
    )
    runs = _runs(rng, size, kind)
    regions, place = _regions(rng, processes, mapped_vmo, mapped_by, begin, length)
    entry = np.flatnonzero(rng.random(mappings) < 0.8)
    entry_length = 1 + (rng.random(len(entry)) * length[entry]).astype(np.int64)
    held_vmo = rng.integers(0, vmos, 40 * processes)
    held_by = np.sort(rng.integers(0, processes, 40 * processes))
    alloc = int(runs[2].sum()) * PAGE_BYTES
    koids = 10_000 + np.arange(processes)
    complete: Any = dict.fromkeys(FACETS, "complete")
    return Snapshot.of(
        {
            "tasks": {
                "koid": np.concatenate(([1], koids)),
                "kind": np.concatenate(([0], np.ones(processes, np.int64))),
                "parent_koid": [None] + [1] * processes,
                "name": ["root", *(f"process-{n}" for n in range(processes))],
                "state": [None, *np.where(rng.random(processes) < 0.98, "running", "dead")],
            },
            "aspaces": {
                "kind": np.concatenate(([0], np.ones(processes, np.int64))),
                "process_koid": [None, *koids.tolist()],
            },
            "regions": regions,
            "vmos": {
                "id": [f"v{n}" for n in range(vmos)],
                "koid": 1_000_000 + np.arange(vmos),
                "kind": np.zeros(vmos, np.int64),
                "name": ["heap", "lib", "data", "ring"] * (vmos // 4),
                "size_bytes": size * PAGE_BYTES - rng.integers(0, 4096, vmos),
                "is_clone": parent >= 0,
                "parent": [None if row < 0 else row for row in parent.tolist()],
                "parent_offset_bytes": offset * PAGE_BYTES,
                "pages_are_wired": np.zeros(vmos, bool),
                "pages_known": np.ones(vmos, bool),
            },
            "pages": {"vmo": runs[0], "first_page": runs[1], "page_count": runs[2]},
            "entries": {
                "region": place[entry],
                "first_page": np.zeros(len(entry), np.int64),
                "page_count": entry_length,
            },
            "handles": {
                "process_koid": koids[held_by],
                "type": ["vmo"] * len(held_by),
                "vmo": held_vmo,
            },
            "kmem": {
                "total_bytes": [alloc + (400 << 20)],
                "free_bytes": [300 << 20],
                "wired_bytes": [50 << 20],
                "total_heap_bytes": [30 << 20],
                "free_heap_bytes": [1 << 20],
                "vmo_bytes": [alloc],
                "mmu_overhead_bytes": [20 << 20],
                "other_bytes": [0],
            },
        },
        name=f"{processes} processes",
        root_job_koid=1,
        coverage=complete,
    )


def _regions(
    rng: np.random.Generator, processes: int, vmo: Ints, by: Ints, begin: Ints, length: Ints
) -> tuple[dict[str, Any], Ints]:
    """The regions table, a root VMAR before the mappings of each process; rows of the mappings."""
    mappings = len(vmo)
    place = np.arange(mappings) + by + 1
    rows = mappings + processes

    def column(values: Ints) -> Any:
        known = np.zeros(rows, bool)
        spread = np.zeros(rows, np.int64)
        known[place], spread[place] = True, values
        return pd.arrays.IntegerArray(spread, ~known)

    aspace, depth = np.empty(rows, np.int64), np.zeros(rows, np.int64)
    roots = np.setdiff1d(np.arange(rows), place, assume_unique=True)
    aspace[place], aspace[roots] = by + 1, np.arange(processes) + 1
    depth[place] = 1
    return {
        "aspace": aspace,
        "depth": depth,
        "kind": depth,
        "base": np.arange(rows, dtype=np.uint64) << np.uint64(24),
        "size_bytes": column(length * PAGE_BYTES),
        "vmo": column(vmo),
        "vmo_offset_bytes": column(begin * PAGE_BYTES),
        "map_seq": column(rng.permutation(mappings)),
    }, place


def _mapped(
    rng: np.random.Generator, kind: Ints, home: Ints, processes: int, mappings: int
) -> tuple[Ints, Ints]:
    """VMO and process of each mapping: 45 of 100 map libraries, 15 rings, the rest one's own."""
    libraries, rings = np.flatnonzero(kind == 1), np.flatnonzero(kind == 3)
    own = np.flatnonzero((kind == 0) | (kind == 2))
    # Every tenth VMO of a process's own is never mapped.
    own = own[rng.random(len(own)) < 0.9]
    vmo = rng.choice(own, mappings)
    by = home[vmo]
    many, few = mappings * 45 // 100, mappings * 15 // 100
    # A process that maps a library maps its three segments.
    chosen = libraries[(rng.random(many // 3) ** 2 * len(libraries)).astype(np.int64)]
    vmo[: many // 3 * 3] = np.repeat(chosen, 3)
    by[: many // 3 * 3] = np.repeat(rng.integers(0, processes, many // 3), 3)
    ring = rng.choice(rings, few)
    vmo[many : many + few] = ring
    by[many : many + few] = (home[ring] + rng.integers(0, 8, few)) % processes
    return vmo, by


def _ranges(
    rng: np.random.Generator, size: Ints, kind: Ints, vmo: Ints, scattered: bool
) -> tuple[Ints, Ints]:
    """First page and length of each mapping.

    A library's mappings are its text, its rodata or its data, the same in every process; clones
    are mapped whole; half of the others are whole, half any part. `scattered`: any part of
    libraries and clones too.
    """
    text, rodata = size * 6 // 10, size * 3 // 10
    first = np.stack([np.zeros_like(size), text, text + rodata])
    length = np.stack([text, rodata, size - text - rodata])
    segment = np.arange(len(vmo)) % 3
    whole = (rng.random(len(vmo)) < 0.5) | ((kind[vmo] == 2) & (not scattered))
    begin = np.where(whole, 0, (rng.random(len(vmo)) * size[vmo]).astype(np.int64))
    rest = size[vmo] - begin
    pages = np.where(whole, rest, 1 + (rng.random(len(vmo)) * (rest + 2)).astype(np.int64))
    library = (kind[vmo] == 1) & (not scattered)
    begin = np.where(library, first[segment, vmo], begin)
    return begin, np.where(library, np.maximum(length[segment, vmo], 1), pages)


def _runs(rng: np.random.Generator, size: Ints, kind: Ints) -> tuple[Ints, Ints, Ints]:
    """Committed runs: clones own a few copies, the others some runs with gaps between."""
    each = np.where(kind == 2, rng.integers(0, 4, len(size)), rng.integers(1, 9, len(size)))
    vmo = np.repeat(np.arange(len(size)), each)
    step = np.maximum(size[vmo] // each[vmo], 1)
    nth = np.arange(len(vmo)) - np.repeat(np.cumsum(each) - each, each)
    first = nth * step
    share = np.where(kind[vmo] == 2, 0.1, 0.45 + 0.3 * rng.random(len(vmo)))
    count = np.maximum((step * share).astype(np.int64), 1)
    fits = first + count <= size[vmo]
    return vmo[fits], first[fits], count[fits]


def seconds(action: Callable[[], object]) -> float:
    """Processor seconds of one call: other work on the machine counts for neither side."""
    begin = time.process_time()
    action()
    return time.process_time() - begin


def again(snap: Snapshot) -> Snapshot:
    """The same state as a new object, of which nothing has been computed yet."""
    return Snapshot.of(snap.tables(), name=snap.name, coverage=dict(snap.coverage))


def once(snap: Snapshot, tables: bool) -> dict[str, float]:
    """Seconds of the ledger and every rule; with `tables` of their tables and texts as well."""
    books: dict[str, Any] = {}
    # What the last round left is memory for this one.
    gc.collect()

    def book() -> None:
        books["ledger"] = ledger(snap)
        if books["ledger"].unexplained_bytes != 0:
            raise RuntimeError("the ledger does not add up")

    steps = {"ledger": seconds(book)}
    for name in RULES:
        steps[name] = seconds(lambda name=name: books.update({name: account(snap, name)}))
    if tables:
        books["compare"] = compare(snap)
        for name, listing in books.items():
            steps[f"{name} table"] = seconds(lambda listing=listing: listing.df)
            steps[f"{name} text"] = seconds(lambda listing=listing: listing.text)
    return steps


def measure(processes: int, tables: bool, scattered: bool) -> dict[str, Any]:
    """One size, in a process of its own: the best of several rounds of everything."""
    keys = np.random.default_rng(1).integers(0, 1 << 62, 2_000_000)
    sort = min(seconds(lambda: np.lexsort((keys,))) for _ in range(ROUNDS))
    begin = time.perf_counter()
    snap = big_machine(processes, scattered)
    made = time.perf_counter() - begin
    rounds = [once(again(snap), False) for _ in range(ROUNDS)]
    sort = min(sort, *(seconds(lambda: np.lexsort((keys,))) for _ in range(ROUNDS)))
    best = min(rounds, key=lambda steps: sum(steps.values()))
    if tables:
        best = once(again(snap), True) | best
    return {
        "processes": processes,
        "vmos": len(snap.vmos),
        "mappings": len(snap.mappings),
        "runs": len(snap.pages),
        "pages": int(snap.pages["page_count"].sum()),
        "clones": int(snap.vmos["is_clone"].sum()),
        "made": made,
        "lexsort": sort,
        "steps": best,
        "peak_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20),
    }


def main(arguments: list[str]) -> int:
    """Measure three sizes, print the ratios, return 1 if a bar is missed."""
    rest = [word for word in arguments if word.startswith("-")]
    if arguments[:1] == ["--measure"]:
        print(json.dumps(measure(int(arguments[1]), "--tables" in rest, "--scattered" in rest)))
        return 0
    numbers = [int(word) for word in arguments if not word.startswith("-")]
    largest = numbers[0] if numbers else 10_000
    results = []
    for size in (largest // 4, largest // 2, largest):
        command = [sys.executable, __file__, "--measure", str(size), *rest]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        results.append(json.loads(done.stdout))
    last = results[-1]
    for name in ("processes", "vmos", "clones", "mappings", "runs", "pages"):
        print(f"{name:24}{last[name]:>14,}")
    print(f"{'one lexsort of 2M keys':24}{last['lexsort']:>14.3f} s")
    print(f"{'generator':24}{last['made']:>14.1f} s  (bar {GENERATOR_BAR_SECONDS:.0f})")
    for name, took in last["steps"].items():
        print(f"{name:24}{took:>14.3f} s  {took / last['lexsort']:6.2f} x")
    times = [sum(result["steps"][name] for name in ("ledger", *RULES)) for result in results]
    ratio = times[-1] / last["lexsort"]
    print(f"{'all rules + ledger':24}{times[-1]:>14.3f} s  {ratio:6.2f} x lexsort (bar {TIME_BAR})")
    print(f"{'peak memory':24}{last['peak_gib']:>14.2f} GiB (bar {MEMORY_BAR_GIB})")
    counts = [result["mappings"] for result in results]
    exponents = [
        math.log(times[at + 1] / times[at]) / math.log(counts[at + 1] / counts[at])
        for at in range(2)
    ]
    for result, took in zip(results, times, strict=True):
        print(f"{result['mappings']:>14,} mappings {took:>13.3f} s")
    print(f"exponents {exponents[0]:.2f} and {exponents[1]:.2f} (n log n is about 1.05)")
    good = ratio <= TIME_BAR and last["peak_gib"] <= MEMORY_BAR_GIB
    return 0 if good and last["made"] <= GENERATOR_BAR_SECONDS else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
