"""What the tools' commands add to the guide's: tables, Python, help, usage errors, completion."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from jsonschema import validate
from support.shared import captures, goldens

from magmem.cli.main import COMMANDS, cli, run

TOOLS = [
    ["ps", "-T", "--units=k"],
    ["vmaps", "1089"],
    ["vmos", "1253"],
    ["k", "mx", "vmos", "hidden", "-uM"],
    ["k", "vmos", "1089"],
    ["k", "zx", "ps"],
    ["k", "jobs"],
    ["k", "ht", "1253"],
    ["k", "asd", "kern"],
    ["vmm", "aspaces"],
    ["pmm", "arenas"],
    ["kstats", "-m", "--era", "zx", "-n", "2"],
    ["memgraph", "-t"],
]


@pytest.fixture
def capture() -> str:
    """A described machine."""
    return str(goldens() / "system-2.json")


@pytest.mark.parametrize("words", TOOLS, ids=" ".join)
def test_python_option_teaches_the_same(
    words: list[str],
    capture: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The program that `--python` prints runs and prints the text of the command itself."""
    assert run([*words, capture]) == 0
    printed = capsys.readouterr().out
    assert run([*words, capture, "--python"]) == 0
    program = capsys.readouterr().out
    assert "snap = magmem.read_capture(" in program
    names: dict[str, object] = {}
    exec(program, names)  # noqa: S102 (our own output)
    assert capsys.readouterr().out == printed
    assert len(names["table"]) > 0  # type: ignore[arg-type]


