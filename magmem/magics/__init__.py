"""The guide's commands as IPython line magics: ``%load_ext magmem``, then ``%ps -T``.

``%machine NAME`` chooses whom the other magics ask: a variable holding a Snapshot or a Machine, a
scenario, a dataset or a file. A Machine is looked at anew at each call. A magic returns its
listing, so a notebook shows the text and ``x = %ps`` keeps it; what is wrong is said in a line or
two on standard error, not raised.
"""

from __future__ import annotations

from typing import Any

from magmem.magics.console import MAGICS, MagicConsole

__all__ = ["MAGICS", "MagicConsole", "load_ipython_extension"]


def load_ipython_extension(shell: Any) -> None:
    """Register every magic in an IPython shell."""
    MagicConsole(shell).register()
