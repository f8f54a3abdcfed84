"""What a scene shows is there in words too, inside the explorer."""

from __future__ import annotations

from magmem_widgets import PssExplorer


def test_words_are_made_when_they_are_opened_and_follow() -> None:
    """Closed, nothing is computed or sent; open, they change with the state."""
    explorer = PssExplorer()
    assert explorer.view.words == ""
    explorer._message(explorer.view, {"act": "show words"}, [])
    assert explorer.view.words == explorer.summary()
    explorer.vmos = "one VMO for all"
    assert "one VMO for all" in explorer.view.words
    explorer._message(explorer.view, {"act": "hide words"}, [])
    kept = explorer.view.words
    explorer.pages = 3
    assert explorer.view.words == kept
    explorer.close()
