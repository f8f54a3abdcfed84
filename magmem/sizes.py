"""Sizes as the guide's tools print them, and back again.

The rule is reference/tools.md "Sizes": units B k M G T P E, factors of 1024; a size climbs a unit
while it is 10000 or more, or divides by 1024 without remainder; one decimal appears as soon as any
division left a remainder, and comes from the last remainder alone. So 1 MiB less one byte is
``1024.0k``, and ``28k`` is exact while ``28.0k`` is not.
"""

from __future__ import annotations

import re
from fractions import Fraction
from operator import index
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = [
    "UNITS",
    "format_size",
    "format_sizes",
    "parse_printed_size",
    "parse_size",
    "parse_sizes",
]

UNITS = "BkMGTPE"
_UNIT_BYTES: dict[str, int] = {unit: 1024**power for power, unit in enumerate(UNITS)}
_UNIT_BYTES["K"] = 1024
# By letter; 0 = not in the fast lane.
_SCALES = [_UNIT_BYTES[chr(code)] if chr(code) in "BkKMG" else 0 for code in range(128)]
_SIZE = re.compile(r"([0-9]+)(?:\.([0-9]+))?([BkKMGTPE]?)")


def format_size(size_bytes: int, unit: str = "") -> str:
    """A size in bytes as the tools print it.

    Parameters
    ----------
    size_bytes : int
        0 or more.
    unit : str
        One of ``BkMGTPE`` to fix the unit; empty for the natural one. Only the first character
        counts; an unknown unit prints ``?`` and the natural form.

    Raises
    ------
    ValueError
        A negative size.

    Examples
    --------
    >>> format_size(28 * 1024), format_size(1419571), format_size(1048575), format_size(0, "k")
    ('28k', '1386.3k', '1024.0k', '0k')
    """
    if size_bytes < 0:
        raise ValueError(f"expected a size of 0 bytes or more, found {size_bytes}")
    fixed = unit[:1]
    if fixed and fixed not in UNITS:
        return "?" + format_size(size_bytes)
    whole, remainder, inexact, power = int(size_bytes), 0, False, 0
    while UNITS[power] != fixed if fixed else whole >= 10000 or (whole and whole % 1024 == 0):
        whole, remainder = divmod(whole, 1024)
        inexact = inexact or remainder != 0
        power += 1
    if not inexact:
        return f"{whole}{UNITS[power]}"
    tenth = (remainder + 50) // 100
    carry, tenth = divmod(tenth, 10)
    return f"{whole + carry}.{tenth}{UNITS[power]}"


