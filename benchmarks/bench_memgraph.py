"""Reading a 100 MB memgraph JSON into a snapshot, beside `json.loads` of the same bytes.

Prints seconds, their ratio (bar: at most 1.0) and the peak memory as a multiple of the file (bar:
at most 6). Every measurement runs in a process of its own. Both sides use one thread; the best CPU
time of several rounds counts, which other programs on the machine disturb less than wall time.

    python benchmarks/bench_memgraph.py [MEGABYTES] [ROUNDS]
"""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

TIME_BAR = 1.0
MEMORY_BAR = 6.0
NAMES = ("", "jemalloc-heap", "pthread_t:0x7f3a", "thread-stack", "lib/libc.so", "data:bin/sh")
SHARED_VMOS = 40
RIGHTS = ["READ", "WRITE", "EXECUTE", "MAP", "DUPLICATE", "TRANSFER"]


def memgraph(size_bytes: int, seed: int = 7) -> Iterator[str]:
    """The lines of `memgraph -vt` on a machine large enough to fill `size_bytes`."""
    draw = random.Random(seed)  # noqa: S311 (figures for a benchmark)
    koid = 1028
    yield "["
    kernel = ("physmem", "free", "vmo", "heap", "heap/allocated", "heap/free", "wired", "mmu")
    for name in (*kernel, "other"):
        parent = "" if name == "physmem" else "kernel/heap" if "/" in name else "kernel/physmem"
        size = 64 << 30 if name == "physmem" else draw.randrange(1 << 30)
        yield (
            f'  {{"id": "kernel/{name}", "type": "kernel", "parent": "{parent}", "name": "{name}", '
            f'"size_bytes": {size}}},'
        )
    yield '  {"id": "j/1028", "type": "j", "koid": 1028, "parent": "kernel/vmo", "name": "root"},'
    shared = [_vmo(draw, 1100 + at, sharers=2000) for at in range(SHARED_VMOS)]
    written = 0
    koid = 2000
    while written < size_bytes:
        for line in _process(draw, koid, shared):
            written += len(line) + 1
            yield line
        koid += 2000
    yield '  {"type": "__META", "timestamp": "2017-09-19T18:32:14.007Z"}'
    yield "]"


def _process(draw: random.Random, koid: int, shared: list[str]) -> Iterator[str]:
    own = [_vmo(draw, koid + 10 + at, sharers=1) for at in range(draw.randrange(60, 260))]
    seen = draw.sample(shared, 20) + own + own[::3]
    draw.shuffle(seen)
    yield (
        f'  {{"id": "p/{koid}", "type": "p", "koid": {koid}, "parent": "j/1028", '
        f'"name": "devhost:pci#{koid % 64}:8086", "private_bytes": {draw.randrange(1 << 28)}, '
        f'"shared_bytes": {draw.randrange(1 << 24)}, "pss_bytes": {draw.randrange(1 << 28)},'
    )
    yield '   "vmos": ['
    yield from (f"      {vmo}," for vmo in seen[:-1])
    yield f"      {seen[-1]} "
    yield "   ],"
    yield '   "vmo_refs": ['
    refs = [_ref(draw, vmo.split(",", 1)[0].removeprefix('{"koid": ')) for vmo in seen]
    yield from (f"      {ref}," for ref in refs[:-1])
    yield f"      {refs[-1]} "
    yield "   ]},"
    for thread in range(draw.randrange(1, 6)):
        yield (
            f'  {{"id": "t/{koid + 1000 + thread}", "type": "t", "koid": {koid + 1000 + thread}, '
            f'"parent": "p/{koid}", "name": "thread-{thread}", "state": "BLOCKED"}},'
        )


def _vmo(draw: random.Random, koid: int, sharers: int) -> str:
    pages = draw.randrange(1, 4096)
    committed = draw.randrange(pages + 1) * 4096
    return (
        f'{{"koid": {koid}, "name": "{draw.choice(NAMES)}", "size_bytes": {pages * 4096}, '
        f'"parent_koid": {draw.choice([0, 0, 0, 1101])}, "num_children": 0, '
        f'"num_mappings": {sharers}, "share_count": {sharers}, "committed_bytes": {committed}}}'
    )


def _ref(draw: random.Random, koid: str) -> str:
    if draw.random() < 0.7:
        return f'{{"vmo_koid": {koid}, "via": ["MAPPING"]}}'
    rights = json.dumps(RIGHTS[: draw.randrange(1, 7)])
    return f'{{"vmo_koid": {koid}, "via": ["HANDLE"], "handle_rights": {rights}}}'


def measure(what: str, path: Path) -> None:
    """Print wall and CPU seconds and the peak kilobytes of one measurement."""
    data = path.read_bytes()
    if what == "json.loads":
        wall, cpu = time.perf_counter(), time.process_time()
        result = len(json.loads(data))
    else:
        from magmem.captures import read_capture

        read_capture("small-machine")  # the imports are not what is measured
        del data
        wall, cpu = time.perf_counter(), time.process_time()
        snap = read_capture(path)
        result = len(snap.vmos) + len(snap.regions) + len(snap.handles)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(wall, cpu, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, result)


def main() -> None:
    """Generate the file, measure each side in fresh processes, print the ratios."""
    if len(sys.argv) == 4 and sys.argv[1] == "measure":
        measure(sys.argv[2], Path(sys.argv[3]))
        return
    megabytes = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "memgraph.json"
        path.write_text("\n".join(memgraph(megabytes * 1_000_000)) + "\n", encoding="utf-8")
        size = path.stat().st_size
        best: dict[str, tuple[float, float]] = {}
        for _ in range(rounds):
            for what in ("json.loads", "read_capture"):
                command = [sys.executable, __file__, "measure", what, str(path)]
                line = subprocess.run(command, capture_output=True, text=True, check=True).stdout
                wall, cpu, kilobytes, result = map(float, line.split())
                old = best.get(what, (cpu, 0.0))
                best[what] = (min(old[0], cpu), max(old[1], kilobytes * 1024))
                print(
                    f"{what:>12}: {cpu:6.2f} s of CPU, {wall:6.2f} s, "
                    f"peak {kilobytes / 1024:.0f} MiB, {result:.0f} items"
                )
    ratio = best["read_capture"][0] / best["json.loads"][0]
    memory = best["read_capture"][1] / size
    print(f"file: {size / 1e6:.1f} MB, {rounds} rounds, the best CPU time and the worst peak count")
    print(f"read_capture / json.loads: {ratio:.2f} (bar {TIME_BAR})")
    print(f"peak memory / file: {memory:.2f} (bar {MEMORY_BAR})")


if __name__ == "__main__":
    main()
