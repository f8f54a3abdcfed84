"""``magmem info CAPTURE...`` and ``magmem datasets``: what is known, and what to start with."""

from __future__ import annotations

import click

from magmem.cli.common import emit, output_parameters, write
from magmem.cli.tool import Tool, shell_command

__all__ = ["INFO", "datasets", "info"]

INFO = Tool(
    name="info",
    function="info",
    help="""What does a capture know, and what not?

    Which facets of the machine are told, by which dumps, what is unknown, and what the readers
    repaired, skipped or found to contradict something else.
    """,
    examples=(("", "what there is, from where, and what is missing"),),
)

info = shell_command(INFO)

PROGRAM = """import magmem

table = magmem.datasets.catalogue()  # one row per dataset
print(table.to_string(index=False))
snap = magmem.datasets.load(table["name"][0])
"""


def _datasets(output: str | None) -> int:
    if output == "python":
        write(PROGRAM)
        return 0
    from magmem import datasets
    from magmem.listing import Listing
    from magmem.sizes import format_size

    table = datasets.catalogue()
    names = table["name"].tolist()
    sizes = [format_size(size) for size in table["size_bytes"].tolist()]
    width, size_width = max(map(len, names)), max(map(len, sizes))
    lines = [
        f"{name:{width}}  {size:>{size_width}}  {what}\n{'':{width + size_width + 4}}{provenance}\n"
        for name, size, what, provenance in zip(
            names, sizes, table["what"], table["provenance"], strict=True
        )
    ]
    return emit(Listing("".join(lines), table, title="Datasets"), output)


datasets = click.Command(
    "datasets",
    params=[*output_parameters()],
    callback=_datasets,
    help="Which captures and machine states ship with magmem?\n\nTheir names work wherever CAPTURE "
    "stands.",
)
