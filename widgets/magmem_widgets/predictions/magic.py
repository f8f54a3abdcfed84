"""Magics of the course: ``%load_ext magmem_widgets``.

``%%predict 01/first-write`` runs its cell at once, so that later cells find what it made, and shows
what the cell printed only after the guess.
"""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import Any

from IPython.core.error import UsageError
from IPython.utils.capture import capture_output

from magmem.errors import MagmemError
from magmem.predictions import OCCASIONS, Guesses, Question, question, ten
from magmem.predictions.occasions import again
from magmem_widgets.predictions.prediction import Prediction
from magmem_widgets.predictions.series import Learnt, Series, table

__all__ = ["PredictionMagics", "load_ipython_extension"]

_AGAIN = "What you guessed wrong in earlier chapters is asked again here, with other numbers."
_BEFORE = "Ten questions, asked again after the last chapter. The answers come with the chapters."
_AFTER = "The ten questions from before the course, with other numbers."


class PredictionMagics:
    """The magics of one IPython shell; guesses are kept in the folder it works in."""

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        self.guesses = Guesses(Path.cwd())

    def register(self) -> None:
        """Make the magics known to the shell."""
        self.shell.register_magic_function(self.predict, "cell", "predict")
        for name in ("ask", "again", "ten", "learnt"):
            self.shell.register_magic_function(getattr(self, name), "line", name)

    def predict(self, line: str, cell: str) -> Prediction:
        """Ask for a guess before this cell's result is shown: ``%%predict CHAPTER/NAME``."""
        asked = _question(line)
        with capture_output() as captured:
            result = self.shell.run_cell(cell)
        result.raise_error()
        outputs: list[dict[str, Any]] = [
            {"output_type": "stream", "name": name, "text": text}
            for name, text in (("stdout", captured.stdout), ("stderr", captured.stderr))
            if text
        ]
        outputs += [
            {"output_type": "display_data", "data": _data(one.data), "metadata": one.metadata or {}}
            for one in captured.outputs
        ]
        settled = question(asked.settles) if asked.settles else None
        # Evaluated now: later cells may change what the names mean before a guess is made.
        values = {
            expression: eval(expression, self.shell.user_ns)  # noqa: S307 (the course's own)
            for one in (asked, settled)
            if one is not None
            for expression in (one.answer, *(mistake.guess for mistake in one.mistakes))
        }
        return Prediction(asked, self.guesses, values, outputs, settles=settled)

    def ask(self, line: str) -> Prediction:
        """Take a guess that the chapter answers later: ``%ask CHAPTER/NAME``."""
        return Prediction(_question(line), self.guesses, {}, shows=False)

    def again(self, line: str) -> Series:
        """Ask again what was guessed wrong before this chapter: ``%again CHAPTER``."""
        questions = again(line.strip(), self.guesses)
        done = "All of these are answered." if questions else "Nothing was left to ask again."
        return Series(questions, self.guesses, _AGAIN, f"<p>{done}</p>")

    def ten(self, line: str) -> Series:
        """The ten questions, ``%ten before`` or ``%ten after`` the course."""
        for occasion in OCCASIONS:
            if line.strip() == occasion:
                questions = ten(occasion, self.guesses.seed)
                if occasion == "after":
                    return Series(questions, self.guesses, _AFTER, lambda: table(self.guesses))
                kept = "<p>Ten guesses kept. The chapters answer them; chapter 10 asks again.</p>"
                return Series(questions, self.guesses, _BEFORE, kept, shows=False)
        raise UsageError(f"expected %ten before or %ten after, found {line!r}")

    def learnt(self, line: str) -> Learnt:  # noqa: ARG002 (a magic is given its line)
        """Show which beliefs went."""
        return Learnt(self.guesses)


def _data(bundle: dict[str, Any]) -> dict[str, Any]:
    """An output's data as a notebook stores it: pictures in base64."""
    return {
        kind: b64encode(value).decode() if isinstance(value, bytes) else value
        for kind, value in bundle.items()
    }


def _question(line: str) -> Question:
    try:
        return question(line.strip())
    except MagmemError as error:
        raise UsageError(str(error)) from None


def load_ipython_extension(shell: Any) -> None:
    """Register the magics in an IPython shell."""
    PredictionMagics(shell).register()
