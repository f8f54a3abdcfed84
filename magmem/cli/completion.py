"""``magmem completion``: scripts by which a shell completes commands, options and datasets."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from magmem.cli.common import write

__all__ = ["completion"]


@click.command(
    help="""Print the script that makes SHELL complete magmem's commands.

    \b
      bash:  eval "$(magmem completion bash)"        in ~/.bashrc
      zsh:   eval "$(magmem completion zsh)"         in ~/.zshrc
      fish:  magmem completion fish > ~/.config/fish/completions/magmem.fish
    """,
    epilog="The script asks magmem itself, so it stays right when magmem is updated.",
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print a completion script."""
    group = ctx.find_root().command
    made = get_completion_class(shell)
    assert made is not None  # noqa: S101 (the choices are the shells click knows)
    write(made(group, {}, "magmem", "_MAGMEM_COMPLETE").source())
