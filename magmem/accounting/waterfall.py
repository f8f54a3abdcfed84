"""The ledger's machine half as a picture: from the reported PSS, step by step, to all of memory.

Each bar begins where the last one ended. Steps that would be too thin to see keep a line and their
number. Free memory is most of many machines, so its bar is broken: the axis ends where the rest
does, and the number says how long it really is.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Final

from magmem.accounting.statement import Line, Statement
from magmem.palette import DARK, LIGHT, TINTS
from magmem.sizes import format_size
from magmem.still import Still

__all__ = ["draw"]

_TINTS: Final = {
    "reported": "private",
    "exact": "shared",
    "kernel-mapped": "hidden_kernel",
    "handle-only": "hidden_handle",
    "kernel-only": "hidden_kernel",
    "alloc": "shared",
    "wired": "wired",
    "heap in use": "heap_used",
    "heap free": "heap_free",
    "mmu": "mmu",
    "other": "other",
    "free": "free",
    "total": "other",
    "contradiction": "twice",
    "printing": "other",
    "hidden": "hidden_kernel",
    "unknown": "other",
    "vmos": "shared",
}
"""Line to tint; the six steps between reported and exact are what the tools count wrongly."""


def draw(statement: Statement, name: str, *, dark: bool = False) -> Still:
    """The waterfall of a statement.

    Parameters
    ----------
    statement : Statement
    name : str
        The machine's.
    dark : bool
        For a dark page.

    Returns
    -------
    Still
        16 cm wide, readable at 12; one row per line that is not 0.
    """
    theme = DARK if dark else LIGHT
    lines = [line for line in statement.lines if line.size_bytes or line.key == "reported"]
    spans = _spans(lines)
    shown = [max(span) for line, span in zip(lines, spans, strict=True) if line.key not in _BROKEN]
    end = float(max(shown, default=Fraction(1))) * 1.12 or 1.0
    figure = Still(figsize=(6.3, 0.45 + 0.27 * len(lines)), dpi=150, facecolor=theme.ground)
    height = 0.27 * len(lines) / (0.45 + 0.27 * len(lines))
    axes = figure.add_axes((0.30, 0.02, 0.53, height), facecolor=theme.ground)
    axes.set(xlim=(0, end), ylim=(len(lines) - 0.4, -0.6))
    axes.axis("off")
    for row, (line, (low, high)) in enumerate(zip(lines, spans, strict=True)):
        tint = TINTS[_TINTS.get(line.key, "twice")]
        left, right = float(low), min(float(high), end)
        axes.barh(
            row,
            max(right - left, end / 400),
            left=min(left, end * 0.9975),
            height=0.66,
            color=tint.dark if dark else tint.light,
            edgecolor=theme.text if line.is_sum else theme.line,
            linewidth=0.9 if line.is_sum else 0.4,
        )
        if float(high) > end:
            axes.text(end * 0.985, row, "≈", ha="right", va="center", fontsize=8, color=theme.text)
        if row:
            joint = float(spans[row - 1][1] if lines[row - 1].size_bytes > 0 else spans[row - 1][0])
            if joint <= end and not line.is_sum:
                axes.plot([joint, joint], [row - 1, row], color=theme.faint, lw=0.6, zorder=0)
        weight = "bold" if line.is_sum else "normal"
        label: dict[str, Any] = {
            "ha": "right",
            "va": "center",
            "fontsize": 7.5,
            "color": theme.text,
        }
        axes.text(-0.02 * end, row, _WORDS.get(line.key, line.key), weight=weight, **label)
        axes.text(1.30 * end, row, _amount(line), weight=weight, **label)
    figure.text(
        0.015,
        0.985,
        _finding(statement, name),
        fontsize=9,
        weight="bold",
        va="top",
        color=theme.text,
    )
    return figure


_BROKEN: Final = ("free", "total")
_WORDS: Final = {
    "reported": "PSS as ps reports it",
    "exact": "exact PSS",
    "alloc": "pages that VMOs own",
    "total": "physical memory",
    "mmu": "page tables (mmu)",
    "unknown": "unknown (?)",
    "vmos": "VMOs",
}


def _spans(lines: list[Line]) -> list[tuple[Fraction, Fraction]]:
    """Where each bar begins and ends; a sum begins at 0."""
    spans = []
    level = Fraction(0)
    for line in lines:
        if line.is_sum:
            spans.append((Fraction(0), line.size_bytes))
            continue
        after = level + line.size_bytes
        spans.append((min(level, after), max(level, after)))
        level = after
    return spans


def _amount(line: Line) -> str:
    size = format_size(abs(round(line.size_bytes)))
    if line.is_sum or line.key == "reported":
        return f"= {size}" if line.is_sum else size
    return f"{'+' if line.size_bytes >= 0 else '−'}{size}"


def _finding(statement: Statement, name: str) -> str:
    """The title: how far the reported sum is from the exact one."""
    reported, exact = statement.of("reported"), statement.of("exact")
    if reported is None or exact is None:
        unknown = statement.of("unknown")
        size = "what ps misses" if unknown is None else format_size(abs(round(unknown)))
        return f"{name}: {size} cannot be told apart"
    apart = abs(round(exact - reported))
    if not apart:
        return f"{name}: what ps reports is right, to the byte"
    if reported and apart * 100 < abs(reported):
        return f"{name}: ps is {format_size(apart)} off, less than 1%"
    how = "too little" if exact > reported else "too much"
    return f"{name}: ps reports {format_size(apart)} {how}"
