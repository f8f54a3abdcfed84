"""Workloads built here, and what is true of them: what they touched, and the kernel's own sums.

Each program prints a line when it stands still, and is ended by its own id. What the kernel or our
rights do not allow is skipped with the reason.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from support.other_user import NOBODY, as_nobody

import magmem
from magmem.accounting.attribution import attribution_of
from magmem.accounting.rules import linux
from magmem.errors import AccessDenied
from magmem.snapshot import PAGE_BYTES, Snapshot

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux")

MB = 1 << 20
START = "import ctypes, mmap, os, socket, sys, time\n"
STAND = "\nprint(os.getpid(), flush=True)\nsys.stdin.read()\n"


@contextmanager
def running(program: str, *, user: int | None = None) -> Iterator[list[int]]:
    """Pids that the program prints (one line, itself among them), until the block ends."""
    python = "/usr/bin/python3" if user is not None else sys.executable
    command = [python, "-I", "-S", "-c", START + program]
    if not Path(python).exists():
        pytest.skip(f"no {python} for another user")
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
        user=user,
        group=user,
        extra_groups=None if user is None else [],
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            yield [int(word) for word in process.stdout.readline().split()]
        finally:
            process.stdin.close()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def pages_of(pids: list[int]) -> Snapshot:
    """These processes by page frames."""
    try:
        return magmem.capture_linux("pages", pids=pids)
    except AccessDenied as error:
        pytest.skip(str(error))


def by_rule(snap: Snapshot) -> dict[int, int]:
    """PSS of each process by the linux rule, computed from pages; bytes, rounded down."""
    attribution = attribution_of(snap)
    charged = linux.charge(attribution).pss.fractions
    return {
        int(koid): int(size)
        for koid, size in zip(attribution.population.koid, charged, strict=True)
    }


def rollup(pid: int, field: str) -> int:
    """A figure of the kernel's own sum, bytes."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    pytest.skip(f"this kernel tells no {field}")


def committed(snap: Snapshot, name: str) -> int:
    """Bytes of pages that VMOs of that name own."""
    rows = snap.vmos.index[snap.vmos["name"] == name]
    return int(snap.pages["page_count"][snap.pages["vmo"].isin(rows)].sum()) * PAGE_BYTES


