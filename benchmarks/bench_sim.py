"""The simulated machine beside Python's `mmap`, and the cost of a large machine and its history.

Bars: map + touch one page + unmap at most what the same costs through `mmap.mmap`; committing 1 GiB
at most 1/50 of touching 1 GiB of an anonymous `mmap`; building a random machine of 1,000 processes,
20,000 VMOs, 100,000 mappings and 2 million pages in at most 10 s and 1 GiB; its snapshot in at most
0.5 s; history at most 30 % more time. Both sides of a ratio take turns in one process and the best
round of each counts, in CPU time, so that a busy machine does not blur it.

    python benchmarks/bench_sim.py [ROUNDS] [--small]
"""

from __future__ import annotations

import gc
import mmap
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from magmem import scenarios
from magmem.sim import Machine

OPERATIONS = 5_000
SIZE = 2 << 20
GIB = 1 << 30
PAGE = 4096
BARS = {"map": 1.0, "commit": 1 / 50, "build_s": 10.0, "memory_gib": 1.0, "snapshot_s": 0.5}
HISTORY_BAR = 1.30


def sim_reused(history: bool = True) -> Callable[[], None]:
    """Map, touch and unmap one VMO again and again; its page is committed once."""
    machine = Machine("2G", seed=7, history=history)
    process = machine.root_job.spawn("bench")
    vmo = process.create_vmo(SIZE)

    def run() -> None:
        for _ in range(OPERATIONS):
            mapping = process.map(vmo, "rw")
            mapping.touch(PAGE, write=True)
            mapping.unmap()

    return run


def sim_recommitted() -> Callable[[], None]:
    """The same, and the page is given back each time, so that every touch commits."""
    machine = Machine("2G", seed=7)
    process = machine.root_job.spawn("bench")
    vmo = process.create_vmo(SIZE)

    def run() -> None:
        for _ in range(OPERATIONS):
            mapping = process.map(vmo, "rw")
            mapping.touch(PAGE, write=True)
            mapping.unmap()
            vmo.decommit(0, PAGE)

    return run


