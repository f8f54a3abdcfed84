"""`ps live` from the kernel's sums: the same text as the tool's, and nothing heavy loaded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.fake_proc import Area, FakeProc, entry

import magmem
from magmem.cli.main import run
from magmem.linux.procfs import ProcFolder
from magmem.linux.quick_ps import quick_ps

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux")


@pytest.fixture
def fake(tmp_path: Path) -> FakeProc:
    """Nested groups, a thread of the kernel, one that has exited, a name that needs care."""
    fake = FakeProc(tmp_path / "proc")
    fake.process(2, b"kthreadd", parent=0, flags=0x200000)
    for pid, group, pss in ((10, "/", 4), (11, "/a", 2000), (12, "/a/b", 70), (13, "/c", 1)):
        figures = {"Pss": pss, "Private_Dirty": pss // 2, "Shared_Clean": pss * 3}
        heap = Area(0x400000, 999, name="[heap]", entries={0: entry(1)}, figures=figures)
        name = b"p%d (x)" % pid
        fake.process(pid, name, [heap], cgroup=f"0::{group}\n".encode())
    fake.process(14, b"gone", state="Z", cgroup=b"0::/a\n")
    return fake


@pytest.mark.parametrize("jobs", [False, True])
@pytest.mark.parametrize("units", ["", "k"])
def test_text_is_the_tools(fake: FakeProc, jobs: bool, units: str) -> None:
    """Every line, in the same order, with the same sizes."""
    snap = magmem.capture_linux("processes", proc=fake.root)
    assert quick_ps(jobs, units, proc=fake.root).text == magmem.ps(snap, False, jobs, units).text


def test_closed_process_is_unknown_in_every_sum(
    fake: FakeProc, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not 0: the process, and every job above it; the rest is answered."""
    read = ProcFolder.read_if_there

    def refusing(self: ProcFolder, name: str) -> bytes | None:
        if self.place.endswith("/12") and name.startswith("smaps"):
            raise PermissionError(13, "Permission denied")
        return read(self, name)

    monkeypatch.setattr(ProcFolder, "read_if_there", refusing)
    quick = quick_ps(proc=fake.root)
    listing = magmem.ps(magmem.capture_linux("processes", proc=fake.root))
    assert quick.text == listing.text
    assert set(listing.warnings) <= set(quick.warnings)
    assert any(warning.startswith("live: 1 process may not be read") for warning in quick.warnings)
    assert quick.text.count("?") >= 6


def test_nothing_heavy_is_loaded() -> None:
    """`magmem ps live` starts without pandas."""
    code = (
        "import sys; from magmem.cli.main import run; run(['ps', 'live']); "
        "print('pandas' in sys.modules, file=sys.stderr)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert told.stderr.splitlines()[-1] == "False"
    assert told.stdout.startswith("TASK ")


def test_threads_and_other_rules_are_the_tools(capsys: pytest.CaptureFixture[str]) -> None:
    """What takes more than sums is answered by the tool itself."""
    assert run(["ps", "-T", "live"]) == 0
    assert "t:1000" in capsys.readouterr().out
