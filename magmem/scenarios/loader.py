"""What a dynamic loader does to an address space: text, read-only data and data of a file.

Code is mapped from the file's own VMO and costs nothing; the data segment is mapped from a
copy-on-write clone, and relocating it commits its pages.
"""

from __future__ import annotations

from magmem.errors import WrongType
from magmem.sim.handle import Handle
from magmem.sim.mapping import Mapping
from magmem.sim.process import Process
from magmem.sim.vmo_handle import VmoHandle

__all__ = ["load_file", "relocate", "use_heap", "vmo_handle"]

PAGE = 4096


def load_file(
    process: Process,
    file: VmoHandle,
    text: int,
    read_only: int,
    writable: int,
    *,
    data_name: str | None = None,
) -> None:
    """Load a program or library at a random place, a guard page between code and data.

    Parameters
    ----------
    process : Process
    file : VmoHandle
        The process's handle to the file's VMO, with rights to read, execute, map and duplicate.
    text, read_only, writable : int
        Bytes of code, of data that is read-only after relocation, and of data.
    data_name : str, optional
        Name of the data clone; the file's if not given.
    """
    region = process.allocate(text + PAGE + read_only + writable)
    code = region.map(file, "rx", length=text, offset=0)
    code.touch("4k", execute=True)
    data = file.clone(text, read_only + writable, data_name)
    place = text + PAGE
    whole = region.map(data, "rw", length=read_only + writable, offset=place)
    relocate(whole, read_only)
    data.close()
    if region.handle is not None:
        region.handle.close()


def use_heap(process: Process, size: int | str, used: int | str) -> Mapping:
    """A ``jemalloc-heap`` of which the first part is written; its handle is closed."""
    heap = process.create_vmo(size, "jemalloc-heap")
    mapping = process.map(heap, "rw")
    mapping.touch(used, write=True)
    heap.close()
    return mapping


def relocate(data: Mapping, read_only: int) -> None:
    """Write every page of a data segment, then protect its first `read_only` bytes."""
    data.touch(write=True)
    if read_only:
        data.vmar.protect(data.base, read_only, "r")


def vmo_handle(handle: Handle) -> VmoHandle:
    """The same handle, known to be one to a VMO."""
    if not isinstance(handle, VmoHandle):
        raise WrongType(f"expected a handle to a VMO, found {handle!r}")
    return handle