@pytest.mark.parametrize("words", TOOLS, ids=" ".join)
def test_json_and_csv_parse_back(
    words: list[str], capture: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--json` is an array of rows, `--csv` the same rows under a header line."""
    assert run([*words, "--json", capture]) == 0
    records = json.loads(capsys.readouterr().out)
    assert run([*words, capture, "--csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    if words[0] == "memgraph":
        records = [record for record in records if record["type"] != "__META"]
        assert [row["id"] for row in rows] == [record["id"] for record in records]
    else:
        assert list(rows[0]) == list(records[0])
        assert len(rows) == len(records)


def test_tool_help_is_the_guides(capsys: pytest.CaptureFixture[str]) -> None:
    """`vmaps help` prints the usage text of the guide, and needs no capture; so do the others."""
    assert run(["vmaps", "help"]) == 0
    assert capsys.readouterr().out == (
        "Usage: vmaps <process-koid>\n\nDumps a process's memory maps to stdout.\n\n"
        'First column:\n  "/A" -- Process address space\n  "/R" -- Root VMAR\n'
        '  "R"  -- VMAR (R for Region)\n  "M"  -- Mapping\n\n'
        "  Indentation indicates parent/child relationship.\n"
    )
    assert run(["vmos", "help"]) == 0
    assert capsys.readouterr().out.startswith("Usage: vmos <process-koid>\n")
    assert run(["k", "mx", "ps", "help"]) == 0
    assert capsys.readouterr().out.startswith("id  : process id number\n")


def test_every_command_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    """`--help` of each tool says what it answers and shows examples with the capture last."""
    for words in TOOLS:
        names = [word for word in words[:3] if word.isalpha() and word not in ("hidden", "kern")]
        assert run([*names, "--help"]) == 0
        text = capsys.readouterr().out
        assert "CAPTURE..." in text
        tool = " ".join(name for name in names if name not in ("mx", "zx"))
        assert f"Examples:\n    magmem {tool}" in text
    assert run(["--help"]) == 0
    listed = capsys.readouterr().out
    assert all(f"\n  {name} " in listed for name in COMMANDS)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["vmaps", "sh", "X"], "expected a koid (a number, as ps shows it), found 'sh'"),
        (["vmaps"], "Missing argument 'KOID'"),
        (["vmaps", "2470"], "Missing argument 'CAPTURE...'"),
        (["k", "mx", "vmos", "some", "X"], "expected all or hidden or a koid (a number"),
        (["k", "asd", "kernels", "X"], "expected kernel or a koid (a number"),
        (["k", "mx", "nonsense", "X"], "No such command 'nonsense'"),
        (["ps", "--unit=k", "X"], "No such option"),
        (["kstats", "-m", "-n", "0", "X"], "0 is not in the range x>=1"),
        (["kstats", "-m", "--era", "fx", "X"], "'fx' is not one of 'mx', 'zx'"),
    ],
    ids=str,
)
def test_wrong_arguments_show_the_usage(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong argument ends with status 2, the usage and what is wrong, on standard error."""
    assert run(words) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "Usage: magmem " in printed.err
    assert message in " ".join(printed.err.split())


def test_koids_may_be_hexadecimal(capture: str, capsys: pytest.CaptureFixture[str]) -> None:
    """As the original tools read numbers: 0x441 is 1089."""
    assert run(["vmaps", "0x441", capture]) == 0
    expected = goldens() / "system-2" / "vmaps-1089.txt"
    assert capsys.readouterr().out == expected.read_text(encoding="utf-8")


def test_kstats_without_m(capture: str, capsys: pytest.CaptureFixture[str]) -> None:
    """CPU statistics are no part of a memory capture, and the message says what is."""
    assert run(["kstats", capture]) == 1
    assert capsys.readouterr().err == (
        "magmem: this capture has no CPU statistics: kstats without -m needs them; "
        "kstats -m shows memory\n"
    )


def test_era_changes_the_words(capture: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Mid-2017 statuses have no ZX_."""
    assert run(["vmos", "--era", "mx", "7", capture]) == 1
    assert capsys.readouterr().err == (
        "ERROR: couldn't find process with koid 7: ERR_NOT_FOUND (-25)\n"
        "Usage: vmos <process-koid>|help\n"
    )


def test_missing_data_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What the capture lacks is told in a line, with status 1."""
    assert run(["pmm", "arenas", str(goldens() / "system-2" / "ps.txt")]) == 1
    assert capsys.readouterr().err == (
        "magmem: this capture has no arenas: pmm arenas needs the arenas of physical memory\n"
    )
    assert run(["ps", str(tmp_path / "nothing.txt")]) == 1
    assert capsys.readouterr().err.startswith("magmem: ")


def test_several_captures_of_one_boot(capsys: pytest.CaptureFixture[str]) -> None:
    """All captures named last are merged into one machine."""
    folder = captures()
    two = [str(folder / f"{name}-riscv-2017-06.txt") for name in ("pmm-arenas", "vmm-aspaces")]
    assert run(["pmm", "arenas", *two]) == 0
    assert "name 'SDRAM' base 0x80800000 size 2032M" in capsys.readouterr().out
    assert run(["k", "vmos", "all", *two]) == 0
    assert capsys.readouterr().out.startswith("All VMOs, oldest to newest:\n")


@pytest.mark.parametrize("name", ["system-1", "system-2", "system-doc-vmos"])
def test_schema_describes_the_output(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`memgraph -S` prints a JSON schema that holds for what memgraph prints."""
    assert run(["memgraph", "-S"]) == 0
    schema = json.loads(capsys.readouterr().out)
    run(["memgraph", "-vt", str(goldens() / f"{name}.json")])
    validate(json.loads(capsys.readouterr().out), schema)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each shell gets a script that asks magmem."""
    assert run(["completion", shell]) == 0
    assert f"_MAGMEM_COMPLETE={shell}_complete" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("magmem v", {"vmaps", "vmos", "vmm"}),
        ("magmem k ", {"mx", "zx", "vmos", "ps", "asd"}),
        ("magmem k mx v", {"vmos", "vmm"}),
        ("magmem k vmos ", {"all", "hidden"}),
        ("magmem ps guide-", {"guide-ps", "guide-vmos"}),
        ("magmem ps --", {"--units", "--json", "--csv", "--python"}),
    ],
)
def test_completion_offers(
    words: str,
    offered: set[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Commands, words, options and datasets are completed."""
    monkeypatch.setenv("_MAGMEM_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split(" ")) - 1))
    with pytest.raises(SystemExit):
        cli.main([], prog_name="magmem")
    values = {line.split(",")[1] for line in capsys.readouterr().out.splitlines()}
    assert offered <= values
