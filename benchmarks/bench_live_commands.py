"""Whole commands on this machine beside smem, psutil and ps_mem: processor time and memory.

Builds processes of 200 mappings each (200 of them if not told otherwise), runs every command as
its users do, in turn, and prints medians, ratios to smem and the bars: `ps live` at most 1 x smem
and 3 x a psutil loop over PSS in time, 5 x smem in memory; `capture live` at most 2 x smem in time.

    python benchmarks/bench_live_commands.py [PROCESSES] [ROUNDS]

Tools that are not installed are left out (apt-get install smem; ps_mem from PyPI).
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

FAMILY = """
import mmap, os, sys
count, path = int(sys.argv[1]), sys.argv[2]
with open(path, "wb") as file:
    file.write(b"x" * (180 * 2 * mmap.PAGESIZE))
fd = os.open(path, os.O_RDONLY)
keep = []
for at in range(180):
    # Every other page, so that no two mappings become one.
    view = mmap.mmap(fd, mmap.PAGESIZE, mmap.MAP_PRIVATE, offset=2 * at * mmap.PAGESIZE)
    view[0] = 65
    keep.append(view)
for _ in range(count - 1):
    if os.fork() == 0:
        for view in keep[::8]:
            view[1] = 66
        break
else:
    print(flush=True)
sys.stdin.read()
"""
LOOP = """
import psutil
for process in psutil.process_iter():
    try:
        told = process.memory_full_info()
        print(process.pid, process.name(), told.pss, told.uss, told.rss)
    except psutil.Error:
        pass
"""
ONCE = """
import resource, subprocess, sys, time
began = time.perf_counter()
subprocess.run(sys.argv[1:], stdin=-3, stdout=-3, stderr=-3)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss)
"""

Cost = tuple[float, float, float]
"""Wall and processor seconds, and highest resident kB."""


def cost_of(command: list[str]) -> Cost:
    """What one command takes."""
    program = [sys.executable, "-I", "-S", "-c", ONCE, *command]
    told = subprocess.run(program, check=True, capture_output=True, text=True).stdout
    wall, processor, memory = map(float, told.split())
    return wall, processor, memory


def commands(scratch: Path) -> dict[str, list[str]]:
    """Everything that is measured, by name."""
    magmem = [sys.executable, "-c", "from magmem.cli.main import run; raise SystemExit(run())"]
    found = {
        "magmem ps live": [*magmem, "ps", "live"],
        "psutil, PSS": [sys.executable, "-c", LOOP],
        "magmem capture live": [*magmem, "capture", "live", "-o", str(scratch / "c.json")],
        "magmem record, a moment": [
            *[*magmem, "record", "live", "-q", "-o", str(scratch / "r.rec")],
            *["--every", "1s", "--for", "500ms"],
        ],
    }
    for tool in ("smem", "ps_mem"):
        if path := shutil.which(tool):
            found[tool] = [path]
    return found


def main() -> None:
    """Measure every command in turn and print medians and ratios."""
    processes = sys.argv[1] if len(sys.argv) > 1 else "200"
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    with TemporaryDirectory() as folder:
        scratch = Path(folder)
        family = [sys.executable, "-I", "-S", "-c", FAMILY, processes, str(scratch / "file")]
        with subprocess.Popen(family, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
            assert running.stdin is not None  # noqa: S101 (we asked for it)
            assert running.stdout is not None  # noqa: S101 (we asked for it)
            running.stdout.readline()
            measured = commands(scratch)
            costs: dict[str, list[Cost]] = {name: [] for name in measured}
            for _ in range(rounds):
                for name, command in measured.items():
                    costs[name].append(cost_of(command))
            running.stdin.close()
            running.wait(60)
    middle = {
        name: [statistics.median(each[at] for each in values) for at in range(3)]
        for name, values in costs.items()
    }
    bars = {"magmem ps live": " (bars 1 and 5)", "magmem capture live": " (bar 2 in time)"}
    for name, (wall, processor, memory) in middle.items():
        line = (
            f"{name:>23}: {wall:6.2f} s wall, {processor:6.2f} s processor, {memory / 1024:4.0f} MB"
        )
        if "smem" in middle and name != "smem":
            ratios = processor / middle["smem"][1], memory / middle["smem"][2]
            line += f" = {ratios[0]:.2f} and {ratios[1]:.2f} x smem{bars.get(name, '')}"
        print(line)
    ratio = middle["magmem ps live"][1] / middle["psutil, PSS"][1]
    print(f"{'magmem ps live':>23}: {ratio:.2f} x the psutil loop (bar 3)")


if __name__ == "__main__":
    main()
