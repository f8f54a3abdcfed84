"""A machine description as plain Python, and what the kernel derives from it, to compare with.

Reads the JSON of `reference/machine-format.md` directly, so that tests of transcripts do not lean
on the reader of machine descriptions.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

__all__ = ["Described", "Region"]

PAGE = 4096


@dataclass(frozen=True)
class Region:
    """A VMAR or mapping of an address space, with its depth below the root VMAR."""

    depth: int
    raw: dict[str, Any]

    @property
    def is_mapping(self) -> bool:
        """Whether it maps a VMO."""
        return bool(self.raw["type"] == "mapping")


class Described:
    """One described machine."""

    def __init__(self, path: Path) -> None:
        self.raw: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        self.folder = path.with_suffix("")

    @cached_property
    def vmos(self) -> dict[str, dict[str, Any]]:
        """VMOs by id, oldest first."""
        return {vmo["id"]: vmo for vmo in self.raw["vmos"]}

    @cached_property
    def processes(self) -> dict[int, dict[str, Any]]:
        """Processes by koid."""
        return {process["koid"]: process for process in self.raw["processes"]}

    @cached_property
    def derived(self) -> dict[str, list[dict[str, str]]]:
        """The rows of derived-facts.tsv by their first word."""
        rows: dict[str, list[dict[str, str]]] = {}
        heads: dict[str, list[str]] = {}
        for line in (self.folder / "derived-facts.tsv").read_text().splitlines():
            word, *fields = line.split("\t")
            if word.startswith("#"):
                heads[word[1:]] = fields
            else:
                rows.setdefault(word, []).append(dict(zip(heads[word], fields, strict=True)))
        return rows

    @cached_property
    def sums(self) -> dict[int, dict[str, int]]:
        """What the kernel sums for each process."""
        return {
            int(row["koid"]): {name: int(value) for name, value in row.items()}
            for row in self.derived["process"]
        }

    @cached_property
    def counts(self) -> dict[str, dict[str, int]]:
        """#chld, #map, #shr and committed pages of each VMO."""
        return {
            row["id"]: {name: int(value) for name, value in row.items() if name != "id"}
            for row in self.derived["vmo"]
        }

    def regions(self, aspace: dict[str, Any]) -> list[Region]:
        """All of an address space, depth first."""
        return list(_walk(aspace["root_vmar"], 0))

    def resident(self, mapping: dict[str, Any]) -> int:
        """Bytes of the VMO's own pages inside the mapped range."""
        vmo = self.vmos[mapping["vmo"]]
        first = mapping["vmo_offset"] // PAGE
        last = min(first + mapping["size"] // PAGE, -(-vmo["size"] // PAGE))
        return PAGE * sum(
            max(0, min(start + count, last) - max(start, first))
            for start, count in vmo.get("committed", [])
        )

    def parent_koid(self, vmo: dict[str, Any]) -> int | None:
        """Koid of the VMO it is a clone of."""
        return self.vmos[vmo["parent"]]["koid"] if vmo["parent"] is not None else None

    def tree(self) -> list[tuple[str, int, int | None]]:
        """Tasks as `ps -T` prints them: kind, koid, koid of the one above."""
        rows: list[tuple[str, int, int | None]] = []
        jobs = {job["koid"]: job for job in self.raw["jobs"]}

        def visit(koid: int, above: int | None) -> None:
            rows.append(("job", koid, above))
            for process in self.raw["processes"]:
                if process["job_koid"] == koid:
                    rows.append(("process", process["koid"], koid))
                    rows.extend(("thread", t["koid"], process["koid"]) for t in process["threads"])
            for child in jobs.values():
                if child["parent_koid"] == koid:
                    visit(child["koid"], koid)

        visit(self.raw["root_job_koid"], None)
        return rows

    def mapped(self, koid: int) -> Counter[str]:
        """How often a process maps each VMO, by id."""
        aspace = self.processes[koid]["aspace"]
        return Counter(r.raw["vmo"] for r in self.regions(aspace) if r.is_mapping)


def _walk(vmar: dict[str, Any], depth: int) -> Iterator[Region]:
    yield Region(depth, vmar)
    for child in vmar["children"]:
        if child["type"] == "vmar":
            yield from _walk(child, depth + 1)
        else:
            yield Region(depth + 1, child)
