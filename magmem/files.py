"""Writing files so that a reader never sees half of one."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import NamedTemporaryFile

__all__ = ["write_atomically"]


def write_atomically(path: str | os.PathLike[str], text: str) -> None:
    """Write a whole file or nothing: a temporary file beside it, then a rename.

    Raises
    ------
    OSError
        The file cannot be written; what stood there before is untouched.
    """
    target = Path(path)
    with NamedTemporaryFile(
        "w",
        encoding="utf-8",
        newline="\n",
        dir=target.parent,
        prefix=f".{target.name}.",
        delete=False,
    ) as scratch:
        try:
            scratch.write(text)
            scratch.close()
            mode = target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask()
            Path(scratch.name).chmod(mode)
            Path(scratch.name).replace(target)
        except BaseException:
            Path(scratch.name).unlink(missing_ok=True)
            raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
