"""Writing files so that a reader never sees half of one, and nothing but a file is replaced."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path
from tempfile import NamedTemporaryFile

__all__ = ["write_atomically"]


def write_atomically(path: str | os.PathLike[str], content: str | bytes) -> None:
    """Write a whole file or nothing: a temporary file beside it, then a rename.

    Text is written as UTF-8, with its line ends as they are. A symbolic link stays and the file
    that it names is written. A device, FIFO or socket is written through, as a shell's ``>`` does:
    it cannot be replaced as a whole.

    Raises
    ------
    OSError
        The file cannot be written; what was there before is untouched. `filename` is `path`.
    UnicodeEncodeError
        The text has a lone surrogate; nothing is written.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    try:
        if _is_stream(path):
            with Path(path).open("wb") as stream:
                stream.write(data)
        else:
            _replace(Path(os.path.realpath(path)), data)
    except OSError as error:
        # The temporary file's name means nothing to whoever asked for `path`.
        error.filename, error.filename2 = os.fspath(path), None
        raise


def _is_stream(path: str | os.PathLike[str]) -> bool:
    """Whether it is there and no regular file, or another name of an open file (/dev/stdout)."""
    if os.path.abspath(path).startswith(("/dev/", "/proc/")):  # noqa: PTH100 (keeps links)
        return True
    try:
        return not stat.S_ISREG(Path(path).stat().st_mode)
    except FileNotFoundError:
        return False


def _replace(target: Path, data: bytes) -> None:
    before = target.stat() if target.exists() else None
    with NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", delete=False) as scratch:
        try:
            scratch.write(data)
            scratch.close()
            if before is not None:
                with contextlib.suppress(OSError):  # only root may give a file away
                    os.chown(scratch.name, before.st_uid, before.st_gid)
            mode = before.st_mode & 0o777 if before is not None else 0o666 & ~_umask()
            Path(scratch.name).chmod(mode)
            Path(scratch.name).replace(target)
        except BaseException:
            Path(scratch.name).unlink(missing_ok=True)
            raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
