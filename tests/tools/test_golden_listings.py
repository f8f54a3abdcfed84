"""Every golden, byte for byte, through the library's functions."""

from __future__ import annotations

from functools import cache

import pandas as pd
import pytest
from support.golden_commands import GoldenCommand, golden_commands
from support.shared import goldens

import magmem
from magmem.errors import KernelError
from magmem.listing import Listing
from magmem.snapshot import Snapshot
from magmem.tools.k_tasks import PS_KEY


@cache
def machine(folder: str) -> Snapshot:
    """The described machine of a golden folder."""
    return Snapshot.load(goldens() / f"{folder}.json")


def answer(snap: Snapshot, command: str) -> Listing:
    """What the library's function for a command line gives."""
    words = command.split()
    options = "".join(word for word in words if word.startswith("-"))
    unit = options.partition("units=")[2] or options.removeprefix("-u")
    which = int(words[-1]) if words[-1].isdigit() else words[-1]
    match words:
        case ["ps", *_]:
            return magmem.ps(snap, threads="-T" in words, units=options.partition("=")[2])
        case ["vmaps", koid]:
            return magmem.vmaps(snap, int(koid))
        case ["vmos", koid]:
            return magmem.vmos(snap, int(koid))
        case ["kstats", *_, times]:
            stamps = "-t" in words
            return magmem.kstats(snap, timestamps=stamps, times=int(times), era="zx")
        case ["memgraph", *_]:
            return magmem.memgraph(snap, threads="t" in options, vmos="v" in options)
        case ["k", "pmm", "arenas"]:
            return magmem.pmm_arenas(snap)
        case ["k", "zx", "ps"]:
            return magmem.k_ps(snap)
        case ["k", "zx", "ps", "help"]:
            return Listing(PS_KEY, pd.DataFrame())
        case ["k", "zx", "jobs"]:
            return magmem.k_jobs(snap)
        case ["k", "zx", "ht", koid]:
            return magmem.k_ht(snap, int(koid))
        case ["k", "zx", "asd", _]:
            return magmem.asd(snap, which)
        case ["k", "zx", "vmos", name, *_]:
            return magmem.k_vmos(snap, int(name) if name.isdigit() else name, unit=unit)
    raise ValueError(f"no function for {command}")


@pytest.mark.parametrize("golden", golden_commands(), ids=str)
def test_function_prints_the_golden(golden: GoldenCommand) -> None:
    """Text, exit status and remarks of each function are those of the original tool."""
    expected = golden.path.read_bytes().decode("utf-8")
    snap = machine(golden.folder)
    if golden.stderr.startswith("ERROR"):
        with pytest.raises(KernelError) as failed:
            answer(snap, golden.command)
        assert (expected, golden.status) == ("", 1)
        assert golden.stderr.splitlines()[0] == f"ERROR: {failed.value}"
        return
    listing = answer(snap, golden.command)
    assert listing.text == expected
    assert listing.exit_status == golden.status
    assert "".join(f"{line}\n" for line in listing.warnings) == golden.stderr
