"""What a tool printed and magmem read, the same tool prints again, to the byte."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import magmem
from magmem import Listing, Snapshot, datasets


@pytest.mark.parametrize(
    ("name", "tool"),
    [
        ("guide-ps", magmem.ps),
        ("guide-kstats", magmem.kstats),
        ("guide-vmaps", lambda snap: magmem.vmaps(snap, 2470)),
    ],
)
def test_the_guides_listings(name: str, tool: Callable[[Snapshot], Listing]) -> None:
    """Rounded sizes among them: `30.0M` is not `30M`."""
    command, _, listing = datasets.path(name).read_text(encoding="utf-8").partition("\n")
    assert command.startswith("$ ")
    assert tool(magmem.read_capture(name)).text == listing
