"""What a rule is, and what it answers: bytes of each process, exactly."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from magmem.accounting.amounts import Amounts
from magmem.accounting.attribution import Attribution
from magmem.kernel.runs import Ints

__all__ = ["Charges", "Rule"]


@dataclass(frozen=True, eq=False)
class Charges:
    """Bytes of each process by one rule, in the order of the tasks table.

    Attributes
    ----------
    private_bytes : int64 array
        What the rule calls the process's alone.
    shared_bytes : int64 array
        What it calls shared, before it is divided.
    pss : Amounts
        Private plus the process's part of the shared.
    scaled : Amounts
        That part alone.
    elsewhere : mapping of str to Fraction
        Bytes that the rule charges to no process, by who has them instead.
    more : mapping of str to sequence
        Further columns of the rule, one value per process.
    unknown : bool array or None
        Processes of which the snapshot knows nothing that the rule charges; their numbers here are
        0 and are shown as missing. None: there are none.
    """

    private_bytes: Ints
    shared_bytes: Ints
    pss: Amounts
    scaled: Amounts
    elsewhere: Mapping[str, Fraction] = field(default_factory=dict)
    more: Mapping[str, Callable[[], Sequence[Any]]] = field(default_factory=dict)
    unknown: npt.NDArray[np.bool_] | None = None

    @classmethod
    def split(
        cls,
        pss: Amounts,
        whole_bytes: Ints,
        elsewhere: Mapping[str, Fraction] | None = None,
        unknown: npt.NDArray[np.bool_] | None = None,
    ) -> Charges:
        """Charges whose private part is what has one sharer, and shared the rest of the whole.

        Parameters
        ----------
        pss : Amounts
        whole_bytes : int64 array
            The same pages before division.
        elsewhere : mapping of str to Fraction, optional
        unknown : bool array, optional
            Processes of which nothing is known.
        """
        private = pss.alone_bytes
        return cls(
            private, whole_bytes - private, pss, pss.divided, elsewhere or {}, unknown=unknown
        )


@dataclass(frozen=True, slots=True)
class Rule:
    """One accounting rule.

    Attributes
    ----------
    name : str
        Such as ``magenta-2017``.
    says : str
        The rule in one sentence.
    source : str
        Where it is written down.
    needs : tuple of str
        Facets of a snapshot that it must know completely (`magmem.snapshot.FACETS`).
    charge : callable
        The rule itself.
    needs_some : tuple of str
        Facets of which it can use a part; what is not shown is not counted then.
    reported : callable or None
        For captures that do not know what it needs: the rule's numbers as the source printed
        them, or None if it did not.
    by_share_count : bool
        It divides by #shr, which also counts the kernel's address space.
    """

    name: str
    says: str
    source: str
    needs: tuple[str, ...]
    charge: Callable[[Attribution], Charges]
    needs_some: tuple[str, ...] = ()
    reported: Callable[[Attribution], Charges | None] | None = None
    by_share_count: bool = False