def sim_fresh() -> Callable[[], None]:
    """The same on a page of the VMO that was never touched before, so that every touch commits."""
    machine = Machine("2G", seed=7)
    process = machine.root_job.spawn("bench")
    vmo = process.create_vmo(GIB)
    pages = iter(range(GIB // PAGE))

    def run() -> None:
        for _ in range(OPERATIONS):
            mapping = process.map(vmo, "rw", vmo_offset=next(pages) * PAGE, length=SIZE)
            mapping.touch(PAGE, write=True)
            mapping.unmap()

    return run


def sim_whole() -> Callable[[], None]:
    """The same with a VMO made and closed each time."""
    machine = Machine("2G", seed=7)
    process = machine.root_job.spawn("bench")

    def run() -> None:
        for _ in range(OPERATIONS):
            vmo = process.create_vmo(SIZE)
            mapping = process.map(vmo, "rw")
            vmo.close()
            mapping.touch(PAGE, write=True)
            mapping.unmap()

    return run


def linux_anonymous() -> None:
    """Anonymous memory: every touch commits a page."""
    for _ in range(OPERATIONS):
        with mmap.mmap(-1, SIZE) as memory:
            memory[0] = 1


def linux_shared() -> Callable[[], None]:
    """One file in memory, mapped again and again; its page is there after the first touch."""
    descriptor = os.memfd_create("bench")
    os.truncate(descriptor, SIZE)

    def run() -> None:
        for _ in range(OPERATIONS):
            with mmap.mmap(descriptor, SIZE) as memory:
                memory[0] = 1

    return run


def linux_gib() -> None:
    """Touch every page of 1 GiB, 1 MiB at a time: the quickest way from Python."""
    zeros = bytes(1 << 20)
    with mmap.mmap(-1, GIB) as memory:
        for at in range(0, GIB, len(zeros)):
            memory[at : at + len(zeros)] = zeros


def sim_gib(touch: bool) -> Callable[[], None]:
    """Commit 1 GiB, or touch all of it through a mapping; and give it back."""
    process = Machine("2G", seed=7).root_job.spawn("bench")
    vmo = process.create_vmo(GIB)
    mapping = process.map(vmo, "rw")

    def run() -> None:
        if touch:
            mapping.touch(write=True)
        else:
            vmo.commit()
        vmo.decommit()

    return run


def best(sides: dict[str, Callable[[], None]], rounds: int) -> dict[str, float]:
    """CPU seconds of each side's best round, the sides taking turns."""
    found = dict.fromkeys(sides, float("inf"))
    for _ in range(rounds):
        for name, run in sides.items():
            gc.collect()
            begin = time.process_time()
            run()
            found[name] = min(found[name], time.process_time() - begin)
    return found


def verdict(ok: bool) -> str:
    """A word for a bar."""
    return "ok" if ok else "MISSED"


def mapping_ratios(rounds: int) -> bool:
    """Print the map + touch + unmap ratios; whether the bar holds."""
    times = best(
        {
            "sim, VMO reused": sim_reused(),
            "mmap anonymous": linux_anonymous,
            "sim, a fresh page": sim_fresh(),
            "sim, page recommitted": sim_recommitted(),
            "sim, VMO made and closed": sim_whole(),
            "mmap of a memory file": linux_shared(),
            "sim without history": sim_reused(history=False),
        },
        rounds,
    )
    for name, seconds in times.items():
        print(f"{name:>26}: {seconds / OPERATIONS * 1e6:6.2f} us per map + touch + unmap")
    reused = times["sim, VMO reused"]
    ratio = reused / times["mmap anonymous"]
    fresh = times["sim, a fresh page"] / times["mmap anonymous"]
    like = times["sim, page recommitted"] / times["mmap anonymous"]
    whole = times["sim, VMO made and closed"] / times["mmap anonymous"]
    shared = reused / times["mmap of a memory file"]
    history = reused / times["sim without history"]
    print(f"map + touch + unmap / mmap: {ratio:.2f} (bar 1) {verdict(ratio <= BARS['map'])}")
    print(f"  beside a mapped memory file: {shared:.2f}")
    print(f"  committing a fresh page each time: {fresh:.2f}; giving it back too: {like:.2f}")
    print(f"  making and closing the VMO too: {whole:.2f}")
    print(f"history on map + touch + unmap: x {history:.2f}")
    return ratio <= BARS["map"]


def gib_ratios(rounds: int) -> bool:
    """Print the 1 GiB ratios; whether the bar holds."""
    times = best(
        {"commit": sim_gib(touch=False), "touch": sim_gib(touch=True), "mmap": linux_gib},
        max(2, rounds // 2),
    )
    ratio = times["commit"] / times["mmap"]
    held = ratio <= BARS["commit"]
    print(
        f"commit + decommit 1 GiB: {times['commit'] * 1e3:.3f} ms, touch it through a mapping: "
        f"{times['touch'] * 1e3:.3f} ms, mmap: {times['mmap'] * 1e3:.0f} ms"
    )
    print(f"commit 1 GiB / mmap: 1/{1 / ratio:.0f} (bar 1/50) {verdict(held)}")
    return held


def peak_gib() -> float:
    """Peak memory of this process; `getrusage` would count what its parent had before it."""
    text = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in text.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / (1 << 20)


def build(history: bool, small: bool) -> None:
    """Build the large machine in this process and print seconds, memory and snapshot time."""
    scale = 10 if small else 1
    begin = time.process_time()
    machine = scenarios.random_machine(
        1000 // scale, 20_000 // scale, 100_000 // scale, 2_000_000 // scale, 1, history=history
    )
    built = time.process_time() - begin
    times = []
    for _ in range(5):
        begin = time.process_time()
        machine.snapshot()
        times.append(time.process_time() - begin)
    print(built, min(times), peak_gib())


def large_machine(rounds: int, small: bool) -> bool:
    """Print what building the large machine costs; whether the bars hold."""
    results: dict[bool, list[list[float]]] = {True: [], False: []}
    for _ in range(max(2, rounds // 3)):
        for history in (True, False):
            command = [sys.executable, __file__, "--build", "history" if history else "none"]
            done = subprocess.run(
                command + ["--small"] * small, check=True, capture_output=True, text=True
            )
            results[history].append([float(word) for word in done.stdout.split()])
    seconds, snapshot, peak = map(min, zip(*results[True], strict=True))
    ratio = seconds / min(row[0] for row in results[False])
    held = (
        seconds <= BARS["build_s"] and peak <= BARS["memory_gib"] and snapshot <= BARS["snapshot_s"]
    )
    print(f"random machine: {seconds:.2f} s, peak {peak:.2f} GiB (bars 10 s, 1 GiB)")
    print(f"its snapshot: {snapshot:.2f} s (bar 0.5 s) {verdict(held)}")
    print(
        f"history on building it: x {ratio:.2f} (bar {HISTORY_BAR}) {verdict(ratio <= HISTORY_BAR)}"
    )
    return held and ratio <= HISTORY_BAR


def main() -> None:
    """Measure everything; exit 1 if a bar is missed."""
    words = sys.argv[1:]
    small = "--small" in words
    if "--build" in words:
        build("history" in words, small)
        return
    numbers = [int(word) for word in words if word.isdigit()]
    rounds = numbers[0] if numbers else 7
    held = [mapping_ratios(rounds), gib_ratios(rounds), large_machine(rounds, small)]
    sys.exit(0 if all(held) else 1)


if __name__ == "__main__":
    main()
