"""One HTML file that holds a treemap: no network, nothing beside it.

The policy in its head lets nothing be fetched. Without JavaScript it shows the text form.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from magmem.treemap.bundle import script, style
from magmem.treemap.payload import encode, payload

if TYPE_CHECKING:
    from magmem.treemap.treemap import Treemap

__all__ = ["page"]

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
_PAGE_STYLE = """
html, body { margin: 0; height: 100%; }
body { background: #fff; }
#treemap, #treemap > .mm-treemap { height: 100%; }
#treemap .mm-frame { flex: 1 1 auto; height: auto; }
noscript pre { padding: 10px; }
@media (prefers-color-scheme: dark) { body { color: #E8EAED; background: #15181B; } }
"""
_START = """
const data = await readPayload(document.getElementById("data").textContent);
globalThis.treemap = mountTreemap(document.getElementById("treemap"), data);
"""


def page(treemap: Treemap) -> str:
    """The whole file as text; every name in it is escaped."""
    title = treemap.title.encode("utf-8", "replace").decode("utf-8")
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<title>{escape(title)}</title>
<style>{_PAGE_STYLE}{style()}</style>
</head>
<body>
<div id="treemap"></div>
<noscript><pre>{escape(str(treemap))}</pre></noscript>
<script type="application/json" id="data">{encode(payload(treemap))}</script>
<script type="module">
{script()}{_START}</script>
</body>
</html>
"""
