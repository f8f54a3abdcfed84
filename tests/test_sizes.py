"""Sizes: reference/tools.md "Sizes", for single values and whole columns."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magmem.sizes import (
    UNITS,
    format_size,
    format_sizes,
    parse_printed_size,
    parse_size,
    parse_sizes,
)

SIZES = st.one_of(
    st.integers(0, 2**63 - 1),
    st.builds(lambda n, p: min(n * 1024**p, 2**63 - 1), st.integers(0, 20000), st.integers(0, 5)),
)


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (0, "0B"),
        (1, "1B"),
        (5000, "5000B"),
        (9999, "9999B"),
        (10000, "9.8k"),  # 9 × 1024 + 784: 784 // 100 = 7, and 84 ≥ 50 makes it 8
        (1024, "1k"),
        (28 * 1024, "28k"),
        (9999 * 1024 + 1023, "10000.0k"),  # the decimal carries without another unit
        (2**20 - 1, "1024.0k"),
        (1384 * 1024 + 7 * 4096 // 12, "1386.3k"),  # the guide's bin/devmgr
        (0x7FFFFEFFF000, "128.0T"),  # the guide's address space
        (2**63, "8E"),
    ],
)
def test_natural_unit(size_bytes: int, text: str) -> None:
    """The natural unit: up while 10000 or more, or a multiple of 1024; one decimal if inexact."""
    assert format_size(size_bytes) == text


@pytest.mark.parametrize(
    ("size_bytes", "unit", "text"),
    [
        (0, "M", "0M"),
        (1, "M", "0.0M"),
        (20 * 2**20, "k", "20480k"),
        (3, "B", "3B"),
        (5, "kilo", "0.0k"),  # only the first character counts
        (2048, "K", "?2k"),
        (2048, "m", "?2k"),
        (0, "q", "?0B"),
    ],
)
def test_fixed_unit(size_bytes: int, unit: str, text: str) -> None:
    """A fixed unit divides until it is reached; an unknown one prints ? and the natural form."""
    assert format_size(size_bytes, unit) == text


@given(st.lists(SIZES, max_size=20), st.sampled_from(["", *UNITS, "K", "q"]))
def test_columns_agree_with_single_values(sizes: list[int], unit: str) -> None:
    """A column formats exactly as its values one by one."""
    expected = [format_size(size, unit) for size in sizes]
    assert format_sizes(np.array(sizes, dtype=np.int64), unit).tolist() == expected


@given(st.lists(SIZES, max_size=20), st.sampled_from(["", "B", "k", "M"]))
def test_parsed_columns_agree_with_single_values(sizes: list[int], unit: str) -> None:
    """A column of texts parses exactly as its texts one by one."""
    texts = [text for text in map(format_size, sizes) if parse_size(text) < 2**63]
    assert parse_sizes(texts).tolist() == [parse_size(text) for text in texts]


@given(SIZES)
def test_parsing_returns_within_the_rounding(size_bytes: int) -> None:
    """What is parsed back differs by less than a tenth of the printed unit; exact if exact."""
    text = format_size(size_bytes)
    parsed = parse_size(text)
    if "." not in text:
        assert parsed == size_bytes
    else:
        # r // 100 tenths stand for up to 1023 of 1024 parts: at most 50 + 24 parts off.
        assert abs(parsed - size_bytes) * 1024 <= 75 * 1024 ** UNITS.index(text[-1])


@given(SIZES)
def test_printed_sizes_print_the_same_again(size_bytes: int) -> None:
    """What a tool printed, read back and printed once more, is the same text, and close by.

    A decimal d stands for 100 d - 50 … 100 d + 49 of 1024 parts, and 0 also for 950 … 1023 of the
    part before: at most 75 parts away, the bytes below the last division included.
    """
    text = format_size(size_bytes)
    parsed = parse_printed_size(text)
    assert format_size(parsed) == text
    if "." in text:
        assert abs(parsed - size_bytes) * 1024 <= 75 * 1024 ** UNITS.index(text[-1])
    else:
        assert parsed == size_bytes


def test_parsing_accepts_what_people_type() -> None:
    """Integers, blanks around, `K`, plain numbers and decimals are sizes."""
    assert [parse_size(text) for text in (" 68k ", "68K", "1.5M", "17", "0B")] == [
        68 * 1024,
        68 * 1024,
        3 * 2**19,
        17,
        0,
    ]
    assert parse_size(4096) == 4096


@pytest.mark.parametrize("text", ["", "k", "-1k", "1.k", "1e3", "1 k", "12kk", "1,5M", "NaN", "٣k"])
def test_parsing_refuses_the_rest(text: str) -> None:
    """Anything else is an error that shows the text."""
    with pytest.raises(ValueError, match="expected a size such as"):
        parse_size(text)
    with pytest.raises(ValueError, match="expected a size such as"):
        parse_sizes([text])


def test_negative_sizes_are_errors() -> None:
    """A size is 0 or more, in both directions and forms."""
    for call in (format_size, parse_size, lambda size: format_sizes([size])):
        with pytest.raises(ValueError, match="0 bytes or more, found -1"):
            call(-1)
    with pytest.raises(TypeError, match=r"found 1\.5"):
        parse_size(1.5)  # type: ignore[arg-type]


def test_columns_refuse_more_than_63_bits() -> None:
    """A parsed column is int64: what does not fit is an error, not a wrapped number."""
    with pytest.raises(ValueError, match="below 8E"):
        parse_sizes(["1k", "16E"])
