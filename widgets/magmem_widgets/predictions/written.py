"""What a prediction leaves in the saved notebook: HTML that folds, and text that is compared.

Neither depends on what was guessed, so running a chapter changes nothing that is stored. The HTML
needs no script and no kernel: the answer is in a ``details`` element.
"""

from __future__ import annotations

from html import escape
from typing import Any

import mistune

from magmem.predictions import Question

__all__ = ["folded", "listed", "markdown", "opened"]

_MARKDOWN = mistune.create_markdown(escape=False, plugins=["table"])


def markdown(text: str) -> str:
    """Markdown as HTML."""
    return str(_MARKDOWN(text)).strip()


def folded(question: Question, outputs: list[dict[str, Any]]) -> str:
    """The question, and below it what opens: the result and its reading."""
    answer = "\n".join([*map(_html, outputs), markdown(question.reading)])
    return (
        f"{opened(question)}\n"
        '<details class="reveal"><summary>Guess, then open the answer</summary>\n'
        f"{answer}\n</details>"
    )


def opened(question: Question) -> str:
    """The question alone, with its options."""
    options = "".join(f"<li>{escape(option)}</li>" for option in question.options)
    listed = f"\n<ul>{options}</ul>" if options else ""
    asked = f"<p><strong>Your guess first</strong></p>\n{markdown(question.ask)}{listed}"
    return f'<div class="predict">{asked}</div>'


def listed(question: Question, answer: str, outputs: list[dict[str, Any]]) -> str:
    """Question, answer and result as plain text."""
    options = [f"- {option}" for option in question.options]
    results = [_plain(output).rstrip("\n") for output in outputs]
    return "\n".join([f"Guess: {question.ask}", *options, f"Answer: {answer}", *results])


def _html(output: dict[str, Any]) -> str:
    if output["output_type"] == "stream":
        return f"<pre>{escape(output['text'])}</pre>"
    data = output["data"]
    if "text/html" in data:
        return str(data["text/html"])
    if "image/png" in data:
        words = escape(data.get("text/plain", ""), quote=True)
        alt = "" if words.startswith("&lt;") else words
        return f'<img alt="{alt}" src="data:image/png;base64,{data["image/png"].strip()}">'
    if "text/markdown" in data:
        return markdown(data["text/markdown"])
    return f"<pre>{escape(data.get('text/plain', ''))}</pre>"


def _plain(output: dict[str, Any]) -> str:
    if output["output_type"] == "stream":
        return str(output["text"])
    return str(output["data"].get("text/plain", ""))
