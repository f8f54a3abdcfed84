"""Challenges on explorers that build a small machine: PSS, hidden VMOs, the kernel, shortcuts."""

from __future__ import annotations

from magmem_widgets.challenges.goal import Goal
from magmem_widgets.hidden import HiddenVmoExplorer
from magmem_widgets.kernel import KernelExplorer
from magmem_widgets.lab import MultiplyMappedLab
from magmem_widgets.pss import PssExplorer

__all__ = ["HIDDEN", "KERNEL", "PSS", "SHORTCUTS"]

PAGE = 4096


def _sizes(explorer: PssExplorer) -> dict[str, int]:
    """PSS of every process that pays something, in whole bytes."""
    table = explorer.numbers()
    pairs = zip(table["name"], table["pss_bytes"], strict=True)
    return {name: round(size) for name, size in pairs if size}


def _mapped_pages(explorer: PssExplorer) -> int:
    shown = [one for one in explorer.shared if _seen(explorer, one)]
    return len({page for page, _ in shown})


def _seen(explorer: PssExplorer, pair: tuple[int, int]) -> bool:
    return pair[0] < explorer.pages and pair[1] < explorer.processes


PSS = (
    Goal(
        "six-and-two",
        "Two processes pay something, one a PSS of 6k and the other of 2k.",
        lambda explorer: sorted(_sizes(explorer).values()) == [2048, 6144],
        ("2k is half a page: one page has two sharers.", "The other page is mapped by one alone."),
        "6k is a page of its own and half of a shared one.",
    ),
    Goal(
        "seven",
        "A pays 7k. (You may need a third page: move the slider *pages*.)",
        lambda explorer: _sizes(explorer).get("A") == 7 * 1024,
        ("7 = 4 + 2 + 1.", "One page alone, one with one sharer, one with three."),
        "A page alone, half of one and a quarter of one.",
    ),
    Goal(
        "private-nothing",
        "PRIVATE is 0 for everybody, and A still pays 8k or more.",
        lambda explorer: (
            not explorer.numbers()["private_bytes"].any() and _sizes(explorer).get("A", 0) >= 8192
        ),
        ("Every page that is mapped needs a second process.", "Four pages, shared by A and B."),
        "PRIVATE 0 does not mean that a process costs nothing.",
    ),
    Goal(
        "half-is-lost",
        "By the rule of `ps`, all PSS together are less than half of what is mapped.",
        lambda explorer: (
            explorer.rule == "magenta-2017"
            and 0 < 2 * sum(_sizes(explorer).values()) < PAGE * _mapped_pages(explorer)
        ),
        (
            "`ps` divides by the sharers of the VMO, not of the page.",
            "All pages in one VMO, and each page mapped by one process alone.",
        ),
        "Each page is divided by processes that do not map it. The rule *exact* has it all back.",
    ),
)


def _counted(explorer: HiddenVmoExplorer, tool: str) -> int:
    return int(sum(explorer.counted()[tool]))


HIDDEN = (
    Goal(
        "ps-is-blind",
        "`ps` counts 0, and all eight pages are in memory.",
        lambda explorer: _counted(explorer, "ps") == 0 and _counted(explorer, "ledger") >= 8 * PAGE,
        (
            "`ps` counts mappings of processes.",
            "Take the mapping away and keep the VMO by a handle.",
        ),
        "The handle keeps the VMO, and `ps` does not look at handles.",
    ),
    Goal(
        "vmos-is-blind",
        "`k mx vmos hidden` lists the VMO, and `vmos` of no process does.",
        lambda explorer: (
            _counted(explorer, "k mx vmos hidden") > 0 and _counted(explorer, "vmos") == 0
        ),
        ("`vmos` lists what processes hold and map.", "Only the kernel may keep the VMO."),
        "A kernel mapping is in no process's list.",
    ),
    Goal(
        "nothing-hidden",
        "The kernel maps the VMO, and nothing of it is hidden.",
        lambda explorer: explorer.kernel_mapping and explorer.mapping,
        ("Hidden means that no process maps it.",),
        "One mapping of a process is enough; who else has it does not matter.",
    ),
    Goal(
        "hide-two-pages",
        "Exactly two pages of the VMO are hidden: the other six a process sees.",
        lambda explorer: explorer.clone and not explorer.mapping and explorer.written == 2,
        (
            "A clone sees a page of its parent until it writes it.",
            "No mapping of the VMO itself; a clone with two pages written.",
        ),
        "Where the clone has a copy, nobody sees the parent's page any more.",
    ),
    Goal(
        "let-go",
        "The VMO is gone, and its memory is free.",
        lambda explorer: _counted(explorer, "ledger") == 0,
        ("Four things keep it: turn each of them off.",),
        "A VMO goes with the last thing that refers to it.",
    ),
)


