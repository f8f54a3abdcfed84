"""Control groups: what they are charged for, of both versions, beside their processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.fake_proc import Area, FakeProc, entry

import magmem
from magmem.cli.main import run
from magmem.errors import MissingData, NotFound
from magmem.linux.cgroups import container_of

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux")

MB = 1 << 20
CONTAINER = "ab12" * 16


def write(root: Path, files: dict[str, str]) -> None:
    """Files below a folder."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture
def fake(tmp_path: Path) -> FakeProc:
    """One process of 4 MB PSS in /pod/ID, by version 2."""
    fake = FakeProc(tmp_path / "proc")
    heap = Area(0x400000, 999, name="[heap]", entries={0: entry(1)}, figures={"Pss": 4096})
    fake.process(10, b"server", [heap], cgroup=f"0::/pod/docker-{CONTAINER}.scope\n".encode())
    return fake


def version_2(root: Path) -> None:
    """Groups /, /pod, /pod/ID with a process and /pod/empty with a charge."""
    top = root / "sys/fs/cgroup"
    stat = "anon {a}\nfile {f}\nkernel {k}\nsock 4096\nshmem {s}\npgfault 12\n"
    write(top, {"cgroup.controllers": "cpu memory\n", "cgroup.procs": "", "memory.stat": ""})
    for path, anon, file, kernel, shmem, rest in (
        ("pod", 4, 7, 2, 3, 1),
        (f"pod/docker-{CONTAINER}.scope", 4, 3, 1, 1, 0),
        ("pod/empty", 0, 4, 1, 2, 0),
    ):
        sizes = stat.format(a=anon * MB, f=file * MB, k=kernel * MB, s=shmem * MB)
        charge = (anon + file + kernel + rest) * MB + 4096
        write(
            top / path,
            {
                "cgroup.procs": "",
                "memory.stat": sizes,
                "memory.current": f"{charge}\n",
                "memory.peak": f"{charge + MB}\n",
                "memory.max": "max\n" if path == "pod" else f"{64 * MB}\n",
                "memory.swap.current": "0\n",
            },
        )


def test_second_version(fake: FakeProc, tmp_path: Path) -> None:
    """Charge, parts and limit of each group; the parts and the rest are the charge."""
    version_2(tmp_path)
    table = magmem.cgroups(proc=fake.root).df.set_index("path")
    inner = f"/pod/docker-{CONTAINER}.scope"
    assert table.index.tolist() == ["/", "/pod", inner, "/pod/empty"]
    assert table.loc["/pod", "charge_bytes"] == 14 * MB + 4096
    assert table.loc["/pod", "cache_bytes"] == 4 * MB
    assert table.loc["/pod", "rest_bytes"] == MB
    assert table["limit_bytes"].isna().tolist() == [True, True, False, False]
    assert table.loc["/pod/empty", ["processes", "pss_bytes"]].tolist() == [0, 0]
    assert table.loc[["/", "/pod", inner], "pss_bytes"].tolist() == [4 * MB] * 3
    assert table.loc[inner, "container"] == f"docker {CONTAINER[:12]}"


def test_first_version(fake: FakeProc, tmp_path: Path) -> None:
    """Sums of the groups below are the `total_` lines; 2^63 is no limit."""
    top = tmp_path / "sys/fs/cgroup/memory"
    stat = f"cache 1\nrss 1\nhierarchical_memory_limit 9223372036854771712\ntotal_cache {9 * MB}\n"
    stat += f"total_rss {4 * MB}\ntotal_shmem {2 * MB}\ntotal_swap 4096\n"
    write(
        top,
        {
            "cgroup.procs": "",
            "memory.usage_in_bytes": f"{15 * MB}",
            "memory.max_usage_in_bytes": f"{20 * MB}",
            "memory.kmem.usage_in_bytes": f"{MB}",
            "memory.stat": stat,
        },
    )
    (row,) = magmem.cgroups(proc=fake.root).df.to_dict("records")
    assert row["charge_bytes"] == 15 * MB
    assert (row["anonymous_bytes"], row["shmem_bytes"], row["cache_bytes"]) == (
        4 * MB, 2 * MB, 7 * MB,
    )  # fmt: skip
    assert row["rest_bytes"] == MB
    assert row["swap_bytes"] == 4096
    assert row["limit_bytes"] is not row["charge_bytes"]


