"""``magmem fleet``: many captures of many machines, added, asked and kept in order."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from magmem.cli.common import emit, output_parameters, write

if TYPE_CHECKING:
    from magmem.listing import Listing

__all__ = ["QUESTIONS", "fleet", "fleet_group"]

Say = Callable[["Listing", str | None], object]
"""What is done with a listing: printed by the shell, given back by a magic."""

RULES = (
    "exact",
    "magenta-2017",
    "linux",
    "memory_monitor",
    "rfc-0254",
    "treemap-2017",
    "private",
    "uss",
    "handle-only",
    "reported",
)
MEASURES = (
    "alloc",
    "exact",
    "reported",
    "hidden",
    "handle-only",
    "kernel-only",
    "heap",
    "mmu",
    "free",
)


def _choice(name: str, choices: tuple[str, ...], default: str, what: str) -> click.Option:
    return click.Option(
        [f"--{name}"], type=click.Choice(choices), default=default, show_default=True, help=what
    )


def _rule() -> click.Option:
    return _choice("rule", RULES, "exact", "What a process is measured by.")


def _limit() -> click.Option:
    return click.Option(
        ["--limit"], type=click.IntRange(min=1), default=20, show_default=True, help="Rows at most."
    )


QUESTIONS: dict[str, tuple[str, Callable[[], list[click.Parameter]], str]] = {
    "info": ("What is in a fleet: captures, devices, builds, bytes?", list, ""),
    "refused": ("Which captures were not taken, and why?", list, ""),
    "grew": (
        """Which process has more since a build?

        Medians over devices of each device's median, before the build and from it on.""",
        lambda: [
            click.Option(["--since-build"], help="A build of the fleet; the newest if not given."),
            _rule(),
            _limit(),
        ],
        "--since-build 2026.06",
    ),
    "percentiles": (
        "How much do the processes of each name have?",
        lambda: [_rule(), _limit()],
        "--rule private",
    ),
    "regressions": (
        "What grew most from one build to the next?",
        lambda: [_rule(), _limit()],
        "--limit 5",
    ),
    "leaks": (
        "What grows hour by hour?",
        lambda: [
            _choice("of", MEASURES, "handle-only", "What of a machine."),
            _choice("by", ("device", "holder", "process"), "device", "Slopes of what."),
            _limit(),
        ],
        "--by holder",
    ),
    "hidden": (
        "How much memory does no mapping show, by reason and time?",
        lambda: [_choice("every", ("day", "hour", "build"), "day", "How times are put together.")],
        "--every build",
    ),
    "outliers": (
        "Which devices differ from others of the same build?",
        lambda: [_choice("of", MEASURES, "alloc", "What of a machine."), _limit()],
        "--of free",
    ),
    "like": (
        "Which captures are most like one?",
        lambda: [
            click.Argument(["capture_id"], metavar="CAPTURE_ID"),
            _rule(),
            _limit(),
        ],
        "",
    ),
    "sql": (
        "Ask anything: one SELECT over captures, processes, hidden, ledger, vmos, refused.",
        lambda: [click.Argument(["query"], metavar="SELECT")],
        "",
    ),
}
"""Each question: its help, its own arguments, and an example of them."""

POSITIONAL = {"like": "capture_id", "sql": "query"}


def _emit(listing: Listing, output: str | None) -> int:
    return emit(listing, output)


def fleet_group(say: Say = _emit, name: str = "fleet") -> click.Group:
    """The group of commands; `say` does something with each answer."""
    group = click.Group(
        name,
        help="Many captures of many machines: which process grew, what leaks, who is unlike the "
        "others?\n\nFLEET is a folder, or a URL such as s3://lab/fleet. `add` makes it.",
        epilog="\b\nExample:\n  magmem fleet make captures\n"
        "  magmem fleet add lab captures --labels '{device}/{build}.{captured_at}.json'\n"
        "  magmem fleet grew lab --since-build 2026.06",
    )
    for question, (words, own, example) in QUESTIONS.items():
        group.add_command(_question(question, words, own, example, say))
    for command in (_add(say), _compact(say), _refresh(say), _forget(say), _make()):
        group.add_command(command)
    return group


def _question(
    name: str,
    words: str,
    own: Callable[[], list[click.Parameter]],
    example: str,
    say: Say,
) -> click.Command:
    def ask(fleet: str, output: str | None, **arguments: Any) -> object:
        if output == "python":
            write(_program(name, fleet, arguments))
            return 0
        lab = _opened(fleet)
        try:
            made = getattr(lab, name)
            return say(made(**arguments) if callable(made) else made, output)
        finally:
            lab.close()

    tail = " ".join(part for part in ("lab", example) if part)
    return click.Command(
        name,
        params=[_fleet(), *own(), *output_parameters()],
        callback=_clean(ask),
        help=words,
        epilog=f"\b\nExample:\n  magmem fleet {name} {tail}" if name not in POSITIONAL else None,
    )


