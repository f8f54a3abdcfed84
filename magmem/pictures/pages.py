"""The page picture: a page is a square, a VMO a row, a mapping a bar over it, a process a column.

`picture` makes it for a few VMOs of any snapshot or machine. The text form says the same as the
figure, run by run, and is what a notebook compares; the figure needs matplotlib only when drawn.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from magmem.errors import MissingData
from magmem.pictures.reach import Reach, Window, WindowsOnto
from magmem.sizes import format_size
from magmem.snapshot import PAGE_BYTES, Snapshot
from magmem.snapshot.source import Source, snapshot_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["PagePicture", "PageRun", "VmoRow", "picture"]


SHOWN = 12
"""Windows listed per VMO in the text form."""


@dataclass(frozen=True, slots=True)
class PageRun:
    """Pages ``[first, end)`` that look alike; `tint` is a name of the palette, or ``none``."""

    first: int
    end: int
    tint: str
    said: str

    @property
    def pages(self) -> int:
        """How many pages."""
        return self.end - self.first


@dataclass(frozen=True, slots=True)
class VmoRow:
    """One VMO of the picture: its runs from the first page to the last, and its windows.

    `row` is its row in the vmos table.
    """

    row: int
    koid: int | None
    name: str
    size_bytes: int
    committed_pages: int
    runs: tuple[PageRun, ...]
    windows: tuple[Window, ...]

    @property
    def label(self) -> str:
        """Name, koid and sizes on one line."""
        name = self.name or "(no name)"
        koid = f", koid {self.koid}" if self.koid else ""
        size = format_size(self.size_bytes)
        return f"{name}{koid}: {size}, {format_size(self.committed_pages * PAGE_BYTES)} committed"


@dataclass(frozen=True, eq=False)
class PagePicture:
    """A few VMOs, page by page. ``str()`` is the text form, `figure` the drawn one.

    Attributes
    ----------
    rows : tuple of VmoRow
        The VMOs in the order asked for.
    processes : tuple of (koid, name)
        The columns: every process with a window onto one of them; koid None is the kernel.
    """

    rows: tuple[VmoRow, ...]
    processes: tuple[tuple[int | None, str], ...]

    def __str__(self) -> str:
        lines: list[str] = []
        for row in self.rows:
            lines.append(row.label)
            lines += [f"  {_span(run.first, run.end)}: {run.said}" for run in row.runs]
            lines += [f"  {self._window(window, row)}" for window in row.windows[:SHOWN]]
            if len(row.windows) > SHOWN:
                lines.append(f"  and {len(row.windows) - SHOWN:,} windows more")
        return "\n".join(lines) + "\n"

    def __repr__(self) -> str:
        return str(self).removesuffix("\n")

    @property
    def df(self) -> pd.DataFrame:
        """One row per run of pages: koid, name, first_page, page_count (int64), tint, said."""
        records = [
            (row.koid, row.name, run.first, run.pages, run.tint, run.said)
            for row in self.rows
            for run in row.runs
        ]
        columns = ["koid", "name", "first_page", "page_count", "tint", "said"]
        return pd.DataFrame(records, columns=columns)

    def figure(self, title: str = "", *, dark: bool = False) -> Figure:
        """The picture as a matplotlib figure (150 dpi, at least 12 cm wide); `title` says it."""
        from magmem.pictures.drawing import draw

        return draw(self, title=title, dark=dark)

    def _window(self, window: Window, row: VmoRow) -> str:
        who = dict(self.processes)[window.koid]
        how = f"mapped {window.perms} by {who}" if window.perms else f"a handle of {who}"
        through = "" if window.through == row.row else ", through a clone"
        return f"{_span(window.first, window.end)}: {how}{through}"


def picture(source: Source, vmos: Iterable[int | str] | int | str | None = None) -> PagePicture:
    """The page picture of a few VMOs.

    Parameters
    ----------
    source : Snapshot or Machine
        Its page runs and mappings must be known.
    vmos : koids or names, or one of them
        Which VMOs, in this order; a name stands for every VMO of that name. Left out: the up to
        eight with most committed pages.

    Raises
    ------
    MissingData
        The capture has no page runs.
    LookupError
        No VMO has that koid or name.
    """
    snap = snapshot_of(source)
    if not snap.knows("pages"):
        raise MissingData("picture", "page runs", "which pages each VMO owns")
    onto = WindowsOnto(snap)
    names = _process_names(snap)
    rows = tuple(_row(snap, onto, names, row) for row in _chosen(snap, vmos))
    seen = {window.koid for row in rows for window in row.windows}
    order = [koid for koid in names if koid in seen]
    return PagePicture(rows, tuple((koid, names[koid]) for koid in order))


def _chosen(snap: Snapshot, vmos: Iterable[int | str] | int | str | None) -> list[int]:
    if vmos is None:
        pages = snap.pages.groupby("vmo")["page_count"].sum()
        return sorted(pages.sort_values(ascending=False, kind="stable").index[:8].tolist())
    wanted = [vmos] if isinstance(vmos, (int, str)) else list(vmos)
    rows: list[int] = []
    for want in wanted:
        column = "koid" if isinstance(want, int) else "name"
        found = snap.vmos.index[(snap.vmos[column] == want).fillna(False).to_numpy(dtype=bool)]
        if not len(found):
            raise LookupError(f"no VMO with {column} {want!r} in this snapshot")
        rows += found.tolist()
    return rows


def _process_names(snap: Snapshot) -> dict[int | None, str]:
    """Names by koid, the kernel first; a name that several processes have gets its koid."""
    processes = snap.processes
    names = processes["name"].fillna("?")
    twice = names.duplicated(keep=False)
    labels: dict[int | None, str] = {None: "kernel"}
    for koid, name, shared in zip(processes["koid"], names, twice, strict=True):
        labels[int(koid)] = f"{name} ({koid})" if shared or not name else str(name)
    return labels


def _row(snap: Snapshot, onto: WindowsOnto, names: dict[int | None, str], row: int) -> VmoRow:
    vmo = snap.vmos.loc[row]
    reaches = onto.reach(row)
    runs: list[PageRun] = []
    at = 0
    for reach in reaches:
        if reach.first > at:
            runs.append(PageRun(at, reach.first, "none", "not committed"))
        runs.append(PageRun(reach.first, reach.end, *_look(reach, names)))
        at = reach.end
    if at < onto.size_pages[row]:
        runs.append(PageRun(at, onto.size_pages[row], "none", "not committed"))
    named = vmo["name"] is not pd.NA and vmo["name"]
    return VmoRow(
        row=row,
        koid=None if vmo["koid"] is pd.NA else int(vmo["koid"]),
        name=str(named or ""),
        size_bytes=0 if vmo["size_bytes"] is pd.NA else int(vmo["size_bytes"]),
        committed_pages=sum(reach.end - reach.first for reach in reaches),
        runs=tuple(runs),
        windows=tuple(onto.windows(row)),
    )


def _look(reach: Reach, names: dict[int | None, str]) -> tuple[str, str]:
    """The tint of a run of committed pages and the words that say why."""
    if len(reach.mapped_by) > 1:
        return "shared", f"shared by {_names(reach.mapped_by, names)}"
    if None in reach.mapped_by:
        return "hidden_kernel", "hidden: mapped only by the kernel"
    if reach.mapped_by:
        return "private", f"private to {_names(reach.mapped_by, names)}"
    if reach.held_by:
        return "hidden_handle", f"hidden: only a handle, of {_names(reach.held_by, names)}"
    return "hidden_kernel", "hidden: no mapping and no handle shows it"


def _names(koids: Iterable[int | None], names: dict[int | None, str], most: int = 4) -> str:
    listed = [name for koid, name in names.items() if koid in set(koids)]
    if len(listed) > most:
        listed = [*listed[: most - 1], f"{len(listed) - most + 1} more"]
    return ", ".join(listed[:-1]) + " and " + listed[-1] if len(listed) > 1 else listed[0]


def _span(first: int, end: int) -> str:
    return f"page {first}" if end - first == 1 else f"pages {first}-{end - 1}"
