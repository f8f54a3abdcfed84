"""Handles to VMARs: mapping, allocating, protecting and unmapping in a region one holds.

A handle's read, write and execute are the region's when it is allocated, and can be dropped; they
limit what is mapped, allocated and protected through it, in one's own process or another's.
Unmapping needs none (reference/kernel.md "VMARs and mappings").
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from magmem.errors import AccessDenied, BadHandle
from magmem.sim.arguments import size_of
from magmem.sim.handle import Handle
from magmem.sim.perms import PERMS_TEXT, parse_perms
from magmem.sim.rights import REGION_ALLOWED
from magmem.sim.vmar import need_vmo

if TYPE_CHECKING:
    from magmem.sim.mapping import Mapping
    from magmem.sim.vmar import Vmar
    from magmem.sim.vmo_handle import VmoHandle

__all__ = ["VmarHandle"]


class VmarHandle(Handle):
    """A handle to a VMAR.

    Offsets count from the VMAR's base; addresses are addresses of the process it belongs to.
    """

    __slots__ = ()

    object: Vmar

    @property
    def vmar(self) -> Vmar:
        """The VMAR: its facts."""
        return self.object

    def map(
        self,
        vmo: VmoHandle,
        perms: str = "rw",
        *,
        vmo_offset: int | str = 0,
        length: int | str | None = None,
        offset: int | str | None = None,
        overwrite: bool = False,
        compact: bool = False,
        map_range: bool = False,
    ) -> Mapping:
        """Map a part of a VMO (`Process.map`), with no more than both handles allow.

        Raises
        ------
        BadHandle
            The VMO's handle is another process's, or one of the two is closed.
        AccessDenied
            A permission that one of the two handles, or the region, lacks.
        """
        self.need(0, "mapping")
        need_vmo(vmo)
        if vmo.process is not self.process:
            raise BadHandle(f"{vmo!r} is not a handle of {self.process!r}")
        if offset is not None:
            offset = size_of(offset, "offset")
        return self.object.map_with(
            vmo, perms, vmo_offset, length, offset, overwrite, compact, map_range, self
        )

    def allocate(
        self,
        size: int | str,
        *,
        offset: int | str | None = None,
        perms: str = "rwx",
        specific: bool = True,
        compact: bool = False,
        overwrite: bool = False,
        koid: int | None = None,
    ) -> Vmar:
        """Make a child VMAR (`Vmar.allocate`); this handle's process gets the handle to it.

        Raises
        ------
        AccessDenied
            A permission that this handle or the region lacks.
        """
        self.need(0, "allocating")
        self.process.need_new_objects()
        if offset is not None:
            offset = size_of(offset, "offset")
        return self.object.allocate_with(
            size, offset, perms, specific, compact, overwrite, koid, self
        )

    def protect(self, address: int, length: int | str, perms: str) -> None:
        """Change permissions of a range (`Vmar.protect`); only to what this handle may map."""
        self.need(0, "protecting")
        self.object.protect_with(address, length, parse_perms(perms), self)

    def unmap(self, address: int, length: int | str) -> None:
        """Unmap a range (`Vmar.unmap`); needs no right."""
        self.need(0, "unmapping")
        self.object.unmap(address, length)

    def destroy(self) -> None:
        """Remove the VMAR and everything in it (`Vmar.destroy`); needs no right."""
        self.need(0, "destroying it")
        self.object.destroy()

    def allowed(self, mask: int, what: str) -> int:
        """What may be mapped through it; `AccessDenied` if that does not include `mask`."""
        allowed = REGION_ALLOWED[self.rights & 0x3F]
        if mask & ~allowed:
            raise AccessDenied(
                f"{what} {PERMS_TEXT[mask]} needs a region's handle with those rights, "
                f"handle {self.value:#x} has {self.rights_text}"
            )
        return allowed
