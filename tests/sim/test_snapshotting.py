"""A machine as tables: valid, complete, and adding up to the byte."""

from __future__ import annotations

import numpy as np
import pytest

from magmem import scenarios
from magmem.kernel.mappings import KernelView
from magmem.sim import BootPlan, Machine
from magmem.snapshot import FACETS, Snapshot

PAGE = 4096


@pytest.fixture(scope="module")
def machine() -> Machine:
    """A random machine with clones, hidden VMOs and sharing."""
    return scenarios.random_machine(12, 90, 260, 6000, seed=21)


@pytest.fixture(scope="module")
def snap(machine: Machine) -> Snapshot:
    """Its snapshot."""
    return machine.snapshot("random")


def test_everything_is_known(snap: Snapshot) -> None:
    """A simulated machine knows every facet."""
    assert snap.knows(*FACETS)
    assert snap.name == "random"
    assert snap.root_job_koid == 1028


def test_the_arenas_add_up_to_the_statistics(machine: Machine, snap: Snapshot) -> None:
    """Each statistic is the sum of its page state over the arenas, and all together the total."""
    kmem = snap.kmem.iloc[-1]
    sums = {
        state: int(snap.arenas[f"{state}_pages"].sum()) * PAGE
        for state in ("free", "alloc", "wired", "heap", "object", "mmu")
    }
    assert kmem["free_bytes"] == sums["free"]
    assert kmem["wired_bytes"] == sums["wired"]
    assert kmem["total_heap_bytes"] == sums["heap"]
    assert kmem["vmo_bytes"] == sums["object"]
    assert kmem["mmu_overhead_bytes"] == sums["mmu"]
    assert kmem["other_bytes"] == sums["alloc"]
    assert kmem["total_bytes"] == sum(sums.values()) == snap.arenas["size_bytes"].sum()
    assert 0 <= kmem["free_heap_bytes"] <= kmem["total_heap_bytes"]
    assert vars(machine.kmem) == {name: kmem[name] for name in vars(machine.kmem)}


def test_committed_pages_are_vmo_memory_or_wired(snap: Snapshot) -> None:
    """The sum of alloc over paged VMOs is VMO memory and the wired pages that VMOs own."""
    committed = np.zeros(len(snap.vmos), np.int64)
    np.add.at(committed, snap.pages["vmo"].to_numpy(), snap.pages["page_count"].to_numpy())
    wired = snap.vmos["pages_are_wired"].to_numpy(dtype=bool)
    assert committed[~wired].sum() * PAGE == snap.kmem["vmo_bytes"].iloc[-1]
    assert committed[wired].sum() == 7 + 1 + 1 + 1024


def test_page_tables_follow_from_the_entries(snap: Snapshot) -> None:
    """The mmu statistic is one top table per address space and a table per group of entries."""
    base = snap.regions["base"].to_numpy()[snap.entries["region"]] >> np.uint64(12)
    first = base.astype(np.int64) + snap.entries["first_page"].to_numpy()
    end = first + snap.entries["page_count"].to_numpy()
    space = snap.regions["aspace"].to_numpy()[snap.entries["region"]]
    tables = set()
    for aspace, start, stop in zip(space, first, end, strict=True):
        for level in (9, 18, 27):
            tables |= {(aspace, level, n) for n in range(start >> level, ((stop - 1) >> level) + 1)}
    pages = len(tables) + len(snap.aspaces) + BootPlan().table_pages
    assert snap.kmem["mmu_overhead_bytes"].iloc[-1] == pages * PAGE


