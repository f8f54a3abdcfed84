"""A machine of 100,000 leaves, made straight as snapshot tables: for benchmarks and bounds."""

from __future__ import annotations

import numpy as np

from magmem.snapshot import Snapshot

__all__ = ["big_machine"]

PROCESSES, VMOS_EACH = 1_000, 100
PAGE = 4096


def big_machine(seed: int = 1) -> Snapshot:
    """1,000 processes in 40 jobs, each mapping 70 VMOs of its own and 30 of 500 shared ones."""
    rng = np.random.default_rng(seed)
    own, shared = 70 * PROCESSES, 500
    jobs = np.arange(1024, 1064)
    process = np.arange(2000, 2000 + PROCESSES)
    words = np.array(
        ["jemalloc-heap", "thread-t:0x1", "initial-stack", "libc.so", "lib.so:data", "pool", "ring"]
    )
    names = [
        *words[rng.integers(0, len(words), own)].tolist(),
        *(f"lib{n}.so" for n in range(shared)),
    ]
    # One name in three is its VMO's alone, as names with addresses or numbers in them are.
    for at in range(0, own, 3):
        names[at] = f"{names[at]}-{at:x}"
    count = own + shared
    pages = np.minimum(rng.zipf(1.6, count), 50_000)
    mapped = np.concatenate(
        [
            np.arange(own).reshape(PROCESSES, -1),
            own + np.argsort(rng.random((PROCESSES, shared)), axis=1)[:, : VMOS_EACH - 70],
        ],
        axis=1,
    )
    base = np.tile(np.arange(VMOS_EACH, dtype=np.uint64) << np.uint64(32), PROCESSES)
    vmo_bytes = int(pages.sum()) * PAGE
    wired, mmu, heap, other, free = (n << 20 for n in (73, 120, 210, 5, 900))
    return Snapshot.of(
        {
            "tasks": {
                "koid": np.concatenate([jobs, process]),
                "kind": ["job"] * len(jobs) + ["process"] * PROCESSES,
                "parent_koid": [None]
                + [1024 + (n - 1) // 3 for n in range(1, len(jobs))]
                + (1024 + rng.integers(0, len(jobs), PROCESSES)).tolist(),
                "name": ["root"]
                + [f"job-{n}" for n in range(1, len(jobs))]
                + [f"/boot/bin/service-{n}" for n in range(PROCESSES)],
                "state": [None] * len(jobs) + ["running"] * PROCESSES,
            },
            "aspaces": {"kind": ["user"] * PROCESSES, "process_koid": process},
            "regions": {
                "aspace": np.repeat(np.arange(PROCESSES), VMOS_EACH),
                "depth": np.ones(PROCESSES * VMOS_EACH, np.int64),
                "kind": np.ones(PROCESSES * VMOS_EACH, np.int8),
                "base": base,
                "size_bytes": pages[mapped.ravel()] * PAGE,
                "vmo": mapped.ravel(),
                "vmo_offset_bytes": np.zeros(PROCESSES * VMOS_EACH, np.int64),
                "map_seq": np.arange(PROCESSES * VMOS_EACH),
            },
            "vmos": {
                "id": [f"v{n}" for n in range(count)],
                "koid": np.arange(10_000, 10_000 + count),
                "kind": ["paged"] * count,
                "name": names,
                "size_bytes": pages * PAGE,
                "pages_are_wired": np.zeros(count, dtype=bool),
                "pages_known": np.ones(count, dtype=bool),
            },
            "pages": {
                "vmo": np.arange(count),
                "first_page": np.zeros(count, np.int64),
                "page_count": pages,
            },
            "kmem": {
                "total_bytes": [free + vmo_bytes + heap + wired + mmu + other],
                "free_bytes": [free],
                "vmo_bytes": [vmo_bytes],
                "total_heap_bytes": [heap],
                "free_heap_bytes": [heap // 4 + 123],
                "wired_bytes": [wired],
                "mmu_overhead_bytes": [mmu],
                "other_bytes": [other],
            },
        },
        name="big-machine",
        root_job_koid=1024,
        coverage=dict.fromkeys(
            ("processes", "mappings", "kernel mappings", "vmos", "pages", "handles"), "complete"
        ),
    )
