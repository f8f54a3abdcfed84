"""Machines to build: each shows one thing of its chapter, and the engine says whether it does."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import magmem
from magmem.exercises.cast import PROCESSES, committed, opened, size
from magmem.exercises.dice import Dice
from magmem.exercises.keys import Built
from magmem.exercises.registry import Draft, exercise
from magmem.sim import Machine, Process, Vmo
from magmem.sim.mapping import Mapping as Window
from magmem.units import PAGE_BYTES

__all__: list[str] = []

BEGIN = (
    'Your answer is the machine (`magmem.Machine(memory="64M")` to begin with). A process that you '
    "make with `create_process` maps nothing by itself, and must `start()` before `ps` counts it."
)


def _found(machine: Machine, name: str) -> Process | str:
    """The one process of that name, or what is wrong."""
    found = [process for process in machine.processes if process.name == name]
    return (
        found[0] if len(found) == 1 else f"expected one process named {name}, found {len(found)}."
    )


def _on(name: str, test: Callable[[Machine, Process], str]) -> Callable[[Machine], str]:
    """A test that begins with the process of that name."""

    def tested(machine: Machine) -> str:
        process = _found(machine, name)
        return process if isinstance(process, str) else test(machine, process)

    return tested


def _began(name: str, starts: bool = True) -> tuple[Machine, Process]:
    machine = Machine(memory="64M")
    process = machine.root_job.create_process(name)
    if starts:
        process.start()
    return machine, process


def _draft(
    task: str,
    test: Callable[[Machine], str],
    because: str,
    build: Callable[..., Machine],
    wrong: Mapping[str, Callable[[], Machine]],
) -> Draft:
    nobody = {"expected one process named": lambda: Machine(memory="64M")}
    key = Built(test, because, f"one that is right: {task}", build, {**nobody, **wrong})
    return Draft(f"**Build a machine** {task} {BEGIN}", key)


def _windows(machine: Machine, process: Process) -> list[Window]:
    """The mappings of a process."""
    every = (mapping for vmo in machine.vmos for mapping in vmo.mappings)
    return [mapping for mapping in every if mapping.aspace is process.aspace]


def _mapped(machine: Machine, process: Process) -> list[Vmo]:
    """The VMOs a process maps, each once."""
    found = {id(mapping.vmo): mapping.vmo for mapping in _windows(machine, process)}
    return list(found.values())


def _reported(machine: Machine, process: Process) -> tuple[int, int]:
    """PSS and PRIVATE as `ps` prints them."""
    row = magmem.ps(machine).df.set_index("koid").loc[process.koid]
    return int(row["pss_bytes"]), int(row["private_bytes"])


@exercise("build-promise", "01", "build", "a process that maps much and has little in memory")
def build_promise(dice: Dice) -> Draft:
    """Pages come with writes, not with mappings."""
    name, much = dice.choice(PROCESSES), dice.between(20, 900)
    few = dice.between(2, much // 4)

    def test(machine: Machine, process: Process) -> str:
        vmos = _mapped(machine, process)
        mapped = sum(mapping.size_bytes for mapping in _windows(machine, process))
        if mapped != much * PAGE_BYTES:
            return f"{name} maps {mapped:,} bytes, not {size(much)}."
        pages = sum(vmo.committed_pages for vmo in vmos)
        return "" if pages == few else f"{pages} pages of it are in memory, not {few}."

    def build(written: int = few, mapped: int = much) -> Machine:
        machine, process = _began(name)
        window = process.map(process.create_vmo(mapped * PAGE_BYTES), perms="rw")
        window.touch(written * PAGE_BYTES, write=True)
        return machine

    return _draft(
        f"with a process `{name}` that maps {size(much)}, of which {few} pages are in memory.",
        _on(name, test),
        "the mapping is a promise, and each page written keeps a part of it.",
        build,
        {
            "of it are in memory, not": lambda: build(written=few + 1),
            "bytes, not": lambda: build(mapped=much + 1),
        },
    )


@exercise("build-kept", "01", "build", "memory that a mapping alone keeps")
def build_kept(dice: Dice) -> Draft:
    """A mapping keeps its VMO when the last handle is closed."""
    name, pages = dice.choice(PROCESSES), dice.between(2, 900)

    def test(machine: Machine, process: Process) -> str:
        kept = [vmo for vmo in _mapped(machine, process) if not vmo.handle_count]
        if not kept:
            return f"every VMO that {name} maps has a handle, or it maps none."
        have = sum(vmo.committed_pages for vmo in kept)
        return "" if have == pages else f"mappings alone keep {have} pages, not {pages}."

    def build(count: int = pages, closes: bool = True) -> Machine:
        machine, process = _began(name)
        vmo = committed(process, count, "kept")
        process.map(vmo, perms="rw")
        if closes:
            vmo.close()
        return machine

    return _draft(
        f"on which {pages} pages are in memory that `{name}` keeps by a mapping alone: nobody has "
        "a handle to their VMO.",
        _on(name, test),
        "the last handle went, and the mapping still refers to the VMO.",
        build,
        {
            "mappings alone keep": lambda: build(count=pages + 1),
            "has a handle": lambda: build(closes=False),
        },
    )


@exercise("build-resident", "02", "build", "a mapping whose `:sz` and `:res` are given")
def build_resident(dice: Dice) -> Draft:
    """`:res` counts the pages inside the window, not those of the whole VMO."""
    name, whole = dice.choice(PROCESSES), dice.between(40, 600)
    shown = dice.between(10, whole - 20)
    inside = dice.between(2, shown - 4)

    def test(machine: Machine, process: Process) -> str:
        if process.state != "running":
            return f"{name} does not run, so `vmaps` refuses it."
        lines = magmem.vmaps(machine, process.koid).df
        lines = lines[lines["kind"] == "mapping"]
        if len(lines) != 1:
            return f"{name} has {len(lines)} mappings, not 1."
        sizes = [int(lines[name].iloc[0]) for name in ("size_bytes", "resident_bytes")]
        alloc = _mapped(machine, process)[0].committed_pages
        if sizes != [shown * PAGE_BYTES, inside * PAGE_BYTES]:
            return f"`vmaps` prints {magmem.format_size(sizes[0])}:sz and {sizes[1]:,} bytes :res."
        return "" if alloc == inside + 3 else f"the VMO has {alloc} pages, not {inside + 3}."

    def build(touched: int = inside, beyond: int = 3) -> Machine:
        machine, process = _began(name)
        vmo = process.create_vmo(whole * PAGE_BYTES)
        vmo.commit(0, touched * PAGE_BYTES)
        vmo.commit((whole - 3) * PAGE_BYTES, beyond * PAGE_BYTES)
        process.map(vmo, perms="rw", length=shown * PAGE_BYTES)
        return machine

    return _draft(
        f"with a process `{name}` that runs and has one mapping, of which `vmaps` prints "
        f"`{size(shown)}:sz` and `{size(inside)}:res`, of a VMO that owns {inside + 3} pages.",
        _on(name, test),
        "three of the VMO's pages lie outside of the window.",
        build,
        {
            "`vmaps` prints": lambda: build(touched=inside + 1),
            "the VMO has": lambda: build(beyond=2),
        },
    )


@exercise("build-rows", "03", "build", "a VMO with a given number of rows in `vmos`")
def build_rows(dice: Dice) -> Draft:
    """A VMO has a row for each handle and each mapping."""
    name, handles, mappings = dice.choice(PROCESSES), dice.between(2, 9), dice.between(2, 25)

    def test(machine: Machine, process: Process) -> str:
        if process.state != "running":
            return f"{name} does not run, so `vmos` refuses it."
        rows = magmem.vmos(machine, process.koid).df
        if rows["koid"].nunique() != 1:
            return f"`vmos` lists {rows['koid'].nunique()} VMOs, not 1."
        have = (rows["via"] == "handle").sum(), (rows["via"] == "mapping").sum()
        right = have == (handles, mappings)
        return "" if right else f"it has {have[0]} rows of handles and {have[1]} of mappings."

    def build(held: int = handles, mapped: int = mappings) -> Machine:
        machine, process = _began(name)
        vmo = committed(process, 1, "rows")
        for _ in range(mapped):
            process.map(vmo, perms="r")
        for _ in range(held - 1):
            vmo.duplicate()
        return machine

    return _draft(
        f"on which `vmos` of `{name}` lists a single VMO: {handles} rows of handles and "
        f"{mappings} rows of mappings.",
        _on(name, test),
        "rows are handles and mappings; the VMO is there once.",
        build,
        {"rows of handles": lambda: build(held=handles + 1)},
    )


@exercise("build-pss", "04", "build", "a process with a given PSS and a given PRIVATE")
def build_pss(dice: Dice) -> Draft:
    """PSS is what is private and a part of what is shared."""
    name, sharers = dice.choice(PROCESSES), dice.between(2, 6)
    own, part = dice.between(1, 60), dice.between(1, 40)

    def test(machine: Machine, process: Process) -> str:
        pss, private = _reported(machine, process)
        if private != own * PAGE_BYTES:
            return f"`ps` prints {magmem.format_size(private)} as PRIVATE, not {size(own)}."
        right = pss == (own + part) * PAGE_BYTES
        return "" if right else f"`ps` prints {magmem.format_size(pss)} as PSS."

    def build(private: int = own, others: int = sharers - 1) -> Machine:
        machine, process = _began(name)
        process.map(committed(process, private, "own"), perms="rw")
        shared = committed(process, part * sharers, "shared")
        process.map(shared, perms="rw")
        for number in range(others):
            other = machine.root_job.create_process(f"other-{number}")
            other.map(opened(other, shared), perms="rw")
        return machine

    return _draft(
        f"with a process `{name}` of which `ps` prints {size(own + part)} as PSS and {size(own)} "
        "as PRIVATE.",
        _on(name, test),
        "the difference is its part of what others map as well.",
        build,
        {
            "as PRIVATE, not": lambda: build(private=own + 1),
            "as PSS": lambda: build(others=sharers),
        },
    )


@exercise("build-hidden", "05", "build", "memory that a process holds and `ps` does not show")
def build_hidden(dice: Dice) -> Draft:
    """A handle keeps memory that no mapping shows."""
    name, pages = dice.choice(PROCESSES), dice.between(20, 4000)

    def test(machine: Machine, process: Process) -> str:
        pss, _ = _reported(machine, process)
        if pss:
            return f"`ps` prints {magmem.format_size(pss)} for {name}, not 0B."
        held = magmem.ledger(machine).df.set_index("koid")["handle_only_bytes"][process.koid]
        if process.state != "running":
            return f"{name} does not run; then 0B says nothing."
        right = held == pages * PAGE_BYTES
        return "" if right else f"{name} holds {int(held):,} bytes that no mapping shows."

    def build(count: int = pages, maps: bool = False) -> Machine:
        machine, process = _began(name)
        vmo = committed(process, count, "hidden")
        if maps:
            process.map(vmo, perms="r")
        return machine

    return _draft(
        f"on which `{name}` runs, `ps` prints 0B for it, and it alone holds {size(pages)} that no "
        "mapping shows.",
        _on(name, test),
        "a VMO that is written and not mapped is in no process's PSS.",
        build,
        {
            "bytes that no mapping shows": lambda: build(count=pages + 1),
            "not 0B": lambda: build(maps=True),
        },
    )


@exercise("build-tables", "06", "build", "page tables that one page of memory costs")
def build_tables(dice: Dice) -> Draft:
    """Mappings far from each other need page tables of their own."""
    name, least = dice.choice(PROCESSES), dice.between(30, 900)

    def test(machine: Machine, process: Process) -> str:
        pages = sum(vmo.committed_pages for vmo in _mapped(machine, process))
        if pages != 1:
            return f"{name} maps {pages} pages that are in memory, not 1."
        tables = machine.kmem.mmu_overhead_bytes // PAGE_BYTES
        more = tables - Machine(memory="64M").kmem.mmu_overhead_bytes // PAGE_BYTES
        return "" if more >= least else f"there are {more} page-table pages more than at boot."

    def build(times: int = least, count: int = 1) -> Machine:
        machine, process = _began(name)
        vmo = committed(process, count, "page")
        for number in range(times):
            process.map(vmo, perms="r", at=(1 << 40) + (number << 32)).touch()
        return machine

    return _draft(
        f"with a process `{name}` that maps a single page of memory, however often, and with at "
        f"least {least} more pages of page tables than a machine that has just booted. (A 64M "
        "machine has room for that.)",
        _on(name, test),
        "each place far from the others needs tables of its own.",
        build,
        {
            "page-table pages more": lambda: build(times=2),
            "that are in memory, not 1": lambda: build(count=2),
        },
    )


@exercise("build-shadowed", "07", "build", "pages that copies have hidden")
def build_shadowed(dice: Dice) -> Draft:
    """A clone's copy hides the original page from whoever sees the clone alone."""
    name, pages = dice.choice(PROCESSES), dice.between(6, 300)
    written = dice.between(2, pages - 3)

    def test(machine: Machine, process: Process) -> str:
        table = magmem.hidden(machine).df
        rows = table[table["why"] == "shadowed"]["size_bytes"].sum() // PAGE_BYTES
        if rows != written:
            return f"{rows} pages are shadowed, not {written}."
        exact = magmem.account(machine).df.set_index("koid")["pss_bytes"][process.koid]
        right = exact == pages * PAGE_BYTES
        return "" if right else f"the exact PSS of {name} is {int(exact):,} bytes."

    def build(copies: int = written, count: int = pages) -> Machine:
        machine, process = _began(name)
        original = committed(process, count, "original")
        view = process.map(original.clone(name="clone"), perms="rw")
        view.touch(copies * PAGE_BYTES, write=True)
        return machine

    return _draft(
        f"on which {written} pages are shadowed, hidden behind a clone's copies, and the exact PSS "
        f"of `{name}` is {size(pages)}.",
        _on(name, test),
        "each written page is there twice, and only the copy can be reached.",
        build,
        {
            "pages are shadowed, not": lambda: build(copies=written + 1),
            "the exact PSS of": lambda: build(count=pages + 1),
        },
    )


