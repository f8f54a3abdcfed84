"""A hostile kernel engineer: random calls with whatever arguments, thousands of them.

``python tests/sim/hostile.py FIRST RUNS CALLS`` makes RUNS machines and does CALLS to each. Every
outcome must be a legal result or an error that magmem documents; a refused call leaves the machine
as it was and is not recorded; and at the end every listing of the machine works, it can be saved
and read, and its history replays. Exit status 1 if anything else happened.
"""

from __future__ import annotations

import inspect
import random
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from sim.twins.whole import check_listings

from magmem import Machine, MagmemError, PageFault
from magmem.sim import (
    BootPlan,
    Handle,
    Job,
    Mapping,
    Process,
    ProcessHandle,
    Thread,
    Vmar,
    VmarHandle,
    VmoHandle,
)
from magmem.sim.handle import TaskHandle
from magmem.sim.kernel import Kernel
from magmem.sim.objects import PortHandle

PAGE = 4096
PLAN = BootPlan(kernel_image="256k", ramdisk="64k", early=0)

HANDLE = "duplicate replace transfer close set_name"
METHODS: dict[type, str] = {
    Machine: "advance find",
    Job: "create_job create_process spawn kill",
    Process: "create_thread start exit kill finish release statistics open map allocate unmap "
    "protect touch read write read_memory write_memory create_vmo create_contiguous_vmo "
    "create_physical_vmo create_channel create_event create_port create_object handle",
    Thread: "start suspend resume block unblock raise_exception resume_exception exit kill",
    Vmar: "map allocate unmap protect destroy",
    Mapping: "touch read write unmap protect decommit",
    VmoHandle: f"{HANDLE} read write commit decommit resize lookup pin unpin clone kill map queue",
    VmarHandle: f"{HANDLE} map allocate unmap protect destroy read commit queue statistics",
    ProcessHandle: f"{HANDLE} statistics read_memory write_memory kill resize allocate",
    TaskHandle: f"{HANDLE} kill write unmap",
    PortHandle: f"{HANDLE} queue dequeue commit map",
    Handle: f"{HANDLE} read map kill queue read_memory",
    Kernel: "create_vmo clone commit write release map map_device",
}
"""What is called on objects of each class, also what another type's handles have."""

ENDING = frozenset(["close", "destroy", "exit", "finish", "kill", "release", "replace", "transfer"])
"""Seldom called, because little is left to do afterwards."""

NUMBERS = (
    *(0, 1, -1, PAGE - 1, PAGE, 2 * PAGE, 6 * PAGE, 1 << 20, 1 << 32, 1 << 40, 1 << 46),
    *((1 << 63) - PAGE, (1 << 63) - 1, 1 << 63, (1 << 64) - 2 * PAGE, (1 << 64) - PAGE),
    *((1 << 64) - 1, 1 << 64, (1 << 64) + 5, 1 << 200, 10**400, -(1 << 70)),
)


class Odd:
    """An argument whose own methods fail."""

    def __repr__(self) -> str:
        raise RuntimeError

    def __index__(self) -> int:
        raise RuntimeError


WEIRD = (
    *(None, True, False, 1.5, float("nan"), "", "4k", "68x", "8E", "99999E", "9" * 50),
    *("rwx", "r", "rw", "w", "x", "---", "rwxmdtgs", "a\0b", "\ud800", "é" * 40),
    *(b"", b"abc", b"x" * 5000, bytearray(b"yy"), memoryview(b"zz")),
    *([], {}, (1, 2), object(), Odd(), int, len),
)


