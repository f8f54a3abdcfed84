"""A family of processes with memory of every sort, for captures to look at; run as a program.

It prints one line of JSON, then keeps still until its standard input ends:
``areas`` (name to address and pages, the same in all processes that have it), ``pids`` (name to
pid). It needs nothing but the standard library, so that any user can run it.
"""

import ctypes
import json
import mmap
import os
import signal
import sys
import tempfile

PAGE = mmap.PAGESIZE
MADV_DONTNEED = 4
PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None, use_errno=True)

areas = {}
keep = []
pids = {"parent": os.getpid()}


def area(name, pages, fd=-1, private=False, offset=0, prot=mmap.PROT_READ | mmap.PROT_WRITE):
    """A mapping with a name."""
    kind = mmap.MAP_PRIVATE if private else mmap.MAP_SHARED
    flags = kind | (mmap.MAP_ANONYMOUS if fd < 0 else 0)
    view = mmap.mmap(fd, pages * PAGE, flags=flags, prot=prot, offset=offset)
    keep.append(view)
    if prot & mmap.PROT_WRITE:
        byte = ctypes.c_char.from_buffer(view)
        areas[name] = [ctypes.addressof(byte), pages]
        del byte
    return view


def fill(view, first, count, byte):
    """Write pages. Reading would also install pages of a file that lie nearby."""
    view[first * PAGE : (first + count) * PAGE] = byte * (count * PAGE)


def child(name, work):
    """Fork a process that does `work`, tells its pid through a pipe, and keeps still."""
    ready, done = os.pipe()
    pid = os.fork()
    if pid == 0:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        os.close(ready)
        work()
        os.write(done, json.dumps([pids, areas]).encode() + b"\n")
        signal.pause()
    os.close(done)
    told = b""
    while not told.endswith(b"\n"):
        told += os.read(ready, 65536)
    os.close(ready)
    their_pids, their_areas = json.loads(told)
    areas.update(their_areas)
    pids.update({key: value for key, value in their_pids.items() if key not in pids})
    pids[name] = pid


def main():
    """Set everything up."""
    with tempfile.TemporaryFile() as file:
        os.write(file.fileno(), b"f" * (32 * PAGE))
        cow = area("cow", 64, private=True)
        fill(cow, 0, 64, b"p")
        private = area("private", 48, private=True)
        fill(private, 0, 40, b"x")
        untouched = area("zero page", 8, private=True)
        sum(untouched[at * PAGE] for at in range(8))
        shared = area("shared anonymous", 16)
        fill(shared, 0, 16, b"s")
        on_file = area("file", 32, file.fileno())
        fill(on_file, 0, 20, b"g")
        own_copy = area("file copy", 32, file.fileno(), private=True)
        fill(own_copy, 4, 6, b"w")
        memory = os.memfd_create("magmem test")
        os.ftruncate(memory, 32 * PAGE)
        os.pwrite(memory, b"m" * (20 * PAGE), 2 * PAGE)
        memfd = area("memfd", 16, memory)
        fill(memfd, 2, 10, b"n")
        hidden = os.memfd_create("magmem hidden")
        os.ftruncate(hidden, 10 * PAGE)
        os.pwrite(hidden, b"h" * (7 * PAGE), 0)

        def writes():
            fill(cow, 0, 10, b"c")

        def forks_again():
            fill(cow, 5, 15, b"d")
            child("grandchild", lambda: fill(cow, 18, 4, b"e"))

        def maps_twice():
            again = area("memfd again", 16, memory)
            fill(again, 4, 5, b"o")
            fill(memfd, 4, 5, b"q")

        def drops():
            address, _ = areas["cow"]
            libc.madvise(
                ctypes.c_void_p(address + 30 * PAGE), ctypes.c_size_t(4 * PAGE), MADV_DONTNEED
            )
            fill(own_copy, 4, 1, b"v")

        child("writer", writes)
        child("forker", forks_again)
        child("mapper", maps_twice)
        child("dropper", drops)
        print(json.dumps({"areas": areas, "pids": pids}), flush=True)
        sys.stdin.read()


main()