@exercise("build-too-little", "07", "build", "a process of which `ps` reports only a part")
def build_too_little(dice: Dice) -> Draft:
    """`#shr` is of the whole VMO, though nobody shares a page."""
    name, times = dice.choice(PROCESSES), dice.between(2, 6)
    pages = times * dice.between(2, 40)

    def test(machine: Machine, process: Process) -> str:
        pss, _ = _reported(machine, process)
        row = magmem.ledger(machine).df.set_index("koid").loc[process.koid]
        if row["uss_bytes"] != pages * PAGE_BYTES:
            return f"{int(row['uss_bytes']):,} bytes are reached by {name} alone."
        right = pss * times == pages * PAGE_BYTES
        return "" if right else f"`ps` prints {magmem.format_size(pss)} as its PSS."

    def build(count: int = pages, spaces: int = times) -> Machine:
        machine, process = _began(name)
        vmo = committed(process, count + spaces, "parts")
        process.map(vmo, perms="rw", length=count * PAGE_BYTES)
        for number in range(1, spaces):
            other = machine.root_job.create_process(f"other-{number}")
            there = (count + number) * PAGE_BYTES
            other.map(opened(other, vmo), perms="rw", vmo_offset=there, length=PAGE_BYTES)
        return machine

    return _draft(
        f"with a process `{name}` that reaches {size(pages)} which nobody else reaches, and of "
        f"which `ps` prints only 1/{times} of that as PSS.",
        _on(name, test),
        "others map the same VMO elsewhere, and `#shr` counts them for every page.",
        build,
        {
            "bytes are reached by": lambda: build(count=pages + times),
            "as its PSS": lambda: build(spaces=times + 1),
        },
    )
