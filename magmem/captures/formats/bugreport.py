"""Android's bugreport: the sections that tell of memory."""

from __future__ import annotations

import re

from magmem.captures.reading.sections import Sections

__all__ = ["BUGREPORT"]

BUGREPORT = Sections(
    "bugreport",
    starts=re.compile(r"== dumpstate: .*|------ [A-Z][^()]* \(.*\) ------\s*"),
    head=re.compile(
        r"------ (?![0-9.]+s was)(.+?)(?: \(.*\))? ------\s*"
        r"|DUMP OF SERVICE (?:CRITICAL |HIGH |NORMAL )?(.+):\s*|== dumpstate: ()?.*"
    ),
    marks=("------ ", "DUMP OF SERVICE ", "== dumpstate: "),
    wanted=re.compile(
        r"MEMORY INFO|VIRTUAL MEMORY STATS|SLAB INFO|ZONEINFO|CPU INFO|PROCRANK"
        r"|(?P<once>meminfo)|SHOW MAP (?P<pid>\d{1,9})\b.*"
    ),
)
