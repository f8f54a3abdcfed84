"""The lines of the goldens' commands.tsv: which command printed which file, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from support.shared import ROOT

__all__ = ["GoldenCommand", "golden_commands"]

FOLDER = ROOT / "tests" / "goldens"


@dataclass(frozen=True)
class GoldenCommand:
    """One command line and what the original tool made of it."""

    folder: str
    name: str
    command: str
    status: int
    stderr: str

    @property
    def path(self) -> Path:
        """The file with its standard output."""
        return FOLDER / self.folder / self.name

    def __str__(self) -> str:
        return f"{self.folder} {self.command}"


def golden_commands() -> list[GoldenCommand]:
    """Every line, in the file's order."""
    rows = []
    for line in (FOLDER / "commands.tsv").read_text(encoding="utf-8").splitlines()[1:]:
        folder, name, command, status, *error = line.split("\t")
        stderr = "".join(error).encode().decode("unicode_escape")
        rows.append(GoldenCommand(folder, name, command, int(status), stderr))
    return rows
