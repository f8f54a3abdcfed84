"""A treemap of one machine state: its tree, and the forms it is shown in.

The tree is exact (sizes are ints or Fractions, every node the sum of its children). `str()` is the
text form, `figure` a matplotlib still, `html` one self-contained page.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from os import PathLike
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import pandas as pd

from magmem.accounting.knowledge import lacks
from magmem.accounting.rules import RULES as ACCOUNTING
from magmem.files import write_atomically
from magmem.kernel.system import is_linux
from magmem.printable import one_line
from magmem.sizes import format_size
from magmem.snapshot import Snapshot
from magmem.snapshot.source import Source, snapshot_of
from magmem.treemap.build import build
from magmem.treemap.charges import RULES
from magmem.treemap.facts import Facts
from magmem.treemap.text import outline
from magmem.treemap.tree import KINDS, Tree

if TYPE_CHECKING:
    from magmem.still import Still

__all__ = ["FORMS", "Treemap", "form_of", "treemap"]

BY = {"process": "process", "vmo": "VMO"}

FORMS = {
    "": "html",
    ".html": "html",
    ".htm": "html",
    ".txt": "txt",
    ".png": "png",
    ".svg": "svg",
    ".pdf": "pdf",
}
"""The form in which a treemap is written to a file, by the ending of its name."""


@dataclass(frozen=True, eq=False, repr=False)
class Treemap:
    """The treemap of one machine state; made by `magmem.treemap`.

    Attributes
    ----------
    tree : Tree
        The nodes as frozen columns; ``tree.root`` walks them one by one.
    name : str
        What the machine state is called.
    title : str
        One line: which machine, by what, sized by which rule.
    total_text : str
        Physical memory (or as much of it as the capture knows) in the tools' form.
    by, rule : str
        As asked for.
    remarks : tuple of str
        What the reader must know: what the capture lacks, what the rule counts twice.
    over_bytes : int or Fraction
        By how much the tiles exceed the memory there is, because the rule or the capture counts
        some bytes more than once. ``tree.root.size_bytes - over_bytes`` is the physical total.
    whole : bool
        The capture says how much physical memory there is; if not, the root is what is known.
    vmo_facts : pandas.DataFrame
        Of each VMO of the snapshot: size, committed (bytes), mappings, share (Int64).
    """

    tree: Tree
    name: str
    title: str
    total_text: str
    by: str
    rule: str
    remarks: tuple[str, ...]
    over_bytes: int | Fraction
    whole: bool
    vmo_facts: pd.DataFrame

    def __str__(self) -> str:
        notes = "".join(f"# {remark}\n" for remark in self.remarks)
        return f"{self.title}\n{outline(self.tree)}{notes}"

    def __repr__(self) -> str:
        return str(self).removesuffix("\n")

    @cached_property
    def df(self) -> pd.DataFrame:
        """One row per node, parents first.

        Columns: node, parent (-1 for the root), depth, kind, name, koid (Int64), tint, size_bytes
        (int or Fraction, exact), children.
        """
        tree = self.tree
        koid = pd.array(tree.koid, dtype="Int64")
        koid[tree.koid < 0] = pd.NA
        nodes = range(len(tree))
        depth = [0] * len(tree)
        for node in nodes[1:]:
            depth[node] = depth[tree.parent[node]] + 1
        return pd.DataFrame(
            {
                "node": nodes,
                "parent": tree.parent,
                "depth": depth,
                "kind": [KINDS[code] for code in tree.kind.tolist()],
                "name": [tree.names[code] for code in tree.name.tolist()],
                "koid": koid,
                "tint": [node.tint for node in tree],
                "size_bytes": pd.Series([tree.size_bytes(node) for node in nodes], dtype=object),
                "children": tree.child_count,
            }
        )

    @property
    def tiles(self) -> int:
        """How many nodes have a size and nothing in them: the tiles of the deepest level."""
        return int(((self.tree.child_count == 0) & (self.tree.area > 0)).sum())

    def html(self) -> str:
        """One HTML page that holds everything: no network, names escaped, light and dark."""
        from magmem.treemap.page import page

        return page(self)

    def payload(self) -> dict[str, Any]:
        """What the view in ``assets/treemap.js`` reads, as plain lists."""
        from magmem.treemap.payload import payload

        return payload(self)

    def save(self, path: str | PathLike[str]) -> None:
        """Write it whole or not at all, in the form that the name's ending asks for.

        ``.html``: the page, also for a name without an ending; ``.png``, ``.svg``, ``.pdf``: the
        still form; ``.txt``: the text.

        Raises
        ------
        ValueError
            The name has another ending.
        OSError
            The file cannot be written; what was there before is untouched.
        """
        write_atomically(path, self.written(form_of(path)))

    def written(self, form: str) -> bytes:
        """The contents of a file of one form: html, txt, png, svg or pdf.

        Text is UTF-8; of a name that is no Unicode, a lone surrogate becomes ``?``.
        """
        if form in ("html", "txt"):
            text = self.html() if form == "html" else str(self)
            return text.encode("utf-8", "replace")
        return self.figure().picture(form)

    def figure(
        self, at: str | int | None = None, width_cm: float = 12.0, *, dark: bool = False
    ) -> Still:
        """The still form: a matplotlib figure.

        Parameters
        ----------
        at : str or int, optional
            Name or koid of the node to show; the whole machine if not given.
        width_cm : float
            Width of the figure; it stays readable down to 12 cm.
        dark : bool
            Draw it for a dark ground.

        Raises
        ------
        LookupError
            No node has that name or koid.
        """
        from magmem.treemap.figure import draw

        return draw(self, at, width_cm, dark=dark)

    def png(self, at: str | int | None = None, width_cm: float = 12.0) -> bytes:
        """The figure as a PNG picture of 150 dots per inch."""
        return self.figure(at, width_cm).picture()

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        picture = base64.b64encode(self.png()).decode("ascii")
        return {"text/plain": repr(self), "image/png": picture}


def form_of(path: str | PathLike[str]) -> str:
    """The form that a file's name asks for by its ending; ``html`` where it has none.

    Raises
    ------
    ValueError
        No treemap is written in the form of that ending.
    """
    ending = PurePath(path).suffix.lower()
    if ending not in FORMS:
        expected = "a name that ends in .html, .png, .svg, .pdf or .txt"
        raise ValueError(f"expected {expected}, found {str(path)!r}")
    return FORMS[ending]


def treemap(snap: Source, by: str = "process", rule: str | None = None) -> Treemap:
    """Where all the memory of a machine is, as a treemap.

    The tree is that of reference/tools.md "The treemap of a memgraph", with hidden memory as nodes
    of its own. Every byte of physical memory is in exactly one leaf; where a rule charges bytes
    several times the excess is told in `Treemap.over_bytes`.

    Parameters
    ----------
    snap : Snapshot or Machine
        A machine state, or something with a ``snapshot()`` method.
    by : str
        ``process``: jobs, processes, and the VMOs of each; ``vmo``: every VMO, and the processes
        it is charged to.
    rule : str, optional
        How a VMO is divided: ``treemap-2017`` (committed / share_count; by handle only, committed
        / (share_count + 1)), ``magenta-2017`` (what ``ps`` counts), ``exact`` (each page divided
        by the address spaces that can reach it), or a later rule as `magmem.account` has it:
        ``linux``, ``memory_monitor``, ``rfc-0254``. By default as the kernel captured does it:
        ``linux`` on Linux, where the capture knows enough for it, else ``treemap-2017``.

    Raises
    ------
    ValueError
        `by` or `rule` is not one of these.
    MissingData
        Nothing in the capture has a size, it knows no VMOs and `by` is ``vmo``, or it does not know
        what the rule needs (``exact``: every page, mapping and handle).
    """
    if by not in BY:
        raise ValueError(f"expected by to be {' or '.join(BY)}, found {by!r}")
    if rule is not None and rule not in RULES:
        raise ValueError(f"expected a rule of {', '.join(RULES)}, found {rule!r}")
    state = snapshot_of(snap)
    rule = rule or _own_rule(state)
    built = build(state, by, rule)
    there = format_size(int(built.tree.root.size_bytes - built.over_bytes))
    return Treemap(
        tree=built.tree,
        name=_name(state),
        title=f"{one_line(_name(state))}: {there} by {BY[by]}, rule {rule}",
        total_text=there,
        by=by,
        rule=rule,
        remarks=built.remarks,
        over_bytes=built.over_bytes,
        whole=built.whole,
        vmo_facts=_vmo_facts(Facts(state)),
    )


def _own_rule(snap: Snapshot) -> str:
    """The rule that fits the kernel captured; where pages are lacking, what the source printed."""
    if is_linux(snap) and not lacks(snap, ACCOUNTING["linux"].needs):
        return "linux"
    return "treemap-2017"


def _name(snap: Snapshot) -> str:
    """What the state is called: its own name, else that of the file it was read from."""
    if snap.name or not len(snap.sources):
        return snap.name or "machine"
    source = snap.sources["source"].iloc[0]
    return "machine" if source.startswith("<") else PurePath(source).name


def _vmo_facts(facts: Facts) -> pd.DataFrame:
    """What the capture tells of each VMO as a whole."""
    vmos = facts.snap.vmos

    committed = pd.array(facts.committed_bytes, dtype="Int64")
    committed[~facts.committed_known] = pd.NA
    share = pd.array(facts.share_count, dtype="Int64")
    share[~facts.share_known | facts.view.shares.guessed] = pd.NA
    everywhere = facts.snap.knows("mappings", "kernel mappings")
    mappings = (
        pd.array(facts.view.num_mappings, dtype="Int64")
        if everywhere
        else vmos["reported_num_mappings"].array
    )
    return pd.DataFrame(
        {
            "size": vmos["size_bytes"].array,
            "committed": committed,
            "mappings": mappings,
            "share": share,
        }
    )
