"""The script and the style of the treemap view, each as one text.

The view is written as small ES modules in ``assets/``. A page, or a widget that takes its module as
text, needs one: `script` lays them end to end without their import lines. `style` puts the themes
and tints of `magmem.palette` before the style sheet, so colours are written down once.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

from magmem.palette import DARK, LIGHT, TINTS, Theme, Tint, text_on

__all__ = ["MODULES", "script", "style", "theme_rules"]

MODULES: Final = ("sizes", "tree", "layout", "dom", "words", "table", "tiles", "tip", "treemap")
"""Modules in the order of their imports: none imports a later one."""

_FOLDER: Final = Path(__file__).parent / "assets"


@cache
def script() -> str:
    """All modules as one ES module; it exports ``mountTreemap`` and ``readPayload``."""
    lines = (
        line
        for name in MODULES
        for line in (_FOLDER / f"{name}.js").read_text(encoding="utf-8").splitlines()
        if not line.startswith("import ")
    )
    return "\n".join(lines) + "\n"


@cache
def style() -> str:
    """The style sheet with light and dark theme, for a page of its own or inside JupyterLab."""
    return (
        theme_rules(".mm-treemap")
        + "".join(_tint(name) for name in TINTS)
        + (_FOLDER / "treemap.css").read_text(encoding="utf-8")
    )


def theme_rules(selector: str, tints: Mapping[str, Tint] = TINTS) -> str:
    """CSS giving `selector` the palette: light or dark as JupyterLab, else the system, says."""
    light = _variables(LIGHT, tints, dark=False)
    dark = _variables(DARK, tints, dark=True)
    jupyter = "body[data-jp-theme-light="
    return (
        f"{selector} {{{light}}}\n"
        f"@media (prefers-color-scheme: dark) {{ {selector} {{{dark}}} }}\n"
        f'{jupyter}"true"] {selector} {{{light}}}\n'
        f'{jupyter}"false"] {selector} {{{dark}}}\n'
    )


def _variables(theme: Theme, tints: Mapping[str, Tint], *, dark: bool) -> str:
    variables = {
        "ground": f"var(--jp-layout-color0, {theme.ground})",
        "surface": f"var(--jp-layout-color1, {theme.surface})",
        "text": theme.text,
        "faint": theme.faint,
        "line": theme.line,
        "edge": "rgb(255 255 255 / 0.22)" if dark else "rgb(0 0 0 / 0.22)",
        "ring": theme.ring,
        "focus": theme.text,
    }
    for name, tint in tints.items():
        fill = tint.dark if dark else tint.light
        text = text_on(fill)
        variables[name] = fill
        variables[f"on-{name}"] = text
        # Pattern lines lean away from the text, so they never lower its contrast.
        pattern = "255 255 255 / 0.28" if text != "#FFFFFF" else "0 0 0 / 0.25"
        variables[f"pattern-{name}"] = f"rgb({pattern})"
    return " ".join(f"--mm-{name}: {value};" for name, value in variables.items())


def _tint(name: str) -> str:
    pattern = f"var(--mm-pattern-{name})"
    image = {
        "hatch": f"repeating-linear-gradient(45deg, {pattern} 0 2px, transparent 2px 7px)",
        "dots": f"radial-gradient(circle, {pattern} 1.2px, transparent 1.6px) 0 0 / 7px 7px",
    }.get(TINTS[name].pattern)
    background = f"{image}, var(--mm-{name})" if image else f"var(--mm-{name})"
    rule = (
        f".mm-tint-{name} {{ --mm-fill: var(--mm-{name}); color: var(--mm-on-{name}); "
        f"background: {background}; }}\n"
    )
    # A label over a pattern stands on a plain plate.
    plate = f".mm-tint-{name} > .mm-label {{ background: var(--mm-{name}); }}\n"
    return rule + plate if image else rule
