"""Pages that processes share since a fork, placed in a tree of copy-on-write clones.

After a fork both processes hold the same page frames until one of them writes. magmem tells that
with the means of the VMO tables: mappings whose pages are shared form a *family*. The family gets
a VMO of its own (a *node*) that owns the shared frames, and the VMO of each mapping is a clone of
it that owns the frames this process alone has. A clone's own page hides the node's at that place,
as a copy after a write should. Families inside families (a child forked again) are nodes below
nodes.

The exact rule lets everyone below a node see its page unless something nearer hides it. So a frame
is placed in a node only if every mapping below that covers the place either shares the frame or
has another one. What cannot be placed so (frames merged by KSM from anywhere, pages dropped after
the fork in a pattern that no tree tells) is given to one of its sharers and counted as `unplaced`.

Places are pages on an *axis*: the pages of a file, or the addresses of anonymous memory. Cost:
sorts of the shared entries, one round per level of families; no loop over pages.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from magmem.linux.runs import Runs, joined

__all__ = ["Families", "Node", "Shared", "place_shared"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

MAX_LEVELS = 64


@dataclass(frozen=True, slots=True)
class Shared:
    """Entries of pages that are no file's and that several entries hold; int64 arrays.

    Attributes
    ----------
    mapping : row of each entry's mapping.
    page : place on the axis.
    frame : page frame.
    """

    mapping: Ints
    page: Ints
    frame: Ints

    def where(self, choice: Bools | Ints) -> Shared:
        """Some of them."""
        return Shared(self.mapping[choice], self.page[choice], self.frame[choice])


@dataclass(frozen=True, slots=True)
class Node:
    """A VMO that holds what a family shares.

    Attributes
    ----------
    mappings : int64 array
        The family: rows of mappings.
    parent : int
        Number of the node above, -1 for none.
    page : int64 array
        Places on the axis of the pages it owns, sorted.
    """

    mappings: Ints
    parent: int
    page: Ints


@dataclass(frozen=True, slots=True)
class Families:
    """Where shared pages are placed.

    Attributes
    ----------
    nodes : tuple of Node
        A node comes after its parent.
    node_of : int64 array
        Per mapping: the lowest node above its own VMO, -1 for none.
    own : Shared
        Entries whose page is placed in the mapping's own VMO: held by one entry only as far as
        this capture sees, or `unplaced`.
    unplaced : int
        Frames given to one of their sharers.
    """

    nodes: tuple[Node, ...]
    node_of: Ints
    own: Shared
    unplaced: int


def place_shared(shared: Shared, private: Runs, axis: Ints, begin: Ints, end: Ints) -> Families:
    """Find the families and place every frame.

    Parameters
    ----------
    shared : Shared
        A frame that one entry alone holds is placed in that mapping's own VMO.
    private : Runs
        Further pages of each mapping's own, on the axis.
    axis : int64 array
        Per mapping: which axis its places are on.
    begin, end : int64 arrays
        Per mapping: the half-open range of the axis it covers.
    """
    frame = np.unique(shared.frame, return_inverse=True)[1]
    holders = np.bincount(frame)
    alone = holders[frame] == 1 if len(frame) else np.zeros(0, bool)
    lone = shared.where(alone)
    # Narrow where it can be: with a million shared entries these arrays are most of the memory.
    shared = Shared(
        shared.mapping[~alone].astype(np.int32), shared.page[~alone], frame[~alone].astype(np.int32)
    )
    del frame, alone
    single = Runs(lone.mapping, lone.page, np.ones(len(lone.page), np.int64))
    placer = _Placer(shared, joined(private, single), axis, begin, end)
    placer.place()
    rest = shared.where(placer.waiting)
    first = np.unique(rest.frame, return_index=True)[1]
    given = rest.where(first)
    own = Shared(
        np.concatenate((lone.mapping, given.mapping)),
        np.concatenate((lone.page, given.page)),
        np.concatenate((lone.frame, given.frame)),
    )
    return Families(tuple(placer.nodes), placer.node_of, own, len(given.frame))


class _Placer:
    """The rounds of `place_shared`: one level of nodes each."""

    def __init__(self, shared: Shared, private: Runs, axis: Ints, begin: Ints, end: Ints) -> None:
        self.shared = shared
        self.nodes: list[Node] = []
        self.node_of: Ints = np.full(len(begin), -1, np.int64)
        self.waiting: Bools = np.ones(len(shared.frame), bool)
        # Only places with shared pages matter: they are numbered densely.
        self.places = np.unique(shared.page)
        self.place_of = np.searchsorted(self.places, shared.page).astype(np.int32)
        self.low = np.searchsorted(self.places, begin)
        self.high = np.searchsorted(self.places, end)
        self.private_mapping = private.owner
        self.private_low = np.searchsorted(self.places, private.first)
        self.private_high = np.searchsorted(self.places, private.first + private.count)
        self.tried: Bools = self._tree_like(axis)

    def _tree_like(self, axis: Ints) -> Bools:
        """Frames that are at one place of one axis everywhere; others (KSM, mremap) never fit."""
        shared = self.shared
        good = np.ones(int(shared.frame.max(initial=-1)) + 1, bool)
        for value in (shared.page, axis[shared.mapping]):
            sample = np.zeros(len(good), np.int64)
            sample[shared.frame] = value
            good[shared.frame[sample[shared.frame] != value]] = False
        return good[shared.frame]

    def place(self) -> None:
        """Go down level by level until nothing more fits."""
        family_size = np.full(len(self.node_of), np.iinfo(np.int64).max)
        for _ in range(MAX_LEVELS):
            at = np.flatnonzero(self.waiting & self.tried)
            family = self._families(at)
            members = np.unique(self.shared.mapping[at])
            size = np.bincount(family[members], minlength=len(family))[family]
            # A family as large as the one above it would only meet the same obstacles again.
            stuck = size[self.shared.mapping[at]] >= family_size[self.shared.mapping[at]]
            at = at[~stuck]
            members = np.unique(self.shared.mapping[at])
            if not len(at):
                return
            family_size[members] = size[members]
            self._place_level(at, family, members)

    def _families(self, at: Ints) -> Ints:
        """Mappings linked by waiting frames, named by their lowest row."""
        label = np.arange(len(self.node_of))
        mapping, frame = self.shared.mapping[at], self.shared.frame[at]
        while True:
            lowest = np.full(int(frame.max(initial=-1)) + 1, len(label))
            np.minimum.at(lowest, frame, label[mapping])
            better = label.copy()
            np.minimum.at(better, mapping, lowest[frame])
            better = better[better]
            if np.array_equal(better, label):
                return label
            label = better

    def _place_level(self, at: Ints, family: Ints, members: Ints) -> None:
        """One node per family, owning at each place the frame most of the family shares."""
        width = len(self.places) + 1
        key = family[self.shared.mapping[at]] * width + self.place_of[at]
        keys, key_of = np.unique(key, return_inverse=True)

        def between(rows: Ints, low: Ints, high: Ints) -> Ints:
            """How many of the ranges cover each key."""
            base = family[rows] * width
            edge = np.zeros(len(keys) + 1, np.int64)
            np.add.at(edge, np.searchsorted(keys, base + low), 1)
            np.add.at(edge, np.searchsorted(keys, base + high), -1)
            return np.cumsum(edge)[:-1]

        covering = between(members, self.low[members], self.high[members])
        is_member = np.zeros(len(family), bool)
        is_member[members] = True
        inside = is_member[self.private_mapping]
        having = between(
            self.private_mapping[inside], self.private_low[inside], self.private_high[inside]
        )
        having += np.bincount(key_of, minlength=len(keys))
        frame = self.shared.frame[at]
        holders = np.bincount(frame)
        one = np.unique(frame, return_index=True)[1]
        one = one[(covering == having)[key_of[one]]]
        order = np.lexsort((frame[one], -holders[frame[one]], key_of[one]))
        one = one[order]
        one = one[np.append(True, np.diff(key_of[one]) != 0)] if len(one) else one
        is_placed = np.zeros(len(holders), bool)
        is_placed[frame[one]] = True
        self.waiting[at[is_placed[frame]]] = False
        self._add_nodes(family[self.shared.mapping[at[one]]], self.shared.page[at[one]], family)

    def _add_nodes(self, owner: Ints, page: Ints, family: Ints) -> None:
        by_family = np.argsort(family, kind="stable")
        by_owner = np.lexsort((page, owner))
        names = np.unique(owner)
        rows = _groups(family[by_family], names)
        pages = _groups(owner[by_owner], names)
        for (low, high), (first, last) in zip(rows, pages, strict=True):
            mappings = by_family[low:high]
            parent = int(self.node_of[mappings[0]])
            self.node_of[mappings] = len(self.nodes)
            self.nodes.append(Node(mappings, parent, page[by_owner[first:last]]))


def _groups(values: Ints, names: Ints) -> list[tuple[int, int]]:
    """Where in sorted `values` each of `names` begins and ends."""
    low = np.searchsorted(values, names).tolist()
    high = np.searchsorted(values, names, side="right").tolist()
    return list(zip(low, high, strict=True))
