"""`k mx ps`: every process, and how many handles of each type it has."""

from __future__ import annotations

import re
from typing import Any

from magmem.captures.reading.cells import Cell, count, koid, name
from magmem.captures.reading.layout import Header
from magmem.captures.reading.text_table import ALWAYS, TableDump, TextTable

__all__ = ["K_PS"]

_IS_TYPE = re.compile(r"#[a-z?]{2,3}").fullmatch


def _by_type(heading: str) -> Cell | None:
    return count() if _IS_TYPE(heading) else None


def _types(dump: TableDump) -> list[str]:
    fields = dump.layout.fields if dump.layout is not None else []
    return [one.heading for one in fields if _IS_TYPE(one.heading)]


def _adds_up(dump: TableDump, values: dict[str, Any], cells: dict[str, str], number: int) -> None:
    """Newer types are in the total but in no column, so it may be more than the counts."""
    counts = sum(int(cells[heading]) for heading in _types(dump))
    if counts > values["reported_handles"]:
        expected = f"at least {counts} handles, the sum of the counts"
        raise dump.error(number, expected, cells["#h:"].rstrip(":"))


K_PS = TextTable(
    "k ps",
    table="tasks",
    header=Header(("#h:",), first="id", last="[name]"),
    columns={
        "id": koid(),
        "#h:": count("reported_handles", suffix=":"),
        "[name]": name(quotes="[]"),
    },
    others=_by_type,
    every={"kind": "process"},
    unique="id",
    finish=_adds_up,
    expected=lambda dump, _line: (
        f"a koid, the handles, {len(_types(dump))} counts and a name in []"
    ),
    covers={"processes": ALWAYS},
)