def _program(name: str, fleet: str, arguments: dict[str, Any]) -> str:
    """The same as a Python program."""
    from inspect import signature

    from magmem.fleet import Fleet

    if name == "refused":
        call = "lab.refused"
    else:
        known = signature(getattr(Fleet, name)).parameters
        given = [
            repr(value) if key in POSITIONAL.values() else f"{key}={value!r}"
            for key, value in arguments.items()
            if known[key].default != value
        ]
        call = f"lab.{name}({', '.join(given)})"
    return (
        f"import magmem\n\nlab = magmem.fleet({fleet!r})\nlisting = {call}\n"
        'print(listing, end="")  # the exact text\n'
        "table = listing.df  # the same rows as a DataFrame, sizes in bytes\n"
    )


def _opened(place: str, key: bytes | None = None, **settings: Any) -> Any:
    """A fleet that is there.

    Raises
    ------
    FleetError
        There is none.
    """
    from magmem.fleet import Fleet, FleetError

    lab = Fleet(place, key=key, **settings)
    if lab.is_new:
        raise FleetError(f"{place}: expected a fleet, found none; magmem fleet add makes one")
    return lab


def _fleet() -> click.Argument:
    return click.Argument(["fleet"], metavar="FLEET")


def _key_option() -> click.Option:
    return click.Option(
        ["--key-file"],
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="A file with the key of keyed names; it is not stored in the fleet.",
    )


def _key(path: Path | None) -> bytes | None:
    return None if path is None else path.read_bytes().strip()


def _clean(function: Callable[..., object]) -> Callable[..., object]:
    """What the library refuses to be asked is a wrong use of the command."""

    def call(**arguments: Any) -> object:
        try:
            return function(**arguments)
        except ValueError as error:
            raise click.UsageError(str(error)) from None

    return call


def _progress() -> Callable[[int, int], None] | None:
    """A line of standard error, where somebody looks."""
    if sys.stderr is None or not sys.stderr.isatty():
        return None
    began = time.monotonic()

    def show(done: int, planned: int) -> None:
        seconds = max(time.monotonic() - began, 1e-9)
        end = "\n" if done >= planned else ""
        click.echo(f"\r{done:,} of {planned:,} ({done / seconds:.0f}/s) ", err=True, nl=False)
        click.echo(end, err=True, nl=False)

    return show


def _add(say: Say) -> click.Command:
    def add(
        fleet: str,
        capture: tuple[str, ...],
        labels: str | None,
        workers: int,
        scheduler: str | None,
        key_file: Path | None,
        keep: tuple[str, ...],
        originals: bool,
        retention_days: int | None,
        output: str | None,
    ) -> object:
        from magmem.fleet import Fleet

        if output == "python":
            write(
                f"import magmem\n\nlab = magmem.fleet({fleet!r})\n"
                f"print(lab.add({list(capture)!r}, labels={labels!r}, workers={workers}))\n"
                "lab.refused  # what was not taken, and why\n"
            )
            return 0
        lab = Fleet(
            fleet,
            key=_key(key_file),
            keep=keep,
            originals=originals,
            retention_days=retention_days,
        )
        client = None
        if scheduler is not None:
            client = _client(scheduler)
        try:
            done = lab.add(
                list(capture), labels, workers=workers, client=client, progress=_progress()
            )
            return say(done, output)
        finally:
            lab.close()
            if client is not None:
                client.close()

    return click.Command(
        "add",
        params=[
            _fleet(),
            click.Argument(["capture"], nargs=-1, required=True, metavar="CAPTURE..."),
            click.Option(
                ["--labels"],
                metavar="PATTERN|TABLE.csv",
                help="Where device, build and captured_at are: a pattern of paths such as "
                "'{device}/{build}.{captured_at}.json', or a table with a column source.",
            ),
            click.Option(
                ["--workers"],
                type=click.IntRange(min=1),
                default=1,
                show_default=True,
                help="Processes on this machine.",
            ),
            click.Option(["--scheduler"], metavar="ADDRESS", help="A Dask scheduler: tcp://…"),
            _key_option(),
            click.Option(["--keep"], multiple=True, metavar="NAME", help="A name left as it is."),
            click.Option(
                ["--originals/--no-originals"],
                default=True,
                show_default=True,
                help="Keep the captures beside their facts (never with a key).",
            ),
            click.Option(
                ["--retention-days"],
                type=click.IntRange(min=1),
                help="What `forget` without a choice deletes.",
            ),
            *output_parameters(),
        ],
        callback=_clean(add),
        help="Add captures: files, folders, patterns in quotes, URLs.\n\nWhat is in already is "
        "skipped; what cannot be read is refused with its reason. Options for names and originals "
        "count when the fleet is made.",
        epilog="\b\nExample:\n  magmem fleet add lab 'captures/**/*.json' "
        "--labels '{device}/{build}.{captured_at}.json' --workers 2",
    )


