"""The explorers' style sheet: the palette's themes and tints, then ``assets/scene.css``."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

from magmem.palette import CHANGES, TINTS
from magmem.treemap import bundle

__all__ = ["ASSETS", "machine_style", "script", "style", "treemap_style"]

ASSETS: Final = Path(__file__).parent / "assets"


@cache
def style() -> str:
    """Light and dark theme by JupyterLab's setting, a class per tint, and the look of a scene."""
    tints = "".join(
        f".mx-fill-{name} {{ fill: var(--mm-{name}); }}\n"
        f".mx-on-{name} {{ fill: var(--mm-on-{name}); }}\n"
        f".mx-hatch.mx-pattern-{name} {{ stroke: var(--mm-pattern-{name}); }}\n"
        f".mx-dot.mx-pattern-{name} {{ fill: var(--mm-pattern-{name}); }}\n"
        for name in (*TINTS, *CHANGES)
    )
    scene = (ASSETS / "scene.css").read_text(encoding="utf-8")
    return bundle.theme_rules(".mx-explorer", {**TINTS, **CHANGES}) + tints + scene


def treemap_style() -> str:
    """The style of ``mem.html``, and of the message above it."""
    return bundle.style() + (ASSETS / "treemap.css").read_text(encoding="utf-8")


@cache
def script(*names: str) -> str:
    """Modules of ``assets/`` as one, without their import lines; `keys` comes first."""
    return "".join(
        line
        for name in ("keys", *names)
        for line in (ASSETS / f"{name}.js").read_text(encoding="utf-8").splitlines(keepends=True)
        if not line.startswith("import ")
    )


def machine_style() -> str:
    """The style of every explorer, and of the machine explorer's table."""
    return style() + (ASSETS / "machine.css").read_text(encoding="utf-8")
