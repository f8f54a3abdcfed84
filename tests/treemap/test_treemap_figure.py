"""The still form: readable at 12 cm, labels that fit, no warnings, no pyplot."""

from __future__ import annotations

import io
import subprocess
import sys
import warnings
from typing import Any

import pytest
from accounting.tiny import Vmo, machine
from matplotlib.colors import to_hex
from matplotlib.text import Text
from PIL import Image
from support.random_snapshots import random_machine
from support.shared import captures, goldens

import magmem
from magmem.captures import load_machine
from magmem.palette import DARK, LIGHT, contrast
from magmem.treemap.sheet import fitted, printable, width_of, wrapped

NASTY = ["$x_1$", "50% \\frac{", "日本語", "a\tb\n", "\ud800", "x" * 31, "", "🧠", "-"]


def texts(figure: Any) -> list[Text]:
    """All words of a figure."""
    return list(figure.axes[0].texts)


def words(figure: Any) -> list[str]:
    """All words of a figure as text."""
    return [text.get_text() for text in texts(figure)]


def system_2() -> magmem.Treemap:
    """The treemap of a described machine."""
    return magmem.treemap(load_machine(goldens() / "system-2.json"))


def test_a_picture_is_twelve_centimetres_wide() -> None:
    """12 cm at 150 dots per inch are 708 pixels; nothing is smaller than 6.5 points."""
    treemap = system_2()
    with Image.open(io.BytesIO(treemap.png())) as picture:
        assert picture.width == 708
        assert 450 < picture.height < 800
    assert min(text.get_fontsize() for text in texts(treemap.figure())) >= 6.5


def test_no_label_leaves_the_figure_or_meets_another() -> None:
    """Every label lies within the figure, and no two overlap."""
    ps = magmem.read_capture("guide-ps")
    for treemap in (system_2(), magmem.treemap(random_machine(4, islands=40)), magmem.treemap(ps)):
        figure = treemap.figure()
        figure.canvas.draw()
        boxes = [text.get_window_extent() for text in texts(figure)]
        width, height = figure.canvas.get_width_height()
        for box in boxes:
            assert box.x0 >= -1
            assert box.x1 <= width + 1
            assert box.y0 >= -1
            assert box.y1 <= height + 1
        for at, box in enumerate(boxes):
            for other in boxes[at + 1 :]:
                across = min(box.x1, other.x1) - max(box.x0, other.x0)
                down = min(box.y1, other.y1) - max(box.y0, other.y0)
                # Fonts keep room for accents above and tails below: three pixels may meet.
                assert min(across, down) <= 3, (at, figure)


def test_the_title_says_the_finding() -> None:
    """Which machine, how much memory, which process has most; of one node, its largest part."""
    treemap = system_2()
    title = " ".join(words(treemap.figure())[:2])
    assert title == (
        "system-2: 1023.9M of physical memory; the largest process is p:1058 bin/devmgr, 6508.8k"
    )
    assert (
        words(treemap.figure(1058))[0]
        == "p:1058 bin/devmgr: 6508.8k; its largest part is bootfs, 5M"
    )
    with pytest.raises(LookupError, match="found none with name 'nobody'"):
        treemap.figure("nobody")


def test_sizes_and_legend_are_shown() -> None:
    """Large tiles show their size; the legend names each meaning in the picture, and no other."""
    shown = words(system_2().figure())
    assert {"free 965.3M", "27.1M", "wired", "private", "hidden: handle only"} <= set(shown)
    assert "counted twice or more" in shown
    assert "others, unknown (?)" in shown
    exact = magmem.treemap(load_machine(goldens() / "system-doc-vmos.json"), rule="exact")
    assert "counted twice or more" not in words(exact.figure())


def test_free_memory_of_more_than_half_is_left_to_the_bar() -> None:
    """The bar shows all of it to scale; the caption says that the tiles leave it out."""
    caption = next(word for word in words(system_2().figure()) if word.startswith("physmem"))
    assert caption == "physmem 1023.9M + 240.7k counted more than there is (without free)"


def test_any_name_is_drawn_without_warning() -> None:
    """Mathematics, control characters and missing glyphs are drawn as they are or as a box."""
    vmos = {f"v{n}": Vmo(9 - n, name=name) for n, name in enumerate(NASTY)}
    treemap = magmem.treemap(machine(vmos, {"$p$": list(vmos)}))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        treemap.png(at=101)
    assert printable("日\t\ud800$") == "□□□$"
    assert "$x_1$" in words(treemap.figure(101))


@pytest.mark.parametrize("name", ["kstats-m-2017-06", "ps-2017-09", "kernel-console-riscv-2017-06"])
def test_partial_captures_are_drawn_with_what_is_missing(name: str) -> None:
    """A picture of a partial capture says beneath what it lacks."""
    treemap = magmem.treemap(magmem.read_capture(captures() / f"{name}.txt"))
    assert treemap.remarks
    text = " ".join(words(treemap.figure()))
    assert all(remark in text for remark in treemap.remarks)


def test_a_single_byte_and_an_empty_process_are_fine() -> None:
    """The smallest machine has a picture, and a node without size has an empty one."""
    snap = magmem.Snapshot.of({"kmem": {"total_bytes": [1], "free_bytes": [1]}})
    assert magmem.treemap(snap).png()
    assert magmem.treemap(machine({"v": Vmo(1)}, {"a": [], "b": ["v"]})).png(at=101)


def test_a_notebook_shows_text_and_picture() -> None:
    """The bundle has the exact text and a PNG picture; figures show themselves without pyplot."""
    treemap = system_2()
    bundle = treemap._repr_mimebundle_()
    assert bundle["text/plain"] == repr(treemap)
    assert bundle["image/png"].startswith("iVBOR")
    assert treemap.figure()._repr_png_().startswith(b"\x89PNG")
    code = (
        "import sys, magmem; s = magmem.Snapshot.of({'kmem': {'total_bytes': [9], "
        "'free_bytes': [9]}}); t = magmem.treemap(s); str(t); t.html(); "
        "assert 'matplotlib' not in sys.modules; t.png(); "
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_figure_repeats() -> None:
    """The same machine gives the same picture, to the byte."""
    assert system_2().png() == system_2().png()


def test_words_are_cut_to_the_room() -> None:
    """A label that does not fit ends in an ellipsis; fewer than three letters are none."""
    assert fitted("devhost:pci#3", 40, 6.5).endswith("…")
    assert width_of(fitted("devhost:pci#3", 40, 6.5), 6.5) <= 40
    assert fitted("devhost", 8, 6.5) == ""
    assert wrapped("one two three", 40, 9) == ["one two", "three"]


def test_the_dark_theme_has_the_same_words_and_readable_ones() -> None:
    """Same places and words; the ground is the dark one, and text on it stands out 4.5 to 1."""
    tree = system_2()
    light, dark = tree.figure(), tree.figure(dark=True)
    assert words(light) == words(dark)
    assert [text.get_position() for text in texts(light)] == [
        text.get_position() for text in texts(dark)
    ]
    assert to_hex(light.get_facecolor()).upper() == LIGHT.ground
    assert to_hex(dark.get_facecolor()).upper() == DARK.ground
    title = texts(dark)[0]
    assert contrast(to_hex(title.get_color()), DARK.ground) >= 4.5
