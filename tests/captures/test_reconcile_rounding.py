"""A printed size and its slack always hold the true size; slack is small enough to be of use."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magmem.captures.reconcile.anonymous import Looks
from magmem.captures.reconcile.loose import Origin, loose
from magmem.captures.reconcile.rounding import printed_size, printed_slack
from magmem.captures.reconcile.settle import Contradictions, Notes, Settler
from magmem.sizes import format_size

SIZES = st.one_of(st.integers(0, 2**62), st.integers(0, 2**26), st.integers(0, 2**14))


@given(size=SIZES, unit=st.sampled_from(["", *"BkMGTPEqK"]))
def test_the_true_size_is_within_slack(size: int, unit: str) -> None:
    """Whatever unit was asked for, the print stands for a range that holds the size."""
    printed, slack = printed_size(format_size(size, unit))
    assert abs(printed - size) <= slack
    assert slack == 0 or "." in format_size(size, unit)


@given(sizes=st.lists(SIZES, min_size=1, max_size=20), unit=st.sampled_from(["", "k", "M", "G"]))
def test_slack_is_found_again_from_bytes_alone(sizes: list[int], unit: str) -> None:
    """Where only the bytes of prints are left, the slack found is enough for each but zeros."""
    printed = np.array([printed_size(format_size(size, unit))[0] for size in sizes])
    slack = printed_slack(printed, np.ones(len(sizes), bool))
    enough = np.abs(printed - np.array(sizes)) <= slack
    assert enough[printed != 0].all()


def test_slack_of_sizes_that_cannot_be_rounded() -> None:
    """Bytes that no print with a decimal stands for are exact."""
    sizes = np.array([5000, 28 * 1024 + 2, 34406, 28 * 1024, 28 * 1024 + 1])
    assert printed_slack(sizes, np.ones(5, bool)).tolist() == [0, 0, 75, 75, 75]


@given(size=SIZES, unit=st.sampled_from(["", *"kMGTP"]))
def test_what_is_read_prints_the_same_again(size: int, unit: str) -> None:
    """A size read from a tool's text is printed by that tool as it was; `0.0G` alone is 0."""
    text = format_size(size, unit)
    if text[:-1] != "0.0":
        assert format_size(printed_size(text)[0], unit) == text


def test_zeros_among_coarse_sizes_are_coarse() -> None:
    """`0.0G` is less than a twentieth of a gibibyte; a zero beside fine sizes is nothing."""
    known = np.ones(2, bool)
    gib = 1 << 30
    assert printed_slack(np.array([0, 3 * gib]), known)[0] == gib * 75 // 1024
    assert printed_slack(np.array([0, 5000]), known)[0] == 0
    assert printed_slack(np.array([0, 0]), known).tolist() == [0, 0]


@pytest.mark.parametrize(
    "text", ["", "5", "-1k", "1.55k", "8E", "1e3k", "k", "١k", " 1k", "9" * 30]
)
def test_what_is_no_size(text: str) -> None:
    """Tools always print a unit, at most one decimal, and less than 8E."""
    with pytest.raises(ValueError, match="expected a size below 8E such as 68k"):
        printed_size(text)


@pytest.mark.parametrize(("second", "contradictions"), [(1140, 0), (1150, 0), (1151, 1)])
def test_two_rounded_sizes_differ_by_both_slacks(second: int, contradictions: int) -> None:
    """1000 and 1150 stand for one size if each may be off by 75: 1075. One byte more, and none."""
    rows = loose(
        "tasks", [0, 1], [1, 1], {"reported_pss_bytes": [1000, second]},
        {"reported_pss_bytes": [75, 75]},
    )  # fmt: skip
    collected = Contradictions([Origin("a", "ps"), Origin("b", "ps")], Notes())
    one = (np.zeros(2, np.int64), 1)
    Settler("tasks", rows, one, lambda _: "process 1", collected).column("reported_pss_bytes")
    assert collected.count == contradictions


@pytest.mark.parametrize(
    ("user", "hidden", "same"), [(True, True, False), (True, False, True), (False, True, True)]
)
def test_a_hidden_vmo_is_no_mapped_one(user: bool, hidden: bool, same: bool) -> None:
    """`k vmos hidden` lists what no process maps, so nothing in it is a VMO that one does map."""
    seen = Looks(0, 0, "heap", 0, (8192, 0), (4096, 0), 1, 0, 1, user, {0})
    told = Looks(1, 1, "heap", 0, (8192, 0), (4096, 0), 1, 0, 0, False, {1})
    assert seen.may_be(told, hidden) == same
