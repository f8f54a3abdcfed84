"""``magmem exercises``: for teachers, to list, preview, solve and grade."""

from __future__ import annotations

import click

from magmem.cli.common import emit, write

__all__ = ["exercises"]


class ExerciseName(click.ParamType[str]):
    """The name of an exercise; a shell completes it."""

    name = "exercise"

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002
        param: click.Parameter,  # noqa: ARG002
        incomplete: str,
    ) -> list[click.shell_completion.CompletionItem]:
        """Names that begin so."""
        from click.shell_completion import CompletionItem

        from magmem.exercises import names

        return [CompletionItem(name) for name in names() if name.startswith(incomplete)]


def _output() -> list[click.Parameter]:
    return [
        click.Option(["--json", "output"], flag_value="json", help="The table as JSON."),
        click.Option(["--csv", "output"], flag_value="csv", help="The table as CSV."),
    ]


@click.group(epilog="Students use `magmem.exercises` in a notebook; chapter 11 tells how.")
def exercises() -> None:
    """Exercises of the course, with a variant for each student: list, preview, solve, grade."""


def _list(output: str | None) -> int:
    """Every exercise: its chapter, its form, and what it asks."""
    from magmem.exercises import table
    from magmem.listing import Listing

    rows = table()
    width = max(map(len, rows["name"]))
    lines = [
        f"{row.chapter}  {row.name:{width}}  {row.form:8}  {row.gist}\n"
        for row in rows.itertuples()
    ]
    return emit(Listing("".join(lines), rows, title="Exercises"), output)


def _grade(folder: str, output: str | None) -> int:
    """Mark the answers in a folder of notebooks, without running any of them.

    A line per notebook, and what was said to every answer that is not right. Answers that are no
    literals, such as machines built in a cell, are left to you.
    """
    from magmem.exercises import grade

    return emit(grade(folder), output)


exercises.add_command(click.Command("list", params=_output(), callback=_list, help=_list.__doc__))
exercises.add_command(
    click.Command(
        "grade",
        params=[click.Argument(["folder"], type=click.Path()), *_output()],
        callback=_grade,
        help=_grade.__doc__,
        epilog="\b\nExample:\n  magmem exercises grade handed-in --csv > grades.csv",
    )
)


@exercises.command(epilog="\b\nExample:\n  magmem exercises preview pss-by-hand --student Ada")
@click.argument("name", type=ExerciseName())
@click.option("--student", default="a student", show_default=True, help="Whose variant.")
@click.option("--solution", is_flag=True, help="With the answer, and what is said to mistakes.")
def preview(name: str, student: str, solution: bool) -> int:
    """Show one variant of an exercise as its student sees it."""
    from magmem.exercises import preview as shown

    write(shown(name, student, with_solution=solution))
    return 0


@exercises.command(epilog="\b\nExample:\n  magmem exercises solutions --student Ada -o ada.md")
@click.option("--student", "students", multiple=True, required=True, help="Whose; may be repeated.")
@click.option("--only", multiple=True, type=ExerciseName(), help="An exercise; may be repeated.")
@click.option("-o", "path", type=click.Path(dir_okay=False), help="A Markdown file; else printed.")
def solutions(students: tuple[str, ...], only: tuple[str, ...], path: str | None) -> int:
    """Write the questions and answers of students as Markdown."""
    from magmem.exercises import solutions as sheet
    from magmem.files import write_atomically

    text = sheet(students, only or None)
    if path is None:
        write(text)
    else:
        write_atomically(path, text)
    return 0
