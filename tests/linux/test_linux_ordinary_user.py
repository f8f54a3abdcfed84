"""Without root: what the kernel still tells is there, what it does not tell is missing, not 0."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from support.other_user import NOBODY, as_nobody

import magmem
import magmem.linux.capture
import magmem.linux.redaction
from magmem.errors import AccessDenied
from magmem.snapshot import Snapshot

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux")


@pytest.fixture(scope="module")
def sleeper() -> Iterator[int]:
    """The pid of a resting process of the same ordinary user."""
    user = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
    with subprocess.Popen(["/bin/sleep", "600"], **user) as process:  # type: ignore[call-overload]
        while (Path("/proc") / str(process.pid) / "comm").read_text() != "sleep\n":
            pass
        yield process.pid
        process.kill()


@pytest.fixture(scope="module")
def snap(sleeper: int) -> Snapshot:
    """What an ordinary user sees of the machine."""

    def look() -> tuple[dict[str, pd.DataFrame], dict[str, Any]]:
        state = magmem.capture_linux()
        meta = {"name": state.name, "root_job_koid": state.root_job_koid}
        return state.tables(), {**meta, "coverage": dict(state.coverage)}

    tables, meta = as_nobody(look)
    return Snapshot.of(tables, **meta)


def kernel_sum(pid: int, field: str) -> int:
    """A figure of a process, summed over its mappings, bytes."""
    text = Path(f"/proc/{pid}/smaps").read_text()
    return sum(map(int, re.findall(rf"^{field}: +(\d+) kB$", text, re.MULTILINE))) * 1024


def test_own_processes_are_told(snap: Snapshot, sleeper: int) -> None:
    """Of its own processes a user gets the kernel's figures, mappings and descriptors."""
    task = snap.tasks.set_index("koid").loc[sleeper]
    # Others start and end meanwhile, and with them how many share its libraries.
    assert task["reported_pss_bytes"] == pytest.approx(kernel_sum(sleeper, "Pss"), rel=0.5)
    assert task["reported_resident_bytes"] == kernel_sum(sleeper, "Rss")
    space = snap.aspaces.index[snap.aspaces["process_koid"] == sleeper][0]
    here = snap.regions[(snap.regions["aspace"] == space) & (snap.regions["kind"] == "mapping")]
    assert here["reported_resident_bytes"].sum() == kernel_sum(sleeper, "Rss")
    assert (snap.handles["process_koid"] == sleeper).any() or task["reported_handles"] == 0


def test_page_frames_are_missing_and_said_so(snap: Snapshot) -> None:
    """No page run is invented; a note names the right that is lacking."""
    if os.geteuid() != 0 and snap.coverage["pages"] != "absent":
        pytest.skip("this user may read page frames")
    assert snap.coverage["pages"] == snap.coverage["entries"] == "absent"
    assert len(snap.pages) == len(snap.entries) == 0
    paged = snap.vmos["kind"] == "paged"
    assert not snap.vmos["pages_known"][paged].any()
    assert snap.notes["message"].str.contains("only to root (CAP_SYS_ADMIN)", regex=False).any()


def test_other_users_are_bounded_by_rss(snap: Snapshot) -> None:
    """Of other users' processes PSS is missing, RSS known, and the note adds the bounds up."""
    processes = snap.processes.set_index("koid")
    others = processes[processes["reported_pss_bytes"].isna()]
    if not len(others):
        pytest.skip("nobody else's process is visible here")
    assert (others["reported_resident_bytes"] > 0).any()
    assert others["reported_private_bytes"].isna().all()
    note = snap.notes["message"][snap.notes["message"].str.contains("may not be read")].iloc[0]
    assert "CAP_SYS_PTRACE" in note
    assert f"between 0 and {others['reported_resident_bytes'].sum()} bytes" in note
    assert snap.coverage["mappings"] == "partial"
    assert snap.coverage["processes"] == "complete"


def test_own_pages_without_frames(snap: Snapshot, sleeper: int) -> None:
    """Where a mapping shares nothing its pages are its VMO's; where it does, nobody can tell."""
    space = snap.aspaces.index[snap.aspaces["process_koid"] == sleeper][0]
    here = snap.regions[(snap.regions["aspace"] == space)]
    names = snap.vmos["name"]
    stack = next(vmo for vmo in here["vmo"].dropna() if names[vmo] == "[stack]")
    resident = here["reported_resident_bytes"][here["vmo"] == stack].iloc[0]
    assert snap.vmos["reported_committed_bytes"][stack] == resident > 0


def test_asking_for_frames_is_refused() -> None:
    """Page frames asked for by name are an error that says which right is missing."""

    def attempt() -> str:
        try:
            magmem.capture_linux("pages", pids=[os.getpid()])
        except AccessDenied as error:
            return str(error)
        return ""

    message = as_nobody(attempt)
    if os.geteuid() != 0 and not message:
        pytest.skip("this user may read page frames")
    assert message.startswith(
        "asked for page frames, but the kernel shows page frames only to root"
    )


def test_tools_answer_from_what_is_known(snap: Snapshot, sleeper: int) -> None:
    """`ps` shows the kernel's own sums, and a question mark where there are none."""
    listing = magmem.ps(snap)
    row = listing.df.set_index("koid").loc[sleeper]
    assert row["pss_bytes"] == snap.tasks.set_index("koid")["reported_pss_bytes"][sleeper]
    assert magmem.linux_ledger(snap).df["size_bytes"].iloc[-1] == snap.kmem["total_bytes"].iloc[-1]
