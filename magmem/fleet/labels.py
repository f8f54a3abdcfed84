"""The labels of a capture: from its path by a pattern, from a table, a mapping or a function.

A pattern such as ``captures/{device}/{build}.{captured_at}.json`` is matched against the end of
the path; a trailing ``.gz`` may follow. Times are brought to UTC.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from magmem.fleet.errors import FleetError
from magmem.fleet.tables import check_label

__all__ = ["Labels", "labeller", "time_text"]

Labels = dict[str, str]
"""Label to value; what is not known is left out."""

_TIME = (
    r"\d{4}-?\d\d-?\d\d(?:[T _-]?\d\d(?:[:.-]?\d\d(?:[:.-]?\d\d(?:\.\d+)?)?)?)?"
    r"(?:Z|[+-]\d\d:?\d\d)?|\d{9,10}"
)
_PARTS = re.compile(
    r"(\d{4})-?(\d\d)-?(\d\d)(?:[T _-]?(\d\d)(?:[:.-]?(\d\d)(?:[:.-]?(\d\d)(?:\.(\d+))?)?)?)?"
    r"(Z|[+-]\d\d:?\d\d)?"
)
_MONTH = re.compile(r"\d{4}-\d\d")
_EPOCH = re.compile(r"\d{9,10}")


def time_text(value: object) -> str:
    """A time as ``2026-06-01T05:00:00`` in UTC, with microseconds where it has some.

    Raises
    ------
    ValueError
        It is no time.
    """
    if isinstance(value, datetime):
        moment = value if value.tzinfo else value.replace(tzinfo=UTC)
        return moment.astimezone(UTC).replace(tzinfo=None).isoformat()
    text = str(value).strip()
    if _EPOCH.fullmatch(text):
        return datetime.fromtimestamp(int(text), UTC).replace(tzinfo=None).isoformat()
    found = _PARTS.fullmatch(f"{text}-01" if _MONTH.fullmatch(text) else text)
    if not found:
        raise ValueError(f"expected a time such as 2026-06-01T05:00, found {text!r}")
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    offset = "+00:00" if zone in (None, "Z") else f"{zone[:3]}:{zone[-2:]}"
    micro = f".{(fraction + '000000')[:6]}" if fraction else ""
    iso = f"{year}-{month}-{day}T{hour or '00'}:{minute or '00'}:{second or '00'}{micro}{offset}"
    return datetime.fromisoformat(iso).astimezone(UTC).replace(tzinfo=None).isoformat()


def labeller(labels: Any) -> Callable[[str], Labels]:
    """What gives each path its labels.

    Parameters
    ----------
    labels : None, str, path, mapping, DataFrame or callable
        A pattern, a CSV file with a column ``source``, such a table, a mapping from path to
        labels, or a function of the path.

    Raises
    ------
    FleetError
        The pattern or table cannot be used.
    """
    if labels is None:
        return lambda _path: {}
    if callable(labels):
        return lambda path: cleaned(labels(path))
    if isinstance(labels, (str, Path)) and str(labels).endswith(".csv"):
        return _of_csv(Path(labels))
    if isinstance(labels, str):
        return _of_pattern(labels)
    if hasattr(labels, "to_dict"):
        labels = _by_source(labels.to_dict("records"), "the table of labels")
    if isinstance(labels, Mapping):
        return _of_mapping(labels)
    raise FleetError(
        "expected labels as a pattern, a CSV file, a table, a mapping or a function, "
        f"found {type(labels).__name__}"
    )


def cleaned(labels: Mapping[str, object]) -> Labels:
    """Labels as text: names checked, missing ones left out, the time in UTC.

    Raises
    ------
    ValueError
        A name that cannot be a column, or a time that is none.
    """
    result: Labels = {}
    for name, value in labels.items():
        if name not in ("device", "build", "captured_at"):
            check_label(name)
        # A missing value in a table of pandas is unequal to itself.
        if value is None or value != value or str(value) in ("", "<NA>"):  # noqa: PLR0124
            continue
        result[name] = time_text(value) if name == "captured_at" else str(value)
    return dict(sorted(result.items()))


def _of_pattern(pattern: str) -> Callable[[str], Labels]:
    if not re.search(r"{\w+}", pattern):
        raise FleetError(
            f"expected a pattern such as {{device}}/{{build}}.{{captured_at}}.json, or a .csv "
            f"file, found {pattern!r}"
        )
    parts = re.split(r"{(\w+)}", pattern)
    text = ""
    for place, part in enumerate(parts):
        if place % 2 == 0:
            text += re.escape(part).replace(r"\*\*", ".*").replace(r"\*", "[^/]*")
        elif f"(?P<{part}>" in text:
            text += f"(?P={part})"
        else:
            text += f"(?P<{part}>{_TIME if part == 'captured_at' else '[^/]+?'})"
    match = re.compile(rf"(?:.*/)?{text}(?:\.gz)?", re.DOTALL).fullmatch

    def of_path(path: str) -> Labels:
        found = match(path.replace("\\", "/"))
        if found is None:
            raise ValueError(f"expected a path like {pattern}, found {path}")
        return cleaned(found.groupdict())

    return of_path


def _of_csv(path: Path) -> Callable[[str], Labels]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise FleetError(f"{path}: {error.strerror}") from None
    return _of_mapping(_by_source(rows, str(path)))


def _by_source(rows: list[dict[Any, Any]], what: str) -> dict[str, dict[str, Any]]:
    if rows and "source" not in rows[0]:
        raise FleetError(
            f"{what}: expected a column source with the paths, found {', '.join(map(str, rows[0]))}"
        )
    return {
        str(row["source"]): {str(name): row[name] for name in row if name != "source"}
        for row in rows
    }


def _of_mapping(table: Mapping[Any, Any]) -> Callable[[str], Labels]:
    known = {str(path): labels for path, labels in table.items()}

    def of_path(path: str) -> Labels:
        name = path.rsplit("/", 1)[-1]
        for key in (path, name):
            if key in known:
                return cleaned(known[key])
        raise ValueError(f"expected labels for {path}, found none in the table")

    return of_path
