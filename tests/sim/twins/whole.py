"""What is compared once at the end of a run: the snapshot, the ledger on it, and the replay.

After any accepted calls every listing works, a saved state is read back equal, and the history
leads to the same machine.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from sim.model import figures
from sim.twins.driver import Twins

import magmem
from magmem.accounting.ledger import ledger
from magmem.kernel.mappings import view_of
from magmem.sim import Job, Machine

__all__ = ["check_accounts", "check_listings", "check_replay"]


def check_accounts(twins: Twins) -> None:
    """The snapshot holds the model's entries; the ledger on it gives the model's shares."""
    model, snap = twins.model, twins.machine.snapshot()
    installed = sum(len(mapping.entries) for mapping in model.mappings.values())
    assert snap.entries["page_count"].sum() == installed
    assert snap.pages["page_count"].sum() == sum(len(vmo.pages) for vmo in model.vmos.values())
    view = view_of(snap)
    serial_of = {twins[serial].id: serial for serial in model.vmos}
    serials = [serial_of[name] for name in snap.vmos["id"]]
    assert view.share_count.tolist() == [figures.share_count(model, vmo) for vmo in serials]
    assert view.num_mappings.tolist() == [len(figures.mappings_of(model, vmo)) for vmo in serials]
    assert view.num_children.tolist() == [figures.children(model, vmo) for vmo in serials]
    book = ledger(snap)
    assert book.unexplained_bytes == 0
    shares = figures.exact_shares(model)
    expected = {
        twins[serial].koid: shares[process.aspace] if process.aspace is not None else 0
        for serial, process in model.processes.items()
    }
    reported = {
        twins[serial].koid: figures.reported_pss(model, serial) for serial in model.processes
    }
    assert dict(zip(book.df["koid"], book.df["reported_bytes"], strict=True)) == reported
    shown = dict(zip(book.df["koid"], book.df["exact_bytes"], strict=True))
    assert shown == expected, "exact PSS"
    # Σ alloc = Σ_process PSS(exact) + kernel-mapped share + handle-only + kernel-only
    owned = sum(vmo.committed_bytes for vmo in twins.machine.vmos if vmo.kind == "paged")
    assert sum(shares.values()) == owned


def check_replay(twins: Twins) -> None:
    """The machine's events lead to the same state again, byte for byte."""
    machine = twins.machine
    assert Machine.replay(machine.history).fingerprint() == machine.fingerprint()


def check_listings(machine: Machine) -> None:
    """Every listing can be made, and the snapshot survives being saved and read."""
    whole = (magmem.ps, magmem.ledger, magmem.hidden, magmem.treemap, magmem.memgraph)
    kernels = (magmem.k_ps, magmem.k_jobs, magmem.kstats, magmem.vmm_aspaces, magmem.pmm_arenas)
    for listing in (*whole, *kernels, magmem.compare):
        assert str(listing(machine))
    for which in ("all", "hidden"):
        assert str(magmem.k_vmos(machine, which))
    assert str(magmem.asd(machine, "kernel"))
    for process in machine.processes:
        assert str(magmem.k_ht(machine, process.koid))
        if process.aspace is not None:
            assert str(magmem.asd(machine, process.koid))
        # Userspace tools start from the root job and find nothing that is not below it.
        if process.state == "running" and _is_below(process.job, machine.root_job):
            assert str(magmem.vmaps(machine, process.koid))
            assert str(magmem.vmos(machine, process.koid)) is not None
    assert len(machine.events) == machine.step
    assert len(machine.statistics()) == machine.step + 1
    with TemporaryDirectory() as folder:
        path = Path(folder) / "machine"
        snap = machine.snapshot("machine")
        snap.save(path)
        assert magmem.read_capture(path).equals(snap)
        machine.save_history(path)
        assert Machine.load_history(path).fingerprint() == machine.fingerprint()


def _is_below(job: Job | None, top: Job) -> bool:
    while job is not None and job is not top:
        job = job.parent
    return job is top