def test_ledger_of_a_group(fake: FakeProc, tmp_path: Path) -> None:
    """Parts add up to the charge, and the processes and what is beyond them do too."""
    version_2(tmp_path)
    listing = magmem.cgroups("pod", proc=fake.root)
    sizes = listing.df.set_index("part")["size_bytes"]
    parts = ["anonymous", "tmpfs", "page cache", "kernel", "sockets", "rest"]
    assert sizes[parts].sum() == sizes["charge"] == sizes["processes"] + sizes["beyond them"]
    assert listing.text.startswith("Control group /pod, bytes:\n")
    with pytest.raises(NotFound, match="found none of 4"):
        magmem.cgroups("nowhere", proc=fake.root)


def test_no_groups(fake: FakeProc) -> None:
    """Without control groups there is one clear error."""
    with pytest.raises(MissingData, match="no control groups"):
        magmem.cgroups(proc=fake.root)


def test_containers_are_named_by_their_path() -> None:
    """Engine, pod and short id, as different engines write them."""
    pod = "/kubepods.slice/kubepods-pod1234abcd_12ab_34cd_56ef_0123456789ab.slice"
    for path, name in (
        (f"/docker/{CONTAINER}", f"docker {CONTAINER[:12]}"),
        (f"{pod}/cri-containerd-{CONTAINER}.scope", f"cri-containerd {CONTAINER[:12]}"),
        (f"/machine.slice/libpod-{CONTAINER}.scope", f"libpod {CONTAINER[:12]}"),
        ("/user.slice/user-1000.slice", ""),
    ):
        assert container_of(path).endswith(name)
        assert bool(container_of(path)) == bool(name)
    assert container_of(f"{pod}/crio-{CONTAINER}.scope").startswith("pod 1234abcd, crio")


def test_charge_of_a_group_without_much_of_a_process(tmp_path: Path) -> None:
    """Live: page cache and tmpfs first touched in a group are its charge, not its processes'."""
    root = Path("/sys/fs/cgroup/memory")
    own = root / f"magmem-test-{os.getpid()}"
    try:
        own.mkdir()
    except OSError as error:
        pytest.skip(f"no control group of version 1 to be made: {error}")
    script = (
        f"echo $$ > {own}/cgroup.procs && "
        f"dd if=/dev/zero of={tmp_path}/file bs=1M count=12 2>/dev/null && exec sleep 60"
    )
    try:
        with subprocess.Popen(["/bin/sh", "-c", script]) as process:
            try:
                deadline = time.monotonic() + 20
                while (Path(f"/proc/{process.pid}/comm").read_text() != "sleep\n") and (
                    time.monotonic() < deadline
                ):
                    time.sleep(0.05)
                table = magmem.cgroups().df.set_index("path")
            finally:
                process.kill()
                process.wait(10)
        row = table.loc[f"/{own.name}"]
        assert row["processes"] == 1
        assert row["pss_bytes"] < 4 * MB
        assert row["cache_bytes"] >= 11 * MB
        assert row["charge_bytes"] >= 12 * MB
    finally:
        time.sleep(0.1)
        own.rmdir()


def test_command(capsys: pytest.CaptureFixture[str]) -> None:
    """`magmem cgroups live` prints a line for each group, or says that there are none."""
    status = run(["cgroups", "live"])
    told = capsys.readouterr()
    if status:
        assert "no control groups" in told.err
    else:
        assert told.out.splitlines()[0].split()[:3] == ["CHARGE", "PEAK", "LIMIT"]
        assert told.out.splitlines()[1].endswith("/")
