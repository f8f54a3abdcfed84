"""What a fleet costs, as ratios within one run: ingest, questions, bytes, memory.

``python benchmarks/bench_fleet.py`` measures 10,000 and 100,000 captures; ``--million`` adds
1,000,000. Most of those captures are copies of real facts under new labels, made by DuckDB, because
deriving a million takes nine hours of a core. pyarrow is only compared with: install it somewhere
else (``pip install --target build/pyarrow pyarrow``) and it is found there; magmem does not use it.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import magmem
from magmem.fleet.facts import facts_of
from magmem.fleet.parquet import connect

ROOT = Path(__file__).parent.parent
PYARROW = ROOT / "build" / "pyarrow"

MADE = {"processes": 20, "vmos": 200, "mappings": 500, "pages": 20_000}
"""A machine whose description has about 215 kB, as the bars of one capture ask for."""

QUESTIONS: dict[str, tuple[Callable[..., object], str, list[str], float]] = {
    "grew": (
        lambda f: f.grew("2026.06"),
        "processes",
        ["name", "device", "build", "exact_bytes"],
        1.5,
    ),
    "percentiles": (lambda f: f.percentiles(), "processes", ["name", "exact_bytes"], 1.5),
    "regressions": (
        lambda f: f.regressions(),
        "processes",
        ["name", "build", "exact_bytes", "device"],
        1.5,
    ),
    "leaks": (
        lambda f: f.leaks(),
        "captures",
        ["device", "build", "captured_at", "handle_only_bytes"],
        1.5,
    ),
    "hidden": (lambda f: f.hidden(), "hidden", ["captured_at", "why", "size_bytes", "vmos"], 4.0),
    "outliers": (
        lambda f: f.outliers(),
        "captures",
        ["capture_id", "device", "build", "captured_at", "alloc_bytes"],
        4.0,
    ),
    "like": (
        lambda f: f.like(f.first),
        "processes",
        ["capture_id", "name", "exact_bytes"],
        8.0,
    ),
}
"""Each question, the columns it reads, and its bar against pyarrow that reads them."""


def best(
    function: Callable[[], object], times: int = 5, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Seconds of the quickest of some runs."""
    least = float("inf")
    for _ in range(times):
        began = clock()
        function()
        least = min(least, clock() - began)
    return least


def bar(what: str, ratio: float, limit: float, more: bool = False) -> None:
    """One line: the ratio, its bar, and whether it is met."""
    met = ratio >= limit if more else ratio <= limit
    sign = ">=" if more else "<="
    print(f"{what:58} {ratio:8.3f}  {sign} {limit:<5} {'met' if met else 'MISSED'}", flush=True)


def one_capture() -> None:
    """Deriving and writing against reading, and the whole ingest against json.loads."""
    for name, source, bars in (
        ("small", None, (1.0, 15.0)),
        ("linux-lab", magmem.datasets.path("linux-lab"), (0.2, 3.0)),
    ):
        with tempfile.TemporaryDirectory() as folder:
            paths = []
            if source is None:
                for number in range(16):
                    path = Path(folder) / f"{number}.json"
                    magmem.scenarios.make("random_machine", seed=number, **MADE).snapshot().save(
                        path
                    )
                    paths.append(path)
            else:
                whole_path = Path(folder) / "linux-lab.json"
                whole_path.write_bytes(gzip.decompress(source.read_bytes()))
                paths = [whole_path] * 3
            data = [path.read_bytes() for path in paths]
            # One process: its own CPU time, which other processes do not stretch.
            cpu = time.process_time
            loads = best(lambda data=data: [json.loads(one) and None for one in data], clock=cpu)
            reads = best(
                lambda p=paths: [magmem.read_capture(one) and None for one in p], clock=cpu
            )
            both = best(
                lambda p=paths: [facts_of(magmem.read_capture(one)) and None for one in p],
                clock=cpu,
            )

            def ingest(paths: list[Path] = paths, folder: str = folder) -> float:
                with tempfile.TemporaryDirectory(dir=folder) as place:
                    fleet = magmem.fleet(place, originals=False)
                    began = time.process_time()
                    fleet.add([(p, {"device": str(i)}) for i, p in enumerate(paths)])
                    return time.process_time() - began

            whole = min(ingest() for _ in range(3))
            each = len(data[0])
            bar(f"facts / read_capture, {name}, {each:,} bytes", (both - reads) / reads, bars[0])
            bar(f"whole ingest / json.loads, {name}", whole / loads, bars[1])
            print(f"{'':4}{len(data) / whole:.0f} captures a second, one process")


