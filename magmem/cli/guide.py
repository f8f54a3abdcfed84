"""The guide's userspace commands: ps."""

from __future__ import annotations

import click

from magmem.cli.tool import Tool, shell_command

__all__ = ["PS", "TOOLS", "ps"]

PS = Tool(
    name="ps",
    function="ps",
    help="""Which processes are using all of the memory?

    One line per job and process: PSS, PRIVATE and SHARED as the kernel counts them.

    \b
      magmem ps CAPTURE              the guide's ps
      magmem ps -T CAPTURE           with threads and their states
      magmem ps --units=k CAPTURE    every size in k
    """,
    params=lambda: [
        click.Option(["-T", "threads"], is_flag=True, help="Include threads."),
        click.Option(["-J", "jobs"], is_flag=True, help="Only show jobs."),
        click.Option(["--units"], default="", metavar="?", help="Fix all sizes to one of BkMGTPE."),
    ],
)

TOOLS = (PS,)
"""Every tool of this module."""

ps = shell_command(PS)
