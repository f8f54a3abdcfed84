"""Colours that can be read: contrasts of both themes, computed, not looked at."""

from __future__ import annotations

import re

import pytest

from magmem.palette import CHANGES, DARK, LIGHT, TINTS, contrast, text_on
from magmem.treemap.bundle import style

THEMES = {"light": LIGHT, "dark": DARK}
PATTERN_STRENGTH = 0.3
EVERY = {**TINTS, **CHANGES}


def mixed(one: str, other: str, part: float) -> str:
    """A colour of which `part` is `other`."""
    pairs = ((int(one[at : at + 2], 16), int(other[at : at + 2], 16)) for at in (1, 3, 5))
    return "#" + "".join(f"{round(a + (b - a) * part):02X}" for a, b in pairs)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("name", EVERY)
def test_labels_on_tiles_can_be_read(name: str, theme: str) -> None:
    """Text on each tint has 4.5 : 1, on the plain colour and on the lines of its pattern."""
    fill = getattr(EVERY[name], theme)
    text = text_on(fill)
    assert contrast(text, fill) >= 4.5
    away = "#FFFFFF" if text != "#FFFFFF" else "#000000"
    assert contrast(text, mixed(fill, away, PATTERN_STRENGTH)) >= 4.5


@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
def test_words_of_the_page_can_be_read(theme: type[LIGHT]) -> None:
    """Text, faint text and buttons have 4.5 : 1; lines and the focus ring 3 : 1."""
    for ground in (theme.ground, theme.surface):
        assert contrast(theme.text, ground) >= 4.5
        assert contrast(theme.faint, ground) >= 4.5
        # The ring is yellow with a near-black line inside it: one of the two stands out.
        assert max(contrast(theme.ring, ground), contrast("#101418", ground)) >= 3
    assert contrast(theme.line, theme.ground) >= 3


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("name", EVERY)
def test_marks_stand_out(name: str, theme: str) -> None:
    """A tile has 3 : 1 against the ground, or else a line of 3 : 1 around it (free, others)."""
    fill = getattr(EVERY[name], theme)
    edge = contrast(THEMES[theme].line, THEMES[theme].ground)
    assert max(contrast(fill, THEMES[theme].ground), edge) >= 3


def test_similar_hues_differ_in_pattern() -> None:
    """Tints that sit side by side in a process differ in pattern, not in colour alone."""
    patterns = {
        name: TINTS[name].pattern for name in ("private", "shared", "hidden_handle", "twice")
    }
    assert len(set(patterns.values())) == 4


def test_changes_differ_in_pattern() -> None:
    """What came differs from what grew, and what went from what shrank, by more than colour."""
    assert CHANGES["came"].pattern != CHANGES["grew"].pattern
    assert CHANGES["went"].pattern != CHANGES["shrank"].pattern
    assert CHANGES["grew"].light != CHANGES["shrank"].light


def test_the_style_sheet_takes_its_colours_from_the_palette() -> None:
    """Every tint is in the style in both hues; the sheet writes down no fill of its own."""
    sheet = style()
    for name, tint in TINTS.items():
        assert f"--mm-{name}: {tint.light};" in sheet
        assert f"--mm-{name}: {tint.dark};" in sheet
        assert f".mm-tint-{name} {{" in sheet
    own = sheet.split("*/", 1)[1]
    assert set(re.findall(r"#[0-9A-Fa-f]{6}\b", own)) <= {"#101418"}


def test_every_variable_is_defined() -> None:
    """No rule of the style sheet uses a variable that nothing sets."""
    sheet = style()
    used = set(re.findall(r"var\((--mm-[\w-]+)", sheet))
    assert used <= set(re.findall(r"(--mm-[\w-]+):", sheet))
