"""Extremes that legal calls reach: whatever lists a machine goes on working."""

from __future__ import annotations

from pathlib import Path

import pytest

import magmem
from magmem import Machine
from magmem.sim.process import Process

PAGE = 4096


@pytest.mark.parametrize("offset", [1 << 63, (1 << 64) - 2 * PAGE])
def test_mapping_far_past_its_vmo(
    machine: Machine, process: Process, tmp_path: Path, offset: int
) -> None:
    """A mapping may begin far past its VMO's end; whatever lists the machine goes on working."""
    process.start()
    process.map(process.create_vmo(PAGE, "far"), vmo_offset=offset, length=PAGE)
    snap = machine.snapshot()
    assert snap.regions["vmo_offset_bytes"].max() == offset
    for listing in (magmem.ps, magmem.ledger, magmem.treemap, magmem.memgraph):
        assert str(listing(machine))
    assert "far" in str(magmem.k_vmos(machine, "all"))
    text = str(magmem.asd(machine, process.koid))
    assert f"off {offset:#x} " in text
    snap.save(tmp_path / "machine.json")
    (tmp_path / "asd.txt").write_text(text)
    for name in ("machine.json", "asd.txt"):
        again = magmem.read_capture(tmp_path / name)
        assert again.regions["vmo_offset_bytes"].max() == offset


def test_offset_of_more_than_64_bits_is_refused(machine: Machine, tmp_path: Path) -> None:
    """A description whose mapping begins at 2^64 is no capture: one error, and it says where."""
    process = machine.root_job.spawn("one")
    process.map(process.create_vmo(PAGE), vmo_offset=(1 << 64) - 2 * PAGE, length=PAGE)
    path = tmp_path / "machine.json"
    machine.snapshot().save(path)
    path.write_text(path.read_text().replace(str((1 << 64) - 2 * PAGE), str(1 << 64)))
    with pytest.raises(magmem.CaptureError, match="vmo_offset: expected a range that ends below"):
        magmem.read_capture(path)
