"""A treemap as text: the biggest nodes as an indented tree, exact sizes in the tools' form.

The same lines each time for the same machine; what is not shown is summed in a line of its own, so
each level still adds up.
"""

from __future__ import annotations

import heapq

from magmem.printable import one_line
from magmem.sizes import format_size
from magmem.treemap.tree import Node, Tree

__all__ = ["outline", "task_label"]

MARKS = {"job": "j:", "process": "p:"}


def task_label(node: Node) -> str:
    """A node's label with its koid as ``ps`` writes it, such as ``p:1043 bin/devmgr``.

    What cannot be printed stands as its code, so that a label never breaks its line.
    """
    mark = MARKS.get(node.kind)
    label = one_line(node.label)
    return f"{mark}{node.koid} {label}" if mark else label


def outline(tree: Tree, lines: int = 28) -> str:
    """The biggest nodes of a tree, one a line: size, share of the whole, label.

    Parameters
    ----------
    tree : Tree
    lines : int
        How many to print at most, at least 2.
    """
    shown = _biggest(tree, lines)
    rows: list[tuple[int, int, str]] = []

    def add(node: int, depth: int) -> None:
        rows.append((int(tree.scaled[node]), depth, task_label(Node(tree, node))))
        if node not in shown:
            return
        children = _by_size(tree, node)
        for child in children[: shown[node]]:
            add(child, depth + 1)
        rest = children[shown[node] :]
        if len(rest) == 1:
            add(rest[0], depth + 1)
        elif rest:
            size = sum(int(tree.scaled[child]) for child in rest)
            rows.append((size, depth + 1, f"others ({len(rest)})"))

    add(0, 0)
    whole = int(tree.scaled[0])
    return "".join(
        f"{format_size(size // tree.scale):>8} {_percent(size, whole):>6}  {'  ' * depth}{label}\n"
        for size, depth, label in rows
    )


def _biggest(tree: Tree, lines: int) -> dict[int, int]:
    """Of each node that is opened, how many of its children are shown, largest first."""
    shown: dict[int, int] = {}
    count = {0: 1}
    candidates = [(-int(tree.scaled[0]), 0)]
    left = lines
    while candidates:
        _, node = heapq.heappop(candidates)
        above = int(tree.parent[node])
        if above >= 0:
            before = shown.get(above, 0)
            rest = before + 1 < count[above]
            cost = 1 + rest - (0 < before < count[above])
            if cost > left:
                break
            left -= cost
            shown[above] = before + 1
        else:
            left -= 1
        children = _by_size(tree, node)
        count[node] = len(children)
        for child in children:
            heapq.heappush(candidates, (-int(tree.scaled[child]), child))
    return shown


def _by_size(tree: Tree, node: int) -> list[int]:
    """Children that have a size, largest first."""
    first = int(tree.first_child[node])
    children = range(first, first + int(tree.child_count[node]))
    sized = [child for child in children if tree.scaled[child]]
    return sorted(sized, key=lambda child: (-tree.scaled[child], child))


def _percent(part: int, whole: int) -> str:
    tenths = (2000 * part + whole) // (2 * whole)
    return f"{tenths // 10}.{tenths % 10}%"
