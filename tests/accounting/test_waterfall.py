"""The ledger's figure: every line that is not 0 has its bar, word and amount."""

from __future__ import annotations

import pytest

import magmem

MACHINES = ("small-machine", "two-arena-machine", "guide-ps-machine")


@pytest.mark.parametrize("name", MACHINES)
def test_every_line_is_drawn_and_named(name: str) -> None:
    """Labels are the statement's lines; the bars end at the physical total."""
    ledger = magmem.ledger(magmem.read_capture(name))
    figure = ledger.figure()
    texts = [text.get_text() for text in figure.axes[0].texts]
    lines = [line for line in ledger.statement.lines if line.size_bytes or line.key == "reported"]
    assert "physical memory" in texts
    assert len(figure.axes[0].patches) == len(lines)
    assert f"= {magmem.format_size(int(ledger.statement.total_bytes or 0))}" in texts


def test_title_says_the_finding() -> None:
    """The title tells by how much ps is wrong: 80k reported for 40k is 40k too much."""
    machine = magmem.Machine(memory="64M", seed=1)
    process = machine.root_job.create_process("twice")
    vmo = process.create_vmo("40k")
    vmo.commit()
    process.map(vmo, perms="r")
    process.map(vmo, perms="r")
    process.start()
    figure = magmem.ledger(machine).figure()
    assert figure.texts[0].get_text() == "this machine: ps reports 40k too much"


def test_figure_is_wide_enough_to_read() -> None:
    """At 12 cm, 7.5 points on 16 cm become more than 5.5."""
    width_cm = (
        magmem.ledger(magmem.read_capture("small-machine")).figure().get_size_inches()[0] * 2.54
    )
    assert 12 <= width_cm <= 16.5
