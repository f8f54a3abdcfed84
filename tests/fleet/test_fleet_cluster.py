"""A Dask scheduler and workers as processes of their own, one of them killed; S3 on loopback."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import magmem
from magmem.fleet import Fleet

from .conftest import LABELS, rows, same

pytestmark = [pytest.mark.long, pytest.mark.timeout(240)]

KILLER = """
def arm():
    import os
    import magmem.fleet.batch as batch
    plain = batch.snapshot_from
    def deadly(data, source):
        if b"kill any worker" in data:
            os._exit(9)
        return plain(data, source)
    batch.snapshot_from = deadly
arm()
"""
"""Loaded by every worker: one capture ends the process that reads it."""


def processes(parent: int) -> list[int]:
    """The children of a process, by /proc."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[1]) == parent:
            found.append(int(path.parent.name))
    return found


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[str, list[subprocess.Popen[str]]]]:
    """The address of a scheduler, and two nannies each with a worker."""
    (tmp_path / "killer.py").write_text(KILLER)
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "distributed.cli.dask_" + arguments[0], *arguments[1:]],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            cwd=tmp_path,
        )
        started.append(process)
        return process

    try:
        scheduler = start(
            "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--no-show"
        )
        assert scheduler.stderr is not None
        address = ""
        while not address:
            line = scheduler.stderr.readline()
            assert line or scheduler.poll() is None, "the scheduler did not start"
            match = re.search(r"tcp://127\.0\.0\.1:\d+", line)
            address = match[0] if match else ""
        threading.Thread(target=scheduler.stderr.read, daemon=True).start()
        for _ in range(2):
            worker = start(
                "worker",
                address,
                "--nthreads",
                "1",
                "--no-dashboard",
                "--memory-limit",
                "0",
                "--preload",
                "killer.py",
                "--death-timeout",
                "60",
            )
            assert worker.stderr is not None
            threading.Thread(target=worker.stderr.read, daemon=True).start()
        yield address, started[1:]
    finally:
        for process in reversed(started):
            children = processes(process.pid)
            process.kill()
            process.wait(10)
            for child in children:
                try:
                    os.kill(child, signal.SIGKILL)
                except ProcessLookupError:
                    continue


def test_a_killed_worker_and_a_deadly_capture(
    captures: Path, tmp_path: Path, cluster: tuple[str, list[subprocess.Popen[str]]]
) -> None:
    """All good captures are in, doubles once, damaged and deadly ones refused, rows as serial."""
    from distributed import Client

    address, nannies = cluster
    folder = tmp_path / "captures"
    shutil.copytree(captures, folder)
    good = sorted(folder.rglob("*.json"))
    doubles = tmp_path / "doubles"
    for path in good[:10]:
        (doubles / path.parent.name).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, doubles / path.parent.name / path.name)
    bad = folder / "lab-77"
    bad.mkdir()
    for number in range(4):
        text = good[number].read_text()
        (bad / f"2026.09.2026-09-0{number + 1}.json").write_text(text[: len(text) // (number + 2)])
    (bad / "2026.09.2026-09-09.json").write_text(good[0].read_text() + "\n" + " kill any worker")
    plain = magmem.fleet(tmp_path / "plain")
    plain.add(good, LABELS)
    fleet = magmem.fleet(tmp_path / "fleet")
    killed = []

    def at_a_quarter(done: int, planned: int) -> None:
        if not killed and done >= planned // 4:
            (worker,) = processes(nannies[0].pid)[-1:]
            os.kill(worker, signal.SIGKILL)
            killed.append(worker)

    with Client(address) as client:
        client.wait_for_workers(2, timeout=60)
        done = fleet.add([folder, doubles], LABELS, client=client, batch=3, progress=at_a_quarter)
        again = fleet.add([folder, doubles], LABELS, client=client)
        sizes = fleet.map(lambda snap: len(snap.vmos), "device = 'lab-01'", client=client)
    assert killed
    assert done.df.iloc[0].tolist() == [54, 10, 5], str(fleet.refused)
    assert again.df.iloc[0].tolist() == [0, 69, 0]
    refused = fleet.refused.df
    assert len(refused) == 5
    assert refused["found"].str.contains("its worker died").sum() == 1
    assert same(plain, fleet)
    first = next(iter(sizes))
    assert len(sizes) == 9
    assert sizes[first] == len(fleet.snapshot(first).vmos)
    assert not list((tmp_path / "fleet").rglob(".writing-*"))


def test_a_pool_survives_a_deadly_capture(captures: Path, tmp_path: Path) -> None:
    """A process of a pool that dies takes nobody with it but the capture that killed it."""
    paths = sorted(captures.rglob("*.json"))[:12]
    plain, fleet = magmem.fleet(tmp_path / "plain"), magmem.fleet(tmp_path / "fleet")
    plain.add(paths, LABELS)
    deadly = tmp_path / "lab-88" / "2026.09.2026-09-09.json"
    deadly.parent.mkdir()
    deadly.write_text(paths[0].read_text() + " kill any worker")
    code = (
        "import sys\n"
        f"sys.path.insert(0, {str(tmp_path)!r})\n"
        "import killer, magmem\n"
        "if __name__ == '__main__':\n"
        f"    fleet = magmem.fleet({str(tmp_path / 'fleet')!r})\n"
        f"    print(fleet.add({[str(p) for p in [*paths, deadly]]!r}, {LABELS!r}, "
        "workers=2, batch=4), end='')\n"
    )
    (tmp_path / "killer.py").write_text(KILLER)
    (tmp_path / "main.py").write_text(code)
    done = subprocess.run(
        [sys.executable, str(tmp_path / "main.py")], capture_output=True, text=True, timeout=200
    )
    assert "12 added, 0 skipped, 1 refused" in done.stdout, done.stderr
    assert same(plain, fleet)


def test_s3_on_loopback(captures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fleet in a bucket: added, asked, compacted, forgotten as on a disk."""
    from moto.server import ThreadedMotoServer

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        options = {"endpoint_url": f"http://{host}:{port}", "use_listings_cache": False}
        import s3fs

        s3fs.S3FileSystem(**options).mkdir("lab")
        paths = sorted(captures.rglob("*.json"))[:20]
        fleet = Fleet("s3://lab/fleet", options=options)
        began = time.monotonic()
        assert fleet.add(paths, LABELS, batch=7).df["added"][0] == 20
        assert fleet.add(paths, LABELS).df["skipped"][0] == 20
        print(f"S3: {time.monotonic() - began:.1f} s")
        plain = magmem.fleet(tmp_path / "plain")
        plain.add(paths, LABELS)
        assert same(plain, fleet)
        assert len(rows(Fleet("s3://lab/fleet", options=options), "captures")) == 20
        fleet.compact()
        assert len(fleet.files("processes")) == 1
        fleet.forget(device="lab-01")
        assert fleet.info().df["captures"][0] == 11
        assert fleet.snapshot(fleet.sql("SELECT capture_id FROM captures").df["capture_id"][0])
    finally:
        server.stop()
