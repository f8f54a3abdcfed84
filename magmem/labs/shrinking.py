"""From a machine on which something fails to the smallest one on which it still does.

Each step takes something away (processes, mappings, handles, VMOs, pages) or makes a number plain;
it is kept if the failure is still there. The order of steps is fixed and their number is limited,
so the same failure always ends at the same machine.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, Final

from magmem.labs.making import balanced, owned_pages
from magmem.labs.records import KERNEL, PAGE, Mapping, Records, Run, Vmo, page_count

__all__ = ["smallest"]

MOST_TRIES: Final = 1500


def smallest(records: Records, fails: Callable[[Records], bool]) -> Records:
    """A machine on which `fails` holds and none of the steps leads to a smaller one.

    Parameters
    ----------
    records : Records
        Fails.
    fails : callable
        Must give the same answer for the same machine.
    """
    left = MOST_TRIES
    again = True
    while again and left > 0:
        again = False
        for step in (_fewer_vmos, _fewer_processes, _fewer_mappings, _fewer_handles, *_PLAINER):
            tries = step(records)
            smaller: Records | None = None
            while left > 0:
                try:
                    smaller = tries.send(smaller) if smaller is not None else next(tries)
                except StopIteration:
                    break
                left -= 1
                if smaller != records and fails(smaller):
                    records, again = smaller, True
                else:
                    smaller = None
    return records


Tries = Generator[Records, Records | None, None]
"""Yields smaller machines; is sent the one that was accepted."""


def _chunks(records: Records, field: str, without: Callable[[Records, set[int]], Records]) -> Tries:
    """Leave out halves, quarters … single items of a field."""
    size = len(getattr(records, field))
    while size >= 1:
        at = 0
        while at < len(getattr(records, field)):
            gone = set(range(at, min(at + size, len(getattr(records, field)))))
            accepted = yield without(records, gone)
            if accepted is None:
                at += size
            else:
                records = accepted
        size //= 2


def _kept(items: tuple[Any, ...], gone: set[int]) -> tuple[Any, ...]:
    return tuple(item for place, item in enumerate(items) if place not in gone)


def _fewer_processes(records: Records) -> Tries:
    def without(old: Records, gone: set[int]) -> Records:
        kept = _kept(old.processes, gone)
        koids = {KERNEL, *(process.koid for process in kept)}
        return old._replace(
            processes=kept,
            mappings=tuple(each for each in old.mappings if each.process in koids),
            handles=tuple(each for each in old.handles if each.process in koids),
        )

    return _chunks(records, "processes", without)


def _fewer_mappings(records: Records) -> Tries:
    return _chunks(
        records, "mappings", lambda old, gone: old._replace(mappings=_kept(old.mappings, gone))
    )


def _fewer_handles(records: Records) -> Tries:
    return _chunks(
        records, "handles", lambda old, gone: old._replace(handles=_kept(old.handles, gone))
    )


def _fewer_vmos(records: Records) -> Tries:
    def without(old: Records, gone: set[int]) -> Records:
        number = {each.number: at for at, each in enumerate(_kept(old.vmos, gone))}
        vmos = [
            vmo._replace(
                number=number[vmo.number],
                parent=None if vmo.parent is None else number.get(vmo.parent),
                parent_offset_bytes=vmo.parent_offset_bytes if vmo.parent in number else 0,
            )
            for vmo in old.vmos
            if vmo.number in number
        ]
        fewer = old._replace(
            vmos=tuple(vmos),
            mappings=tuple(
                each._replace(vmo=number[each.vmo]) for each in old.mappings if each.vmo in number
            ),
            handles=tuple(
                each._replace(vmo=number[each.vmo]) for each in old.handles if each.vmo in number
            ),
        )
        return _settled(fewer, old)

    return _chunks(records, "vmos", without)


def _settled(new: Records, old: Records) -> Records:
    """The total again, after pages came or went."""
    return balanced(new, old.memory.wired_bytes - owned_pages(old, wired=True) * PAGE)


def _with_vmo(records: Records, vmo: Vmo) -> Records:
    vmos = (*records.vmos[: vmo.number], vmo, *records.vmos[vmo.number + 1 :])
    return _settled(records._replace(vmos=vmos), records)


def _with_mapping(records: Records, place: int, mapping: Mapping) -> Records:
    mappings = (*records.mappings[:place], mapping, *records.mappings[place + 1 :])
    return records._replace(mappings=mappings)


def _plain_vmos(records: Records) -> Tries:
    """No clone, not wired, whole pages, fewer runs."""
    for number in range(len(records.vmos)):
        vmo = records.vmos[number]
        plainer = [
            vmo._replace(parent=None, parent_offset_bytes=0),
            vmo._replace(is_wired=False),
            vmo._replace(parent_offset_bytes=0),
            vmo._replace(size_bytes=page_count(vmo.size_bytes) * PAGE),
            vmo._replace(runs=()),
            *(vmo._replace(runs=_kept(vmo.runs, {at})) for at in range(len(vmo.runs))),
        ]
        for candidate in plainer:
            fields: dict[str, Any] = {
                name: new
                for name, old, new in zip(vmo._fields, vmo, candidate, strict=True)
                if old != new
            }
            accepted = yield _with_vmo(records, records.vmos[number]._replace(**fields))
            records = accepted or records


def _fewer_pages(records: Records) -> Tries:
    """Cut pages out of a VMO, and what shows them out of its mappings and clones."""
    for number in range(len(records.vmos)):
        size = page_count(records.vmos[number].size_bytes)
        while size >= 1:
            at = 0
            while at < page_count(records.vmos[number].size_bytes):
                cut = _cut(records, number, at, size)
                accepted = yield _settled(cut, records)
                if accepted is None:
                    at += size
                else:
                    records = accepted
            size //= 2


def _cut(records: Records, number: int, first: int, count: int) -> Records:
    """The machine without some pages of a VMO; a window that shows nothing else keeps one page."""

    def moved(page: int) -> int:
        return page if page <= first else max(first, page - count)

    vmo = records.vmos[number]
    size = min(vmo.size_bytes, moved(page_count(vmo.size_bytes)) * PAGE)
    runs: list[Run] = []
    for run in vmo.runs:
        begin, end = moved(run.first), moved(sum(run))
        if runs and sum(runs[-1]) == begin:
            runs[-1] = Run(runs[-1].first, end - runs[-1].first)
        elif begin < end:
            runs.append(Run(begin, end - begin))
    vmos = list(records.vmos)
    vmos[number] = vmo._replace(size_bytes=size, runs=tuple(runs))
    mappings = list(records.mappings)
    for place, each in enumerate(mappings):
        if each.vmo == number:
            begin = each.vmo_offset_bytes // PAGE
            end = moved(begin + each.size_bytes // PAGE)
            begin = moved(begin)
            mappings[place] = _sized(each, begin, max(1, end - begin))
    records = records._replace(vmos=tuple(vmos), mappings=tuple(mappings))
    for child in records.vmos:
        if child.parent == number:
            offset = child.parent_offset_bytes // PAGE
            begin, end = max(0, first - offset), max(0, first + count - offset)
            if begin < end and begin < page_count(child.size_bytes):
                records = _cut(records, child.number, begin, end - begin)
            twin = records.vmos[child.number]._replace(parent_offset_bytes=moved(offset) * PAGE)
            vmos = list(records.vmos)
            vmos[child.number] = twin
            records = records._replace(vmos=tuple(vmos))
    return records


def _sized(mapping: Mapping, first: int, pages: int) -> Mapping:
    entries = tuple(
        Run(run.first, min(run.count, pages - run.first))
        for run in mapping.entries
        if run.first < pages
    )
    return mapping._replace(vmo_offset_bytes=first * PAGE, size_bytes=pages * PAGE, entries=entries)


def _plain_mappings(records: Records) -> Tries:
    """One page from the beginning, else one page, else fewer; no entries. First all at once."""
    plain = tuple(_sized(each, 0, 1)._replace(entries=()) for each in records.mappings)
    accepted = yield records._replace(mappings=plain)
    records = accepted or records
    for place in range(len(records.mappings)):
        each = records.mappings[place]
        first, pages = each.vmo_offset_bytes // PAGE, each.size_bytes // PAGE
        candidates = [_sized(each, 0, 1), _sized(each, first, 1), _sized(each, 0, pages)]
        candidates += [_sized(each, first, half) for half in (pages // 2, pages - 1) if half]
        for candidate in candidates:
            accepted = yield _with_mapping(records, place, candidate)
            records = accepted or records
            if accepted:
                break
        accepted = yield _with_mapping(records, place, records.mappings[place]._replace(entries=()))
        records = accepted or records


def _plain_rest(records: Records) -> Tries:
    """Every process runs in the root job, and the kernel's own memory is little."""
    for place, process in enumerate(records.processes):
        rest = list(records.processes)
        rest[place] = process._replace(is_running=True)
        accepted = yield records._replace(processes=tuple(rest))
        records = accepted or records
    root = records.jobs[0]
    moved = tuple(process._replace(job=root.koid) for process in records.processes)
    accepted = yield records._replace(processes=moved, jobs=(root,))
    records = accepted or records
    empty = records._replace(memory=records.memory._replace(**dict.fromkeys(_BESIDE, 0)))
    accepted = yield balanced(empty, 0)
    records = accepted or records
    for name in _BESIDE:
        none = records._replace(memory=records.memory._replace(**{name: 0}))
        accepted = yield _settled(none, records)
        records = accepted or records


_BESIDE = ("free_bytes", "heap_used_bytes", "heap_free_bytes", "mmu_bytes", "other_bytes")
_PLAINER = (_fewer_pages, _plain_vmos, _plain_mappings, _plain_rest)