def _client(address: str) -> Any:
    from magmem.fleet.errors import FleetError, needs

    try:
        from distributed import Client
    except ImportError:
        raise needs("cluster", "distributed") from None
    try:
        return Client(address, timeout=10)  # type: ignore[no-untyped-call]
    except OSError as error:
        raise FleetError(f"{address}: expected a Dask scheduler, found {error}") from None


def _compact(say: Say) -> click.Command:
    def compact(fleet: str, output: str | None) -> object:
        return _kept(fleet, "compact", {}, output, say)

    return click.Command(
        "compact",
        params=[_fleet(), *output_parameters()],
        callback=_clean(compact),
        help="Put small batches together, so that questions are quick and files few.",
    )


def _refresh(say: Say) -> click.Command:
    def refresh(fleet: str, every: bool, output: str | None) -> object:
        return _kept(fleet, "refresh", {"every": every}, output, say)

    return click.Command(
        "refresh",
        params=[
            _fleet(),
            click.Option(["--every"], is_flag=True, help="Also what this version derived."),
            *output_parameters(),
        ],
        callback=_clean(refresh),
        help="Derive facts anew from originals where another version of magmem wrote them.",
    )


def _forget(say: Say) -> click.Command:
    def forget(
        fleet: str,
        device: str | None,
        build: str | None,
        before: str | None,
        key_file: Path | None,
        output: str | None,
    ) -> object:
        chosen = {"device": device, "build": build, "before": before}
        return _kept(fleet, "forget", chosen, output, say, _key(key_file))

    return click.Command(
        "forget",
        params=[
            _fleet(),
            click.Option(["--device"], help="Captures of this device."),
            click.Option(["--build"], help="Captures of this build."),
            click.Option(
                ["--before"], metavar="TIME", help="Captures from before, such as 2026-06."
            ),
            _key_option(),
            *output_parameters(),
        ],
        callback=_clean(forget),
        help="Delete captures for good: facts, originals and refusals.\n\nSeveral choices must all "
        "be met; without any, what is older than the fleet's retention goes.",
        epilog="\b\nExample:\n  magmem fleet forget lab --device lab-02",
    )


def _kept(
    place: str,
    name: str,
    arguments: dict[str, Any],
    output: str | None,
    say: Say,
    key: bytes | None = None,
) -> object:
    if output == "python":
        given = ", ".join(f"{k}={v!r}" for k, v in arguments.items() if v)
        write(f"import magmem\n\nlab = magmem.fleet({place!r})\nprint(lab.{name}({given}))\n")
        return 0
    lab = _opened(place, key)
    try:
        return say(getattr(lab, name)(**arguments, progress=_progress()), output)
    finally:
        lab.close()


def _make() -> click.Command:
    def make(folder: Path, devices: int, builds: int, hours: int, seed: int) -> int:
        from magmem.scenarios import fleet

        show, total = _progress(), devices * builds * hours
        for done, capture in enumerate(fleet(devices, builds, hours, seed), 1):
            path = folder / capture.path
            path.parent.mkdir(parents=True, exist_ok=True)
            capture.snapshot().save(path)
            if show:
                show(done, total)
        write(f"{total:,} captures in {folder}\n")
        return 0

    def number(name: str, default: int, what: str, least: int = 1) -> click.Option:
        return click.Option(
            [f"--{name}"],
            type=click.IntRange(min=least),
            default=default,
            show_default=True,
            help=what,
        )

    return click.Command(
        "make",
        params=[
            click.Argument(["folder"], type=click.Path(file_okay=False, path_type=Path)),
            number("devices", 10, "Machines."),
            number("builds", 4, "Builds, a month each from 2026.04."),
            number("hours", 6, "Captures of each build on each device."),
            number("seed", 0, "The same seed gives the same captures.", 0),
        ],
        callback=_clean(make),
        help="Write the captures of a simulated lab into a folder, with four causes planted.\n\n"
        "One heap grows with a build, one shrinks, some devices leak by handles, two have a cache.",
        epilog="\b\nExample:\n  magmem fleet make captures --devices 5 --hours 3",
    )


fleet = fleet_group()
