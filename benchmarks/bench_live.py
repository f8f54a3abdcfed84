"""What a capture of this Linux machine costs, beside Debian's `smem`.

Prints, for captures with mappings (bar: at most 1 x smem) and with page frames (bar: at most 3 x,
root alone), wall and processor time as ratios to `smem`, and the highest memory of a process that
captures once (bar: 300 MB). To have something to look at, a process with pandas loaded forks
children (30 if not told otherwise). All sides in turn, medians of all rounds. smem runs as its own
process and pays for its start, as its users do; captures are timed in a running Python and also as
a process of their own.

    python benchmarks/bench_live.py [ROUNDS] [CHILDREN]

Without smem (apt-get install smem) the ratios are left out.
"""

from __future__ import annotations

import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import magmem
from magmem.errors import AccessDenied

CHILDREN = """
import os, sys, pandas
rows = pandas.DataFrame({"a": range(1_000_000)})
for child in range(int(sys.argv[1])):
    if os.fork() == 0:
        rows.iloc[: 20_000 * child] = child
        break
else:
    print(flush=True)
sys.stdin.read()
"""
ONCE = "import magmem; magmem.capture_linux({detail!r})"

Times = tuple[float, float]
"""Wall and processor seconds."""


def of_process(command: list[str]) -> Times:
    """What a command takes, with its children."""
    began, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime - used.ru_utime + after.ru_stime - used.ru_stime
    return time.perf_counter() - began, cpu


def of_call(call: Callable[[], object]) -> Times:
    """What a call takes."""
    began, used = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - began, time.process_time() - used


def highest_memory(detail: str) -> int:
    """Bytes of resident memory that a process needs at most to capture once."""
    program = ONCE.format(detail=detail) + "; print(open('/proc/self/status').read())"
    told = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    # Not ru_maxrss, which a process inherits from the one that started it.
    return int(told.stdout.split(b"VmHWM:")[1].split()[0]) * 1024


def sides() -> dict[str, Callable[[], Times]]:
    """Everything that is measured, by name."""
    found: dict[str, Callable[[], Times]] = {}
    smem = shutil.which("smem")
    if smem:
        found["smem"] = lambda: of_process([smem])
    else:
        print("smem is not installed (apt-get install smem): times without ratios")
    details = ["processes", "mappings", "pages"]
    try:
        magmem.capture_linux("pages")
    except AccessDenied as error:
        print(f"no page frames: {error}")
        details.remove("pages")
    for detail in details:
        found[detail] = lambda detail=detail: of_call(lambda: magmem.capture_linux(detail))
        program = ONCE.format(detail=detail)
        found[f"{detail}, a process"] = lambda program=program: of_process(
            [sys.executable, "-c", program]
        )
    return found


def main() -> None:
    """Measure every side in turn and print medians and ratios."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    children = sys.argv[2] if len(sys.argv) > 2 else "30"
    command = [sys.executable, "-c", CHILDREN, children]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as family:
        assert family.stdout is not None  # noqa: S101 (we asked for it)
        family.stdout.readline()
        measured = sides()
        times: dict[str, list[Times]] = {name: [] for name in measured}
        for _ in range(rounds + 1):
            for name, measure in measured.items():
                times[name].append(measure())
        snap = magmem.capture_linux()
        memory = {
            name: highest_memory(name) for name in measured if "," not in name and name != "smem"
        }
        assert family.stdin is not None  # noqa: S101 (we asked for it)
        family.stdin.close()
        family.wait()
    print(
        f"{len(snap.aspaces)} processes with memory, {len(snap.mappings):,} mappings, "
        f"{int(snap.entries['page_count'].sum()):,} entries, load {os.getloadavg()[0]:.1f}"
    )
    # The first round fills the file cache and loads modules.
    wall, cpu = (
        {name: statistics.median(turn[at] for turn in values[1:]) for name, values in times.items()}
        for at in (0, 1)
    )
    bars = {"mappings": " (bar 1)", "pages": " (bar 3)"}
    for name in measured:
        line = f"{name:>21}: {wall[name] * 1000:7.1f} ms wall, {cpu[name] * 1000:7.1f} ms processor"
        if "smem" in wall and name != "smem":
            ratios = wall[name] / wall["smem"], cpu[name] / cpu["smem"]
            line += f" = {ratios[0]:.2f} and {ratios[1]:.2f} x smem{bars.get(name, '')}"
        print(line)
    for name, size in memory.items():
        print(f"{name:>21}: {size / 1e6:6.0f} MB of memory at most (bar 300)")


if __name__ == "__main__":
    main()
