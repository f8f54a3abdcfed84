"""What ``%machine NAME`` may mean: a variable, a scenario, a dataset, this machine, or files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeGuard

from magmem.snapshot import Snapshot
from magmem.snapshot.source import HasSnapshot, Source

__all__ = ["choices", "find"]


def find(words: list[str], variables: Mapping[str, Any]) -> Source:
    """The machine or snapshot that is meant.

    Parameters
    ----------
    words : list of str
        A variable's name; a scenario's with its parameters (``handle_hoarder seed=3``); a
        dataset's; ``live`` for this Linux machine; or files of one boot, merged when several.
    variables : mapping
        The user's names; a Snapshot or a Machine among them comes first.

    Raises
    ------
    ValueError
        A scenario does not have that parameter.
    CaptureError, OSError
        No such variable, scenario or dataset, and no file that can be read.
    """
    named: object = variables.get(words[0]) if len(words) == 1 else None
    if _is_source(named):
        return named
    from magmem import scenarios

    if words[0] in scenarios.names():
        return scenarios.make(words[0], **dict(map(_parameter, words[1:])))
    from magmem.cli.common import read

    return read(*words)


def choices(variables: Mapping[str, Any]) -> list[str]:
    """Names that `find` knows here: the user's variables, scenarios, datasets, and ``live``."""
    from magmem import datasets, scenarios

    held = [
        name for name, value in variables.items() if not name.startswith("_") and _is_source(value)
    ]
    return [*held, *scenarios.names(), *datasets.names(), "live"]


def _parameter(word: str) -> tuple[str, int | str]:
    name, equals, value = word.partition("=")
    if not equals:
        raise ValueError(f"expected a parameter such as seed=3, found {word!r}")
    return name, int(value) if value.removeprefix("-").isdecimal() else value


def _is_source(value: object) -> TypeGuard[Source]:
    # A class of machines has the method but no state; a module may have a `snapshot` of its own.
    return isinstance(value, Snapshot) or (
        isinstance(value, HasSnapshot) and not isinstance(value, type) and callable(value.snapshot)
    )
