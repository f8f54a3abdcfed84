"""The same seed and operations give the same machine in every process, to the last byte."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from magmem import Machine

SCRIPT = """
import magmem

m = magmem.Machine(memory="256M", seed=7)
sh = m.root_job.spawn("sh")
apps = m.root_job.create_job("apps")
tail = apps.spawn("tail")
heap = sh.create_vmo("2M", name="jemalloc-heap")
at = sh.map(heap, perms="rw")
at.touch("68k", write=True)
lib = sh.create_vmo("132k", name="lib.so")
lib.write(5000, b"code")
for process in (sh, tail):
    child = lib.clone(name="data:lib.so").transfer(process)
    process.allocate("1M", compact=True).map(child, perms="rw").write(0, b"x")
sh.map(lib, "rx", vmo_offset=4096).touch(execute=True)
sh.unmap(at.base + 8192, 4096)
port = tail.create_port()
port.queue(300)
tail.create_channel()[0].transfer(sh)
region = tail.allocate("1M")
region.map(tail.create_vmo("64k"), offset=0).touch(write=True)
heap.decommit("8k", "8k")
m.kernel.map(m.kernel.create_vmo("32k", "log")).touch(write=True)
tail.threads[0].raise_exception()
m.advance(1500)
print(m.fingerprint())
for process in m.processes:
    print(process.koid, [h.value for h in process.handles])
    print([(hex(p.base), p.name, p.installed) for p in process.aspace.mappings()])
print([(v.koid, v.id, v.physical_runs) for v in m.vmos])
print(magmem.ps(m, threads=True), magmem.vmaps(m, sh.koid), magmem.vmos(m, tail.koid))
print(magmem.k_vmos(m, "all"), magmem.kstats(m), magmem.asd(m, "kernel"))
print(m.events.to_csv())
print(m.statistics().to_csv())
"""


def output(hash_seed: str) -> str:
    """What the script prints in a process of its own."""
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parent.parent.parent,
        env=environment,
    )
    return done.stdout


def test_same_in_every_process() -> None:
    """Addresses, koids, handle values, page frames and text do not depend on the process."""
    first, second = output("1"), output("4242")
    assert first == second
    assert "jemalloc-heap" in first


def test_seed_changes_addresses_alone() -> None:
    """Another seed gives other addresses, and the same koids, sizes and statistics."""

    def build(seed: int) -> Machine:
        machine = Machine(memory="64M", seed=seed)
        process = machine.root_job.spawn("p")
        process.map(process.create_vmo("1M")).write(0, b"x")
        return machine

    one, two, again = build(1), build(2), build(1)
    assert one.fingerprint() == again.fingerprint() != two.fingerprint()
    assert [vmo.koid for vmo in one.vmos] == [vmo.koid for vmo in two.vmos]
    assert one.kmem == two.kmem
    bases = [[m.base for m in x.processes[0].aspace.mappings()] for x in (one, two)]
    assert bases[0] != bases[1]


def test_replay_is_the_same(tmp_path: Path) -> None:
    """A machine replays from its events, also from a file, to the same state at every step."""
    scope: dict[str, Machine] = {}
    exec(SCRIPT.split("print(", maxsplit=1)[0], scope)  # noqa: S102 (the script above)
    machine = scope["m"]
    assert Machine.replay(machine.history).fingerprint() == machine.fingerprint()
    machine.save_history(tmp_path / "history")
    loaded = Machine.load_history(tmp_path / "history")
    assert loaded.fingerprint() == machine.fingerprint()
    assert loaded.snapshot().equals(machine.snapshot())


def test_opening_any_kernel_vmo_replays() -> None:
    """A kernel VMO without koid, the very first one too, is opened again by the replay."""
    machine = Machine(memory="64M", seed=3)
    process = machine.root_job.create_process("p")
    for vmo in [vmo for vmo in machine.vmos if not vmo.koid]:
        process.open(vmo)
    assert Machine.replay(machine.history).fingerprint() == machine.fingerprint()


def test_every_step_can_be_looked_at() -> None:
    """`at_step` gives each earlier state, and looking changes nothing."""
    machine = Machine(memory="64M", seed=3)
    states = [machine.fingerprint()]
    process = machine.root_job.create_process("p")
    states.append(machine.fingerprint())
    vmo = process.create_vmo("64k")
    states.append(machine.fingerprint())
    mapping = process.map(vmo)
    states.append(machine.fingerprint())
    mapping.write(100, b"abc")
    states.append(machine.fingerprint())
    vmo.close()
    states.append(machine.fingerprint())
    for step, state in enumerate(states):
        with machine.at_step(step) as earlier:
            assert earlier.fingerprint() == state
            assert earlier.step == step
    assert machine.fingerprint() == states[-1]
    for wrong in (-1, len(states)):
        with pytest.raises(Exception, match="step"):
            machine.at_step(wrong)
