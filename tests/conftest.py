"""Test-wide settings: bounded hypothesis runs that repeat, and no silent skips."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "magmem",
    deadline=None,  # two busy cores: time is measured in benchmarks/, not asserted here
    derandomize=True,  # the same examples on every run, so that CI and a laptop agree
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("magmem")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Count the skipped tests by reason, also under -q: a skip that nobody sees tests nothing."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = Counter(str(report.longrepr[2]).removeprefix("Skipped: ") for report in skipped)
    for reason, count in sorted(reasons.items()):
        terminalreporter.write_line(f"NOT TESTED: {count} x {reason}", yellow=True)
