"""Names for machines, and the steps that most exercises build them with. Sizes are in pages."""

from __future__ import annotations

from magmem.exercises.dice import Dice
from magmem.scenarios.loader import vmo_handle
from magmem.sim import Machine, Process, VmoHandle
from magmem.sizes import format_size
from magmem.units import PAGE_BYTES

__all__ = [
    "PROCESSES",
    "VMOS",
    "committed",
    "listing",
    "machine",
    "opened",
    "printing",
    "running",
    "share",
    "size",
]

PROCESSES = (
    *("appmgr", "audio", "blobfs", "bootsvc", "camera", "clock", "console", "crashlogger"),
    *("devmgr", "dhcp", "dns", "editor", "fontsd", "gpu", "httpd", "indexer", "inputd", "ktrace"),
    *("launcher", "locale", "logger", "mailer", "media", "minfs", "mixer", "netstack", "netsvc"),
    *("player", "power", "printer", "radio", "recovery", "scanner", "scenic", "sensors", "shell"),
    *("sshd", "storage", "svchost", "telnet", "thermd", "timekeeper", "tracer", "update", "usb"),
    *("viewer", "virtcon", "wayland", "webview", "wlan"),
)
VMOS = (
    *("atlas", "buffer", "cache", "catalog", "chunk", "dictionary", "frames", "glyphs", "index"),
    *("journal", "palette", "pool", "queue", "records", "ring", "samples", "scratch", "strings"),
    *("table", "textures", "tiles", "tokens", "trace", "vertices"),
)


def machine(dice: Dice, name: str) -> Machine:
    """A small machine that has booted and runs nothing."""
    return Machine(memory="1G", seed=dice.below(1 << 20), name=name)


def running(machine: Machine, names: list[str], *, own_koids: bool = False) -> list[Process]:
    """Processes that run and map nothing.

    Where a koid may be the answer, `own_koids` makes the koids follow from the names, so that
    those of another student are of no use.
    """
    job = machine.root_job
    koid = Dice("koids", *names).between(1100, 9900) if own_koids else None
    processes = [job.create_process(names[0], koid=koid)]
    processes += [job.create_process(name) for name in names[1:]]
    for process in processes:
        process.start()
    return processes


def committed(process: Process, pages: int, name: str) -> VmoHandle:
    """A VMO of the process, every page in memory, mapped nowhere."""
    vmo = process.create_vmo(pages * PAGE_BYTES, name=name)
    vmo.commit()
    return vmo


def share(owner: Process, others: list[Process], pages: int, name: str) -> VmoHandle:
    """The same, mapped whole by its owner and by others."""
    vmo = committed(owner, pages, name)
    owner.map(vmo, perms="rw")
    for other in others:
        other.map(opened(other, vmo), perms="rw")
    return vmo


def opened(process: Process, vmo: VmoHandle) -> VmoHandle:
    """A handle of another process to the same VMO."""
    return vmo_handle(process.open(vmo.vmo))


def size(pages: int) -> str:
    """So many pages as the tools print them."""
    return format_size(pages * PAGE_BYTES)


def printing(pages: int) -> int:
    """By how many bytes `size` may miss: it prints a decimal from 9.8M on, unless it is whole.

    The tools' decimal is 100 of 1024 parts, so 950 parts of 1024 print as 1.0: 0.073 too much.
    """
    return 0 if pages < 2500 or pages % 256 == 0 else (1 << 20) * 3 // 40


def listing(text: object) -> str:
    """A tool's output as a block of Markdown; a fence longer than any inside keeps it text."""
    return f"\n````text\n{str(text).rstrip()}\n````\n"