def ingest() -> None:
    """Two workers against one, memory, a second run, bytes of facts."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for capture in magmem.scenarios.fleet(devices=25, builds=4, hours=4):
            path = root / "captures" / capture.path
            path.parent.mkdir(parents=True, exist_ok=True)
            capture.snapshot().save(path)
        labels = "{device}/{build}.{captured_at}.json"
        fleet = magmem.fleet(root / "one")
        began = time.perf_counter()
        fleet.add(root / "captures", labels)
        one = time.perf_counter() - began
        began = time.perf_counter()
        fleet.add(root / "captures", labels)
        bar("second run / first", (time.perf_counter() - began) / one, 0.03)
        two = magmem.fleet(root / "two")
        began = time.perf_counter()
        two.add(root / "captures", labels, workers=2)
        bar("two workers / one process, speed", one / (time.perf_counter() - began), 1.4, more=True)
        info = fleet.info().df.iloc[0]
        bar("facts / zstd of the originals", facts_share(info, root / "captures"), 0.05)
        peaks = [peak(root, labels, count) for count in (40, 400)]
        bar("peak memory, 400 / 40 captures", peaks[1] / peaks[0], 1.1)
        print(f"{'':4}{peaks[1] / 1e6:.0f} MB")


def facts_share(info: object, captures: Path) -> float:
    """Bytes of facts against originals that are packed one by one."""
    packed = 0
    duck = connect()
    paths = sorted(captures.rglob("*.json"))[:40]
    with tempfile.TemporaryDirectory() as folder:
        for path in paths:
            target = Path(folder) / "one.parquet"
            duck.execute(
                f"COPY (SELECT content FROM read_text('{path}')) TO '{target}' "
                "(FORMAT parquet, COMPRESSION zstd)"
            )
            packed += target.stat().st_size
    return info["facts_bytes"] / info["captures"] / (packed / len(paths))  # type: ignore[index]


def peak(root: Path, labels: str, count: int) -> float:
    """Peak resident bytes of a process that adds so many captures."""
    code = (
        "import magmem, resource, pathlib\n"
        f"paths = sorted(pathlib.Path({str(root / 'captures')!r}).rglob('*.json'))[:{count}]\n"
        f"magmem.fleet({str(root / f'peak-{count}')!r}).add(paths, {labels!r}, batch=40)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def multiplied(seed: Path, place: Path, captures: int) -> None:
    """A fleet of so many captures: the seed's facts again and again, under other devices."""
    source = magmem.fleet(seed)
    (rows,) = source.engine.query("SELECT count(*) FROM captures")[0]
    copies = captures // rows
    (place / "fleet.json").parent.mkdir(parents=True)
    (place / "fleet.json").write_bytes((seed / "fleet.json").read_bytes())
    duck = connect(threads=2, memory_limit="2GB")
    each = max(1, 16_384 // rows)
    for table in ("processes", "hidden", "ledger", "vmos", "captures"):
        folder = place / "facts-1" / table
        folder.mkdir(parents=True)
        files = ", ".join(f"'{name}'" for name in source.files(table))
        for first in range(0, copies, each):
            last = min(first + each, copies)
            # Sizes of a copy are a few pages off, as another device's would be.
            sizes = "exact_bytes + (n * 7919 % 8 - 4) * 4096 AS exact_bytes"
            more = f"REPLACE ({sizes}, " if table in ("processes", "captures") else "REPLACE ("
            duck.execute(
                f"COPY (SELECT * EXCLUDE (n) {more}"
                "md5(capture_id || n) AS capture_id, device || '-' || n AS device) "
                f"FROM read_parquet([{files}]), range({first}, {last}) AS r(n)) "
                f"TO '{folder / f'{first:08}.parquet'}' (FORMAT parquet, COMPRESSION zstd)"
            )


def asked(place: Path) -> dict[str, float]:
    """Seconds of each question, in a process of its own, and its peak memory."""
    code = (
        "import sys, json; sys.path.insert(0, 'benchmarks')\n"
        "import bench_fleet, magmem, resource\n"
        f"lab = magmem.fleet({str(place)!r}, memory='1GB')\n"
        "lab.first = lab.engine.query('SELECT min(capture_id) FROM captures')[0][0]\n"
        "times = {name: bench_fleet.best(lambda: one[0](lab))\n"
        "         for name, one in bench_fleet.QUESTIONS.items()}\n"
        "times['peak'] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024\n"
        "print(json.dumps(times))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    times: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return times


def read_by_pyarrow(place: Path) -> dict[str, float]:
    """Seconds pyarrow takes to read each question's columns; nothing where it is not installed."""
    code = (
        "import sys, json, time; sys.path.insert(0, 'benchmarks')\n"
        "import pyarrow.dataset as ds, pyarrow as pa, bench_fleet\n"
        "pa.set_cpu_count(2)\n"
        "times = {}\n"
        "for name, (_, table, columns, _) in bench_fleet.QUESTIONS.items():\n"
        f"    data = ds.dataset({str(place)!r} + '/facts-1/' + table, format='parquet')\n"
        "    times[name] = bench_fleet.best(lambda: data.to_table(columns=columns))\n"
        "print(json.dumps(times))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(PYARROW)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment,
        check=False,
    )
    if done.returncode:
        print("    pyarrow is not there: pip install --target build/pyarrow pyarrow")
        return {}
    times: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return times


def questions(million: bool) -> None:
    """Every question at 10,000 and 100,000 captures, and at a million."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        seed = magmem.fleet(root / "seed", originals=False)
        seed.add(magmem.scenarios.fleet(devices=10, builds=4, hours=5))
        small, large = root / "10k", root / "100k"
        multiplied(root / "seed", small, 10_000)
        multiplied(root / "seed", large, 100_000)
        few, many, arrow = asked(small), asked(large), read_by_pyarrow(large)
        for name, (_, _, _, limit) in QUESTIONS.items():
            print(f"{name}: {few[name] * 1e3:.0f} ms, {many[name] * 1e3:.0f} ms at 100,000")
            bar(f"{name}, 100,000 / 10,000 captures", many[name] / few[name], 12)
            if arrow:
                bar(f"{name} / pyarrow reading the same columns", many[name] / arrow[name], limit)
        print(f"peak {few['peak']:.0f} MB, {many['peak']:.0f} MB at 100,000")
        if million:
            huge = root / "1m"
            multiplied(root / "seed", huge, 1_000_000)
            most = asked(huge)
            for name in QUESTIONS:
                print(f"{name}: {most[name]:.2f} s at 1,000,000")
            bar("peak RSS at 1,000,000 with 1GB, GB", most["peak"] / 1024, 1.3)


def main() -> None:
    """Print every bar."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--million", action="store_true", help="also ask a million captures")
    parser.add_argument("--only", choices=["one", "ingest", "questions"])
    options = parser.parse_args()
    if options.only in (None, "one"):
        one_capture()
    if options.only in (None, "ingest"):
        ingest()
    if options.only in (None, "questions"):
        questions(options.million)


if __name__ == "__main__":
    main()
