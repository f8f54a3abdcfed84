"""Start JupyterLab on the first chapter; print its address where no browser can be opened.

It saves notebooks in the form of `stored.py`, which stands beside this file.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
START = "notebooks/00-start-here.ipynb"


def has_screen() -> bool:
    """Whether a browser could be shown to whoever typed the command."""
    if sys.platform in ("darwin", "win32"):
        return "SSH_CONNECTION" not in os.environ
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def trust_course() -> None:
    """Sign the course's notebooks, so that JupyterLab shows their stored outputs at once."""
    import nbformat
    from nbformat.sign import NotebookNotary

    notary = NotebookNotary()
    folder = ROOT / "notebooks"
    for path in [*sorted(folder.glob("[0-9]*.ipynb")), *sorted(folder.glob("labs/*.ipynb"))]:
        notary.sign(nbformat.read(path, as_version=4))


def arguments() -> list[str]:
    """The command line of JupyterLab for this machine and user."""
    words = [
        f"--LabApp.default_url=/lab/tree/{START}",
        "--FileContentsManager.pre_save_hook=stored.on_save",
    ]
    if not any(word.startswith("--ServerApp.root_dir=") for word in sys.argv):
        words.append(f"--ServerApp.root_dir={ROOT}")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        words.append("--allow-root")  # in a container there is often no other user
    if not has_screen() and "--no-browser" not in sys.argv:
        words.append("--no-browser")
    return [*words, *sys.argv[1:]]


def main() -> None:
    """Become JupyterLab. In this process, so that `stored` is importable here and in no kernel."""
    from jupyterlab.labapp import LabApp

    trust_course()
    words = arguments()
    if "--no-browser" in words:
        print("No screen here: open the address that JupyterLab prints below.", flush=True)
    LabApp.launch_instance(words)


if __name__ == "__main__":
    main()
