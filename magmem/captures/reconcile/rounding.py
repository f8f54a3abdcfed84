"""How far a printed size may be from the true one.

A size printed with one decimal stands for a range: the decimal is the last remainder divided by
100, rounded half up, and ten tenths carry (reference/tools.md "Sizes"). A remainder of 950 of 1024
is printed as a whole unit more, so the print is up to 74/1024 of a unit too high, or up to 50/1024
too low. A decimal of 0 says that there was a remainder: ``30.0M`` is read as a byte beside 30M, so
that it is told from ``30M`` and prints the same again.
"""

from __future__ import annotations

import re
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from magmem.sizes import parse_printed_size, parse_size

__all__ = ["SIZE", "printed_size", "printed_slack"]

SIZE = r"\??+[0-9]{1,19}+(?:\.[0-9])?+[BkKMGTPE](?![^ :\t])"
"""A size as every tool prints it: with a unit; a ``?`` tells that another unit was asked for."""

UNITS = {unit: 1024**power for power, unit in enumerate("BkMGTPE")} | {"K": 1024}
MOST = 2**63 - 1

_PRINTED = re.compile(r"\??([0-9]{1,19}(?:\.[0-9])?([BkKMGTPE]))")


@lru_cache(maxsize=1 << 16)
def printed_size(text: str) -> tuple[int, int]:
    """Bytes of a printed size, and by how many it may be off.

    Raises
    ------
    ValueError
        Not a size with a unit, or one of 63 bits or more.

    Examples
    --------
    >>> printed_size("28k"), printed_size("33.6k"), printed_size("28.0k")
    ((28672, 0), (34406, 75), (28673, 75))
    """
    match = _PRINTED.fullmatch(text)
    size_bytes = parse_size(match[1]) if match else MOST + 1
    if match and size_bytes and match[1][-3:-1] == ".0":
        size_bytes = parse_printed_size(match[1])
    if match is None or size_bytes > MOST:
        raise ValueError(f"expected a size below 8E such as 68k or 33.6k, found {text[:40]!r}")
    return size_bytes, UNITS[match[2]] * 75 // 1024 if "." in text else 0


def printed_slack(
    size_bytes: npt.NDArray[np.int64], known: npt.NDArray[np.bool_]
) -> npt.NDArray[np.int64]:
    """The same for sizes of which only the bytes are left.

    A size may have been printed with a decimal if it is a whole number of tenths of some unit, or a
    byte beside a whole number of units; the coarsest such unit decides. Zero is taken for a rounded
    one where every other size of the column is coarse (``--units=G`` prints ``0.0G``).
    """
    unit = np.ones(len(size_bytes), np.int64)
    nonzero = known & (size_bytes != 0)
    for candidate in (1024**power for power in range(1, 7)):
        # The tenths nearest to the size, without leaving 63 bits.
        whole, rest = np.divmod(size_bytes, candidate)
        tenth = (rest // 2 * 10 + candidate // 4) // (candidate // 2)
        back = (tenth * (candidate // 2) + 2) // 5
        beside = (size_bytes > 1) & ((rest == 1) | (rest == candidate - 1))
        unit[nonzero & ((back == rest) | beside) & ((whole > 0) | (tenth > 0))] = candidate
    if nonzero.any():
        unit[known & ~nonzero] = unit[nonzero].min()
    unit[~known] = 1
    return unit // 1024 * 75
