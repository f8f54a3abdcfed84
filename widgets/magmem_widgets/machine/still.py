"""The machine explorer's still forms: the first lines of its table as a scene, and as text."""

from __future__ import annotations

import textwrap

from magmem.kernel.runs import Ints
from magmem_widgets.machine.lines import MachineLines, sized
from magmem_widgets.scene import Scene

__all__ = ["outline", "still"]

_TEXT_LINES = 40
_DEEPEST = 10
_LINES, _LINE, _TOP = 18, 19.0, 30.0
_BAR, _BAR_WIDE = 372.0, 110.0
_NUMBERS = (("PSS", 562.0), ("PRIVATE", 656.0), ("SHARED", 750.0))


def still(lines: MachineLines, order: Ints, selected: str, unit: str, sentence: str) -> Scene:
    """A sheet of 760 points width: names, bars of private and shared PSS, and the numbers."""
    scene = Scene(760, _TOP + _LINE * _LINES + 56, "tasks and their memory")
    scene.text(8, 18, "NAME", bold=True, size=11)
    scene.text(_BAR, 18, "PART OF ALL", bold=True, size=11)
    for word, right in _NUMBERS:
        scene.text(right, 18, word, bold=True, size=11, anchor="end")
    scene.line(8, 24, 752, 24)
    shown = order[: _LINES if len(order) <= _LINES else _LINES - 1].tolist()
    total = lines.rows.sums.total
    for at, row in enumerate(shown):
        y = _TOP + at * _LINE
        line = lines.line(row)
        if selected and lines.rows.key(row) == selected:
            scene.rect(4, y, 750, _LINE - 2, "none", ring=True)
        left = 8 + 14 * min(line.level - 1, _DEEPEST)
        room = int((_BAR - 12 - left) / 6.4)
        name = line.name if len(line.name) <= room else line.name[: room - 1] + "…"
        scene.text(left, y + 13, name, bold=line.kind == "job", size=12)
        if total and line.pss >= 0 and line.private >= 0:
            own = min(line.private, line.pss) / float(total) * _BAR_WIDE
            part = line.pss / float(total) * _BAR_WIDE - own
            scene.rect(_BAR, y + 3, own, 11, "private")
            scene.rect(_BAR + own, y + 3, part, 11, "shared")
        sizes = (line.pss, line.private, line.shared)
        for size, (_, right) in zip(sizes, _NUMBERS, strict=True):
            scene.text(right, y + 13, sized(size, unit), size=12, anchor="end")
    bottom = _TOP + _LINE * _LINES
    rest = len(order) - len(shown)
    if rest:
        scene.text(8, bottom - 6, f"… and {rest:,} lines more", "faint", size=12)
    for at, words in enumerate(textwrap.wrap(sentence, 112)[:3]):
        scene.text(8, bottom + 16 + at * 16, words, size=12)
    return scene


def outline(lines: MachineLines, order: Ints, unit: str) -> str:
    """The first 40 lines with their numbers, and how many there are beyond; ends with a newline."""
    made = [lines.line(row) for row in order[:_TEXT_LINES].tolist()]
    names = ["  " * (line.level - 1) + line.name for line in made]
    width = max([4, *map(len, names)])
    rows = [("NAME", "PSS", "PRIVATE", "SHARED")]
    for name, line in zip(names, made, strict=True):
        pss, private, shared = (sized(size, unit) for size in (line.pss, line.private, line.shared))
        rows.append((name, pss, private, shared))
    text = [f"{row[0]:<{width}} {row[1]:>8} {row[2]:>8} {row[3]:>8}".rstrip() for row in rows]
    rest = len(order) - len(made)
    text += [f"… and {rest:,} lines more"] if rest > 0 else []
    return "\n".join([*text, ""])
