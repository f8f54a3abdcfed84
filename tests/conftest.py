"""Test-wide settings: bounded hypothesis runs that repeat."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile(
    "magmem",
    deadline=None,  # two busy cores: time is measured in benchmarks/, not asserted here
    derandomize=True,  # the same examples on every run, so that CI and a laptop agree
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("magmem")
