"""Every error magmem raises on purpose, and what each one carries.

An error says where it happened, what was expected and what was found, and keeps those parts as
attributes so that a caller need not parse the message. Kernel statuses (``NoMemory``,
``InvalidArgs`` …) are named as the kernel names them.
"""

from __future__ import annotations

__all__ = [
    "AccessDenied",
    "AlreadyBound",
    "BadHandle",
    "BadState",
    "CaptureError",
    "InvalidArgs",
    "KernelError",
    "MagmemError",
    "MissingData",
    "NoMemory",
    "NoResources",
    "NoSuchObject",
    "NotFound",
    "NotSupported",
    "OutOfRange",
    "PageFault",
    "SnapshotError",
    "Unavailable",
    "UnknownDataset",
    "WrongArgument",
    "WrongType",
]


class MagmemError(Exception):
    """Base of every error magmem raises on purpose."""


class CaptureError(MagmemError):
    """A capture cannot be read.

    Attributes
    ----------
    source : str
        File name, dataset name or ``<stdin>``.
    place : str
        Line, record or field, such as ``line 7`` or ``record 12``; empty for the whole file.
    expected, found : str
        What the reader needed there and what it met; `found` is cut to a readable length.
    """

    def __init__(self, source: str, place: str, expected: str, found: str) -> None:
        self.source = source
        self.place = place
        self.expected = expected
        self.found = _cut(found)
        where = f"{source}, {place}" if place else source
        super().__init__(f"{where}: expected {expected}, found {self.found}")

    def __reduce__(self) -> tuple[type[CaptureError], tuple[str, str, str, str]]:
        return type(self), (self.source, self.place, self.expected, self.found)


class SnapshotError(MagmemError):
    """The tables of a snapshot contradict their documented shape.

    Attributes
    ----------
    table, place, expected, found : str
        The table, the row or column in it, the rule, and what broke it.
    """

    def __init__(self, table: str, place: str, expected: str, found: str) -> None:
        self.table = table
        self.place = place
        self.expected = expected
        self.found = _cut(found)
        super().__init__(f"table {table}, {place}: expected {expected}, found {self.found}")

    def __reduce__(self) -> tuple[type[SnapshotError], tuple[str, str, str, str]]:
        return type(self), (self.table, self.place, self.expected, self.found)


class MissingData(MagmemError):
    """A tool needs something that this capture does not know.

    Attributes
    ----------
    tool : str
        The tool or rule that was asked.
    needs : str
        What it needs, such as ``the mappings of process 2470``.
    """

    def __init__(self, tool: str, lacks: str, needs: str) -> None:
        self.tool = tool
        self.lacks = lacks
        self.needs = needs
        super().__init__(f"this capture has no {lacks}: {tool} needs {needs}")

    def __reduce__(self) -> tuple[type[MissingData], tuple[str, str, str]]:
        return type(self), (self.tool, self.lacks, self.needs)


class UnknownDataset(MagmemError, LookupError):
    """No dataset of that name ships with magmem."""


class NoSuchObject(MagmemError, LookupError):
    """A snapshot holds no such VMO or page."""


class KernelError(MagmemError):
    """A kernel operation failed; the subclass is the kernel's status.

    Attributes
    ----------
    status : str
        The status as the kernel names it, such as ``ERR_NO_MEMORY``.
    code : int
        Its number, such as ``-4``.
    """

    status = "ERR_INTERNAL"
    code = -1


class NoMemory(KernelError):
    """``ERR_NO_MEMORY``: no room in physical memory or in an address range."""

    status = "ERR_NO_MEMORY"
    code = -4


class InvalidArgs(KernelError, ValueError):
    """``ERR_INVALID_ARGS``: an argument can never be right."""

    status = "ERR_INVALID_ARGS"
    code = -10


class WrongArgument(InvalidArgs, TypeError):
    """An argument of a Python type that the call cannot take; the message names the argument."""


class BadHandle(KernelError):
    """``ERR_BAD_HANDLE``: no such handle in this process."""

    status = "ERR_BAD_HANDLE"
    code = -11


class WrongType(KernelError, TypeError):
    """``ERR_WRONG_TYPE``: the object is of another type."""

    status = "ERR_WRONG_TYPE"
    code = -12


class OutOfRange(KernelError):
    """``ERR_OUT_OF_RANGE``: beyond the end of an object."""

    status = "ERR_OUT_OF_RANGE"
    code = -14


class NoResources(KernelError):
    """``ERR_NO_RESOURCES``: a fixed kernel table, such as the handle arena, is full."""

    status = "ERR_NO_RESOURCES"
    code = -3


class NotSupported(KernelError):
    """``ERR_NOT_SUPPORTED``: this object cannot do that."""

    status = "ERR_NOT_SUPPORTED"
    code = -2


class BadState(KernelError):
    """``ERR_BAD_STATE``: the object is not in a state that allows it."""

    status = "ERR_BAD_STATE"
    code = -20


class NotFound(KernelError, LookupError):
    """``ERR_NOT_FOUND``: nothing there."""

    status = "ERR_NOT_FOUND"
    code = -25


class AlreadyBound(KernelError):
    """``ERR_ALREADY_BOUND``: it is bound already."""

    status = "ERR_ALREADY_BOUND"
    code = -27


class Unavailable(KernelError):
    """``ERR_UNAVAILABLE``: a limit of this moment, such as 31 pins a page."""

    status = "ERR_UNAVAILABLE"
    code = -28


class AccessDenied(KernelError):
    """``ERR_ACCESS_DENIED``: the handle or the VMAR lacks the right."""

    status = "ERR_ACCESS_DENIED"
    code = -30


class PageFault(KernelError):
    """A memory access that no mapping allows; the thread takes an exception.

    Attributes
    ----------
    address : int
        The faulting address.
    access : str
        ``read``, ``write`` or ``execute``.
    reason : str
        Why the fault could not be resolved.
    """

    status = "ERR_NOT_FOUND"
    code = -25

    def __init__(self, address: int, access: str, reason: str) -> None:
        self.address = address
        self.access = access
        self.reason = reason
        super().__init__(f"page fault: {access} at {address:#x}: {reason}")

    def __reduce__(self) -> tuple[type[PageFault], tuple[int, str, str]]:
        return type(self), (self.address, self.access, self.reason)


def _cut(found: str, length: int = 120) -> str:
    return found if len(found) <= length else f"{found[: length - 1]}…"
