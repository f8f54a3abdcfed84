"""A program for `linux-fork`: 40M, and three children by ``fork`` that write 10M of their copies.

Usage: forking.py   (prints the children's pids, then waits until its input ends)
"""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Write, fork, let each child write, and wait."""
    memory = bytearray(b"x" * (40 << 20))
    children = []
    for _ in range(3):
        ready, tell = os.pipe()
        child = os.fork()
        if not child:
            memory[: 10 << 20] = b"y" * (10 << 20)
            os.write(tell, b".")
            sys.stdin.read()
            os._exit(0)
        os.read(ready, 1)
        children.append(child)
    print(*children, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
