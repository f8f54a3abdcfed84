"""Long campaigns: the operations of the state-machine test, thousands of runs by plain seeds.

``python tests/sim/campaign.py FIRST RUNS STEPS`` prints each new kind of failure with the seed and
step that lead to it, and how many runs failed; exit status 1 if any did.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

sys.path.insert(0, str(Path(__file__).parent.parent))

from sim.twins import access_ops, handle_ops, memory_ops, task_ops, vmo_ops
from sim.twins.beginning import begin
from sim.twins.driver import Twins
from sim.twins.whole import check_accounts, check_listings, check_replay

R = TypeVar("R")

OPERATIONS = (
    *vmo_ops.OPERATIONS,
    *task_ops.OPERATIONS,
    *handle_ops.OPERATIONS,
    *memory_ops.OPERATIONS,
    *access_ops.OPERATIONS,
)
RARE = {
    "kill_job",
    "end_process",
    "destroy",
    "create_job",
    "kill_by_handle",
    "kernel_map",
    "release",
}
WEIGHTS = [1 if operation.__name__ in RARE else 4 for operation in OPERATIONS]


class Plain:
    """Choices by a seeded generator."""

    def __init__(self, seed: int) -> None:
        self.generator = random.Random(seed)  # noqa: S311 (a campaign must repeat, not keep secrets)

    def of(self, items: Sequence[R]) -> R:
        """One of the items."""
        return self.generator.choice(items)

    def below(self, limit: int) -> int:
        """A number from 0 to limit - 1."""
        return self.generator.randrange(limit)


def run(seed: int, steps: int) -> None:
    """One run; a failure carries a note with seed, step and operation."""
    choice = Plain(seed)
    twins = Twins(seed, 20 + choice.below(60), 70 + choice.below(150))
    step, name = 0, "begin"
    try:
        begin(twins, choice)
        for step in range(1, steps + 1):  # noqa: B007 (the note tells it)
            operation = choice.generator.choices(OPERATIONS, WEIGHTS)[0]
            name = operation.__name__
            operation(twins, choice)
            twins.check()
        name = "end"
        check_accounts(twins)
        check_replay(twins)
        check_listings(twins.machine)
    except Exception as error:
        error.add_note(f"seed {seed}, step {step}, {name}")
        raise


def main(first: int, runs: int, steps: int) -> int:
    """Run them all; returns how many failed."""
    kinds: Counter[str] = Counter()
    for seed in range(first, first + runs):
        try:
            run(seed, steps)
        except Exception as error:
            message = str(error).split("\n")[0][:100]
            kind = f"{error.__notes__[-1].split()[-1]}: {type(error).__name__}: {message[:30]}"
            if not kinds[kind]:
                print(f"{error.__notes__[-1]}: {type(error).__name__}: {message}", flush=True)
            kinds[kind] += 1
    print(f"{sum(kinds.values())} of {runs} runs failed")
    return sum(kinds.values())


if __name__ == "__main__":
    sys.exit(bool(main(*map(int, sys.argv[1:4]))))
