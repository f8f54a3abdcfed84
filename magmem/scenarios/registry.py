"""The list of scenarios: by name, with what each shows."""

from __future__ import annotations

from collections.abc import Callable
from inspect import Parameter, getdoc, signature
from typing import Any, ParamSpec

from magmem.sim import Machine

__all__ = ["describe", "make", "names", "parameters", "scenario"]

P = ParamSpec("P")

_SCENARIOS: dict[str, Callable[..., Machine]] = {}


def scenario(builder: Callable[P, Machine]) -> Callable[P, Machine]:
    """Put a builder on the list, under its function's name."""
    _SCENARIOS[builder.__name__] = builder
    return builder


def names() -> tuple[str, ...]:
    """Every scenario's name."""
    return tuple(_SCENARIOS)


def make(name: str, **params: Any) -> Machine:
    """Build a scenario by name.

    Raises
    ------
    ValueError
        No such scenario, or no such parameter; names those there are.
    """
    builder = _builder(name)
    unknown = sorted(params.keys() - parameters(name).keys())
    if unknown:
        there = ", ".join(parameters(name)) or "none"
        raise ValueError(f"scenario {name} has no parameter {unknown[0]!r}; there are: {there}")
    return builder(**params)


def describe(name: str) -> str:
    """What a scenario shows, and its parameters."""
    return getdoc(_builder(name)) or ""


def parameters(name: str) -> dict[str, Any]:
    """A scenario's parameters and their defaults."""
    found = signature(_builder(name)).parameters.values()
    return {p.name: None if p.default is Parameter.empty else p.default for p in found}


def _builder(name: str) -> Callable[..., Machine]:
    if name not in _SCENARIOS:
        raise ValueError(f"no scenario {name!r}; there are: {', '.join(_SCENARIOS)}")
    return _SCENARIOS[name]
