"""What a check says: passed, or the smallest machine that shows the mistake, in words and drawn."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING

from magmem.labs.checking import Fault, fails_alike, first_fault, lab_of, try_on
from magmem.labs.lab import LABS, Lab, Student
from magmem.labs.making import SIZES
from magmem.labs.records import KERNEL, PAGE, Mapping, Records
from magmem.labs.shrinking import smallest
from magmem.labs.snapshots import snapshot_of_records, vmo_id
from magmem.listing import wrapped

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Mark", "Report", "check", "mark"]

MOST_DRAWN = 6


@dataclass(frozen=True, eq=False)
class Report:
    """What a check found.

    Attributes
    ----------
    lab : str
    passed : bool
    text : str
        The whole of it, as it is printed.
    machine : Records or None
        The smallest machine that shows the mistake: call the function on it.
    """

    lab: str
    passed: bool
    text: str
    machine: Records | None = None
    vmos: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.text + "\n"

    def __repr__(self) -> str:
        return self.text

    def figure(self) -> Figure:
        """The smallest machine as a page picture.

        Raises
        ------
        LookupError
            There is none: the function passed, or it failed whatever the machine.
        """
        import magmem

        if self.machine is None or not self.vmos:
            raise LookupError("there is no machine to draw")
        picture = magmem.picture(snapshot_of_records(self.machine), self.vmos)
        figure: Figure = picture.figure(f"The smallest machine that shows it ({self.lab})")
        return figure

    def _repr_html_(self) -> str | None:
        if not self.vmos:
            return None
        text = f"<pre>{escape(self.text)}</pre>"
        return f'{text}<img alt="{escape(self.text[:200])}" src="{self._picture}">'

    @cached_property
    def _picture(self) -> str:
        file = io.BytesIO()
        self.figure().savefig(file, format="png", dpi=75)
        return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


@dataclass(frozen=True)
class Mark:
    """How a function does on hidden machines.

    Attributes
    ----------
    lab : str
    right : int
        Machines on which it is right to the byte, of the first one on; it stops at the first
        that differs.
    machines : int
        How many there are.
    says : str
        What was wrong on the first that differs; names no number of that machine.
    """

    lab: str
    right: int
    machines: int
    says: str

    @property
    def passed(self) -> bool:
        """Whether it is right on all of them."""
        return self.right == self.machines


def check(what: str | Student, function: Student | None = None) -> Report:
    """Whether a function of yours is right on machines from one process to three hundred.

    Parameters
    ----------
    what : callable or str
        The function, whose name says which lab it is of (``ps``, or ``my_ps``); or that name,
        followed by the function.
    function : callable, optional

    Returns
    -------
    Report
        Passed, or the first difference, on the smallest machine that shows it.

    Raises
    ------
    UnknownLab
        No lab has a function of that name.
    TypeError
        There is no function.
    """
    name, asked = _asked(what, function)
    lab = lab_of(name)
    found = first_fault(lab, asked)
    if found is None:
        text = (
            f"{lab.name}: right on all {len(SIZES)} machines, from {min(SIZES)} process to "
            f"{max(SIZES)} processes, to the byte."
        )
        return Report(lab.name, True, text)
    place, records, fault = found
    if fault.kind == "not written":
        text = f"Not written yet: {lab.call} is to return {lab.gist}."
        return Report(lab.name, False, text)
    if fault.kind in ("too long", "refused"):
        return Report(lab.name, False, _lines(_intro(lab, place, records), fault), records)
    repeat = try_on(lab, asked, records)
    if repeat is None or repeat.kind != fault.kind:
        text = (
            f"{lab.name} gave two different answers for the same machine. Does it keep something "
            "between calls, in a global variable or a default argument?"
        )
        return Report(lab.name, False, text)
    small = smallest(records, fails_alike(lab, asked, fault))
    fault = try_on(lab, asked, small) or fault
    text, vmos = _told(lab, place, records, small, fault)
    return Report(lab.name, False, text, small, vmos)


def mark(name: str, function: Student, words: str) -> Mark:
    """How a function does on machines that it has not seen, for marks.

    The function runs in this process, with the limits of `check`: call this in a process that may
    be killed.

    Parameters
    ----------
    name : str
        Of the lab.
    function : callable
    words : str
        What the machines are made from; keep it secret and the machines are hidden.

    Raises
    ------
    UnknownLab
    """
    lab = lab_of(name)
    found = first_fault(lab, function, words)
    if found is None:
        return Mark(lab.name, len(SIZES), len(SIZES), "right to the byte")
    place, records, fault = found
    says = fault.says or f"it differs in {_where(fault)}, on a machine of {_count(records)}"
    return Mark(lab.name, place, len(SIZES), says)


def _asked(what: str | Student, function: Student | None) -> tuple[str, Student]:
    if isinstance(what, str):
        if not callable(function):
            raise TypeError(f"expected a function after {what!r}: labs.check({what!r}, {what})")
        return what, function
    if not callable(what):
        raise TypeError(f"expected a function, found {type(what).__name__}")
    name = str(getattr(what, "__name__", ""))
    if name.removeprefix("my_") not in LABS:
        names = ", ".join(LABS)
        raise TypeError(
            f'a function {name!r} is of no lab; say which: labs.check("…", {name}) with one of '
            f"{names}"
        )
    return name, what


def _count(records: Records) -> str:
    many = len(records.processes)
    return f"{many} process{'' if many == 1 else 'es'}"


def _where(fault: Fault) -> str:
    kind, *rest = fault.key or ("?",)
    return {
        "mapping": "the bytes of a mapping",
        "vmo": "#shr of a VMO",
        "process": f"{rest[-1] if rest else ''} of a process",
        "hidden": f"the hidden bytes of a VMO, cause {rest[-1] if rest else ''}",
        "line": f"the line {rest[-1] if rest else ''!r}",
    }.get(str(kind), "its answer")


def _intro(lab: Lab, place: int, records: Records) -> str:
    before = {0: "It fails on the first machine.", 1: "Right on 1 machine; it fails on the next,"}
    told = before.get(place, f"Right on {place} machines; it fails on the next,")
    return f"{lab.name}: not yet. {told}" + (f" of {_count(records)}." if place else "")


def _lines(intro: str, fault: Fault) -> str:
    lines = [wrapped(intro), "", wrapped(fault.says)]
    if fault.printed:
        lines += ["", "It printed:", *(f"  {line}" for line in fault.printed.splitlines()[:20])]
    return "\n".join(lines).rstrip()


def _told(
    lab: Lab, place: int, records: Records, small: Records, fault: Fault
) -> tuple[str, tuple[str, ...]]:
    """The text of a difference, and the names of the VMOs that are drawn."""
    import magmem

    says = fault.says or _difference(small, fault)
    head = _lines(_intro(lab, place, records), Fault(fault.kind, says, printed=fault.printed))
    parts = [head, "", f"The smallest machine on which it fails has {_inventory(small)}:"]
    numbers = _shown(small, fault)
    names = tuple(small.vmos[number].name for number in numbers)
    snap = snapshot_of_records(small)
    if names:
        parts += ["", str(magmem.picture(snap, names)).rstrip()]
    at = _page(small, fault, numbers)
    if at is not None:
        page = magmem.page(snap, vmo_id(at[0]), at[1])
        parts += ["", str(page).rstrip()]
    parts += ["", "Its records are in `.machine` of this report."]
    return "\n".join(parts), names


def _inventory(records: Records) -> str:
    def few(count: int, one: str, many: str) -> str:
        return f"{count} {one if count == 1 else many}"

    parts = [_count(records), few(len(records.vmos), "VMO", "VMOs")]
    parts.append(few(len(records.mappings), "mapping", "mappings"))
    if records.handles:
        parts.append(few(len(records.handles), "handle", "handles"))
    return ", ".join(parts[:-1]) + " and " + parts[-1]


def _difference(records: Records, fault: Fault) -> str:
    """What differs, in one or two sentences."""
    kind, *rest = fault.key or ("?",)
    numbers = f"You say {_bytes(fault.said)}; right is {_bytes(fault.right)}."
    if kind == "mapping":
        mapping = records.mappings[rest[0]]
        return f"Mapping {rest[0]}, {_window(records, mapping)}. {numbers} {_own(records, mapping)}"
    if kind == "vmo":
        said, right = int(fault.said), int(fault.right)
        return f"#shr of VMO {records.vmos[rest[0]].name}: you say {said}; the kernel says {right}."
    if kind == "process":
        return f"{rest[1]} of {_who(records, rest[0])}: y{numbers[1:]}"
    if kind == "hidden":
        return f"VMO {records.vmos[rest[0]].name}, hidden as {rest[1]}: y{numbers[1:]}"
    return f"Line {rest[0]!r}: y{numbers[1:]}"


def _bytes(size: Fraction) -> str:
    if size.denominator == 1:
        return f"{int(size):,} bytes"
    return f"{size} bytes ({float(size):,.1f})"


def _who(records: Records, koid: int) -> str:
    if koid == KERNEL:
        return "the kernel (0)"
    found = next(process for process in records.processes if process.koid == koid)
    return f"{found.name} ({koid})" + ("" if found.is_running else ", which does not run")


def _window(records: Records, mapping: Mapping) -> str:
    first, pages = mapping.vmo_offset_bytes // PAGE, mapping.size_bytes // PAGE
    whose = "the kernel" if mapping.process == KERNEL else _who(records, mapping.process)
    shown = f"page {first}" if pages == 1 else f"pages {first} to {first + pages - 1}"
    return f"of {whose}, shows {shown} of VMO {records.vmos[mapping.vmo].name}"


def _own(records: Records, mapping: Mapping) -> str:
    first = mapping.vmo_offset_bytes // PAGE
    end = first + mapping.size_bytes // PAGE
    own = [
        page
        for run in records.vmos[mapping.vmo].runs
        for page in range(max(first, run.first), min(end, sum(run)))
    ]
    if not own:
        return "The VMO owns no page there."
    return f"The VMO owns {len(own)} page{'' if len(own) == 1 else 's'} there: {_some(own)}."


def _some(pages: list[int]) -> str:
    return ", ".join(map(str, pages[:8])) + (" …" if len(pages) > 8 else "")


def _shown(records: Records, fault: Fault) -> list[int]:
    """Numbers of the VMOs to draw: what the difference is about, its parents and its clones."""
    kind, *rest = fault.key or ("?",)
    first: list[int] = []
    if kind == "mapping":
        first = [records.mappings[rest[0]].vmo]
    elif kind in ("vmo", "hidden"):
        first = [rest[0]]
    elif kind == "process":
        first = [each.vmo for each in records.mappings if each.process == rest[0]]
    others = [vmo.number for vmo in records.vmos]
    return list(dict.fromkeys([*first, *others]))[:MOST_DRAWN]


def _page(records: Records, fault: Fault, numbers: list[int]) -> tuple[int, int] | None:
    """The page to show: the first that the difference can be about."""
    kind, *rest = fault.key or ("?",)
    if kind == "mapping":
        mapping = records.mappings[rest[0]]
        first = mapping.vmo_offset_bytes // PAGE
        last = -(-records.vmos[mapping.vmo].size_bytes // PAGE)
        return (mapping.vmo, first) if first < last else None
    for number in numbers:
        if records.vmos[number].runs:
            return number, records.vmos[number].runs[0].first
    return None
