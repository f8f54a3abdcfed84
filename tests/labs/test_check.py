"""What a check says of wrong functions: the right smallest machine, in words and drawn."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from labs.misconceptions import WRONG
from labs.solutions import SOLUTIONS, ps, resident

import magmem
from magmem import labs
from magmem.labs.checking import lab_of, try_on
from magmem.labs.limits import TooLong, bare_excepts, called
from magmem.labs.report import Report

SMALLEST = {
    "size_is_memory": (0, 1, 1, 0, 0),
    "whole_vmo": (1, 1, 1, 0, 1),
    "window_from_zero": (1, 1, 1, 0, 1),
    "last_page_lost": (1, 1, 1, 0, 1),
    "pages_not_bytes": (1, 1, 1, 0, 1),
    "counts_mappings": (1, 1, 2, 0, 0),
    "no_estimate": (65, 1, 66, 0, 0),
    "without_kernel": (1, 1, 2, 0, 0),
    "nobody_is_zero": (0, 1, 0, 0, 0),
    "mappings_once": (1, 1, 2, 0, 1),
    "counts_those_at_rest": (1, 1, 1, 0, 1),
    "sum_then_divide": (2, 1, 4, 0, 2),
    "shared_is_scaled": (2, 1, 2, 0, 1),
    "vmo_not_page": (2, 1, 2, 0, 2),
    "own_pages_only": (1, 2, 1, 0, 1),
    "each_mapping": (1, 1, 2, 0, 1),
    "ignores_those_at_rest": (1, 1, 1, 0, 1),
    "past_the_parents_end": (1, 2, 1, 0, 1),
    "whole_vmos_hide": (1, 1, 1, 0, 1),
    "kernel_is_a_process": (0, 1, 1, 0, 1),
    "no_handles_through_clones": (1, 2, 0, 1, 1),
    "copies_do_not_hide": (0, 2, 1, 0, 2),
    "wired_twice": (0, 1, 0, 0, 1),
    "kernel_part_forgotten": (0, 1, 1, 0, 1),
}
"""Processes, VMOs, mappings, handles and committed pages that each mistake needs to show.

Such as `each_mapping`: one process with two mappings of one page. A mapping of a process that does
not exist is the kernel's. `no_estimate` needs 65 address spaces and one mapping more.
"""


def size(machine: labs.Records) -> tuple[int, int, int, int, int]:
    """How many processes, VMOs, mappings, handles and committed pages a machine has."""
    pages = sum(run.count for vmo in machine.vmos for run in vmo.runs)
    counts = (machine.processes, machine.vmos, machine.mappings, machine.handles)
    return (*map(len, counts), pages)  # type: ignore[return-value]


def hides_all() -> int:
    """A helper that catches what it should not."""
    try:
        return 1
    except:  # noqa: E722
        return 0


def returning(value: object) -> Any:
    """A function that returns the same whatever it is given."""
    return lambda *_: value


@pytest.mark.parametrize("name", SMALLEST)
def test_mistakes_are_shown_on_the_smallest_machine(name: str) -> None:
    """A typical mistake is caught, and nothing can be taken from the machine that shows it."""
    lab, function = WRONG[name]
    report = labs.check(lab, function)
    assert not report.passed
    assert report.machine is not None
    assert size(report.machine) == SMALLEST[name]
    assert "you say" in report.text.lower()
    assert try_on(lab_of(lab), SOLUTIONS[lab], report.machine) is None
    mark = labs.mark(lab, function, "hidden in a test")
    assert not mark.passed
    assert "differs in" in mark.says


def test_a_difference_is_said_drawn_and_asked() -> None:
    """Which mapping, what is right, the page picture, and who sees the page."""
    report = labs.check("resident", WRONG["last_page_lost"][1])
    assert "shows page 0 of VMO" in report.text
    assert "You say 0 bytes; right is\n4,096 bytes." in report.text
    assert "The VMO owns 1 page there: 0." in report.text
    assert "  page 0: private to" in report.text
    assert "ps: 1 mapping, #shr of the VMO is 1" in report.text
    html = report._repr_html_()
    assert html is not None
    assert "data:image/png;base64," in html
    assert report.figure().axes


def test_a_report_is_the_same_again() -> None:
    """The same mistake ends at the same machine and the same words."""
    function = WRONG["each_mapping"][1]
    assert labs.check("exact", function).text == labs.check("exact", function).text


def test_what_is_not_written_yet_is_told_kindly() -> None:
    """A skeleton gets one sentence with what it is to return."""

    def my_resident(mapping: Any, vmo: Any) -> int:
        raise NotImplementedError

    report = labs.check(my_resident)
    assert report.text == (
        "Not written yet: resident(mapping, vmo) is to return bytes of the VMO's own pages that "
        "the mapping shows."
    )
    assert report._repr_html_() is None


def test_values_that_are_no_exact_bytes_are_refused() -> None:
    """Floats, None, truth values, texts: each with its reason."""
    said = {
        1.5: "1.5 is a float, and floats do not hold every size to the byte",
        None: "the function returned None; is there a `return`?",
        True: "expected bytes as an int or a Fraction, found bool True",
        "4k": "expected bytes as an int or a Fraction, found str '4k'",
    }
    for value, says in said.items():
        text = labs.check("resident", returning(value)).text
        assert says in text.replace("\n", " ")
    table = {"ps": {}, "exact": [], "hidden": {"x": 1}, "ledger": {"reported": 0}}
    for lab, value in table.items():
        report = labs.check(lab, returning(value))
        assert not report.passed
        assert report.text.count("\n") < 8


def test_errors_are_shown_with_their_line() -> None:
    """An exception is said with the line of the student's function, on a small machine."""

    def exact(machine: Any) -> dict[int, int]:
        return {0: machine.no_such_thing}

    report = labs.check(exact)
    assert "AttributeError: 'Records' object has no attribute 'no_such_thing' in line" in (
        report.text.replace("\n", " ")
    )
    assert report.machine is not None
    assert size(report.machine) == (0, 0, 0, 0, 0)


