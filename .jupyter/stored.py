"""The form in which notebooks are stored: nothing of the machine, of the moment, or of chance.

`make lab` saves in this form and `make notebooks-run` stores in it, so that running a chapter in
JupyterLab and saving it changes no byte, and a widget leaves its picture behind when its kernel is
gone.
"""

from __future__ import annotations

import re
from typing import Any

__all__ = ["drop_views", "on_save", "settle"]

KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
LANGUAGE = {"name": "python"}
CHAPTER = re.compile(r"notebooks/\d\d-[^/]*\.ipynb")
VIEW = "application/vnd.jupyter.widget-view+json"


def drop_views(notebook: Any) -> None:
    """Take out each widget's view that has a still form beside it.

    A view is an id of a running kernel's widget; stored, it would hide the still form behind
    "model not found".
    """
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if VIEW in data and ("image/png" in data or "text/html" in data):
                del data[VIEW]


def settle(notebook: Any) -> None:
    """Give a chapter its stored form: ids by position, no versions, no settings of a screen."""
    drop_views(notebook)
    notebook["metadata"] = {"kernelspec": KERNEL, "language_info": LANGUAGE}
    notebook["nbformat_minor"] = 5
    for position, cell in enumerate(notebook["cells"]):
        cell["id"] = f"cell-{position:02d}"
        cell["metadata"] = {
            key: value for key, value in cell["metadata"].items() if key in ("tags", "jupyter")
        }


def on_save(model: dict[str, Any], path: str, **_: Any) -> None:
    """What JupyterLab calls before it saves a file (``FileContentsManager.pre_save_hook``)."""
    if model.get("type") != "notebook" or model["content"]["nbformat"] != 4:
        return
    if CHAPTER.fullmatch(path.lstrip("/")):
        settle(model["content"])
    else:
        drop_views(model["content"])
