"""Simulator, scenarios, exercises and their checks run where there is no NumPy and no pandas."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

BLOCK = """
import sys

class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("numpy", "pandas"):
            raise ModuleNotFoundError(f"{name} is blocked here", name=name)

sys.meta_path.insert(0, Block())
"""


def blocked(script: str) -> str:
    """What a script prints in a Python that has neither."""
    done = subprocess.run(
        [sys.executable, "-c", BLOCK + script],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parent.parent.parent,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_block_holds() -> None:
    """The block of these tests does keep both away."""
    script = """
for name in ("numpy", "pandas"):
    try:
        __import__(name)
    except ImportError:
        print(name)
"""
    assert blocked(script).split() == ["numpy", "pandas"]


def test_machine_and_history(tmp_path: Path) -> None:
    """A machine is built, changed, saved, loaded and replayed; refusals are the same."""
    script = f"""
import magmem
machine = magmem.Machine("64M", seed=7)
sh = machine.root_job.spawn("sh")
heap = sh.create_vmo("2M", name="jemalloc-heap")
assert sh.map(heap).touch("68k", write=True) == 17
try:
    sh.map("heap")
except magmem.WrongArgument as error:
    assert "vmo" in str(error)
assert sh.statistics().private_bytes == (68 + 4 + 28) * 1024
machine.save_history({str(tmp_path / "h")!r})
again = magmem.Machine.load_history({str(tmp_path / "h")!r})
assert again.fingerprint() == machine.fingerprint()
print(machine.kmem.vmo_bytes, machine.pages["object"])
"""
    assert blocked(script).split()


def test_every_scenario() -> None:
    """Every scenario is built, and replays."""
    script = """
from magmem import Machine, scenarios
for name in scenarios.names():
    options = {"handles": 2000} if name == "handle_hoarder" else {}
    machine = scenarios.make(name, **options)
    assert Machine.replay(machine.history).fingerprint() == machine.fingerprint()
    print(name)
"""
    assert len(blocked(script).split()) > 10


def test_exercises_are_drawn_and_checked() -> None:
    """Exercises are made, and answers checked, wherever they print no listing."""
    script = """
from magmem import exercises
for name in exercises.names():
    try:
        task = exercises.make(name, "Ada")
    except ModuleNotFoundError:
        continue
    assert not exercises.check(task, None).right
    print(name)
"""
    assert len(blocked(script).split()) >= 17