def test_an_endless_loop_comes_to_an_end() -> None:
    """By steps where lines run, by time where they do not; the next call is not disturbed."""

    def counts() -> None:
        number = 0
        while True:
            number += 1

    def rests() -> None:
        while True:
            pass

    first = called(counts, most_steps=10_000, most_seconds=20)
    assert isinstance(first.raised, TooLong)
    assert str(first.raised) == "10,000 steps"
    second = called(rests, most_steps=10_000, most_seconds=0.3)
    assert isinstance(second.raised, TooLong)
    for _ in range(50):
        assert called(lambda: 7).value == 7
    assert called(lambda: sys.exit(3)).raised is not None
    assert sys.gettrace() is None or "limits" not in repr(sys.gettrace())


def test_an_endless_loop_is_told_as_one() -> None:
    """`check` names the limit and asks the right question."""

    def resident(mapping: Any, vmo: Any) -> int:
        page = 0
        while page >= 0:
            page += 1
        return page

    text = labs.check(resident).text.replace("\n", " ")
    assert "did not come to an end within 5,000,000 steps; is there a loop without an end?" in text


def test_an_except_for_everything_is_refused() -> None:
    """It would hide that a loop never ends; found also in a function that is called."""

    def named() -> int:
        try:
            return 1
        except KeyError:
            return 0

    assert bare_excepts(hides_all) == ["hides_all"]
    assert bare_excepts(named) == []

    def resident(mapping: Any, vmo: Any) -> int:
        return hides_all()

    assert "hides_all has an `except` that catches every error" in labs.check(resident).text


def test_what_a_function_prints_is_kept() -> None:
    """It does not flood the notebook; of the smallest machine it is shown."""

    def resident(mapping: Any, vmo: Any) -> int:
        print("here", mapping.size_bytes)
        return 1

    report = labs.check(resident)
    assert "It printed:\n  here 4096" in report.text


def test_a_function_that_remembers_is_told() -> None:
    """Different answers for the same machine are not blamed on the machine."""
    calls: list[int] = []

    def resident(mapping: Any, vmo: Any) -> int:
        calls.append(1)
        return 1 if len(calls) == 1 else SOLUTIONS["resident"](mapping, vmo)

    assert "two different answers for the same machine" in labs.check(resident).text


def test_wrong_calls_are_told() -> None:
    """A function of no lab, a name of no lab, no function."""
    with pytest.raises(labs.UnknownLab, match="there are resident, share_count, ps"):
        labs.check("residnt", resident)
    with pytest.raises(TypeError, match=r"a function 'anything' is of no lab; say which"):
        labs.check(_named("anything"))
    with pytest.raises(TypeError, match="expected a function after 'ps'"):
        labs.check("ps")
    with pytest.raises(TypeError, match="expected a function, found int"):
        labs.check(7)  # type: ignore[arg-type]


def _named(name: str) -> Any:
    def function(machine: Any) -> int:
        return 1

    function.__name__ = name
    return function


@pytest.mark.parametrize("source", ["guide-ps-machine", "guide-vmos-machine", "small-machine"])
def test_a_finished_ps_prints_the_guides_listing(source: str) -> None:
    """From a student's numbers, to the byte what `magmem.ps` prints."""
    printed = labs.ps(ps, source)
    assert str(printed) == str(magmem.ps(magmem.read_capture(source)))


def test_a_ps_that_fails_prints_no_listing() -> None:
    """A report says why."""

    def unwritten(machine: Any) -> Any:
        raise NotImplementedError

    report = labs.ps(unwritten, "guide-ps-machine")
    assert isinstance(report, Report)
    assert report.text == "ps is not written yet"


def test_labs_need_no_pandas() -> None:
    """Records and machines are plain Python: pandas is loaded when a truth is computed."""
    code = (
        "import sys; from magmem.labs.making import made; made('x', 5); "
        "from magmem.labs import records; print('matplotlib' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "False", done.stderr
