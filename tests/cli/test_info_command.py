"""`magmem info` and `magmem datasets` on the command line."""

from __future__ import annotations

import json

import pytest

import magmem
from magmem import datasets
from magmem.cli.main import run


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What a command prints that ends well."""
    assert run(list(words)) == 0
    return capsys.readouterr().out


def test_info_prints_the_listing(capsys: pytest.CaptureFixture[str]) -> None:
    """The command prints what the library says."""
    expected = str(magmem.info(magmem.read_capture("guide-vmos")))
    assert printed(capsys, "info", "guide-vmos") == expected


def test_info_merges_several_captures(capsys: pytest.CaptureFixture[str]) -> None:
    """Several captures are one machine."""
    out = printed(capsys, "info", "--json", "guide-ps", "guide-kstats")
    data = json.loads(out)
    assert [source["source"] for source in data["sources"]] == ["guide-ps", "guide-kstats"]


@pytest.mark.parametrize("words", [("info", "small-machine"), ("datasets",)])
def test_the_python_way_runs(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """`--python` prints a program that runs and tells the same."""
    program = printed(capsys, *words, "--python")
    exec(compile(program, "<printed>", "exec"), {})  # noqa: S102 (our own output)
    told = capsys.readouterr().out
    if words[0] == "info":
        assert told == printed(capsys, *words)
    else:
        assert all(name in told for name in datasets.names())


def test_datasets_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """Every dataset with its size, what it is and where it comes from."""
    out = printed(capsys, "datasets")
    table = json.loads(printed(capsys, "datasets", "--json"))
    assert [row["name"] for row in table] == datasets.names()
    for row in table:
        assert row["what"] in out
        assert row["provenance"] in out
    assert printed(capsys, "datasets", "--csv").startswith("name,what,provenance,size_bytes\n")


def test_a_missing_capture_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """What cannot be read ends in one line on standard error and status 1."""
    assert run(["info", "no-such-thing"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("magmem: no-such-thing: expected a file, the name of a dataset")
    assert captured.err.count("\n") == 1
