"""Scenarios: the guide's machines print the guide's transcripts, the others show what they say."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction

import pytest
from support.shared import goldens

import magmem
from magmem import scenarios
from magmem.errors import InvalidArgs

PAGE = 4096

VMOS_1118 = """\
rights  koid parent #chld #map #shr    size   alloc name
rwxmdt  1170      -     0    1    1      4k      4k stack: msg of 0x5a
r-xmdt  1031      -     2   28   14     28k     28k vdso/full
     -  1298      -     0    1    1      2M     68k jemalloc-heap
     -  1381      -     0    3    1    516k      8k self-dump-thread:0x12afe79c8b38
     -  1233   1232     1    1    1   33.6k      4k -
     -  1237   1233     0    1    1      4k      4k -
     -  1153   1146     1    1    1  883.2k     12k -
     -  1158   1153     0    1    1     16k     12k -
     -  1159      -     0    1    1     12k     12k -
rights  koid parent #chld #map #shr    size   alloc name
"""
"""The guide's listing; its author left rows out, and its copy lost the empty names' dashes."""

KSTATS = """\
--- 2017-06-07T05:51:08.021Z ---
     total       free       VMOs      kheap      kfree      wired        mmu
   2046.9M    1943.8M      20.7M       1.1M       0.9M      72.6M       7.8M
"""


def test_guide_ps_prints_the_guide() -> None:
    """Twelve processes in three jobs, byte for byte the guide's `ps`."""
    expected = (goldens() / "system-doc-ps" / "ps.txt").read_text(encoding="utf-8")
    assert str(magmem.ps(scenarios.guide_ps().snapshot())) == expected


def test_guide_vmaps_prints_the_guide() -> None:
    """Every line of the guide's `vmaps 2470`."""
    expected = (goldens() / "system-doc-vmaps" / "vmaps-2470.txt").read_text(encoding="utf-8")
    assert str(magmem.vmaps(scenarios.guide_vmaps().snapshot(), 2470)) == expected


def test_guide_vmos_prints_the_guide() -> None:
    """The guide's rows come in the guide's order, and every further row is of the same VMOs."""
    text = str(magmem.vmos(scenarios.guide_vmos().snapshot(), 1118))
    rows = iter(text.splitlines())
    assert all(row in rows for row in VMOS_1118.splitlines())
    listed = {row.split()[1] for row in VMOS_1118.splitlines()}
    assert {row.split()[1] for row in text.splitlines()} == listed


def test_guide_vmos_shows_the_quirk() -> None:
    """What 1153 and 1233 own are copies left by writes to their clones, none of their own."""
    machine = scenarios.guide_vmos()
    assert not any(e.startswith(("vmo_write", "commit")) for e in machine.events["op"][11:])
    for between, clone in ((1153, 1158), (1233, 1237)):
        node, child = machine.find(between), machine.find(clone)
        offset = child.parent_offset_bytes // PAGE
        shifted = [(first + offset, count) for first, count in child.runs]
        assert node.runs == shifted


def test_guide_kstats_prints_the_guide() -> None:
    """The seven figures of the guide's `kstats -m`."""
    assert str(magmem.kstats(scenarios.guide_kstats().snapshot())).startswith(KSTATS)


def test_guide_asd_prints_the_guide() -> None:
    """The kernel's address space to the last address and reference count."""
    expected = (goldens() / "system-doc-asd" / "k-asd-kernel.txt").read_text(encoding="utf-8")
    assert str(magmem.asd(scenarios.guide_asd().snapshot(), "kernel")) == expected


@pytest.mark.parametrize("name", scenarios.names())
def test_every_scenario_is_documented_and_seeded(name: str) -> None:
    """Each says what it shows, has a seed, and is the same machine for the same seed."""
    text = scenarios.describe(name)
    assert "Shows " in text
    parameters = scenarios.parameters(name)
    assert parameters["seed"] == 0
    for parameter in set(parameters) - {"seed"}:
        assert parameter in text.partition("Parameters\n")[2], parameter
    small = {"handles": 500} if name == "handle_hoarder" else {}
    machine = scenarios.make(name, seed=4, **small)
    assert machine.name == name
    assert machine.fingerprint() == scenarios.make(name, seed=4, **small).fingerprint()
    assert len(machine.snapshot().kmem) == 1


