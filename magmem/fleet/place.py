"""Where a fleet lies: a folder, or any file system that fsspec knows (s3://, memory:// …).

A file is written whole or not at all: locally as a temporary file, fsync and rename; on an object
store a put is atomic already. Paths inside the fleet are relative, with ``/``.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any

from magmem.fleet.errors import needs

__all__ = ["SCRATCH", "Place"]

SCRATCH = ".writing-"
"""What the name of a file that is being written begins with."""


class Place:
    """The root of a fleet on one file system.

    Parameters
    ----------
    root : str
        A folder or an fsspec URL.
    options : dict, optional
        What fsspec passes to the file system (`storage_options`), such as an endpoint.
    """

    def __init__(self, root: str, options: dict[str, Any] | None = None) -> None:
        try:
            import fsspec
        except ImportError:
            raise needs("fleet", "fsspec") from None
        self.root = root
        self.options = options or {}
        self.fs, path = fsspec.core.url_to_fs(root, **self.options)
        self.base: str = path.rstrip("/")
        self.is_local: bool = "file" in _protocols(self.fs)

    def __reduce__(self) -> tuple[type[Place], tuple[str, dict[str, Any]]]:
        return type(self), (self.root, self.options)

    def full(self, path: str) -> str:
        """The path as the file system knows it."""
        return f"{self.base}/{path}" if path else self.base

    def url(self, path: str) -> str:
        """The path as DuckDB reads it."""
        full = self.full(path)
        return full if self.is_local else f"{_protocols(self.fs)[0]}://{full}"

    def names(self, folder: str, suffix: str) -> dict[str, int]:
        """Files of a folder that end so: stem to bytes, in order; nothing where it is missing."""
        try:
            found = self.fs.ls(self.full(folder), detail=True, refresh=True)
        except FileNotFoundError:
            return {}
        except TypeError:  # a file system without a cache of listings
            found = self.fs.ls(self.full(folder), detail=True)
        stems = {}
        for entry in found:
            name = entry["name"].rsplit("/", 1)[-1]
            if name.endswith(suffix) and not name.startswith(SCRATCH):
                stems[name.removesuffix(suffix)] = int(entry.get("size") or 0)
        return dict(sorted(stems.items()))

    def folders(self) -> list[str]:
        """Names of the folders in the fleet."""
        try:
            found = self.fs.ls(self.base, detail=True)
        except FileNotFoundError:
            return []
        return sorted(e["name"].rsplit("/", 1)[-1] for e in found if e["type"] == "directory")

    def read(self, path: str) -> bytes | None:
        """A file's bytes, None if it is not there."""
        try:
            data: bytes = self.fs.cat_file(self.full(path))
        except FileNotFoundError:
            return None
        return data

    def write(self, path: str, data: bytes) -> None:
        """A whole file or nothing."""
        full = self.full(path)
        if not self.is_local:
            self.fs.pipe_file(full, data)
            return
        target = Path(full)
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = target.with_name(f"{SCRATCH}{secrets.token_hex(6)}")
        try:
            with scratch.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            scratch.replace(target)
        except BaseException:
            scratch.unlink(missing_ok=True)
            raise

    def remove(self, path: str) -> None:
        """Delete a file; nothing happens if it is not there."""
        try:
            self.fs.rm_file(self.full(path))
        except FileNotFoundError:
            return

    def sweep(self, older_seconds: float = 0.0) -> int:
        """Delete what a killed writer left half-written; returns how many files."""
        if not self.is_local:
            return 0
        import time

        now, count = time.time(), 0
        for scratch in Path(self.base).rglob(f"{SCRATCH}*"):
            if now - scratch.stat().st_mtime >= older_seconds:
                scratch.unlink(missing_ok=True)
                count += 1
        return count


def _protocols(fs: Any) -> tuple[str, ...]:
    protocol = fs.protocol
    return (protocol,) if isinstance(protocol, str) else tuple(protocol)
