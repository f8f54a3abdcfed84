"""Render the course as web pages: one a chapter, with its stored outputs, and one that lists them.

The pages hold their pictures and styles and ask nothing of the network. Nothing is executed: what
is shown is what the notebooks store, and what tests compare. Usage: make_site.py [FOLDER]
"""

from __future__ import annotations

import base64
import re
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbconvert import HTMLExporter
from nbformat import v4

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
INTRODUCTION = """\
# magmem: a course on memory accounting

*Which processes are using all of the memory?* The chapters below answer that on Magenta (later
Zircon), the kernel of Fuchsia. Each takes 20 to 40 minutes and turns on one question: write down
what you expect, then open the answer. The explorers are shown as pictures here; they move in
JupyterLab.
"""

ONLY_IN_LAB = re.compile(
    r"To run a cell, .*|The first cell loads magmem and the questions\. Run it, then answer .*"
)
"""Sentences about what a web page does not have: cells to run."""


@dataclass(frozen=True)
class Page:
    """One web page: its file's name, title, question (may be empty), and the notebook behind it."""

    page: str
    title: str
    question: str
    notebook: nbformat.NotebookNode

    @property
    def plain_title(self) -> str:
        """The title without Markdown's marks."""
        return self.title.replace("`", "")


def chapter(path: Path) -> Page:
    """The page of a notebook; its first cell has the title and, in bold, the question."""
    notebook = nbformat.read(path, as_version=4)
    opening = notebook.cells[0].source
    title = opening.splitlines()[0].lstrip("# ")
    asked = re.search(r"\*\*The question of this chapter: (.*?)\*\*", opening, re.DOTALL)
    question = asked[1] if asked else ""
    return Page(f"{path.stem}.html", title, question, notebook)


def text_page(path: Path) -> Page:
    """The page of a Markdown file."""
    text = path.read_text(encoding="utf-8")
    notebook = v4.new_notebook(cells=[v4.new_markdown_cell(text)])
    return Page(f"{path.stem}.html", text.splitlines()[0].lstrip("# "), "", notebook)


def picture_of(page: Page) -> bytes | None:
    """The largest picture among a chapter's outputs: the one with most in it."""
    shown = [
        output.get("data", {}) for cell in page.notebook.cells for output in cell.get("outputs", [])
    ]
    found = [
        base64.b64decode(picture)
        for data in shown
        for picture in (
            *([data["image/png"]] if "image/png" in data else ()),
            *re.findall(r'src="data:image/png;base64,([^"]*)"', data.get("text/html", "")),
        )
    ]
    return max(found, key=len, default=None)


def linked(source: str, pages: set[str]) -> str:
    """Markdown whose links to notebooks and texts of the project lead to their pages."""

    def target(found: re.Match[str]) -> str:
        page = f"{Path(found[1]).stem}.html"
        return f"]({page}{found[2] or ''})" if page in pages else found[0]

    return re.sub(r"\]\(([^)#:]+\.(?:ipynb|md))(#[^)]*)?\)", target, source)


def linked_html(html: str, pages: set[str]) -> str:
    """The same for the HTML of an output, such as the answer to a prediction."""

    def target(found: re.Match[str]) -> str:
        page = f"{Path(found[1]).stem}.html"
        return f'href="{page}{found[2] or ""}"' if page in pages else found[0]

    return re.sub(r'href="([^"#:]+\.(?:ipynb|md))(#[^"]*)?"', target, html)


def contents(chapters: list[Page], texts: list[Page], folder: Path) -> Page:
    """The list of chapters, with one picture each, which is written to the folder."""
    rows = ["| chapter | its question | |", "|---|---|---|"]
    for page in chapters:
        picture = picture_of(page)
        shown = ""
        if picture is not None:
            name = f"pictures/{Path(page.page).stem}.png"
            (folder / name).write_bytes(picture)
            shown = f"![{page.title}]({name})"
        number = page.page.split("-")[0]
        rows.append(f"| [{number} {page.title}]({page.page}) | {page.question} | {shown} |")
    also = [f"- [{page.title}]({page.page})" for page in texts]
    cells = [INTRODUCTION, "\n".join(rows), "## Also\n\n" + "\n".join(also)]
    notebook = v4.new_notebook(cells=[v4.new_markdown_cell(cell) for cell in cells])
    return Page("index.html", "magmem", "", notebook)


def exporter() -> HTMLExporter:
    """Nbconvert's own, with the template beside this file."""
    return HTMLExporter(template_name="course", extra_template_basedirs=[str(HERE)])


def for_reading(notebook: nbformat.NotebookNode) -> None:
    """Make a chapter one for the web: without sentences about running cells.

    Answers are folded already, by the cells that ask for a guess.
    """
    for text in notebook.cells:
        if text.cell_type == "markdown":
            text.source = ONLY_IN_LAB.sub("", text.source)


def render(page: Page, before: Page | None, after: Page | None, pages: set[str]) -> str:
    """The HTML of one page."""
    for cell in page.notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = linked(cell.source, pages)
        for output in cell.get("outputs", []):
            if "text/html" in output.get("data", {}):
                output.data["text/html"] = linked_html(output.data["text/html"], pages)
    for_reading(page.notebook)
    page.notebook.metadata["title"] = page.plain_title
    resources: dict[str, Any] = {
        "page": page.page,
        "before": before,
        "after": after,
        "site_css": (HERE / "site.css").read_text(encoding="utf-8"),
    }
    body, _ = exporter().from_notebook_node(page.notebook, resources)
    return str(body)


def write_site(folder: Path) -> list[Path]:
    """Write all pages; the folder appears whole or stays as it was. Returns the pages."""
    chapters = [chapter(path) for path in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))]
    labs = [chapter(path) for path in sorted((ROOT / "notebooks" / "labs").glob("*.ipynb"))]
    texts = [*labs, *(text_page(path) for path in sorted((ROOT / "docs").glob("*.md")))]
    pages = {page.page for page in (*chapters, *texts)}
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        made = Path(scratch) / "site"
        (made / "pictures").mkdir(parents=True)
        listed = [contents(chapters, texts, made), *texts]
        for page in listed:
            (made / page.page).write_text(render(page, None, None, pages), encoding="utf-8")
        for at, page in enumerate(chapters):
            before = chapters[at - 1] if at else None
            after = chapters[at + 1] if at + 1 < len(chapters) else None
            html = render(page, before, after, pages)
            (made / page.page).write_text(html, encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        made.rename(folder)
    return [folder / page.page for page in (*listed, *chapters)]


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "site"
    for written in write_site(target):
        print(written.relative_to(target.parent))
