"""Challenges on explorers that show a machine: find a thing, and look at it by another rule."""

from __future__ import annotations

from magmem_widgets.aspace.explorer import AddressSpaceExplorer
from magmem_widgets.challenges.goal import Goal
from magmem_widgets.history import TimeMachine
from magmem_widgets.machine.explorer import MachineExplorer
from magmem_widgets.treemap import TreemapExplorer

__all__ = ["BROWSER", "FIRST_LOOK", "HISTORY", "LEAK", "MUSIC", "SHELL", "SPACE", "TREEMAP"]


def _name(explorer: MachineExplorer, key: str) -> str:
    """The name of the VMO or task with this key."""
    koid = int(key.rpartition("/")[2] or -1) if key.rpartition("/")[2].isdigit() else -1
    for table in (explorer.snap.vmos, explorer.snap.tasks):
        found = table.loc[table["koid"] == koid, "name"]
        if len(found):
            return str(found.iloc[0])
    return ""


FIRST_LOOK = (
    Goal(
        "twice",
        "Open the largest process and choose its VMO that has 1052k and is mapped twice.",
        lambda explorer: explorer.selected == "1107/1117",
        ("Enter, or a click on the triangle, opens a process.", "It is the first `jemalloc-heap`."),
        "The sentence below says how many times it is mapped, and what is charged for it.",
    ),
    Goal(
        "another-rule",
        "Look at the same VMO by a rule that counts each page once.",
        lambda explorer: explorer.selected == "1107/1117" and explorer.rule == "exact",
        ("Above the table is a choice of the rule.",),
        "1052k: the memory is the same, only the rule differs.",
    ),
)


def _kind(explorer: AddressSpaceExplorer, at: int) -> tuple[str, int, int]:
    """Name, size and committed bytes of a node; nothing for none."""
    tree = explorer.tree()
    if not 0 <= at < len(tree):
        return "", 0, 0
    return tree[at].name, tree[at].size_bytes, tree[at].committed_bytes


SPACE = (
    Goal(
        "guard",
        "Go into the VMAR that has a stack with a guard page in it.",
        lambda explorer: _kind(explorer, explorer.zoom)[1] == 260 * 1024,
        ("Stack and guard have 260k together.",),
        "The stack begins 4k above the start of the VMAR. What is below it is the guard.",
    ),
    Goal(
        "empty-gigabyte",
        "Go into the largest VMAR of `sh` that is not the root.",
        lambda explorer: _kind(explorer, explorer.zoom)[1] == 2**30,
        ("It was set aside with 1G.", "Escape leads out of a VMAR again."),
        "Nothing is in it: 1G of addresses, no mapping, no memory.",
    ),
    Goal(
        "shared-library",
        "Choose a mapping that two processes share.",
        lambda explorer: _kind(explorer, explorer.selected)[0] == "vdso/full",
        ("The kernel gives one library to every process.", "It is inside the VMAR of 28k."),
        "The sentence names everybody who maps the same VMO.",
    ),
)

SHELL = (
    Goal(
        "promised",
        "Choose the mapping with the most promised and not there.",
        lambda explorer: _kind(explorer, explorer.selected)[0] == "mmap-anonymous",
        ("It is the heap, 2M wide.",),
        "76k of 2M are filled.",
    ),
    Goal(
        "no-page",
        "Choose a mapping of which the VMO itself owns no page.",
        lambda explorer: (
            explorer.selected >= 0
            and _kind(explorer, explorer.selected)[1] > 0
            and _kind(explorer, explorer.selected)[2] == 0
        ),
        ("The section on 0B resident says which.", "Program text is `r-x`; go into a VMAR."),
        "The program runs all the same. The next section says where its text is.",
    ),
)

