"""A still picture draws any name as it is written, and is the same bytes every time."""

from __future__ import annotations

import pytest
from accounting.tiny import Vmo, machine

import magmem
from magmem.still import PICTURES, Still

NAMES = ("$\\frac{$", "$x^2$", "a$b", "\\$", "_^{}")


def test_names_are_never_formulas() -> None:
    """Dollar signs and backslashes are drawn as they are, where a formula would be refused."""
    for name in NAMES:
        snap = machine({"v": Vmo(9, name=name)}, {name: ["v"]})
        for figure in (
            magmem.treemap(snap).figure(),
            magmem.ledger(snap).figure(),
            magmem.picture(snap).figure(),
            magmem.diff(snap, snap.renamed(name)).figure(),
        ):
            assert isinstance(figure, Still)
            assert figure.picture().startswith(b"\x89PNG")


@pytest.mark.parametrize("form", PICTURES)
def test_a_picture_is_the_same_twice(form: str) -> None:
    """No time, version or random id is in the file."""
    snap = machine({"v": Vmo(9)}, {"p": ["v"]})
    first, second = (magmem.treemap(snap).figure().picture(form) for _ in range(2))
    assert first == second


def test_an_unknown_form_is_refused() -> None:
    """Only what is documented can be written."""
    with pytest.raises(ValueError, match="expected form to be png, svg, pdf, found 'gif'"):
        Still().picture("gif")
