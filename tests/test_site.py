"""`make site`: the course as web pages that ask nothing of anyone."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from make_site import linked, linked_html, write_site

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
    """What a cell asks to guess is behind a click, in the page as in the saved notebook."""
    for path in NOTEBOOKS:
        text = pages[f"{path.stem}.html"]
        assert "To run a cell" not in text
        asked = [
            cell
            for cell in nbformat.read(path, as_version=4).cells
            if cell.source.startswith("%%predict ")
        ]
        assert text.count('<details class="reveal">') == len(asked)


def test_links_in_answers_lead_to_pages() -> None:
    """The HTML of an output is linked as text is; anchors and other addresses stay."""
    html = '<a href="05-a.ipynb#x">a</a> <a href="https://x.org/05-a.ipynb">b</a>'
    assert linked_html(html, {"05-a.html"}) == (
        '<a href="05-a.html#x">a</a> <a href="https://x.org/05-a.ipynb">b</a>'
    )
