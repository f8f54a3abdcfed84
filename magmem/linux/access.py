"""What may not be read of a Linux machine, and which right it takes, in whole sentences."""

from __future__ import annotations

from magmem.linux.records import Reading

__all__ = ["access_notes", "many"]


def access_notes(reading: Reading) -> list[tuple[str, str | None, str]]:
    """Kind, place and message of each note on what was closed to us."""
    notes: list[tuple[str, str | None, str]] = []
    if reading.no_frames:
        told = (
            f"{reading.no_frames}: which pages are shared by whom is not known, PSS is what the "
            "kernel reports"
        )
        notes.append(("remark", "pagemap", told))
    if reading.closed:
        notes.append(("skipped", "smaps", _closed(reading)))
    if reading.no_descriptors:
        whose = many(len(reading.no_descriptors), "process", "processes")
        told = (
            f"the file descriptors of {whose} may not be read (that takes the same user, or "
            "CAP_SYS_PTRACE): which memory they hold without mapping it is not known"
        )
        notes.append(("skipped", "fd", told))
    return notes


def _closed(reading: Reading) -> str:
    closed = set(reading.closed)
    pages = sum(record.stat.resident_pages for record in reading.records if record.pid in closed)
    what = many(len(closed), "process", "processes")
    return (
        f"{what} may not be read (that takes the same user, or CAP_SYS_PTRACE): of the memory only "
        f"RSS is known, so PSS lies between 0 and {pages * reading.page_bytes} bytes in all"
    )


def many(number: int, one: str, more: str) -> str:
    """A number with the word that fits it."""
    return f"{number} {one if number == 1 else more}"
