"""The page: one file, nothing fetched, names never HTML, all leaves within two megabytes."""

from __future__ import annotations

import base64
import json
import re
import zlib
from html.parser import HTMLParser
from typing import Any

import pytest
from accounting.tiny import Vmo, machine
from support.random_snapshots import random_machine

import magmem
from magmem.treemap.bundle import MODULES, script
from magmem.treemap.payload import encode
from magmem.treemap.tree import Node

HOSTILE = [
    "</script><script>alert(1)</script>",
    "<!--",
    "<img src=x onerror=alert(1)>",
    "&lt;b&gt;",
    "\u2028\u2029",
    "${alert(1)}",
    "\ud800",
    "quote\"'\\",
]


class Elements(HTMLParser):
    """Collects start tags and the text of the data script."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.data = ""
        self._inside = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep the tag, and whose text follows."""
        self.tags.append((tag, dict(attrs)))
        self._inside = dict(attrs).get("id") or ""

    def handle_data(self, data: str) -> None:
        """Keep the text of the data script."""
        if self._inside == "data":
            self.data += data

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002 (the parser's signature)
        """No text that follows is the script's."""
        self._inside = ""


def read(data: str) -> Any:
    """The payload as the page reads it."""
    if data.startswith("{"):
        return json.loads(data)
    return json.loads(zlib.decompress(base64.b64decode(data)))


def test_a_name_is_never_html() -> None:
    """Hostile names end no element and open none; they arrive in the data as they are."""
    vmos = {f"v{n}": Vmo(n + 1, name=name) for n, name in enumerate(HOSTILE)}
    snap = machine(vmos, {"<script>alert(2)</script>": list(vmos)}, name="<i>title</i>")
    page = magmem.treemap(snap).html()
    plain = Elements(magmem.treemap(machine({"v": Vmo(1)}, {"a": ["v"]})).html())
    elements = Elements(page)
    assert [tag for tag, _ in elements.tags] == [tag for tag, _ in plain.tags]
    assert set(HOSTILE) <= set(read(elements.data)["names"])
    page.encode("utf-8")


def test_nothing_is_fetched() -> None:
    """The page has no address, no source, no link, and a policy that forbids them."""
    page = magmem.treemap(random_machine(1)).html()
    for _, attributes in Elements(page).tags:
        assert not {"src", "href", "srcset", "action"} & attributes.keys()
    assert not re.search(r"https?://|@import|url\(|\bfetch\(|XMLHttpRequest|import\(", page)
    assert "default-src 'none'" in page


def test_without_javascript_the_text_is_shown() -> None:
    """The text form stands in the page, escaped."""
    snap = machine({"v": Vmo(1, name="<b>")}, {"a": ["v"]})
    page = magmem.treemap(snap).html()
    shown = page.split("<noscript><pre>")[1].split("</pre>")[0]
    assert "&lt;b&gt;" in shown
    assert "p:101 a" in shown


@pytest.mark.parametrize("repeat", [1, 150])
def test_the_data_is_the_tree(repeat: int) -> None:
    """Plain or deflated, the data holds every node with its size, name and koid."""
    snap = random_machine(5, islands=3 * repeat)
    treemap = magmem.treemap(snap)
    text = Elements(treemap.html()).data
    assert text.startswith("{") == (repeat == 1)
    data, tree = read(text), treemap.tree
    assert data["count"] == tree.child_count.tolist()
    assert data["amount"] == tree.amount_bytes.tolist()
    assert data["divisor"] == tree.divisor.tolist()
    for at in range(0, min(len(tree), 280), 7):
        node = Node(tree, at)
        vmo = data["vmo"][at]
        in_table = node.kind == "vmo" and vmo >= 0
        name = data["vmos"]["name"][vmo] if in_table else data["name"][at]
        koid = data["vmos"]["koid"][vmo] if in_table else data["koid"][at]
        assert data["names"][name] == node.name
        assert koid == (node.koid or 0)


def test_numbers_too_large_for_javascript_are_text() -> None:
    """An amount above 2**53 is written as text, and so is a size nobody could have."""
    large = 2**60 + 1
    snap = magmem.Snapshot.of({"kmem": {"total_bytes": [large], "free_bytes": [large]}})
    data = magmem.treemap(snap).payload()
    assert str(large) in data["amount"]


def test_data_holds_no_markup() -> None:
    """Neither form of the data has a character that means something to HTML."""
    for text in (encode({"names": HOSTILE}), encode({"names": HOSTILE * 9000})):
        assert not set(text) & set("<>&\u2028\u2029")
        assert read(text)["names"][: len(HOSTILE)] == HOSTILE


def test_the_script_is_one_module() -> None:
    """The modules laid end to end import nothing and export each name once."""
    text = script()
    assert not re.search(r"^\s*import\b", text, re.MULTILINE)
    exports = re.findall(r"^export (?:async )?(?:function|class|const) (\w+)", text, re.MULTILINE)
    assert len(exports) == len(set(exports))
    assert {"mountTreemap", "readPayload"} <= set(exports)
    assert len(MODULES) == len(set(MODULES))


def test_save_writes_whole_files(tmp_path: Any) -> None:
    """`save` writes the page or, by the file's name, a picture; a failure leaves what was there."""
    treemap = magmem.treemap(machine({"v": Vmo(1)}, {"a": ["v"]}))
    treemap.save(tmp_path / "mem.html")
    assert (tmp_path / "mem.html").read_text(encoding="utf-8") == treemap.html()
    treemap.save(tmp_path / "mem.png")
    assert (tmp_path / "mem.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(OSError, match="missing"):
        treemap.save(tmp_path / "missing" / "mem.html")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mem.html", "mem.png"]


def test_a_hundred_thousand_leaves_fit_two_megabytes() -> None:
    """The machine of the benchmark, all of its leaves in the data, in at most 2 MB."""
    from support.big_machine import big_machine

    treemap = magmem.treemap(big_machine())
    page = treemap.html()
    assert treemap.tiles >= 100_000
    assert len(page.encode("utf-8")) <= 2_000_000
    assert len(read(Elements(page).data)["count"]) == len(treemap.tree)
