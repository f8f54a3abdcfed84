"""A JupyterLab of its own for browser tests, on a copy of the notebooks."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError

import nbformat
from nbformat import v4
from playwright.sync_api import Page

ROOT = Path(__file__).parent.parent.parent
TOKEN = "browser-tests"  # noqa: S105 (a server on loopback that lives as long as the tests)


@dataclass
class Lab:
    """A running JupyterLab; `url` opens a notebook of its copy."""

    port: int
    folder: Path

    def url(self, notebook: str) -> str:
        """Address of a notebook in the copy, such as ``00-start-here.ipynb``."""
        return f"http://127.0.0.1:{self.port}/lab/tree/notebooks/{notebook}?token={TOKEN}&reset"


@contextmanager
def running_lab(folder: Path) -> Iterator[Lab]:
    """JupyterLab as `make lab` starts it, but on a copy of the notebooks in `folder`."""
    shutil.copytree(ROOT / "notebooks", folder / "notebooks")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        *(sys.executable, str(ROOT / ".jupyter" / "lab.py"), "--no-browser"),
        *(f"--ServerApp.root_dir={folder}", f"--ServerApp.port={port}"),
        *(f"--IdentityProvider.token={TOKEN}", "--LabApp.expose_app_in_browser=True"),
        "--ServerApp.port_retries=0",
    ]
    # Settings and workspaces of whoever runs the tests must not colour them.
    env = os.environ | {name: str(folder / name.lower()) for name in _PRIVATE}
    with (folder / "lab.log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, env=env)
        try:
            _wait(port, server, folder / "lab.log")
            yield Lab(port, folder)
        finally:
            server.terminate()
            server.wait(20)


_PRIVATE = (
    "JUPYTER_CONFIG_DIR",
    "JUPYTERLAB_SETTINGS_DIR",
    "JUPYTERLAB_WORKSPACES_DIR",
    "IPYTHONDIR",
)


def _wait(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    address = f"http://127.0.0.1:{port}/api/status?token={TOKEN}"
    for _ in range(240):
        if server.poll() is not None:
            break
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except (URLError, OSError):
            time.sleep(0.25)
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()[-4000:]}")


def open_notebook(page: Page, lab: Lab, notebook: str) -> None:
    """Open a notebook and wait until its kernel is idle."""
    page.goto(lab.url(notebook))
    page.wait_for_selector(".jp-NotebookPanel .jp-Cell", timeout=60_000)
    _idle(page)


def run_all(page: Page) -> None:
    """Run > Run All Cells by mouse, then wait until the last code cell has its number."""
    page.evaluate(
        "() => { for (const cell of window.jupyterapp.shell.currentWidget.content.widgets)"
        " if (cell.model.type === 'code') { cell.model.executionCount = null; } }"
    )
    page.click(".lm-MenuBar-itemLabel:text-is('Run')")
    page.click(".lm-Menu-itemLabel:text-is('Run All Cells')")
    page.wait_for_function(
        "() => window.jupyterapp.shell.currentWidget.content.widgets"
        ".filter(c => c.model.type === 'code').every(c => c.model.executionCount)",
        timeout=180_000,
    )
    _idle(page)


def _idle(page: Page) -> None:
    page.wait_for_function(
        "() => window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status"
        " === 'idle'",
        timeout=120_000,
    )


def model(page: Page) -> dict[str, Any]:
    """The open notebook as JupyterLab holds it."""
    text = page.evaluate(
        "() => JSON.stringify(window.jupyterapp.shell.currentWidget.content.model.toJSON())"
    )
    loaded = json.loads(text)
    assert isinstance(loaded, dict)
    return loaded


def outputs(page: Page) -> list[dict[str, Any]]:
    """Every output of the open notebook, in order."""
    return [output for cell in model(page)["cells"] for output in cell.get("outputs", [])]


def show(page: Page, lab: Lab, name: str, *cells: str, ready: str = ".mx-explorer svg g") -> None:
    """Open and run a notebook with these cells; wait until `ready` is on screen."""
    notebook = v4.new_notebook(cells=[v4.new_code_cell(cell) for cell in cells])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3 (ipykernel)"}
    nbformat.write(notebook, lab.folder / "notebooks" / f"{name}.ipynb")
    open_notebook(page, lab, f"{name}.ipynb")
    run_all(page)
    page.wait_for_selector(ready)


def summary(page: Page) -> str:
    """Run the last cell again, which prints the summary, and read it."""
    page.evaluate(
        "async () => { const panel = window.jupyterapp.shell.currentWidget;"
        " panel.content.activeCellIndex = panel.content.widgets.length - 1;"
        " await window.jupyterapp.commands.execute('notebook:run-cell'); }"
    )
    page.wait_for_timeout(300)
    return "".join(outputs(page)[-1]["text"])


def flowing(text: str) -> str:
    """A summary in one line: what is wrapped there is not on screen."""
    return " ".join(text.split("\n")).strip()


def save(page: Page, lab: Lab, name: str) -> Path:
    """Save the open notebook; returns the file, once it is written."""
    page.evaluate(
        "async () => { const panel = window.jupyterapp.shell.currentWidget;"
        " panel.content.model.dirty = true; await panel.context.save(); }"
    )
    return lab.folder / "notebooks" / name