def format_sizes(sizes_bytes: npt.ArrayLike, unit: str = "") -> npt.NDArray[np.str_]:
    """`format_size` of every item of an integer array, without a Python loop over them.

    Returns
    -------
    array of str, the same shape

    Raises
    ------
    ValueError
        A negative size.
    """
    import numpy as np

    whole = np.array(sizes_bytes, dtype=np.uint64 if _is_unsigned(sizes_bytes) else np.int64)
    if whole.size and whole.min() < 0:
        raise ValueError(f"expected sizes of 0 bytes or more, found {whole.min()}")
    fixed = unit[:1]
    prefix = "?" if fixed and fixed not in UNITS else ""
    target = UNITS.find(fixed) if fixed and not prefix else None
    power = np.zeros(whole.shape, np.int8)
    remainder = np.zeros(whole.shape, np.int64)
    inexact = np.zeros(whole.shape, bool)
    for step in range(len(UNITS) - 1 if target is None else target):
        climbs = power == step
        if target is None:
            climbs &= (whole >= 10000) | ((whole != 0) & (whole % 1024 == 0))
        rest = (whole % 1024).astype(np.int64)
        remainder = np.where(climbs, rest, remainder)
        inexact |= climbs & (rest != 0)
        whole = np.where(climbs, whole // 1024, whole)
        power[climbs] = step + 1
    tenth = (remainder + 50) // 100
    whole = whole + (inexact & (tenth == 10)).astype(whole.dtype)
    decimals = np.array([f".{digit % 10}" for digit in range(11)])[tenth]
    number = np.char.add(whole.astype(str), np.where(inexact, decimals, ""))
    text = np.char.add(number, np.array(list(UNITS))[power])
    return np.char.add(prefix, text) if prefix else text


def parse_size(size: int | str) -> int:
    """Bytes of a size given as an integer or in the tools' form.

    ``K`` is accepted for ``k``; a number without unit is bytes; decimals are fractions of the
    unit, rounded to the nearest byte.

    Raises
    ------
    ValueError
        A negative integer, or text that is not a size.
    TypeError
        Neither text nor an integer.

    Examples
    --------
    >>> parse_size("68k"), parse_size("1.5M"), parse_size(4096)
    (69632, 1572864, 4096)
    """
    if isinstance(size, str):
        match = _SIZE.fullmatch(size.strip())
        if match is None or len(size) > 40:
            raise ValueError(f"expected a size such as 68k, 1.5M or 4096, found {size[:40]!r}")
        whole, decimals, unit = match.groups()
        number = Fraction(f"{whole}.{decimals}" if decimals else whole)
        return int(number * _UNIT_BYTES.get(unit, 1) + Fraction(1, 2))
    try:
        number_of_bytes = index(size)
    except TypeError:
        number_of_bytes = None
    if isinstance(size, bool) or number_of_bytes is None:
        raise TypeError(f"expected a size such as 68k or a number of bytes, found {size!r}")
    if number_of_bytes < 0:
        raise ValueError(f"expected a size of 0 bytes or more, found {size}")
    return number_of_bytes


def parse_printed_size(text: str) -> int:
    """Bytes of a size that a tool printed: the inverse of `format_size`, as far as there is one.

    A printed decimal is not a tenth of the unit but a hundred of its 1024 parts, and ``30.0M``
    says that something more than 30M was there. What this returns prints as the same text again,
    and is the middle of what could have printed so (one byte more than 30M for ``30.0M``).

    Raises
    ------
    ValueError
        Text that is not a size.

    Examples
    --------
    >>> parse_printed_size("30M"), parse_printed_size("30.0M"), parse_printed_size("1386.3k")
    (31457280, 31457281, 1419564)
    """
    match = _SIZE.fullmatch(text)
    if match is None or match[2] is None or len(match[2]) != 1 or match[3] in ("", "B"):
        return parse_size(text)
    whole, unit_bytes = int(match[1]), _UNIT_BYTES[match[3]]
    if match[2] == "0" and whole and (whole >= 10000 or whole % 1024 == 0):
        return whole * unit_bytes - 1  # a decimal that carried: exactly this would print otherwise
    return whole * unit_bytes + (int(match[2]) * 100 * unit_bytes // 1024 or 1)


def parse_sizes(sizes: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """`parse_size` of every text of an array, without a Python loop over long columns.

    Returns
    -------
    int64 array, the same shape

    Raises
    ------
    ValueError
        A text that is not a size, or more than 63 bits.
    """
    import numpy as np

    text = np.char.strip(np.asarray(sizes, dtype=str))
    result = np.zeros(text.shape, np.int64)
    if not text.size:
        return result
    number = np.char.rstrip(text, "BkKMGTPE")
    unit_length = np.char.str_len(text) - np.char.str_len(number)
    codes = np.ascontiguousarray(text)[..., np.newaxis].view(np.uint32)
    last = np.take_along_axis(codes, np.maximum(np.char.str_len(text) - 1, 0)[..., np.newaxis], -1)
    parts = np.char.partition(number, ".")
    whole, point, decimals = parts[..., 0], parts[..., 1], parts[..., 2]
    # The fast lane: plain ASCII, at most 9 digits and 3 decimals, so that no product overflows.
    simple = (
        np.char.isdigit(whole)
        & (np.char.isdigit(decimals) | (point == ""))
        & (codes < 128).all(axis=-1)
        & (np.char.str_len(whole) <= 9)
        & (np.char.str_len(decimals) <= 3)
        & (unit_length <= 1)
    )
    scale = np.where(unit_length == 1, np.array(_SCALES)[np.minimum(last[..., 0], 127)], 1)
    simple &= scale > 0
    tens = np.array([1, 10, 100, 1000])[np.minimum(np.char.str_len(decimals), 3)]
    fraction = np.where(simple & (decimals != ""), decimals, "0").astype(np.int64)
    amount = np.where(simple, whole, "0").astype(np.int64)
    result[...] = amount * scale + (2 * fraction * scale + tens) // (2 * tens)
    for place in np.argwhere(~simple):
        at = tuple(place)
        value = parse_size(str(text[at]))
        if value >= 1 << 63:
            raise ValueError(f"expected a size below 8E, found {text[at]}")
        result[at] = value
    return result


def _is_unsigned(values: Any) -> bool:
    return getattr(getattr(values, "dtype", None), "kind", "") == "u"