def _column(explorer: KernelExplorer, name: str) -> tuple[int, int]:
    """Bytes of a column of kstats now, and by how much it grew."""
    found = next(one for one in explorer.columns() if one[0] == name)
    return found[1], found[1] - found[2]


KERNEL = (
    Goal(
        "forty-k-of-handles",
        "The table of handles grows by 40k or more, and the kernel's heap does not grow.",
        lambda explorer: (
            _column(explorer, "VMOs")[1] >= 40 * 1024 and _column(explorer, "kheap")[1] == 0
        ),
        ("Handles to one object need no further object.", "Some 800 handles, and no objects."),
        "A handle is a small record in `arena:handles`, some 50 bytes.",
    ),
    Goal(
        "same-mappings-fewer-tables",
        "64 mappings, and page tables that grew by less than 40k.",
        lambda explorer: explorer.mappings == 64 and 0 < _column(explorer, "mmu")[1] < 40 * 1024,
        ("Where a mapping is decides which tables it needs.", "Place them *compact*."),
        "Neighbours share page tables; strangers need their own.",
    ),
    Goal(
        "heap",
        "The kernel's heap grows by 60k or more, without a mapping.",
        lambda explorer: explorer.mappings == 0 and _column(explorer, "kheap")[1] >= 60 * 1024,
        ("Objects are in the heap; some are larger than others.", "Try channels or sockets."),
        "Every object costs its record, before anyone uses it.",
    ),
    Goal(
        "kfree-shrinks",
        "`kfree` shrinks by 30k or more, and `kheap` grows by just as much.",
        lambda explorer: (
            _column(explorer, "kfree")[1] <= -30 * 1024
            and _column(explorer, "kheap")[1] == -_column(explorer, "kfree")[1]
        ),
        ("The heap's pages are there already; objects fill them.", "A hundred objects or more."),
        "Free space inside the heap is used first, and no free page is taken for it.",
    ),
)


def _way(explorer: MultiplyMappedLab) -> dict[str, float]:
    return {word: float(size) for word, size in explorer.way()}


def _causes(explorer: MultiplyMappedLab) -> set[str]:
    """The corrections that are not 0; `way` begins with reported and ends with exact."""
    return {word for word, size in explorer.way()[1:-1] if size}


SHORTCUTS = (
    Goal(
        "twice-too-much",
        "`ps` reports exactly twice what is exact.",
        lambda explorer: _way(explorer)["reported"] == 2 * _way(explorer)["exact"],
        ("Every page must be mapped twice by its process.", "One process, overlap 4."),
        "Two mappings of the same four pages.",
    ),
    Goal(
        "too-little",
        "Without a clone: `ps` reports less than is exact for all processes together.",
        lambda explorer: (
            not explorer.clone
            and not explorer.chosen
            and _way(explorer)["reported"] < _way(explorer)["exact"]
        ),
        ("Dividing by the VMO's sharers loses pages that only one maps.", "No overlap."),
        "Pages with one reader are divided by all processes of the VMO.",
    ),
    Goal(
        "clones-alone",
        "Choose the process whose way has *clones* as its only cause.",
        lambda explorer: bool(explorer.chosen) and _causes(explorer) == {"clones"},
        ("There must be a clone, and somebody who maps it.", "Click its name: `child`."),
        "What the child sees through its clone, `ps` charges to the owner.",
    ),
    Goal(
        "right-by-luck",
        "Reported and exact are the same, and still there are causes between them.",
        lambda explorer: (
            not explorer.chosen
            and bool(_causes(explorer))
            and _way(explorer)["reported"] == _way(explorer)["exact"]
        ),
        ("One cause adds what another takes away.", "Two processes, two mappings, overlap 2."),
        "A right sum is no proof that it was counted rightly.",
    ),
)
