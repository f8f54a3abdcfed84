"""Where tests find machine states and captures; without real captures a test skips."""

from __future__ import annotations

from pathlib import Path

import pytest

__all__ = ["captures", "goldens"]

ROOT = Path(__file__).parent.parent.parent


def goldens() -> Path:
    """The folder of machine descriptions and what each tool prints for them."""
    return ROOT / "tests" / "goldens"


def captures() -> Path:
    """The folder of real machines' output, beside the project and not part of it."""
    path = ROOT.parent / "shared" / "captures"
    if not path.is_dir():
        pytest.skip(f"no folder {path.name} beside this checkout")
    return path
