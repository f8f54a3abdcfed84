r"""Text that a terminal shows as it is written: what would move the cursor or the line is escaped.

Names of processes and VMOs, file names and what a damaged capture holds may have any character, and
a terminal obeys some of them: control characters (C0, DEL, C1) and the marks that change the
direction of text. They are shown as JSON writes them (``\n``, ``\u001b``), so that JSON whose
strings are escaped so stays JSON.
"""

from __future__ import annotations

import re

__all__ = ["one_line", "printable"]

_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}

# C0 without tab and line feed, DEL and C1; the Arabic letter mark and the other marks, embeddings,
# overrides and isolates of direction; line and paragraph separators; lone surrogates; the byte
# order mark.
_OBEYED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]"
)


def one_line(name: str) -> str:
    r"""A name with everything unprintable escaped, so that it cannot break or forge a line.

    >>> one_line("a\x1b[2Jb\nc")
    'a\\u001b[2Jb\\nc'
    """
    if name.isprintable():
        return name
    return "".join(char if char.isprintable() else _escape(char) for char in name)


def printable(text: str) -> str:
    """Lines of text, with everything but line feeds and tabs escaped that a terminal obeys."""
    return _OBEYED.sub(lambda found: _escape(found.group()), text)


def _escape(char: str) -> str:
    code = ord(char)
    return _SHORT.get(char) or (f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")
