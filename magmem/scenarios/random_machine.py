"""A random machine of any size, for tests and benchmarks."""

from __future__ import annotations

from random import Random

from magmem.errors import InvalidArgs
from magmem.scenarios.registry import scenario
from magmem.sim import Machine
from magmem.sim.process import Process
from magmem.sim.vmo_handle import VmoHandle
from magmem.units import PAGE_BYTES

__all__ = ["random_machine"]

CLONE_SHARE = 0.15
UNMAPPED_SHARE = 0.05
CLOSED_SHARE = 0.3
LARGEST_DEPTH = 3


@scenario
def random_machine(
    processes: int = 20,
    vmos: int = 200,
    mappings: int = 500,
    pages: int = 20_000,
    seed: int = 0,
    history: bool = True,
) -> Machine:
    """A machine with random processes, VMOs, clones, mappings and touched pages.

    Shows whatever there is to show: shared and private memory, clones up to three deep, VMOs mapped
    by nobody, mappings past the end, VMOs without handles. The numbers are of what is made beside
    the kernel's own and each process's stack and vDSO.

    Parameters
    ----------
    processes, vmos, mappings : int
        How many.
    pages : int
        Pages committed in those VMOs, to the page (if there is a VMO).
    seed : int
        Of the choices made here and of the machine.
    history : bool
        Whether the machine records its operations.
    """
    if min(processes, vmos, mappings, pages) < 0 or (not processes and vmos + mappings):
        raise InvalidArgs("expected numbers of 0 or more, and a process for VMOs and mappings")
    rng = Random(seed)  # noqa: S311 (it must repeat, not be secret)
    memory = (pages + 40 * processes + 8 * mappings + vmos) * PAGE_BYTES * 5 // 4 + (64 << 20)
    machine = Machine(memory, seed, name="random_machine", history=history)
    people = _spawn(machine, rng, processes)
    made = _make_vmos(rng, people, vmos, pages)
    _map(rng, people, made, mappings)
    for handle in made:
        if rng.random() < CLOSED_SHARE and handle.vmo.mappings:
            handle.close()
    return machine


def _below(rng: Random, count: int) -> int:
    """A number in ``0 … count - 1``; the same on every version of Python."""
    return int(rng.random() * count)


def _spawn(machine: Machine, rng: Random, count: int) -> list[Process]:
    jobs = [machine.root_job]
    people = []
    for number in range(count):
        if number % 25 == 24:
            jobs.append(jobs[_below(rng, len(jobs))].create_job(f"job-{number}"))
        people.append(jobs[_below(rng, len(jobs))].spawn(f"process-{number}"))
    return people


def _make_vmos(rng: Random, people: list[Process], count: int, pages: int) -> list[VmoHandle]:
    """VMOs with `pages` committed in all, a few of them much larger than the others."""
    weights = [rng.random() ** 4 + 0.01 for _ in range(count)]
    total = sum(weights)
    made: list[VmoHandle] = []
    depths: list[int] = []
    left = pages
    for number, weight in enumerate(weights):
        share = min(left, round(pages * weight / total)) if number < count - 1 else left
        source = _below(rng, number) if number else 0
        clone = number < count - 1 and number and rng.random() < CLONE_SHARE
        if clone and depths[source] < LARGEST_DEPTH and made[source].size_bytes:
            handle = _clone(rng, made[source], number)
            depths.append(depths[source] + 1)
        else:
            owner = people[_below(rng, len(people))]
            size = (share + _below(rng, share + 4)) * PAGE_BYTES - _below(rng, PAGE_BYTES)
            handle = owner.create_vmo(max(size, share * PAGE_BYTES), f"vmo-{number}")
            depths.append(0)
        made.append(handle)
        left -= _commit(rng, handle, share, left, whole=not depths[-1])
    return made


def _clone(rng: Random, source: VmoHandle, number: int) -> VmoHandle:
    source_pages = -(-source.size_bytes // PAGE_BYTES)
    first = _below(rng, source_pages)
    size = (1 + _below(rng, source_pages + 4)) * PAGE_BYTES
    return source.clone(first * PAGE_BYTES, size, f"clone-{number}")


def _commit(rng: Random, handle: VmoHandle, share: int, left: int, whole: bool) -> int:
    """Commit `share` pages, in one to four runs; returns the pages taken in all VMOs."""
    size = -(-handle.size_bytes // PAGE_BYTES)
    taken = 0
    for part in range(4):
        want = min(_below(rng, share + 1) if part < 3 else share, share - taken, size)
        if want <= 0:
            continue
        # Copies left in the clones between may be as many again at each depth.
        if not whole and want * LARGEST_DEPTH > left - taken:
            break
        first = _below(rng, size - want + 1)
        taken += _commit_pages(handle, first, want)
    if whole and taken < share:
        taken += _fill(handle, share - taken)
    return taken


def _commit_pages(handle: VmoHandle, first: int, count: int) -> int:
    start = first * PAGE_BYTES
    return handle.commit(start, min(count * PAGE_BYTES, handle.size_bytes - start))


def _fill(handle: VmoHandle, count: int) -> int:
    """Commit the first `count` pages that are not yet."""
    taken = 0
    for start, end in handle.vmo.pages.gaps(0, handle.vmo.page_limit):
        taken += _commit_pages(handle, start, min(end - start, count - taken))
        if taken == count:
            break
    return taken


def _map(rng: Random, people: list[Process], made: list[VmoHandle], count: int) -> None:
    """Mappings of random parts: most VMOs by one process or two, some by many, some by nobody."""
    mapped = [handle for handle in made if handle.size_bytes and rng.random() >= UNMAPPED_SHARE]
    if not mapped:
        return
    for number in range(count):
        popular = number % 2 == 0
        place = int(len(mapped) * rng.random() ** (3 if popular else 1))
        handle = mapped[place]
        process = handle.process if rng.random() < 0.5 else people[_below(rng, len(people))]
        pages = -(-handle.size_bytes // PAGE_BYTES)
        first = _below(rng, pages) if rng.random() < 0.3 else 0
        length = max(1, pages - first + _below(rng, 3) - 1)
        mapping = process.map(
            handle, "rw", vmo_offset=first * PAGE_BYTES, length=length * PAGE_BYTES
        )
        seen = min(length, pages - first)
        touched = 1 + _below(rng, min(seen, 16))
        offset = _below(rng, seen - touched + 1)
        mapping.touch(touched * PAGE_BYTES, offset=offset * PAGE_BYTES)
