"""Every recorded operation: its arguments' names, and how it is done again.

The arguments are what the public method was called with, as plain values: objects by koid, handles
by process and value, VMOs of the kernel by serial.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from magmem.sim.perms import ACCESS_NAMES

if TYPE_CHECKING:
    from magmem.sim.machine import Machine

__all__ = ["OPERATIONS", "Operation"]

_HEX = frozenset(
    {"address", "at", "handle", "mapping", "offset", "phys_base", "rights", "vmo_handle"}
)


@dataclass(frozen=True)
class Operation:
    """One kind of event."""

    names: tuple[str, ...]
    again: Callable[..., Any]

    def text(self, args: tuple[Any, ...]) -> str:
        """Arguments as one line, such as ``process=1043 address=0x1000000``."""
        pairs = zip(self.names, args, strict=True)
        return " ".join(
            f"{name}={_text(name, value)}" for name, value in pairs if value is not None
        )


def _text(name: str, value: Any) -> str:
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    if name == "access":
        return ACCESS_NAMES[value]
    if name in _HEX and isinstance(value, int):
        return hex(value)
    return repr(value) if isinstance(value, str) and name == "name" else str(value)


def _vmar(m: Machine, aspace: int, vmar: int) -> Any:
    return m.find(vmar) if vmar else m.kernel.root_vmar if not aspace else m.find(aspace).root_vmar


def _space(m: Machine, aspace: int) -> Any:
    return m.find(aspace).aspace if aspace else m.kernel.aspace


def _handle(m: Machine, process: int, value: int) -> Any:
    return m.find(process).handle(value)


def _map_in(
    region: Any, vmo: Any, perms: str, vmo_offset: int, length: int, offset: int | None,
    overwrite: bool, map_range: bool,
) -> None:  # fmt: skip
    region.map(
        vmo,
        perms,
        vmo_offset=vmo_offset,
        length=length,
        offset=offset,
        overwrite=overwrite,
        map_range=map_range,
    )


def _map(m: Machine, vmar: int, process: int, handle: int, *args: Any) -> None:
    _map_in(m.find(vmar), _handle(m, process, handle), *args)


def _map_by_handle(m: Machine, process: int, handle: int, vmo: int, *args: Any) -> None:
    _map_in(_handle(m, process, handle), _handle(m, process, vmo), *args)


def _allocate_in(
    region: Any, size: int, offset: int | None, perms: str, specific: bool, compact: bool, koid: int
) -> None:
    region.allocate(size, offset=offset, perms=perms, specific=specific, compact=compact, koid=koid)


def _touch(m: Machine, aspace: int, address: int, length: int, access: int) -> None:
    _space(m, aspace).touch(address, length, access)


def _open(m: Machine, process: int, koid: int, serial: int, rights: int) -> None:
    m.find(process).open(m.find(koid) if serial < 0 else m.vmos_by_serial[serial], rights)


def _create(m: Machine, process: int, kind: str) -> None:
    makers = {
        "channel": "create_channel",
        "event-pair": "create_eventpair",
        "socket": "create_socket",
        "fifo": "create_fifo",
    }
    if kind in makers:
        getattr(m.find(process), makers[kind])()
    elif kind == "port":
        m.find(process).create_port()
    else:
        m.find(process).create_object(kind)


def _serial(m: Machine, serial: int) -> Any:
    return m.vmos_by_serial[serial]


def _on_object(method: str, *names: str) -> Operation:
    """An operation of a job, process or thread: its koid, then positional arguments."""
    return Operation(names, lambda m, koid, *args: getattr(m.find(koid), method)(*args))


def _on_handle(method: str, *names: str) -> Operation:
    """An operation of a handle: process, value, then positional arguments."""
    return Operation(
        ("process", "handle", *names),
        lambda m, process, value, *args: getattr(_handle(m, process, value), method)(*args),
    )


def _with_koid(method: str, *names: str) -> Operation:
    """An operation of an object whose last argument is the koid given to what it makes."""
    return Operation(
        names, lambda m, owner, *args: getattr(m.find(owner), method)(*args[:-1], koid=args[-1])
    )


OPERATIONS: Final[Mapping[str, Operation]] = MappingProxyType(
    {
        "advance": Operation(("milliseconds",), lambda m, ms: m.advance(ms)),
        # jobs, processes, threads
        "create_job": _with_koid("create_job", "job", "name", "koid"),
        "create_process": _with_koid("create_process", "job", "name", "koid"),
        "spawn": Operation(
            ("job", "name", "koid", "stack", "vdso"),
            lambda m, job, name, koid, stack, vdso: m.find(job).spawn(
                name, koid=koid, stack=stack, vdso=vdso
            ),
        ),
        "kill_job": _on_object("kill", "job"),
        "create_thread": _with_koid("create_thread", "process", "name", "koid"),
        "start": _with_koid("start", "process", "name", "koid"),
        "exit": _on_object("exit", "process", "code"),
        "kill": _on_object("kill", "process", "finish"),
        "finish": _on_object("finish", "process"),
        "release": _on_object("release", "process"),
        "start_thread": _on_object("start", "thread"),
        "suspend": _on_object("suspend", "thread"),
        "resume": _on_object("resume", "thread"),
        "block": _on_object("block", "thread"),
        "unblock": _on_object("unblock", "thread"),
        "raise_exception": _on_object("raise_exception", "thread", "port"),
        "resume_exception": _on_object("resume_exception", "thread"),
        "exit_thread": _on_object("exit", "thread"),
        # objects and handles
        "create_vmo": _with_koid("create_vmo", "process", "size", "name", "koid"),
        "create_contiguous_vmo": Operation(
            ("process", "size", "name", "alignment", "koid"),
            lambda m, process, size, name, alignment, koid: m.find(process).create_contiguous_vmo(
                size, name, alignment_bytes=alignment, koid=koid
            ),
        ),
        "create_physical_vmo": _with_koid(
            "create_physical_vmo", "process", "phys_base", "size", "name", "koid"
        ),
        "create": Operation(("process", "type"), _create),
        "open": Operation(("process", "koid", "vmo", "rights"), _open),
        "duplicate": _on_handle("duplicate", "rights"),
        "replace": _on_handle("replace", "rights"),
        "transfer": Operation(
            ("process", "handle", "to"),
            lambda m, process, value, to: _handle(m, process, value).transfer(m.find(to)),
        ),
        "close": _on_handle("close"),
        "set_name": _on_handle("set_name", "name"),
        "queue": _on_handle("queue", "count"),
        "dequeue": _on_handle("dequeue", "count"),
        # VMOs
        "vmo_write": _on_handle("write", "offset", "data"),
        "commit": _on_handle("commit", "offset", "length"),
        "decommit": _on_handle("decommit", "offset", "length"),
        "resize": _on_handle("resize", "size"),
        "pin": _on_handle("pin", "offset", "length"),
        "unpin": _on_handle("unpin", "offset", "length"),
        "clone": Operation(
            ("process", "handle", "offset", "size", "name", "koid"),
            lambda m, process, value, offset, size, name, koid: _handle(m, process, value).clone(
                offset, size, name, koid=koid
            ),
        ),
        # address spaces
        "map": Operation(
            (
                "vmar",
                "process",
                "handle",
                "perms",
                "vmo_offset",
                "length",
                "offset",
                "overwrite",
                "map_range",
            ),
            _map,
        ),
        "map_by_handle": Operation(
            (
                "process",
                "handle",
                "vmo_handle",
                "perms",
                "vmo_offset",
                "length",
                "offset",
                "overwrite",
                "map_range",
            ),
            _map_by_handle,
        ),
        "allocate": Operation(
            ("vmar", "size", "offset", "perms", "specific", "compact", "koid"),
            lambda m, vmar, *args: _allocate_in(m.find(vmar), *args),
        ),
        "allocate_by_handle": Operation(
            ("process", "handle", "size", "offset", "perms", "specific", "compact", "koid"),
            lambda m, process, value, *args: _allocate_in(_handle(m, process, value), *args),
        ),
        "unmap": Operation(
            ("aspace", "vmar", "address", "length"),
            lambda m, aspace, vmar, *range_: _vmar(m, aspace, vmar).unmap(*range_),
        ),
        "protect": Operation(
            ("aspace", "vmar", "address", "length", "perms"),
            lambda m, aspace, vmar, *args: _vmar(m, aspace, vmar).protect(*args),
        ),
        "destroy": Operation(
            ("aspace", "vmar"), lambda m, aspace, vmar: _vmar(m, aspace, vmar).destroy()
        ),
        "touch": Operation(("aspace", "address", "length", "access"), _touch),
        "read": Operation(
            ("aspace", "address", "length"), lambda m, aspace, *args: _space(m, aspace).read(*args)
        ),
        "write": Operation(
            ("aspace", "address", "data"), lambda m, aspace, *args: _space(m, aspace).write(*args)
        ),
        "decommit_range": Operation(
            ("aspace", "mapping", "offset", "length"),
            lambda m, aspace, *args: _space(m, aspace).decommit(*args),
        ),
        "write_memory": _on_object("write_memory", "process", "address", "data"),
        # the kernel
        "kernel_create_vmo": Operation(
            ("size", "name"), lambda m, size, name: m.kernel.create_vmo(size, name)
        ),
        "kernel_clone": Operation(
            ("vmo", "offset", "size", "name"),
            lambda m, vmo, *args: m.kernel.clone(_serial(m, vmo), *args),
        ),
        "kernel_commit": Operation(
            ("vmo", "offset", "length"),
            lambda m, vmo, *args: m.kernel.commit(_serial(m, vmo), *args),
        ),
        "kernel_write": Operation(
            ("vmo", "offset", "data"),
            lambda m, vmo, *args: m.kernel.write(_serial(m, vmo), *args),
        ),
        "kernel_release": Operation(("vmo",), lambda m, vmo: m.kernel.release(_serial(m, vmo))),
        "kernel_map": Operation(
            ("vmo", "perms", "vmo_offset", "length", "at", "cache"),
            lambda m, vmo, perms, vmo_offset, length, at, cache: m.kernel.map(
                _serial(m, vmo), perms, vmo_offset=vmo_offset, length=length, at=at, cache=cache
            ),
        ),
        "kernel_map_device": Operation(
            ("phys_base", "size", "name", "perms", "at", "cache"),
            lambda m, phys_base, size, name, perms, at, cache: m.kernel.map_device(
                phys_base, size, name, perms, at=at, cache=cache
            ),
        ),
    }
)
"""Every operation by its name in events."""
