"""Members of JSON objects written by hand, in the exact spacing of a tool's output."""

from __future__ import annotations

import json
import re

from magmem.tools import columns

__all__ = ["members", "quoted"]

SURROGATE = re.compile("[\ud800-\udfff]")


def members(fields: dict[str, list[str]]) -> list[str]:
    """JSON members of each row, without those whose value is unknown."""
    if not any(columns.UNKNOWN in column for column in fields.values()):
        template = ", ".join(f'"{name}": %s' for name in fields)
        return [*map(template.__mod__, zip(*fields.values(), strict=True))]
    keys = [f'"{name}": ' for name in fields]
    return [
        ", ".join(
            [key + text for key, text in zip(keys, row, strict=True) if text != columns.UNKNOWN]
        )
        for row in zip(*fields.values(), strict=True)
    ]


def quoted(name: str) -> str:
    """A name as a JSON string; only what JSON demands is escaped."""
    text = json.dumps(name, ensure_ascii=False)
    if text.isascii():
        return text
    # A lone surrogate stands for a byte that is not UTF-8, and UTF-8 text cannot hold it.
    return SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
