"""Guesses are a file beside the notebooks that only ever grows."""

from __future__ import annotations

from pathlib import Path

from magmem.predictions import FILE_NAME, Guess, Guesses, read_guesses
from magmem.predictions.occasions import again, standing


def guess(name: str, right: bool | None = None, belief: str = "", at: str = "1") -> Guess:
    """A guess that was judged."""
    return Guess(name, "2M", at, right, "4k", belief)


def test_guess_survives_a_restart(tmp_path: Path) -> None:
    """Another object on the same folder, as after a restart, has it and the same seed."""
    kept = Guesses(tmp_path)
    kept.keep(guess("01/heap", False, "mapped-is-memory"))
    fresh = Guesses(tmp_path)
    assert fresh.all() == kept.all()
    assert fresh.seed == kept.seed


def test_first_guess_counts_and_gets_its_answer_later(tmp_path: Path) -> None:
    """A second guess changes nothing; the answer to an open one is joined to it."""
    kept = Guesses(tmp_path)
    kept.keep(Guess("01/where", "nowhere", "1"))
    kept.keep(Guess("01/where", "nowhere", "2", True, "nowhere"))
    kept.keep(Guess("01/where", "in the kernel", "3", False, "nowhere"))
    read = Guesses(tmp_path).get("01/where")
    assert read == Guess("01/where", "nowhere", "1", True, "nowhere")


def test_two_open_chapters_see_each_other(tmp_path: Path) -> None:
    """What one notebook adds, another reads before it asks; nothing is overwritten."""
    one, two = Guesses(tmp_path), Guesses(tmp_path)
    one.keep(guess("01/a"))
    two.keep(guess("02/b"))
    assert list(one.all()) == ["01/a", "02/b"]
    assert one.seed == two.seed


def test_nothing_is_written_before_the_first_guess(tmp_path: Path) -> None:
    """A chapter that is run and not answered leaves no file."""
    _ = Guesses(tmp_path).seed
    assert not (tmp_path / FILE_NAME).exists()


def test_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    """The guess is kept for the session, and the reason is there to be shown."""
    kept = Guesses(tmp_path / "gone")
    kept.keep(guess("01/a"))
    assert "cannot be written" in kept.problem
    assert kept.get("01/a") is not None


def test_damaged_lines_cost_only_themselves(tmp_path: Path) -> None:
    """Each is reported with its line; the rest is read."""
    path = tmp_path / FILE_NAME
    good = '{"name":"01/a","guess":"4k","at":"1","right":true}'
    odd = ["{", "[1]", '{"name":1,"guess":"x","at":"1"}', '{"name":"b","guess":{},"at":"1"}']
    deep = "[" * 5000
    lines = [*odd, good, '{"name":"c","guess":[1],"at":"1"}', deep]
    path.write_bytes(b"\xff\xfe\n" + "\n".join(lines).encode())
    _, found, problems = read_guesses(path)
    assert list(found) == ["01/a"]
    assert len(problems) == len(lines) - 1 + 1
    assert all("expected a guess" in problem for problem in problems)


def test_wrong_guess_is_asked_again_later_until_it_is_right(tmp_path: Path) -> None:
    """In a later chapter, with other numbers there; not in its own, and not once it is right."""
    kept = Guesses(tmp_path)
    kept.keep(guess("01/heap", False, "mapped-is-memory"))
    assert again("01", kept) == []
    (asked,) = again("02", kept)
    assert asked.name == "02-again/mapped-is-memory"
    assert again("03", kept)[0].ask != asked.ask
    kept.keep(guess(asked.name, True, at="2"))
    assert again("03", kept) == []
    assert [one.name for one in again("02", kept)] == [asked.name]
    assert standing(kept) == {"mapped-is-memory": False}


def test_ten_before_the_course_are_not_asked_again(tmp_path: Path) -> None:
    """Their answers are not shown, so the chapters have still to teach them."""
    kept = Guesses(tmp_path)
    kept.keep(guess("before/copy-doubles", False, "copy-doubles"))
    assert again("05", kept) == []
