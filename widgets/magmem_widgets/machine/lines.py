"""Rows of the machine explorer put into words: lines, sentences, and the table to export."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
import pandas as pd

from magmem.kernel.runs import Ints
from magmem.listing import count
from magmem.printable import one_line
from magmem.sizes import format_size
from magmem_widgets.machine.block import KINDS, NOTE, VMO
from magmem_widgets.machine.rows import MachineRows
from magmem_widgets.machine.tree import NONE, UNKNOWN

__all__ = ["RULE_WORDS", "Line", "MachineLines", "sized"]

RULE_WORDS = {"magenta-2017": "as ps prints", "exact": "exact"}


@dataclass(frozen=True)
class Line:
    """One row in words; sizes in whole bytes, `UNKNOWN` or `NONE`.

    `level` is 1 for the outermost; `koid` is missing where there is none; `words` say what is known
    of it beside its sizes.
    """

    kind: str
    level: int
    koid: int | None
    name: str
    pss: int
    private: int
    shared: int
    words: str
    opens: bool


def sized(size: int, unit: str = "") -> str:
    """A size in the tools' form; ``?`` where it is unknown, empty where there is none."""
    if size < 0:
        return "?" if size == UNKNOWN else ""
    return format_size(size, unit)


class MachineLines:
    """What the rows of one snapshot by one rule say."""

    def __init__(self, rows: MachineRows, rule: str) -> None:
        self.rows, self.rule = rows, rule

    def line(self, row: int) -> Line:
        """One row in words."""
        rows = self.rows
        found = rows.block_of(row)
        if found is None:
            return self._task(row)
        made, at = found
        block = made.block
        name, words = rows.inside.says(block, at)
        koid = int(rows.facts.vmo_koid[block.ref[at]]) if block.kind[at] == VMO else -1
        return Line(
            KINDS[int(block.kind[at])],
            made.level,
            koid if koid > 0 else None,
            name,
            int(block.pss[at]),
            int(block.private[at]),
            int(block.shared[at]),
            words,
            bool(made.opens[at]),
        )

    def _task(self, row: int) -> Line:
        rows = self.rows
        tree, sums, job = rows.tree, rows.sums, rows.is_job(row)
        koid, name = int(tree.koid[row]), tree.names[row]
        if job:
            processes, jobs = (int(part[row]) for part in self._below)
            words = count(processes, "process", "processes")
            words += f", {count(jobs, 'job')}" if jobs else ""
        else:
            words = rows.facts.process_words(koid, int(tree.rows[row]))
            hits = int(rows.hits_of[row])
            words = f"{count(hits, 'VMO')} found; {words}" if hits else words
        return Line(
            "job" if job else "process",
            int(tree.depth[row]) + 1,
            koid,
            f"{'j' if job else 'p'}:{koid} {'?' if name is None else one_line(name)}",
            int(sums.pss[row]),
            int(sums.private[row]),
            int(sums.shared[row]),
            words,
            rows.opens(row),
        )

    def title(self, row: int) -> str:
        """What a breadcrumb says of a row."""
        return self.line(row).name

    # ---- sentences

    def everything(self, unit: str) -> str:
        """What is said while no row is chosen."""
        rows = self.rows
        if rows.sums.lacks:
            most = int(np.argmax(rows.resident)) if len(rows.resident) else UNKNOWN
            if most < 0 or rows.resident[most] < 0:
                return f"PSS is unknown: {rows.sums.lacks}."
            size = sized(int(rows.resident[most]), unit)
            return (
                f"PSS is unknown; {self.title(most)} has the largest resident size, {size}, "
                "in which pages shared with others count in full."
            )
        process = np.flatnonzero(~rows.tree.is_job)
        if not len(process):
            return "No processes are in this capture."
        total = rows.sums.total
        sizes = rows.sums.pss[process]
        most = int(process[np.argmax(sizes)])
        largest = f"the largest, {self.title(most)}, has {sized(int(sizes.max()), unit)}"
        if total is None:
            return f"{count(len(process), 'process', 'processes')}; {largest}."
        return (
            f"{count(len(process), 'process', 'processes')} have a PSS of "
            f"{sized(int(total), unit)} together, {self._how}; {largest}{self._share(most)}."
        )

    @property
    def _how(self) -> str:
        reported = self.rows.sums.source == "reported"
        if reported:
            return "as ps printed it"
        return "by the exact rule" if self.rule == "exact" else RULE_WORDS[self.rule]

    def sentence(self, row: int, unit: str) -> str:
        """What is said of a row."""
        rows, line = self.rows, self.line(row)
        if line.kind == "note":
            return line.name
        if line.kind == "job":
            inside = f" {line.words}." if line.words else ""
            pss = self._pss(line, unit)
            return f"PSS of {line.name} is {pss}{self._share(row)}, {self._how}.{inside}"
        if line.kind == "process":
            return self._process(row, line, unit)
        process = self.title(rows.task_of(row))
        if line.kind == "vmo":
            charged = f"{self._pss(line, unit)}: {self._parts(line, unit)}"
            told = charged if line.pss else "nothing"
            return f"VMO {line.name}: {line.words}. {process} is charged {told}."
        what = {"run": f"{line.name.capitalize()}", "mapping": f"The {line.name}"}
        of = f" of VMO {rows.facts.vmo_label(rows.vmo_of(row))}" if rows.vmo_of(row) >= 0 else ""
        said = f"{what.get(line.kind, line.name.capitalize())}{of} in {process}: {line.words}."
        return said if line.pss == NONE else f"{said} Charged {self._pss(line, unit)}."

    def _process(self, row: int, line: Line, unit: str) -> str:
        if line.pss < 0:
            return f"PSS of {line.name} is unknown. Inside: {line.words}."
        said = f"PSS of {line.name} is {self._pss(line, unit)}{self._share(row)}, {self._how}: "
        said += f"{self._parts(line, unit)}."
        held = self._held_only(int(self.rows.tree.koid[row]))
        return f"{said} {held}" if held else said

    def _held_only(self, koid: int) -> str:
        """What a process holds by handle and does not map, so that its PSS leaves it out."""
        facts = self.rows.facts
        if facts.lacks(koid) or not facts.snap.knows("mappings"):
            return ""
        held = np.setdiff1d(facts.handle_vmo[facts.handles(koid)], facts.vmo[facts.mappings(koid)])
        held = held[held >= 0]
        committed = facts.vmo_committed[held]
        held, committed = held[committed > 0], committed[committed > 0]
        if not len(held):
            return ""
        what = count(len(held), "VMO")
        return f"By handle only it has {what} with {format_size(int(committed.sum()))}: not in PSS."

    def _parts(self, line: Line, unit: str) -> str:
        if line.pss < 0:
            return "how much is private is unknown"
        scaled = sized(line.pss - line.private, unit)
        own = f"{sized(line.private, unit)} of its own"
        part = f"its part of the {sized(line.shared, unit)} it shares"
        if line.shared <= 0:
            return "all its own" if line.private == line.pss else own
        return f"{own} and {scaled}, {part}" if line.private else part

    @staticmethod
    def _pss(line: Line, unit: str) -> str:
        return sized(line.pss, unit) if line.pss >= 0 else "unknown"

    def _share(self, row: int) -> str:
        """Such as ``, 68% of all``."""
        share = self.share(row)
        if share is None:
            return ""
        return ", <0.1% of all" if 0 < share < 0.0005 else f", {share:.1%} of all"

    def share(self, row: int) -> float | None:
        """Part of the PSS of all processes; None where one of the two is unknown."""
        total, size = self.rows.sums.total, self.line_pss(row)
        return float(Fraction(size) / Fraction(total)) if total and size >= 0 else None

    def line_pss(self, row: int) -> int:
        """PSS of a row in whole bytes, `UNKNOWN` or `NONE`."""
        found = self.rows.block_of(row)
        return int(found[0].block.pss[found[1]] if found else self.rows.sums.pss[row])

    # ---- the table

    def table(self, lines: Iterable[int]) -> pd.DataFrame:
        """Rows as a table: unknown is missing, exact sizes are ints or Fractions."""
        made = [(row, self.line(row)) for row in lines]
        made = [(row, line) for row, line in made if line.kind != KINDS[NOTE]]
        pss = [self.rows.pss_of(row) if line.pss >= 0 else pd.NA for row, line in made]
        return pd.DataFrame(
            {
                "kind": [line.kind for _, line in made],
                "depth": [line.level - 1 for _, line in made],
                "koid": pd.array([line.koid for _, line in made], dtype="Int64"),
                "name": [self._bare_name(row, line) for row, line in made],
                "pss_bytes": pd.Series(pss, dtype=object),
                "private_bytes": _known(line.private for _, line in made),
                "shared_bytes": _known(line.shared for _, line in made),
                "known": [line.words for _, line in made],
                "key": [self.rows.key(row) for row, _ in made],
            }
        )

    def _bare_name(self, row: int, line: Line) -> str | None:
        """The name as the capture has it, where it has one."""
        rows = self.rows
        if line.kind in ("job", "process"):
            return rows.tree.names[row]
        return rows.facts.vmo_names[rows.vmo_of(row)] if line.kind == "vmo" else line.name

    @cached_property
    def _below(self) -> tuple[Ints, Ints]:
        """Of each job: how many processes and how many jobs are below it."""
        tree = self.rows.tree
        place = np.arange(len(tree))
        sums = [np.concatenate(([0], np.cumsum(part))) for part in (~tree.is_job, tree.is_job)]
        processes, jobs = (part[tree.end] - part[place + 1] for part in sums)
        return processes, jobs


def _known(sizes: Iterable[int]) -> pd.Series[int]:
    values = [size if size >= 0 else None for size in sizes]
    return pd.Series(pd.array(values, dtype="Int64"))
