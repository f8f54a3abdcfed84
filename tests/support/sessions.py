"""Console sessions put together from goldens, with what a real console adds to them."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from pathlib import Path

__all__ = ["NOISE", "dumps_of", "session"]

NOISE = (
    "[00012.345] 01041.01044> devhost: rpc: ping\n",
    "[00013.062] 00000.00000> command list:\n",
    "netsvc: fe80::1 ready\n",
    "] \n",
    "\n",
    "# somebody's remark\n",
    "$ \n",
    "$ ls /boot\n",
    "bin  config  lib\n",
)
"""Lines that belong to no dump."""


def dumps_of(folder: Path) -> dict[str, str]:
    """Each golden of a machine that is one dump, by the command line that makes it."""
    dumps: dict[str, str] = {}
    for path in sorted(folder.glob("*.txt")):
        text = path.read_text(encoding="utf-8")
        stem = path.stem
        if not text or re.search(r"err-|help|--units|-u.$|-n2$|^ps$|kstats-m$", stem):
            continue
        words = {"ps-T": "ps -T", "pmm-arenas": "pmm arenas", "kstats-m-t": "kstats -m -t -n 1"}
        command = words.get(stem, re.sub(r"^k-", "k zx ", stem).replace("-", " "))
        dumps[command] = text
    return dumps


def session(dumps: dict[str, str], order: Sequence[str], seed: int, noise: float = 0.1) -> str:
    """The dumps in that order as one console shows them: echoes, log prefixes, noise."""
    chance = random.Random(seed)  # noqa: S311 (a repeatable console, no secret)
    lines: list[str] = []
    clock = 10.0
    for command in order:
        kernel = command.startswith(("k ", "pmm"))
        lines.append(f"{chance.choice(['$ ', 'magenta$ ', ''] if kernel else ['$ '])}{command}\n")
        for line in dumps[command].splitlines(keepends=True):
            clock += 0.001
            if chance.random() < noise:
                lines.append(chance.choice(NOISE))
            if kernel:
                stray = "] " if chance.random() < noise else ""
                lines.append(
                    f"{stray}[{clock:09.3f}] 00000.00000> {_with_stray(line, chance, noise)}"
                )
            else:
                lines.append(line)
    return "".join(lines)


def _with_stray(line: str, chance: random.Random, noise: float) -> str:
    """The serial console's prompt lands after a range now and then, as in the riscv session."""
    if "] sz" in line and chance.random() < noise:
        return line.replace("] sz", "] ] sz", 1)
    return line