class Stage:
    """A machine with one of everything, and another machine's objects."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)  # noqa: S311 (a run must repeat, not keep secrets)
        self.machine = Machine("8M", seed=seed, boot=PLAN)
        foreign = Machine("8M", seed=seed, boot=PLAN).root_job.spawn("foreign")
        root = self.machine.root_job
        p, q, job = root.spawn("p"), root.spawn("q"), root.create_job("j")
        vmo = p.create_vmo("64k", "v")
        self.area = p.allocate("1M", perms="rw")
        self.mapping = p.map(vmo)
        closed = vmo.duplicate()
        closed.close()
        other = foreign.create_vmo("64k")
        self.foreign = [foreign, other, foreign.map(other), foreign.root_vmar]
        device = p.create_physical_vmo(0xD0000000, "16k")
        self.vmos = [vmo, vmo.clone(), device]
        self.processes = [p, q]
        self.objects: list[Any] = [self.machine, root, p, q, job, job.create_process("s")]
        self.objects += [*self.vmos, self.mapping, closed, p.create_port(), p.create_event()]
        self.objects += [q.open(p), q.open(p.root_vmar), self.area, self.area.handle]
        self.objects += [p.threads[0], q.open(job), p.root_vmar, p.handles[-1]]
        self.objects += [self.machine.kernel, *self.foreign]
        variants = self.machine.kernel.vdso_variants
        self.passable = [vmo.vmo, *variants, self.machine.kernel.handle_arena.vmo]
        self.fitting: dict[str, tuple[Any, ...]] = {
            "vmo": (*self.vmos, vmo.vmo),
            "perms": ("r", "rw", "rx", "rwx", ""),
            "address": (self.mapping.base, self.mapping.base + PAGE, self.area.base),
            "at": (None, self.mapping.base, self.area.base),
            "process": (p, q),
            "target": (vmo.vmo, p, p.threads[0], *self.passable),
            "data": (b"abc", b"z" * 9000),
            "length": (1, PAGE, 2 * PAGE, "64k"),
            "size": ("64k", PAGE, 0),
            "offset": (0, PAGE, 6 * PAGE),
            "vmo_offset": (0, PAGE, 6 * PAGE),
            "koid": (None,),
            "name": ("x", "y"),
            "rights": (None, "rwm", "r", 0),
            "code": (0, 3),
            "count": (1, 3),
            "milliseconds": (5,),
            "stack": ("8k", 0),
            "value": tuple(handle.value for handle in p.handles),
        }

    def argument(self, name: str) -> Any:
        """Two times out of three one that fits; else a number, an object, or something odd."""
        chance = self.chance
        if chance.random() < 0.65:
            if name in self.fitting:
                return chance.choice(self.fitting[name])
            return chance.random() < 0.5
        pool = chance.choice((NUMBERS, WEIRD, (*self.objects, *self.passable)))
        return chance.choice(pool)

    def call(self) -> tuple[str, Callable[[], Any]] | None:
        """One call, or None where it would only end what there is."""
        chance = self.chance
        target = chance.choice(self.objects)
        if target in self.foreign and chance.random() < 0.9:
            return None
        name = chance.choice(METHODS[type(target)].split())
        if name in ENDING and chance.random() < 0.93:
            return None
        method = getattr(target, name)
        args, options = [], {}
        for parameter in inspect.signature(method).parameters.values():
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                continue
            if parameter.default is not parameter.empty and chance.random() < 0.5:
                continue
            value = self.argument(parameter.name)
            if parameter.kind is parameter.KEYWORD_ONLY:
                options[parameter.name] = value
            elif args or parameter.default is parameter.empty:
                args.append(value)
        return f"{type(target).__name__}.{name}", lambda: method(*args, **options)


def run(seed: int, calls: int) -> Counter[str]:
    """One machine; returns how often each outcome was met, and raises for one that may not be."""
    stage = Stage(seed)
    machine = stage.machine
    found: Counter[str] = Counter()
    while found.total() < calls:
        drawn = stage.call()
        if drawn is None:
            continue
        name, act = drawn
        before = machine.fingerprint() if stage.chance.random() < 0.5 else None
        step = machine.step
        try:
            made = act()
        except PageFault:
            found["PageFault"] += 1
        except MagmemError as error:
            found[type(error).__name__] += 1
            same = before in (None, machine.fingerprint()) and machine.step == step
            if not same:
                raise AssertionError(f"{name}: {error!r} changed the machine") from error
        except Exception as error:
            error.add_note(f"seed {seed}: {name}")
            raise
        else:
            found["done"] += 1
            new = made if isinstance(made, tuple) else (made,)
            kept = [item for item in new if type(item) in METHODS]
            if len(stage.objects) < 80:
                stage.objects += kept
    check_listings(machine)
    return found


def main(first: int, runs: int, calls: int) -> int:
    """Run them all; returns how many failed."""
    total: Counter[str] = Counter()
    failed = 0
    for seed in range(first, first + runs):
        try:
            total += run(seed, calls)
        except Exception as error:
            failed += 1
            notes = getattr(error, "__notes__", [f"seed {seed}"])
            print(f"{notes[-1]}: {type(error).__name__}: {str(error)[:200]}", flush=True)
    print(f"{total.total():,} calls: {dict(total.most_common())}; {failed} of {runs} runs failed")
    return failed


if __name__ == "__main__":
    sys.exit(bool(main(*map(int, sys.argv[1:4]))))
