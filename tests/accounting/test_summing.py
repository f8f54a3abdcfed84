"""Adding up terms agrees with a dictionary, by table, by sort, and by both together."""

from __future__ import annotations

import itertools
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest

from magmem.accounting.amounts import whole_bytes
from magmem.accounting.summing import added_up
from magmem.kernel.runs import order_of


@pytest.mark.parametrize("least", [0, -5])
@pytest.mark.parametrize("shares", [[1], [1, 2, 3], range(1, 400), [1, 7, 1 << 21], [2, 1 << 30]])
@pytest.mark.parametrize("rows", [1, 3, 500])
def test_terms_are_added_up_once_each(rows: int, shares: list[int], least: int) -> None:
    """Each (row, share) comes once with its sum, sums of 0 not at all, equal shares together."""
    rng = np.random.default_rng(rows)
    blocks = [
        (
            rng.integers(0, rows, size),
            # Some shares are frequent, others rare.
            rng.choice(shares, size, p=np.arange(1, len(shares) + 1) / sum(range(len(shares) + 1))),
            rng.integers(least, 6, size),
        )
        for size in (0, 1, 400, 90)
    ]
    expected: Counter[tuple[int, int]] = Counter()
    for block in blocks:
        for row, share, value in zip(*(column.tolist() for column in block), strict=True):
            expected[row, share] += value
    row, share, value = (column.tolist() for column in added_up(rows, blocks))
    found = dict(zip(zip(row, share, strict=True), value, strict=True))
    assert found == {key: size for key, size in expected.items() if size}
    assert len(found) == len(row)
    changes = sum(one != other for one, other in itertools.pairwise(share))
    assert changes == len(set(share)) - 1


def test_no_terms_add_up_to_nothing() -> None:
    """Without terms there are no sums."""
    assert [len(column) for column in added_up(4, [])] == [0, 0, 0]


@pytest.mark.parametrize("top", [3, 1 << 16, 1 << 33, 1 << 61])
def test_order_is_stable_at_every_width(top: int) -> None:
    """Numbers of any width come out sorted, equal ones in the order given."""
    values = np.random.default_rng(1).integers(-2, top, 1000)
    values[::7] = values[3]
    assert order_of(values).tolist() == sorted(range(1000), key=values.tolist().__getitem__)


def test_halves_are_rounded_up() -> None:
    """Sums so far of three halves are 1/2, 1, 3/2: rounded half up 1, 1, 2, so 1, 0 and 1."""
    assert whole_bytes([Fraction(1, 2)] * 3) == [1, 0, 1]
