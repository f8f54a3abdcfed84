"""The guide's commands as magics: what it types is what one types, on the machine of choice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell
from support.shared import goldens

import magmem
from magmem.listing import Listing
from magmem.magics import MAGICS
from magmem.snapshot import Snapshot


class Counting:
    """A machine that counts how often it is looked at."""

    def __init__(self, snap: Snapshot) -> None:
        self.snap = snap
        self.looks = 0

    def snapshot(self) -> Snapshot:
        """The state, one look more."""
        self.looks += 1
        return self.snap


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    """An IPython shell with the magics and a snapshot called `snap`."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    made = InteractiveShell()
    made.user_ns["snap"] = Snapshot.load(goldens() / "system-2.json")
    made.run_line_magic("load_ext", "magmem")
    yield made
    made.history_manager.end_session()


def typed(shell: InteractiveShell, line: str) -> Any:
    """What a magic returns."""
    name, _, rest = line.removeprefix("%").partition(" ")
    return shell.run_line_magic(name, rest)


@pytest.mark.parametrize(
    ("line", "golden"),
    [
        ("%ps", "ps.txt"),
        ("%ps -T --units=M", "ps-T--units=M.txt"),
        ("%vmaps 1089", "vmaps-1089.txt"),
        ("%vmos 1253", "vmos-1253.txt"),
        ("%k mx vmos hidden", "k-vmos-hidden.txt"),
        ("%k zx vmos all -uk", "k-vmos-all-uk.txt"),
        ("%k asd kernel", "k-asd-kernel.txt"),
        ("%k mx jobs", "k-jobs.txt"),
        ("%k ht 1253", "k-ht-1253.txt"),
        ("%k mx ps", "k-ps.txt"),
        ("%pmm arenas", "pmm-arenas.txt"),
        ("%kstats -m --era zx", "kstats-m.txt"),
        ("%memgraph -t", "memgraph-t.json"),
    ],
)
def test_magic_returns_the_listing(shell: InteractiveShell, line: str, golden: str) -> None:
    """A magic gives the listing: its text is shown, and one can keep it."""
    typed(shell, "%machine snap")
    listing = typed(shell, line)
    assert isinstance(listing, Listing)
    assert str(listing) == (goldens() / "system-2" / golden).read_text(encoding="utf-8")


def test_notebook_shows_the_text(shell: InteractiveShell) -> None:
    """The text form of a listing in a cell is the tool's text, and there is no other form."""
    typed(shell, "%machine snap")
    listing = typed(shell, "%vmm aspaces")
    forms, _ = shell.display_formatter.format(listing)
    assert forms == {"text/plain": str(listing).removesuffix("\n")}


def test_partial_failure_is_told(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a tool says beside its output stands on standard error."""
    typed(shell, "%machine snap")
    assert typed(shell, "%memgraph -vt").exit_status == 1
    assert "ERROR: delayed exit after partial failure" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("%vmaps sh", "Usage: %vmaps [OPTIONS] KOID"),
        ("%vmaps", "Missing argument 'KOID'"),
        (
            "%vmos 7",
            "ERROR: couldn't find process with koid 7: ZX_ERR_NOT_FOUND (-25)\nUsage: vmos",
        ),
        ("%vmaps 1159", "ERROR: couldn't get maps for process with koid 1159: ZX_ERR_BAD_STATE"),
        ("%k mx nonsense", "No such command 'nonsense'"),
        ("%ps -X", "No such option"),
        ("%ps 'open", "magmem: No closing quotation"),
        ("%kstats", "magmem: this capture has no CPU statistics"),
        ("%machine no-such-thing", "magmem: no-such-thing"),
        ("%machine guide_ps 3", "magmem: expected a parameter such as seed=3, found '3'"),
        ("%machine guide_ps size=3", "magmem: scenario guide_ps has no parameter 'size'"),
    ],
)
def test_wrong_argument_is_no_traceback(
    shell: InteractiveShell, line: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong argument prints usage and message, returns nothing, and raises nothing."""
    typed(shell, "%machine snap")
    assert typed(shell, line) is None
    assert message in capsys.readouterr().err


def test_help(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    """--help, `help` and a group without subcommand explain, with examples as magics."""
    assert typed(shell, "%ps --help") is None
    assert "  %ps -T " in capsys.readouterr().out
    assert typed(shell, "%vmaps help") is None
    assert capsys.readouterr().out.startswith("Usage: vmaps <process-koid>\n")
    typed(shell, "%k")
    printed = capsys.readouterr()
    assert "vmos  Which VMOs are there" in printed.out + printed.err
    assert shell.find_line_magic("ps").__doc__.startswith("The guide's `ps`")


def test_no_machine_yet(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    """Before one is chosen, the magics say how; `%machine` alone lists what there is."""
    assert typed(shell, "%ps") is None
    assert capsys.readouterr().err == "magmem: no machine yet; %machine NAME chooses one\n"
    typed(shell, "%machine")
    listed = capsys.readouterr().out
    assert "Known here: snap, guide_ps, " in listed
    assert ", guide-ps, " in listed


def test_machine_by_dataset_and_file(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    """A dataset's name and a file's do as well; several files are one boot."""
    typed(shell, "%machine guide-kstats")
    assert "2046.9M    1943.8M" in str(typed(shell, "%kstats -m"))
    typed(shell, f"%machine {goldens() / 'system-1.json'}")
    assert capsys.readouterr().out.splitlines()[-1].startswith("<Snapshot system-1: ")
    typed(shell, "%machine guide-ps guide-kstats")
    assert "devmgr" in str(typed(shell, "%ps"))
    assert "2046.9M" in str(typed(shell, "%kstats -m"))


def test_machine_by_scenario(shell: InteractiveShell) -> None:
    """A scenario is built with the parameters given, and stays alive."""
    typed(shell, "%machine guide_ps seed=5")
    assert typed(shell, "%ps").df["koid"].tolist()[:2] == [1028, 1043]
    typed(shell, "%machine double_mapping")
    assert len(typed(shell, "%ps").df) > 1


def test_live_machine_is_looked_at_anew(shell: InteractiveShell) -> None:
    """A variable that holds a machine is asked for its state at each call."""
    machine = Counting(shell.user_ns["snap"])
    shell.user_ns["m"] = machine
    typed(shell, "%machine m")
    for looks in (1, 2):
        assert str(typed(shell, "%ps")) == str(magmem.ps(machine.snap))
        assert machine.looks == looks
    typed(shell, "%kstats -m -n 3")
    assert machine.looks == 5


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("%k ", {"mx", "zx", "vmos", "ps", "asd", "ht", "jobs"}),
        ("%k mx v", {"vmos", "vmm"}),
        ("%k mx vmos ", {"all", "hidden", "1089", "1381"}),
        ("%vmaps 10", {"1058", "1089"}),
        ("%vmos ", {"1058", "1159"}),
        ("%ps --", {"--units"}),
        ("%machine s", {"snap", "small-machine", "shared_library_farm"}),
        ("%memg", {"%memgraph"}),
    ],
)
def test_completion(shell: InteractiveShell, line: str, offered: set[str]) -> None:
    """Tools, words, options, koids of the current machine, and names of machines."""
    typed(shell, "%machine snap")
    with provisionalcompleter():
        matches = {match.text for match in shell.Completer.completions(line, len(line))}
    assert offered <= matches


def test_every_magic_is_a_command() -> None:
    """A magic has the name of a command of the command line."""
    from magmem.cli.main import COMMANDS

    assert set(MAGICS) <= set(COMMANDS)
