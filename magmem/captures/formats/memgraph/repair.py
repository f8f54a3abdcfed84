"""Names that memgraph's old tool printed without escaping them, escaped.

That tool wrote one record a line (a process: one line up to its VMOs, then one line per VMO) and
put names between quotes as they were, so a quote, a backslash or a control character in a name
breaks the JSON. What stands behind a name in each kind of line is known and holds no free text, so
the name is what lies between; a line that does not look so is left as it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import NamedTuple

from magmem.captures.json_text import MAX_NOTES, Note

__all__ = ["escape_names"]

_HEAD = re.compile(r'\s*+\{(?:[^"\n]|"(?!name": ")[^"\n]*+")*?"name": "')
_NAME = r"(?P<name>(?s:.){0,160}?)"
_END = r"\s*+\}\s*+,?\s*+\Z"
_REST = {
    "j": re.compile(_NAME + '"' + _END),
    "t": re.compile(_NAME + r'", "state": "[A-Z_]*+"' + _END),
    # A process, whose VMOs may follow on lines of their own, the kernel's records, and VMOs.
    "": re.compile(_NAME + r'"(?:, "[a-z_]+": [0-9]+)++\s*+\}?+\s*+,?\s*+\Z'),
}
_TYPE = re.compile(r'"type": "([jt])"')
_ID = re.compile(r'"(?:id|koid)": "?([^",]+)')
_VALID = re.compile(r'(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+').fullmatch
_MAX_JOINED = 31
"""Line ends a name can hold: it has at most 31 bytes."""


def escape_names(text: str, source: str) -> tuple[str, list[Note]]:
    """The text with broken names escaped, and a note for each; no notes when none was broken.

    A name with backslashes that could pass for escapes is escaped too as soon as some other name
    shows that the tool does not escape. Line numbers stay as they were.
    """
    lines = list(_split(text.split("\n")))
    if all(line.name is None or _VALID(line.name) for line in lines):
        return text, []
    repaired: list[str] = []
    notes: list[Note] = []
    number = 1
    for line in lines:
        if line.name is None or ("\\" not in line.name and _VALID(line.name)):
            repaired.append(line.text)
        else:
            escaped = json.dumps(line.name, ensure_ascii=False)[1:-1]
            rest = line.text[len(line.head) + len(line.name) :]
            repaired.append(f"{line.head}{escaped}{rest}" + "\n" * line.name.count("\n"))
            ident = _ID.search(line.head)
            place = f"line {number}" + (f" ({ident.group(1)})" if ident else "")
            notes.append(("repaired", source, place, f"name {line.name!r} was not escaped"))
        number += line.text.count("\n") + 1
    if len(notes) > MAX_NOTES:
        rest = f"{len(notes) - MAX_NOTES} more names were not escaped"
        notes = [*notes[:MAX_NOTES], ("repaired", source, "", rest)]
    return "\n".join(repaired), notes


class _Line(NamedTuple):
    text: str
    head: str = ""
    name: str | None = None


def _split(lines: list[str]) -> Iterator[_Line]:
    """Each line, those joined whose name holds line ends; with the name where one stands."""
    at = 0
    while at < len(lines):
        found = _Line(lines[at])
        head = _HEAD.match(lines[at])
        taken = 1
        if head is not None:
            kind = _TYPE.search(head.group())
            rest = _REST[kind.group(1) if kind else ""]
            for more in range(1, min(_MAX_JOINED + 1, len(lines) - at) + 1):
                joined = "\n".join(lines[at : at + more])
                if match := rest.match(joined, head.end()):
                    found, taken = _Line(joined, head.group(), match.group("name")), more
                    break
        yield found
        at += taken
