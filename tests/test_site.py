"""`make site`: the course as web pages that ask nothing of anyone."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from make_site import for_reading, linked, write_site
from nbformat import v4

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Every page's text by its name."""
    written = write_site(tmp_path_factory.mktemp("made") / "site")
    return {page.name: page.read_text(encoding="utf-8") for page in written}


def test_there_is_a_page_for_every_chapter(pages: dict[str, str]) -> None:
    """Each has its own page, and the first page leads to it."""
    for path in NOTEBOOKS:
        assert f'href="{path.stem}.html"' in pages["index.html"]
        assert f"{path.stem}.html" in pages


def test_pages_need_no_network_and_no_script(pages: dict[str, str]) -> None:
    """No script, nothing loaded from elsewhere: pictures and styles are inside or beside."""
    for name, text in pages.items():
        assert "<script" not in text, name
        assert not re.search(r'(?:src|<link[^>]*href)="(?:https?:)?//', text), name
        assert not re.search(r"@import|url\(\s*['\"]?https?:", text), name


def test_links_between_pages_lead_somewhere(pages: dict[str, str]) -> None:
    """No link to a notebook is left, and every page linked to was written."""
    for name, text in pages.items():
        targets = re.findall(r'<a [^>]*href="([^"#:]+)', text)
        local = {target for target in targets if "/" not in target}
        assert local <= pages.keys(), name
        assert not any(target.endswith(".ipynb") for target in targets), name


def test_titles_are_plain(pages: dict[str, str]) -> None:
    """In the window's title and in the links to the chapters before and after: no Markdown."""
    for name, text in pages.items():
        for title in re.findall(r"<title>(.*?)</title>|rel=\"(?:prev|next)\"[^>]*>(.*?)</a>", text):
            assert "`" not in "".join(title), name


def test_every_stored_picture_is_shown(pages: dict[str, str]) -> None:
    """As many pictures as the notebook stores, explorers' still forms among them."""
    for path in NOTEBOOKS:
        cells = nbformat.read(path, as_version=4).cells
        outputs = [output for cell in cells for output in cell.get("outputs", [])]
        data = [output.get("data", {}) for output in outputs]
        stored = sum("image/png" in one for one in data)
        stored += sum(one.get("text/html", "").count('src="data:image/png;') for one in data)
        assert pages[f"{path.stem}.html"].count('src="data:image/png;base64,') == stored


def test_only_links_within_the_project_are_led_to_pages() -> None:
    """Notebooks and texts that have a page; anchors are kept, other links stay."""
    source = "[a](01-a.ipynb) [b](../docs/b.md#c) [d](https://x.org/01-a.ipynb) [e](e.ipynb)"
    assert linked(source, {"01-a.html", "b.html"}) == (
        "[a](01-a.html) [b](b.html#c) [d](https://x.org/01-a.ipynb) [e](e.ipynb)"
    )


def test_answers_are_closed_until_opened(pages: dict[str, str]) -> None:
    """What a paragraph asks to predict is behind a click, and no page speaks of menus."""
    for path in NOTEBOOKS:
        text = pages[f"{path.stem}.html"]
        assert "Clear Outputs" not in text or path.stem.startswith("11")
        assert "To run a cell" not in text
        closed = text.count('<details class="reveal">')
        assert closed >= 2 or path.stem.startswith(("00", "02", "11")), path.stem
        asked = [
            cell
            for cell in nbformat.read(path, as_version=4).cells
            if cell.cell_type == "markdown" and "**Predict**" in cell.source.split("\n\n")[-1]
        ]
        assert closed >= len(asked)


def test_reading_of_a_result_opens_with_it() -> None:
    """The paragraph that answers moves behind the click; what leads on to the next cell stays."""
    asks, code = v4.new_markdown_cell("**Predict** it:"), v4.new_code_cell("1")
    reads = v4.new_markdown_cell("One. It is 1. Now more:\n\n## Then")
    notebook = v4.new_notebook(cells=[asks, code, reads])
    for_reading(notebook)
    assert code.metadata["reveal"]
    assert code.outputs[-1].data == {"text/markdown": "One. It is 1."}
    assert reads.source == "Now more:\n\n## Then"
    plain = v4.new_notebook(cells=[reads, v4.new_code_cell("1"), v4.new_markdown_cell("Two.")])
    for_reading(plain)
    assert "reveal" not in plain.cells[1].metadata
    assert plain.cells[2].source == "Two."