FORKED = """
b = bytearray(40 << 20)
for i in range(0, len(b), 4096): b[i] = 1
child = os.fork()
if child == 0:
    sys.stdin.read()
    os._exit(0)
print(os.getpid(), child, flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("detail", ["processes", "mappings", "auto"])
def test_fork_is_shared_whoever_asks_and_however(detail: str) -> None:
    """40M written before a fork are 20M of each process, in every detail, as the kernel says."""
    with running(FORKED) as pids:
        snap = magmem.capture_linux(detail, pids=pids)  # type: ignore[arg-type]
        expected = {pid: rollup(pid, "Pss") for pid in pids}
    told = snap.processes.set_index("koid")["reported_pss_bytes"].to_dict()
    for pid in pids:
        assert abs(told[pid] - expected[pid]) < MB
        assert 20 * MB < told[pid] < 26 * MB


HUGE_AFTER_FORK = """
libc = ctypes.CDLL(None, use_errno=True)
size, huge = 32 << 20, 2 << 20
m = mmap.mmap(-1, size + huge, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
at = ctypes.addressof(ctypes.c_char.from_buffer(m))
low = (at + huge - 1) // huge * huge
libc.madvise(ctypes.c_void_p(low), ctypes.c_size_t(size), 14)
ctypes.memset(low, 1, size)
child = os.fork()
if child == 0:
    sys.stdin.read()
    os._exit(0)
for place in range(low, low + size, huge):
    ctypes.memset(place, 2, 1)
print(os.getpid(), child, flush=True)
sys.stdin.read()
"""


def test_huge_pages_after_a_fork_and_a_write() -> None:
    """Only what was copied is private: the first page of each huge one, not all 512.

    The kernel says "exclusive" for all pages of a huge page whose first page is mapped once.
    """
    with running(HUGE_AFTER_FORK) as pids:
        if rollup(pids[1], "AnonHugePages") < 16 * MB:
            pytest.skip("no huge pages to be had here")
        snap = pages_of(pids)
        expected = {pid: rollup(pid, "Pss") for pid in pids}
    told = by_rule(snap)
    for pid in pids:
        # Libraries are mapped by others too, which are not in this capture.
        assert abs(told[pid] - expected[pid]) < 8 * MB
    attribution = attribution_of(snap)
    private = linux.charge(attribution).private_bytes.sum()
    assert private < 20 * MB


LEADER = """
import threading
def hold():
    global kept
    kept = bytearray(b"x" * (30 << 20))
    print(os.getpid(), flush=True)
    sys.stdin.read()
    os._exit(0)
threading.Thread(target=hold).start()
ctypes.CDLL(None).syscall(60 if os.uname().machine == "x86_64" else 93, 0)
"""


def test_main_thread_that_has_ended() -> None:
    """The memory is still there, and is read through a thread that lives."""
    with running(LEADER) as pids:
        snap = magmem.capture_linux("auto", pids=pids)
        sums = magmem.capture_linux("processes", pids=pids)
    for each in (snap, sums):
        (size,) = each.processes["reported_pss_bytes"]
        assert 30 * MB <= size < 40 * MB
        assert each.processes["state"].tolist() == ["running"]
        assert each.notes["message"].str.contains("its main thread has ended").any()


VFORKED = """
b = bytearray(b"x" * (30 << 20))
child = os.fork()
if child == 0:
    libc = ctypes.CDLL(None)
    print(os.getppid(), os.getpid(), end=" ", flush=True)
    if libc.vfork() == 0:
        line = b"%d\\n" % libc.getpid()
        libc.write(1, line, len(line))
        libc.read(0, ctypes.create_string_buffer(8), 8)
        libc._exit(0)
    os._exit(0)
sys.stdin.read()
os.waitpid(child, 0)
"""


@pytest.mark.parametrize("detail", ["processes", "mappings", "auto"])
def test_vfork_is_not_counted_twice(detail: str) -> None:
    """Parent and child of vfork have one memory: the child's is its parent's."""
    with running(VFORKED) as pids:
        snap = magmem.capture_linux(detail, pids=pids)  # type: ignore[arg-type]
    told = snap.processes.set_index("koid")["reported_pss_bytes"]
    assert told[pids[2]] == 0
    assert told[pids[1]] > 10 * MB
    assert snap.notes["message"].str.contains("runs in the address space of process").any()


def test_fallocated_memfd_is_all_there() -> None:
    """Pages allocated and never written are in memory, though the file shows no data there."""
    program = 'fd = os.memfd_create("fallocated")\nos.posix_fallocate(fd, 0, 12 << 20)' + STAND
    with running(program) as pids:
        snap = pages_of(pids)
    assert committed(snap, "memfd:fallocated") == 12 * MB
    assert snap.vmos["pages_known"].all()
    found = magmem.hidden(snap).df
    assert found[found["name"] == "memfd:fallocated"]["handle_only_bytes"].tolist() == [12 * MB]


def test_memfd_with_holes_and_parts_allocated() -> None:
    """Written, allocated and empty parts of one file are told apart, page by page."""
    program = (
        'fd = os.memfd_create("parts")\nos.ftruncate(fd, 4000 << 12)\n'
        'os.pwrite(fd, b"x" * (10 << 12), 100 << 12)\nos.posix_fallocate(fd, 500 << 12, 7 << 12)'
    )
    with running(program + STAND) as pids:
        snap = pages_of(pids)
    row = snap.vmos.index[snap.vmos["name"] == "memfd:parts"][0]
    scale = os.sysconf("SC_PAGE_SIZE") // PAGE_BYTES
    if scale != 1:
        pytest.skip("the places are those of pages of 4096 bytes")
    runs = snap.pages[snap.pages["vmo"] == row][["first_page", "page_count"]]
    assert runs.to_numpy().tolist() == [[100, 10], [500, 7]]


@contextmanager
def huge_pool(pages: int) -> Iterator[None]:
    """Reserved huge pages of 2 MB, given back at the end."""
    pool = Path("/proc/sys/vm/nr_hugepages")
    try:
        before = pool.read_text().strip()
        pool.write_text(str(int(before) + pages))
    except (OSError, ValueError) as error:
        pytest.skip(f"no reserved huge pages: {error}")
    try:
        if int(pool.read_text()) < int(before) + pages:
            pytest.skip("the kernel found no room for reserved huge pages")
        yield
    finally:
        pool.write_text(before)


HUGE_SHARED = """
libc = ctypes.CDLL(None, use_errno=True)
libc.shmat.restype = ctypes.c_void_p
i = libc.shmget(0, 16 << 20, 0o1600 | 0o4000)
a = libc.shmat(i, None, 0)
ctypes.memset(a, 1, 12 << 20)
libc.shmctl(i, 0, None)
children = []
for _ in range(2):
    child = os.fork()
    if child == 0:
        sum(ctypes.string_at(a + k, 1)[0] for k in range(0, 12 << 20, 4096))
        os.write(2, b"")
        sys.stdin.read()
        os._exit(0)
    children.append(child)
time.sleep(0.5)
print(os.getpid(), *children, flush=True)
sys.stdin.read()
"""


def test_reserved_huge_pages_are_charged_once_to_who_maps_them() -> None:
    """12M of huge pages mapped by three are 4M of each; the pool's free pages stand apart."""
    with huge_pool(10), running(HUGE_SHARED) as pids:
        snap = pages_of(pids)
        sums = magmem.capture_linux("processes", pids=pids)
    for each in (snap, sums):
        assert (each.processes["reported_pss_bytes"] > 4 * MB).all()
        assert (each.processes["reported_pss_bytes"] < 9 * MB).all()
    told = by_rule(snap)
    assert all(4 * MB <= told[pid] < 12 * MB for pid in pids)
    free = snap.vmos.set_index("id")["size_bytes"]["kernel/huge"]
    assert free >= 4 * MB
    assert magmem.linux_ledger(snap).df.set_index("line")["size_bytes"]["huge pages, free"] == free


@contextmanager
def mounted(*command: str, at: Path) -> Iterator[None]:
    """A mount of ours, taken away at the end."""
    made = subprocess.run(["mount", *command, str(at)], capture_output=True, check=False)
    if made.returncode:
        pytest.skip(f"mount {command[1]}: {made.stderr.decode().strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(at)], check=True)


@pytest.mark.parametrize("lower", ["disk", "memory"])
def test_one_file_through_two_overlays(lower: str, tmp_path: Path) -> None:
    """A file mapped through two overlays and directly is one VMO: a third each, once in all."""
    if os.getuid():
        pytest.skip("mounting takes root")
    program = (
        """
f = open({0!r}, "rb")
m = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)
sum(m[i] for i in range(0, len(m), 4096))
"""
        + STAND
    )
    low = tmp_path / "low"
    low.mkdir()
    with ExitStack() as stack:
        if lower == "memory":
            stack.enter_context(mounted("-t", "tmpfs", "magmem-test", at=low))
        (low / "layer.dat").write_bytes(os.urandom(6 * MB))
        places = [low]
        upper = tmp_path / "upper"
        upper.mkdir()
        stack.enter_context(mounted("-t", "tmpfs", "magmem-test", at=upper))
        for number in "12":
            top, work, seen = (upper / f"{name}{number}" for name in "uws")
            for folder in (top, work, seen):
                folder.mkdir()
            options = f"lowerdir={low},upperdir={top},workdir={work}"
            stack.enter_context(mounted("-t", "overlay", "magmem", "-o", options, at=seen))
            places.append(seen)
        pids: list[int] = []
        for place in places:
            pids += stack.enter_context(running(program.format(str(place / "layer.dat"))))
        snap = pages_of(pids)
        expected = {pid: rollup(pid, "Pss") for pid in pids}
    rows = snap.vmos.index[snap.vmos["name"] == "layer.dat"]
    assert len(rows) == 1
    assert committed(snap, "layer.dat") == 6 * MB
    held = snap.handles[snap.handles["vmo"] == rows[0]]
    assert set(held["process_koid"]) == set(pids)
    # Libraries are mapped by others too; the file is 2M of each.
    told = by_rule(snap)
    assert all(abs(told[pid] - expected[pid]) < 4 * MB for pid in pids)


UNMAPPED = """
c = ctypes.CDLL(None)
c.shmat.restype = ctypes.c_void_p
i = c.shmget(0, 20 << 20, 0o1600)
a = c.shmat(i, None, 0)
ctypes.memset(a, 5, 20 << 20)
c.shmdt(ctypes.c_void_p(a))
fd = os.memfd_create("in-flight")
os.write(fd, b"y" * (10 << 20))
s = socket.socketpair()
socket.send_fds(s[0], [b"."], [fd])
os.close(fd)
keep = []
for _ in range(8):
    r, w = os.pipe()
    import fcntl
    fcntl.fcntl(w, 1031, 1 << 20)
    os.write(w, bytes(1 << 20))
    keep += [r, w]
print(os.getpid(), i, flush=True)
sys.stdin.read()
c.shmctl(i, 0, None)
"""


def test_memory_that_nobody_maps_has_an_owner(tmp_path: Path) -> None:
    """A detached segment, a mounted tmpfs, what lies in sockets and pipes: a line for each."""
    if os.getuid():
        pytest.skip("page frames, without which these are one sum, take root")
    with mounted("-t", "tmpfs", "magmem-test", at=tmp_path):
        (tmp_path / "file").write_bytes(b"x" * (15 * MB))
        with running(UNMAPPED) as (pid, segment):
            snap = pages_of([pid])
    sizes = snap.vmos.set_index("id")
    assert sizes["size_bytes"][f"kernel/sysv/{segment}"] == 20 * MB
    assert str(pid) in sizes["name"][f"kernel/sysv/{segment}"]
    mount = sizes[sizes["name"] == f"tmpfs {tmp_path}"[:31]]
    named = sizes[sizes.index.str.startswith("kernel/tmpfs/")]
    assert 15 * MB in mount["size_bytes"].tolist() + named["size_bytes"].tolist()
    assert sizes["size_bytes"]["kernel/pipes"] >= 8 * MB
    assert sizes["size_bytes"]["kernel/tmpfs"] >= 10 * MB
    told = snap.notes["message"][snap.notes["place"] == "sockets"]
    if len(told):  # fdinfo tells of descriptors in flight since Linux 5.6
        assert str(pid) in told.iloc[0]
    lines = set(magmem.linux_ledger(snap).df["line"])
    assert {"pipes", f"SYSV {segment}, made by {pid}"} <= lines


def test_ramfs_is_not_called_reclaimable(tmp_path: Path) -> None:
    """Pages without a disk behind them stay, and are told from the page cache that goes."""
    if os.getuid():
        pytest.skip("mounting takes root")
    with mounted("-t", "ramfs", "magmem-test", at=tmp_path):
        (tmp_path / "file").write_bytes(b"x" * (12 * MB))
        snap = pages_of([os.getpid()])
    kept = snap.vmos.set_index("id")["size_bytes"].get("kernel/unevictable", 0)
    assert kept >= 12 * MB


def test_an_ordinary_user_sees_the_same_number() -> None:
    """Root and the owner of a process are told the same PSS of it, in every detail."""
    if os.getuid():
        pytest.skip("only root can ask as another user")
    with running(FORKED, user=NOBODY) as pids:

        def look() -> list[int]:
            return [
                int(size)
                for detail in ("processes", "auto")
                for size in magmem.capture_linux(detail, pids=pids).processes["reported_pss_bytes"]  # type: ignore[arg-type]
            ]

        theirs, ours = as_nobody(look), look()
    assert all(abs(a - b) < MB for a, b in zip(theirs, ours, strict=True))
    assert theirs[:2] == pytest.approx(theirs[2:], abs=MB)
