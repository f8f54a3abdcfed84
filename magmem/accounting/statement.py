"""The machine's half of the ledger: from the sum of reported PSS to physical memory, in lines.

Rules: reference/accounting.md "The ledger" and "Identities". Each line is measured on its own; the
last, *unexplained*, is what is left of the total, so a page lost or counted twice anywhere would
show there. Where the source's own numbers disagree, the difference is a line of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from fractions import Fraction

import numpy as np
import pandas as pd

from magmem.accounting.attribution import STAGES, Attribution
from magmem.accounting.printed import printed_slack
from magmem.kernel.physical import Contradiction, Physical, statistics_against_arenas
from magmem.snapshot import Snapshot

__all__ = ["STEPS", "Line", "Statement", "kernel_lines", "partial_statement", "statement_of"]

STEPS = {
    "not running": "processes that do not run print 0, their mappings count",
    "rounding": "every division by #shr was rounded down",
    "sharer estimate": "above 64 address spaces #shr is a guess",
    "duplicate mappings": "pages that one process maps several times count once",
    "partial sharing": "sharers counted page by page, not VMO by VMO",
    "clones": "pages of parents seen through clones, and their sharers",
}
"""Each step of the ledger and why it is needed."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the statement.

    Attributes
    ----------
    key : str
        Such as ``handle-only``.
    says : str
        What it is, for a reader who meets it first.
    size_bytes : Fraction
    is_sum : bool
        Whether it repeats the sum of the lines above it.
    """

    key: str
    says: str
    size_bytes: Fraction
    is_sum: bool = False


@dataclass(frozen=True)
class Statement:
    """Lines from the reported sum to the physical total.

    Attributes
    ----------
    lines : tuple of Line
    contradictions : tuple of Contradiction
        Numbers of the source that disagree with its own pages or with each other.
    total_bytes : int or None
        Physical memory; None if the source does not tell.
    unknown_bytes : Fraction or None
        What a partial capture cannot tell apart, 0 if nothing; None if not even its size is known.
    """

    lines: tuple[Line, ...]
    contradictions: tuple[Contradiction, ...]
    total_bytes: int | None
    unknown_bytes: Fraction | None = Fraction(0)

    def __getitem__(self, key: str) -> Fraction:
        """The bytes of one line."""
        size = self.of(key)
        if size is None:
            known = ", ".join(line.key for line in self.lines)
            raise KeyError(f"no line {key!r}; lines are {known}")
        return size

    def of(self, key: str) -> Fraction | None:
        """The bytes of one line, None if there is no such line."""
        return next((line.size_bytes for line in self.lines if line.key == key), None)

    @property
    def contradiction_bytes(self) -> int:
        """By how much the source's parts exceed what it states, in all."""
        return int(-sum(line.size_bytes for line in self.lines if line.key == "contradiction"))

    @property
    def unexplained_bytes(self) -> Fraction | None:
        """Physical memory less every line: 0, or None where the total is not known."""
        if self.total_bytes is None:
            return None
        return self.total_bytes - sum(
            (line.size_bytes for line in self.lines if not line.is_sum), Fraction(0)
        )


def statement_of(attribution: Attribution, reported_bytes: int) -> Statement:
    """The statement of a snapshot that knows its mappings and pages.

    Parameters
    ----------
    attribution : Attribution
    reported_bytes : int
        Sum of the PSS that ``ps`` reports.
    """
    snap = attribution.view.snap
    physical = Physical.of(snap)
    wired = snap.vmos["pages_are_wired"].fillna(False).to_numpy(dtype=bool)
    wired_owned = int(np.sum(attribution.view.committed_bytes[wired]))
    alloc = attribution.alloc_bytes
    lines = [
        *_processes(attribution, reported_bytes),
        *_beyond(attribution),
        Line("alloc", "pages that VMOs own", Fraction(alloc), is_sum=True),
    ]
    kernel = kernel_lines(physical, wired_owned)
    if physical.vmo_bytes is None:
        physical = replace(physical, vmo_bytes=alloc - wired_owned)
    parts = physical.parts_bytes
    counted = [
        Contradiction(
            f"VMOs own {alloc - wired_owned:,} bytes of pages that are not wired, "
            f"the kernel statistics say {physical.vmo_bytes:,}",
            alloc - wired_owned,
            physical.vmo_bytes or 0,
        )
    ]
    total = physical.total_bytes if parts is not None else None
    if total is not None and parts is not None:
        counted.append(
            Contradiction(
                f"the kernel statistics add up to {parts:,} bytes, their total says {total:,}",
                parts,
                total,
            )
        )
    counted = [one for one in counted if one.difference_bytes]
    lines += map(_contradiction, counted)
    lines += kernel
    if total is not None:
        lines.append(Line("total", "physical memory", Fraction(total), is_sum=True))
    apart = [*statistics_against_arenas(snap), *_impossible(physical, wired_owned)]
    return Statement(tuple(lines), (*counted, *apart), total)