def test_make_names_what_there_is() -> None:
    """An unknown scenario or parameter is refused with the list of those there are."""
    with pytest.raises(ValueError, match="no scenario 'x'; there are: guide_ps, guide_vmaps"):
        scenarios.make("x")
    with pytest.raises(ValueError, match="no parameter 'size'; there are: minutes, step, seed"):
        scenarios.make("unmapped_leak", size=1)


def test_names_are_the_functions() -> None:
    """Every scenario on the list is a function of the module, under its name."""
    assert all(getattr(scenarios, name).__name__ == name for name in scenarios.names())
    assert set(scenarios.names()) < set(scenarios.__all__)


def test_scenarios_load_no_tools() -> None:
    """Building a machine needs no reader of snapshots."""
    code = """
import sys
from magmem import scenarios
scenarios.guide_ps()
print([m for m in sys.modules if m.startswith(("magmem.tools", "magmem.accounting"))])
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"


def test_library_farm_shares_code_and_copies_data() -> None:
    """The code is there once; every process has its own copy of the data."""
    machine = scenarios.shared_library_farm(processes=5, library="1M", data="64k")
    file = next(vmo for vmo in machine.vmos if vmo.name == "lib/libfarm.so")
    assert file.committed_bytes == 1 << 20
    copies = [vmo for vmo in machine.vmos if vmo.name == "data:libfarm.so"]
    assert [copy.committed_bytes for copy in copies] == [64 << 10] * 5
    assert file.share_count == 5


def test_fork_like_clones_own_what_they_wrote() -> None:
    """Each clone owns its 64 written pages; with two generations those between do too."""
    machine = scenarios.fork_like_clones(children=3, written="256k")
    copies = [vmo.committed_pages for vmo in machine.vmos if vmo.name.startswith("copy")]
    assert copies == [64, 64, 64]
    machine = scenarios.fork_like_clones(children=3, written="256k", generations=2)
    copies = [vmo.committed_pages for vmo in machine.vmos if vmo.name.startswith("copy")]
    assert copies == [64] * 6


def test_a_leak_takes_memory_that_ps_does_not_show() -> None:
    """Free memory falls by the step each minute, and PSS of all processes stays as it was."""
    machine = scenarios.unmapped_leak(minutes=10, step="4M")
    free = machine.statistics().set_index("op")["free_bytes"]
    lost = free.iloc[-1] - free.loc["advance"].iloc[0]
    assert lost == -9 * (4 << 20)
    assert (machine.time[:16], machine.snapshot().timestamp_iso[:16]) == ("2017-06-07T06:01",) * 2
    first_minute = list(machine.events["op"]).index("advance") + 1
    before, after = (
        magmem.ps(machine.at_step(first_minute).snapshot()),
        magmem.ps(machine.snapshot()),
    )
    assert str(before) == str(after)


@pytest.mark.parametrize("seed", range(6))
def test_a_slow_leak_is_seen_by_none_of_the_usual_looks(seed: int) -> None:
    """One service holds the step of every minute by handles; it is small, and its PSS is constant.

    The largest process does not change either, and the cache's step is larger than the leak's.
    """
    machine = scenarios.slow_leak(minutes=8, step="4M", seed=seed)
    minutes = machine.statistics().query("op == 'advance'")["step"].tolist()
    assert len(minutes) == 8
    early, late = (machine.at_step(minutes[at]).snapshot() for at in (3, 7))
    table = magmem.ledger(late).df.set_index("name")
    held = table["handle_only_bytes"]
    (culprit,) = held.index[held > 0]
    assert held[culprit] == 8 * (4 << 20)
    pss = [
        magmem.account(snap, "exact").df.set_index("name")["private_bytes"]
        for snap in (early, late)
    ]
    lasting = ["browser", "indexer", culprit]
    assert pss[0][lasting].tolist() == pss[1][lasting].tolist()
    assert pss[1].idxmax() == "browser"
    assert pss[1][culprit] < 1 << 20
    assert abs(change(early, late, "memory", "VMOs") - 4 * (4 << 20)) < 1 << 20
    one, two = (machine.at_step(minutes[at]).snapshot() for at in (4, 5))
    # Its part of the vDSO, 28k, changes when a shell comes or goes.
    assert abs(change(one, two, "processes", "indexer") - (10 << 20)) < 28 << 10


def change(before: magmem.Snapshot, after: magmem.Snapshot, section: str, name: str) -> Fraction:
    """By how much the difference of two states says that one thing changed."""
    table = magmem.diff(before, after).df.set_index(["section", "name"])
    return Fraction(table["change_bytes"][section, name])


def test_each_seed_may_have_another_culprit() -> None:
    """Every one of the four services is the culprit for some seed."""
    found = set()
    for seed in range(24):
        machine = scenarios.slow_leak(minutes=1, seed=seed)
        table = magmem.ledger(machine).df
        found |= set(table["name"][table["handle_only_bytes"] > 0])
    assert found == {"netsvc", "fontsvc", "audiosvc", "crashlogger"}
    with pytest.raises(InvalidArgs, match="expected 1 minute or more, found 0"):
        scenarios.slow_leak(minutes=0)


def test_a_hoarder_fills_a_kernel_vmo() -> None:
    """20,000 handles of 56 bytes each are 274 pages of a VMO that only the kernel maps."""
    machine = scenarios.handle_hoarder(handles=20_000)
    arena = machine.kernel.handle_arena
    assert arena.live > 20_000
    assert arena.vmo.committed_pages == -(-arena.live * 16 // PAGE) + -(-arena.live * 40 // PAGE)
    assert {m.aspace.name for m in arena.vmo.mappings} == {"kernel"}


def test_double_mapping_counts_twice() -> None:
    """40k mapped twice are 80k PRIVATE, beside a page of stack and the vDSO, here unshared."""
    machine = scenarios.double_mapping()
    view = magmem.ps(machine.snapshot()).df
    (private,) = view.loc[view["name"] == "twice", "private_bytes"]
    assert private == (40 + 40 + 4 + 28) * 1024


@pytest.mark.parametrize("pages", [0, 1, 777, 5000])
def test_random_machine_commits_to_the_page(pages: int) -> None:
    """As many VMOs, mappings and committed pages as asked for, beside stacks and vDSO."""
    machine = scenarios.random_machine(7, 60, 150, pages, seed=pages)
    # Handles close at the end, and what nobody maps then is gone; the last VMO takes the rest.
    made = [vmo for vmo in machine.vmos if vmo.name.startswith(("vmo-", "clone-"))]
    assert sum(vmo.committed_pages for vmo in made) == pages
    assert len(made) == 60
    mapped = sum(len(vmo.mappings) for vmo in made)
    assert mapped == (150 if pages else mapped)
    assert len(machine.processes) == 7


def test_random_machine_has_something_of_everything() -> None:
    """Clones of clones, hidden VMOs, VMOs without handles, shared ones."""
    machine = scenarios.random_machine(20, 300, 700, 20_000, seed=1)
    made = [vmo for vmo in machine.vmos if vmo.name.startswith(("vmo-", "clone-"))]
    assert any(vmo.parent and vmo.parent.parent for vmo in made)
    assert any(not vmo.mappings for vmo in made)
    assert any(not vmo.handle_count for vmo in made)
    assert max(vmo.share_count for vmo in made) > 5
    assert any(vmo.size_bytes % PAGE for vmo in made)


def test_impossible_amounts_are_refused() -> None:
    """VMOs need a process that makes them; a double mapping needs a mapping."""
    with pytest.raises(InvalidArgs, match="a process for VMOs"):
        scenarios.random_machine(0, 1, 0, 0)
    with pytest.raises(InvalidArgs, match="1 mapping or more"):
        scenarios.double_mapping(mappings=0)
    assert scenarios.random_machine(0, 0, 0, 0).processes == ()
