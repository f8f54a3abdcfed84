"""The table of the diff view: the largest rows, and the sums of the others, down to the total.

Every row of the section is in exactly one line of the table, so that its lines add up to the change
of the total to the byte, whatever is left out, opened or selected.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from magmem.printable import one_line
from magmem_widgets.diff.changes import KINDS, Change, Changes, Sum
from magmem_widgets.diff.words import SIGNS, amount, exact_bytes, size
from magmem_widgets.scene import Scene

__all__ = ["Table", "draw_head", "draw_table", "tip"]

ROWS: Final = 10
_LEFT, _TOP, _ROW = 380.0, 74.0, 22.0
_BEFORE, _AFTER, _CHANGE = 600.0, 674.0, 748.0
_EMPTY: Final = Sum(0, 0, 0, 0)


@dataclass(frozen=True)
class Table:
    """The table: its rows, and the sums of the larger, smaller and not chosen ones around them.

    `rest_word` says why rows are not chosen, `following` is the `skip` that shows the first of the
    smaller ones; None if none can be shown.
    """

    listed: list[Change]
    larger: Sum
    others: Sum
    rest: Sum
    rest_word: str
    following: int | None

    @classmethod
    def of(
        cls, changes: Changes, kinds: tuple[str, ...], order: str, skip: int, chosen: Change | None
    ) -> Table:
        """The rows of these kinds from the one of rank `skip` on, and the chosen one wherever."""
        every = changes.rows(kinds, order)
        skip = min(skip, len(every))
        rows = every[skip : skip + ROWS - bool(skip)].tolist()
        larger = changes.larger(kinds, order, skip)
        last: list[Change] = []
        if chosen is not None and chosen.change_bytes is not None and chosen.row not in rows:
            rows, last = rows[: ROWS - 1 - bool(skip)], [chosen]
            if chosen.row in every[:skip]:
                larger = larger - Sum.of(last)
        listed = [*(changes[row] for row in rows), *last]
        inside = sum((changes.sums[kind] for kind in kinds), _EMPTY)
        others = inside - larger - Sum.of([change for change in listed if change.kind in kinds])
        rest = changes.total - larger - others - Sum.of(listed)
        following = skip + len(rows)
        word = "unchanged" if set(KINDS) <= set(kinds) else "not shown"
        at = following if following < len(every) else None
        return cls(listed, larger, others, rest, word, at)


def draw_head(scene: Scene, title: str) -> None:
    """The heads of the columns."""
    for x, word in ((_BEFORE, "before"), (_AFTER, "after"), (_CHANGE, "change")):
        scene.text(x, _TOP + 12, word, "faint", anchor="end", size=11)
    scene.text(_LEFT, _TOP + 12, title, "faint", size=11)
    scene.line(_LEFT, _TOP + 18, _CHANGE, _TOP + 18)


def draw_table(scene: Scene, table: Table, changes: Changes, chosen: Change | None) -> None:
    """The lines of the table, and the total beneath them."""
    y = _TOP + 20
    if table.larger.count:
        _sum_row(scene, y, f"◂ larger ({table.larger.count:,})", table.larger, "skip 0")
        y += _ROW
    for change in table.listed:
        _row(scene, y, change, chosen is not None and change.row == chosen.row)
        y += _ROW
    if table.others.count:
        act = "" if table.following is None else f"skip {table.following}"
        word = f"others ({table.others.count:,}){' ▸' * bool(act)}"
        _sum_row(scene, y, word, table.others, act)
        y += _ROW
    if table.rest.count:
        _sum_row(scene, y, f"{table.rest_word} ({table.rest.count:,})", table.rest)
        y += _ROW
    if changes.unknown:
        scene.text(_LEFT + 22, y + 15, f"not known ({changes.unknown:,})", "faint")
        scene.text(_CHANGE, y + 15, "?", "faint", anchor="end")
        y += _ROW
    scene.line(_LEFT, y + 1, _CHANGE, y + 1)
    _sizes(scene, y + 2, changes.total, bold=True)
    scene.text(_LEFT + 22, y + 17, "all known" if changes.unknown else "all", bold=True)


def tip(change: Change) -> str:
    """A row with all digits."""
    return (
        f"{change.title}: {change.kind}\nbefore {exact_bytes(change.before_bytes)} bytes\n"
        f"after {exact_bytes(change.after_bytes)} bytes\n"
        f"change {exact_bytes(change.change_bytes, sign=True)} bytes"
    )


def _row(scene: Scene, y: float, change: Change, is_chosen: bool) -> None:
    scene.rect(
        *(_LEFT - 4, y + 1, _CHANGE - _LEFT + 8, _ROW - 2, "none" if is_chosen else "clear"),
        act=f"row {change.row}",
        tip=tip(change),
        ring=is_chosen,
    )
    tint = change.kind if change.kind in KINDS else "other"
    scene.rect(_LEFT, y + 4, 15, 14, tint, text=SIGNS.get(change.kind, "="))
    name = one_line(change.name) or "-"
    short = name[:20] + "…" * (len(name) > 20)
    scene.text(_LEFT + 22, y + 15, short, bold=is_chosen)
    _sizes(scene, y, Sum.of([change]), bold=is_chosen)


def _sum_row(scene: Scene, y: float, word: str, part: Sum, act: str = "") -> None:
    ink = "text" if act else "faint"
    if act:
        place = (_LEFT - 4, y + 1, _CHANGE - _LEFT + 8, _ROW - 2)
        scene.rect(*place, "surface", act=act, tip=f"{word}: click or Enter shows them")
    scene.text(_LEFT + 22, y + 15, word, ink)
    _sizes(scene, y, part, ink=ink)


def _sizes(scene: Scene, y: float, part: Sum, *, ink: str = "text", bold: bool = False) -> None:
    for x, words in (
        (_BEFORE, size(part.before_bytes)),
        (_AFTER, size(part.after_bytes)),
        (_CHANGE, amount(part.change_bytes)),
    ):
        scene.text(x, y + 15, words, ink, anchor="end", bold=bold)