MUSIC = (
    Goal(
        "three-rows",
        "Choose the VMO that has three rows in `player`, and open it.",
        lambda explorer: (
            _name(explorer, explorer.selected) == "ring" and explorer.selected in explorer.opened
        ),
        ("It has two handles and a mapping.", "Its name is `ring`."),
        "The VMO is there once; its handles and mappings are the rows below it.",
    ),
    Goal(
        "nobody-pays",
        "Choose a VMO of `player` that has memory and for which nobody pays.",
        lambda explorer: _name(explorer, explorer.selected) == "cover",
        ("It is charged 0B.", "It is only held by a handle."),
        "300k that no mapping shows.",
    ),
)

LEAK = (
    Goal(
        "one-message",
        "Compare by VMOs, and choose one that came.",
        lambda explorer: explorer.what == "vmos" and explorer.selected.startswith("message"),
        ("The buttons above choose what is compared.", "Click a tile or a row."),
        "4M, and its name points to the code that made it.",
    ),
    Goal(
        "the-holder",
        "Choose the process that holds the memory nobody maps.",
        lambda explorer: explorer.what == "holders" and explorer.selected.startswith("fontsvc"),
        ("Compare by *hidden by holder*.",),
        "`fontsvc` holds it by handles alone.",
    ),
    Goal(
        "nothing-lost",
        "Look at physical memory by use: choose what shrank by just what `VMOs` grew.",
        lambda explorer: explorer.what == "memory" and explorer.selected.startswith("free"),
        ("The last of the four comparisons.",),
        "Free memory became memory of VMOs, and nothing else did.",
    ),
)


def _op(explorer: TimeMachine) -> tuple[str, int]:
    """What happened in the step that is shown, and how many pages it took."""
    if explorer.step == 0:
        return "", 0
    row = explorer.machine.events.iloc[explorer.step - 1]
    return str(row["op"]), int(row["pages"])


HISTORY = (
    Goal(
        "gives-back",
        "Go to a step that gives back 1,000 pages or more.",
        lambda explorer: _op(explorer)[1] <= -1000,
        ("A VMO's pages go with the last thing that keeps it.", "Look for a `close`."),
        "The last reference went, and the pages with it.",
    ),
    Goal(
        "touch",
        "Go to a step that takes 1,000 pages or more.",
        lambda explorer: _op(explorer)[1] >= 1000,
        ("Creating and mapping take nothing.", "Look for a `touch`."),
        "Memory comes when pages are written.",
    ),
)


def _chosen(explorer: TreemapExplorer) -> set[str]:
    """Names of the VMOs and tasks that were clicked last."""
    table = explorer.treemap.df
    return set(table.loc[table["koid"].isin(explorer.selected), "name"])


TREEMAP = (
    Goal(
        "find-frames",
        "Choose a tile of `frames`.",
        lambda explorer: "frames" in _chosen(explorer),
        ("The search box puts a ring around it.", "It is inside `camera`."),
        "Half of it is with `camera`, half with nobody.",
    ),
    Goal(
        "frames-whole",
        "Choose a rule by which all of `frames` is charged to `camera`.",
        lambda explorer: explorer.rule == "memory_monitor",
        ("The field *sizes by* has six rules.", "A later tool counts handles like mappings."),
        "`memory_monitor` charges everybody that has the VMO, and only `camera` has it.",
    ),
    Goal(
        "heaps",
        "Cut the picture by VMO.",
        lambda explorer: explorer.by == "vmo",
        ("There is a button for it.",),
        "400 small heaps are one large group.",
    ),
)

BROWSER = (
    Goal(
        "largest",
        "Choose the process with the largest PSS.",
        lambda explorer: explorer.selected == "1013",
        ("Rows are sorted, largest first, within each job.", "It is one of Chromium's."),
        "134.1M by the rule of `ps`, of which 105.8M are its own.",
    ),
    Goal(
        "exactly",
        "And by the exact rule?",
        lambda explorer: explorer.selected == "1013" and explorer.rule == "exact",
        ("Change the rule above the table.",),
        "136.9M. Here the two rules are close; they need not be.",
    ),
)
