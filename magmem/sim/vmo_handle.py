"""Handles to VMOs: every operation userspace has on a VMO, with its rights checked.

The order of checks is: handle and rights, the kind of VMO, the arguments, the range, the state of
the pages, and last the memory there is. A refused operation changes nothing. Commit, decommit and
lookup need no right in this kernel, only a handle (reference/kernel.md "VMOs").
"""

from __future__ import annotations

from magmem.errors import OutOfRange
from magmem.sim import commit, vmo_access
from magmem.sim.arguments import aligned, bytes_of, name_text, shown, size_of
from magmem.sim.handle import Handle
from magmem.sim.heap import HEAP_BYTES
from magmem.sim.rights import (
    RIGHT_DUPLICATE,
    RIGHT_GET_PROPERTY,
    RIGHT_READ,
    RIGHT_SET_PROPERTY,
    RIGHT_WRITE,
)
from magmem.sim.vmo import MAX_VMO_BYTES, Vmo

__all__ = ["VmoHandle"]


class VmoHandle(Handle):
    """A handle to a VMO, used as the VMO itself.

    Sizes, offsets and lengths are bytes, as numbers or as text such as ``68k``.
    """

    __slots__ = ()

    object: Vmo

    @property
    def vmo(self) -> Vmo:
        """The VMO: its facts."""
        return self.object

    @property
    def size_bytes(self) -> int:
        """Its size."""
        return self.object.size_bytes

    def read(self, offset: int | str = 0, length: int | str | None = None) -> bytes:
        """Bytes of the VMO; commits nothing. Needs the right to read.

        Raises
        ------
        OutOfRange
            It starts past the end; what reaches past the end is cut off there.
        """
        self.need(RIGHT_READ, "reading")
        start, size, _ = self._trimmed(offset, length, "reading")
        return vmo_access.read_pages(self.object, start, size)

    def write(self, offset: int | str, data: bytes) -> int:
        """Write bytes, committing the pages; returns how many bytes. Needs the right to write.

        Raises
        ------
        OutOfRange
            It starts past the end; what reaches past the end is not written.
        NoMemory
            Not all pages can be committed; nothing is written.
        """
        self.need(RIGHT_WRITE, "writing")
        vmo_access.require_paged(self.object, "writing")
        start = size_of(offset, "offset")
        data = bytes_of(data)
        data = data[: vmo_access.trim(self.object, start, len(data))]
        vmo_access.write(self.object, start, data)
        self.record("vmo_write", start, data)
        return len(data)

    def commit(self, offset: int | str = 0, length: int | str | None = None) -> int:
        """Commit whole pages of a range, rounded outward; returns pages taken in all VMOs.

        The range is cut at the VMO's end; it may not start past it (`OutOfRange`).
        """
        self.need(0, "committing")
        start, size, pages = self._trimmed(offset, length, "committing")
        self.object.need_changeable("committing")
        taken = commit.commit(self.object, *pages)
        self.record("commit", start, size)
        return taken

    def decommit(self, offset: int | str = 0, length: int | str | None = None) -> int:
        """Free its own pages of a range, rounded outward; returns how many.

        Raises
        ------
        OutOfRange
            It starts past the VMO's end; what reaches past the end is cut off there.
        AccessDenied
            Data of the kernel, whose pages cannot be given up.
        BadState
            A page of the range is pinned.
        """
        self.need(0, "decommitting")
        start, size, pages = self._trimmed(offset, length, "decommitting")
        self.object.need_changeable("decommitting")
        freed = commit.decommit(self.object, *pages)
        self.record("decommit", start, size)
        return freed

    def resize(self, size: int | str) -> int:
        """Set the size; returns the pages freed past a smaller end.

        Raises
        ------
        OutOfRange
            Larger than a VMO can be.
        BadState
            A page past the new end is pinned.
        """
        self.need(RIGHT_WRITE, "resizing")
        vmo_access.require_paged(self.object, "resizing")
        size_bytes = size_of(size)
        if size_bytes > MAX_VMO_BYTES:
            raise OutOfRange(f"size {shown(size_bytes)} is above the largest, {MAX_VMO_BYTES}")
        freed = commit.resize(self.object, size_bytes)
        self.record("resize", size_bytes)
        return freed

    def lookup(self, offset: int | str, length: int | str) -> list[tuple[int, int, int]]:
        """Physical addresses of a range: (offset, physical address, bytes) of adjacent pages.

        Raises
        ------
        OutOfRange
            Any of it lies past the VMO's end.
        NoMemory
            A page of it is not committed.
        """
        self.need(0, "looking up addresses")
        start, size = size_of(offset, "offset"), size_of(length, "length")
        return vmo_access.lookup(self.object, start, size)

    def pin(self, offset: int | str, length: int | str) -> None:
        """Pin the pages of a range, which the VMO must own."""
        self.need(RIGHT_READ, "pinning")
        start, size = self._range(offset, length, "pinning")
        vmo_access.pin(self.object, start, size)
        self.record("pin", start, size)

    def unpin(self, offset: int | str, length: int | str) -> None:
        """Undo one pin of the pages of a range."""
        self.need(RIGHT_READ, "unpinning")
        start, size = self._range(offset, length, "unpinning")
        vmo_access.unpin(self.object, start, size)
        self.record("unpin", start, size)

    def clone(
        self,
        offset: int | str = 0,
        size: int | str | None = None,
        name: str | None = None,
        *,
        koid: int | None = None,
    ) -> VmoHandle:
        """A copy-on-write clone of a range, which may start or reach past the VMO's end.

        Returns
        -------
        VmoHandle
            With this handle's rights and write, get and set property; the clone takes the VMO's
            name if this handle may get properties, unless `name` is given.

        Raises
        ------
        InvalidArgs
            An offset that is not page aligned.
        OutOfRange
            Offset and size overflow.
        NotSupported
            A physical VMO.
        """
        self.need(RIGHT_DUPLICATE | RIGHT_READ, "cloning")
        vmo = self.object
        vmo_access.require_paged(vmo, "cloning")
        start = aligned(size_of(offset, "offset"), "the offset of a clone")
        size_bytes = max(0, vmo.size_bytes - start) if size is None else size_of(size)
        text = self._clone_name() if name is None else name_text(name)
        if start + size_bytes > MAX_VMO_BYTES:
            raise OutOfRange(
                f"offset {shown(start)} + size {shown(size_bytes)} is above {MAX_VMO_BYTES}"
            )
        process, machine = self.process, self.machine
        process.need_new_objects()
        new_koid = machine.check_koid(koid)
        cost = HEAP_BYTES["paged vmo"] + HEAP_BYTES["vmo dispatcher"]
        machine.require_handles(1, "the clone", heap_bytes=cost)
        machine.use_koid(new_koid)
        child = Vmo(machine, size_bytes, text, new_koid, vmo, start >> 12)
        rights = self.rights | RIGHT_WRITE | RIGHT_GET_PROPERTY | RIGHT_SET_PROPERTY
        handle = process.table.new(child, rights, "vmo")
        self.record("clone", start, size_bytes, text, new_koid)
        assert isinstance(handle, VmoHandle)  # noqa: S101 (the table makes it for a VMO)
        return handle

    def _clone_name(self) -> str:
        return self.object.name if self.rights & RIGHT_GET_PROPERTY else ""

    def _range(self, offset: int | str, length: int | str | None, what: str) -> tuple[int, int]:
        """Offset and length of a range that must lie inside a paged VMO."""
        vmo = self.object
        vmo_access.require_paged(vmo, what)
        start = size_of(offset, "offset")
        size = max(0, vmo.size_bytes - start) if length is None else size_of(length, "length")
        vmo_access.check_range(vmo, start, size)
        return start, size

    def _trimmed(
        self, offset: int | str, length: int | str | None, what: str
    ) -> tuple[int, int, tuple[int, int]]:
        """Offset, length and pages of a range that is cut at the end of a paged VMO."""
        vmo = self.object
        vmo_access.require_paged(vmo, what)
        start = size_of(offset, "offset")
        size = max(0, vmo.size_bytes - start) if length is None else size_of(length, "length")
        size = vmo_access.trim(vmo, start, size)
        return start, size, vmo_access.page_range(start, size)