def partial_statement(snap: Snapshot, reported: pd.Series[int]) -> Statement:
    """The statement of a snapshot that does not know its mappings or pages.

    Parameters
    ----------
    snap : Snapshot
    reported : pandas.Series of Int64
        PSS of each process as the source printed it.
    """
    physical = Physical.of(snap)
    lines: list[Line] = []
    known = Fraction(0)
    if reported.notna().any():
        known = Fraction(int(reported.sum()))
        missing = int(reported.isna().sum())
        told = int(reported.notna().sum())
        says = f"PSS as the source printed it, {told} process{'' if told == 1 else 'es'}"
        says += f" ({missing} more it does not tell)" if missing else ""
        lines.append(Line("reported", says, known))
    unknown = None
    if physical.vmo_bytes is not None:
        unknown = physical.vmo_bytes - known
        says = "what VMOs hold beyond that, or less: this capture cannot tell it apart"
        lines.append(Line("unknown", says, unknown))
        lines.append(Line("vmos", "VMOs by the kernel statistics", known + unknown, is_sum=True))
    kernel = kernel_lines(physical)
    parts, total = physical.parts_bytes, physical.total_bytes
    apart = [
        *_more_than_vmos(snap, physical, reported),
        *statistics_against_arenas(snap),
        *_impossible(physical, 0),
    ]
    if total is None:
        return Statement((*lines, *kernel), tuple(apart), None, unknown)
    if parts is None:
        lines += [*kernel, *_rest(snap, physical, total, [*lines, *kernel])]
    elif parts != total:
        what = f"the kernel statistics add up to {parts:,} bytes, their total says {total:,}"
        gap = Contradiction(what, parts, total)
        if abs(parts - total) <= _printing_slack(snap, physical):
            says = "sizes were printed with one decimal"
            lines.append(Line("printing", says, Fraction(total - parts)))
        else:
            apart.insert(0, gap)
            lines.append(_contradiction(gap))
    if parts is not None:
        lines += kernel
    lines.append(Line("total", "physical memory", Fraction(total), is_sum=True))
    return Statement(tuple(lines), tuple(apart), total, unknown)


def _more_than_vmos(
    snap: Snapshot, physical: Physical, reported: pd.Series[int]
) -> list[Contradiction]:
    """Processes that report more than VMOs hold, by more than the printing of sizes explains."""
    told = reported.dropna().to_numpy(dtype=np.int64)
    total, vmo_bytes = int(told.sum()), physical.vmo_bytes
    if vmo_bytes is None:
        return []
    slack = int(printed_slack(snap, "tasks", told).sum())
    slack += int(printed_slack(snap, "kmem", np.array([vmo_bytes])).sum())
    if total <= vmo_bytes + slack:
        return []
    what = (
        f"processes report a PSS of {total:,} bytes, the kernel statistics have {vmo_bytes:,} in "
        "VMOs: other moments, or pages that are wired or count several times"
    )
    return [Contradiction(what, total, vmo_bytes)]