def test_entries_lie_within_mapping_and_vmo(snap: Snapshot) -> None:
    """A page-table entry shows a page that the mapping covers and the VMO has."""
    entries = snap.entries
    region = snap.regions.iloc[entries["region"].to_numpy()]
    end = (entries["first_page"] + entries["page_count"]).to_numpy() * PAGE
    assert (end <= region["size_bytes"].to_numpy(dtype=np.int64)).all()
    size = snap.vmos["size_bytes"].to_numpy(dtype=np.int64)[region["vmo"].to_numpy(dtype=np.int64)]
    in_vmo = region["vmo_offset_bytes"].to_numpy(dtype=np.int64) + end
    assert (in_vmo <= -(-size // PAGE) * PAGE).all()


def test_rows_are_the_objects(machine: Machine, snap: Snapshot) -> None:
    """Every task, VMO, handle and region has its row, in creation or address order."""
    assert list(snap.jobs["koid"]) == [job.koid for job in machine.jobs]
    assert list(snap.processes["koid"]) == [process.koid for process in machine.processes]
    assert list(snap.threads["koid"]) == [thread.koid for thread in machine.threads]
    assert list(snap.vmos["koid"]) == [vmo.koid for vmo in machine.vmos]
    for process in machine.processes:
        mine = snap.handles[snap.handles["process_koid"] == process.koid]
        assert list(mine["value"]) == [handle.value for handle in process.handles]
        assert list(mine["koid"]) == [handle.koid for handle in process.handles]
    aspace = machine.processes[3].aspace
    assert aspace is not None
    rows = snap.regions[(snap.regions["aspace"] == 4) & (snap.regions["kind"] == "mapping")]
    assert list(rows["base"]) == [mapping.base for mapping in aspace.mappings()]


def test_derived_counts_are_the_machines_own(machine: Machine, snap: Snapshot) -> None:
    """Share counts, mappings and clones derived from the tables are the machine's."""
    view = KernelView(snap)
    assert list(view.share_count) == [vmo.share_count for vmo in machine.vmos]
    assert list(view.num_mappings) == [len(vmo.mappings) for vmo in machine.vmos]
    assert list(view.num_children) == [len(vmo.children) for vmo in machine.vmos]
    assert list(view.committed_bytes) == [vmo.committed_bytes for vmo in machine.vmos]


def test_runs_apart_only_in_physical_memory_are_one() -> None:
    """Pages that follow each other in the VMO are one run, wherever their frames lie."""
    machine = Machine("64M")
    process = machine.root_job.spawn("p")
    vmo, other = process.create_vmo("64k", name="v"), process.create_vmo("64k")
    for page in range(4):
        vmo.commit(page * PAGE, PAGE)
        other.commit(page * PAGE, PAGE)
    assert len(vmo.vmo.physical_runs) == 4
    snap = machine.snapshot()
    row = snap.vmos.index[snap.vmos["name"] == "v"][0]
    assert snap.pages[snap.pages["vmo"] == row].iloc[:, 1:].to_numpy().tolist() == [[0, 4]]


def test_columns_of_a_small_machine() -> None:
    """Permissions, raw flags, references, parents and states are as the dumps print them."""
    machine = Machine("64M", seed=1)
    process = machine.root_job.spawn("p", vdso=False, stack=0)
    vmo = process.create_vmo("33k", name="data")
    clone = vmo.clone(PAGE, "8k", "copy")
    process.map(vmo, "r", at=0x2000000)
    process.map(clone, "rwx", at=0x3000000)
    device = process.create_physical_vmo(0xD0000000, "8k", "screen")
    device.close()
    process.threads[0].raise_exception("job")
    snap = machine.snapshot()
    two = snap.regions[(snap.regions["aspace"] == 1) & (snap.regions["kind"] == "mapping")]
    assert list(two["perms"]) == ["r--", "rwx"]
    assert list(two["arch_mmu_flags"]) == [0x0C, 0x3C]
    assert list(two["size_bytes"]) == [36 * 1024, 8192]
    names = dict(zip(snap.vmos["name"], snap.vmos.index, strict=True))
    assert "screen" not in names
    row = snap.vmos.iloc[-1]
    assert (row["parent"], row["parent_koid"]) == (names["data"], vmo.koid)
    assert (row["parent_offset_bytes"], row["ref"], row["is_clone"]) == (4096, 2, True)
    thread = snap.threads.iloc[0]
    assert (thread["state"], thread["exception_port"]) == ("blocked", "job")
    assert list(snap.aspaces["name"]) == ["kernel", f"proc:{process.koid}"]
    assert snap.aspaces["ref"][1] == 1 + 3
    assert list(snap.jobs["importance"]) == [1, 0]


def test_a_dead_process_has_no_address_space() -> None:
    """A held dead process has a task row, no address space and no handles."""
    machine = Machine("64M")
    process, watcher = machine.root_job.spawn("p"), machine.root_job.spawn("watcher")
    watcher.open(process)
    process.exit()
    snap = machine.snapshot()
    assert list(snap.processes["state"]) == ["dead", "running"]
    assert list(snap.aspaces["name"]) == ["kernel", f"proc:{watcher.koid}"]
    assert set(snap.handles["process_koid"]) == {watcher.koid}


def test_a_machine_without_processes_has_a_snapshot() -> None:
    """Just booted, there is only the kernel."""
    snap = Machine("64M").snapshot()
    assert list(snap.aspaces["kind"]) == ["kernel"]
    assert len(snap.handles) == len(snap.processes) == 0
