"""The lines of a dump of address spaces, of 2017 and of later years."""

from __future__ import annotations

import re

__all__ = [
    "ASPACE_LINE",
    "BARE_MAP_LINE",
    "BESIDE_LINE",
    "LATER_VMO_LINE",
    "LIKE_LINE",
    "MAPPED_LINE",
    "MAP_LINE",
    "OBJECT_LINE",
    "PROTECTED_LINE",
    "VMAR_LINE",
    "VMO_LINE",
    "permissions",
]

_HEX = "0x[0-9a-f]{1,40}|0"
_RANGE = rf"({_HEX}) \[({_HEX}) ({_HEX})\] sz ({_HEX})"
_COUNT = "([0-9]{1,19})"
ASPACE_LINE = re.compile(
    rf" *+as {_RANGE} (?:fl|typ) ({_HEX}|[0-9]{{1,9}}) ref {_COUNT} '(.*)'(?: destroyed [01])? *+"
).fullmatch
VMAR_LINE = re.compile(rf"( *+)vmar {_RANGE} ref {_COUNT} '(.*)' *+").fullmatch
MAP_LINE = re.compile(
    rf"( *+)map {_RANGE} mmufl ({_HEX}) vmo ({_HEX})/k{_COUNT} off ({_HEX}) p ?ages {_COUNT} "
    rf"ref {_COUNT} '(.*)' *+"
).fullmatch
BARE_MAP_LINE = re.compile(
    rf"( *+)map {_RANGE} (?:mmufl ({_HEX})|state [0-9]{{1,9}} mergeable [a-z0-9]{{1,9}}) *+"
).fullmatch
PROTECTED_LINE = re.compile(rf" *+\[(?:{_HEX}) (?:{_HEX})\] mmufl ({_HEX}) *+").fullmatch
MAPPED_LINE = re.compile(
    rf" *+vmo ({_HEX})/k{_COUNT} off ({_HEX}) (pages|bytes) (?:{_COUNT}|\({_COUNT}/{_COUNT}\)) "
    rf"ref {_COUNT} '(.*)' *+"
).fullmatch
LATER_VMO_LINE = re.compile(
    rf" *+vmo ({_HEX})/k{_COUNT} (?:size ({_HEX}) )?(?:offset (?:{_HEX}) )?"
    rf"(?:(?:start )?limit (?:{_HEX}) )*+(?:pages {_COUNT} )?ref {_COUNT} "
    rf"parent ({_HEX})(?:/k{_COUNT})? *+"
).fullmatch
BESIDE_LINE = re.compile(r" *+(?:cow_pages 0x|page_source |offset 0x|name )").match
VMO_LINE = re.compile(
    rf" *+vmo ({_HEX})/k{_COUNT} size ({_HEX}) p ?ages {_COUNT} ref {_COUNT} parent k{_COUNT} *+"
).fullmatch
OBJECT_LINE = re.compile(
    rf" *+object ({_HEX}) base ({_HEX}) size ({_HEX}) ref {_COUNT} *+"
).fullmatch
LIKE_LINE = re.compile(r" *+(?:as|vmar|map|vmo|object) 0x[0-9a-f]")

READ, WRITE, EXECUTE, INVALID = 8, 0x10, 0x20, 0x80
"""Bits of `arch_mmu_flags` (reference/machine-format.md)."""


def permissions(flags: int) -> str:
    """``rwx`` of raw flags; ``---`` where they are invalid."""
    if flags & INVALID:
        return "---"
    shown = (("r", READ), ("w", WRITE), ("x", EXECUTE))
    return "".join(letter if flags & bit else "-" for letter, bit in shown)