def _rest(snap: Snapshot, physical: Physical, total: int, lines: Sequence[Line]) -> list[Line]:
    """What the total leaves to the uses of which the source says nothing."""
    rest = total - sum((line.size_bytes for line in lines if not line.is_sum), Fraction(0))
    if not rest:
        return []
    if abs(rest) <= _printing_slack(snap, physical):
        return [Line("printing", "sizes were printed with one decimal", rest)]
    uses = ("vmo", "wired", "heap", "mmu", "other", "free")
    silent = [use for use in uses if getattr(physical, f"{use}_bytes") is None]
    has_pss = any(line.key == "reported" for line in lines)
    names = ", ".join(silent).replace("vmo", "VMOs beyond that PSS" if has_pss else "VMOs")
    return [Line("not told", f"{names}: the source says nothing of them", rest)]


def _printing_slack(snap: Snapshot, physical: Physical) -> int:
    """By how much the sum of the statistics may miss their total because both were printed."""
    sizes = [size for size in (getattr(physical, one.name) for one in fields(physical)) if size]
    return int(printed_slack(snap, "kmem", np.array(sizes, dtype=np.int64)).sum())


def _contradiction(gap: Contradiction) -> Line:
    size = Fraction(-gap.difference_bytes)
    return Line("contradiction", "the source is at odds with itself, see below", size)


def _processes(attribution: Attribution, reported_bytes: int) -> Sequence[Line]:
    """From the sum of reported PSS over the steps to the exact PSS of all processes."""
    lines = [
        Line("reported", "the PSS of all processes, as ps prints them", Fraction(reported_bytes))
    ]
    before = Fraction(reported_bytes)
    for step, stage in zip(STAGES, attribution.process_stages, strict=True):
        after = stage.total
        lines.append(Line(step, STEPS[step], after - before))
        before = after
    lines.append(Line("exact", "exact PSS of all processes", before, is_sum=True))
    return lines


def _beyond(attribution: Attribution) -> Sequence[Line]:
    """Pages that no process is charged for."""
    kernel, unknown = attribution.elsewhere(attribution.r5).fractions
    hidden = attribution.hidden
    lines = [Line("kernel-mapped", "the kernel's own part of pages that it maps", kernel)]
    if unknown:
        lines.append(Line("unknown processes", "address spaces of unknown processes", unknown))
    if not attribution.view.snap.knows("handles"):
        says = "no mapping reaches these pages; this capture has no handles to tell whose they are"
        return [*lines, Line("hidden", says, Fraction(hidden.size_bytes))]
    return [
        *lines,
        Line(
            "handle-only",
            "hidden; no mapping reaches these pages, processes have handles to them",
            Fraction(hidden.handle_only_bytes),
        ),
        Line(
            "kernel-only",
            "hidden; no mapping and no handle, the kernel alone knows them",
            Fraction(hidden.kernel_only_bytes),
        ),
    ]


def kernel_lines(physical: Physical, wired_owned: int = 0) -> Sequence[Line]:
    """What is not VMO memory, as far as the statistics know it."""
    lines = []
    if physical.wired_bytes is not None:
        says = "kernel image and early boot memory"
        if wired_owned:
            says += f", without {wired_owned:,} that VMOs own"
        lines.append(Line("wired", says, Fraction(physical.wired_bytes - wired_owned)))
    if physical.heap_bytes is not None:
        free = physical.heap_free_bytes or 0
        used = Fraction(physical.heap_bytes - free)
        lines.append(Line("heap in use", "kernel objects", used))
        lines.append(
            Line("heap free", "free bytes inside the pages of the kernel heap", Fraction(free))
        )
    for key, says, size in (
        ("mmu", "page tables of every address space", physical.mmu_bytes),
        ("other", "kernel memory of any other kind", physical.other_bytes),
        ("free", "pages that nobody uses", physical.free_bytes),
    ):
        if size is not None:
            lines.append(Line(key, says, Fraction(size)))
    return lines


def _impossible(physical: Physical, wired_owned: int) -> Sequence[Contradiction]:
    """Parts that the source says are larger than their whole."""
    claims = (
        ("wired pages that VMOs own", wired_owned, "wired pages in all", physical.wired_bytes),
        (
            "free bytes of the kernel heap",
            physical.heap_free_bytes,
            "the heap in all",
            physical.heap_bytes,
        ),
    )
    return [
        Contradiction(f"{part}: {size:,} bytes, {whole}: {limit:,}", size, limit)
        for part, size, whole, limit in claims
        if size is not None and limit is not None and size > limit
    ]
