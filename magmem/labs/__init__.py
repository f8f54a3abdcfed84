"""Labs: write `ps` yourself, and have it checked to the byte.

>>> from magmem import labs
>>> def resident(mapping, vmo):
...     return mapping.size_bytes
>>> report = labs.check(resident)
>>> report.passed
False

A lab asks for one function over plain records (`Run`, `Vmo`, `Mapping`, `Handle`, `Process`, `Job`,
`Memory`, `Records`). `check` runs it on machines from one process to three hundred, and shows the
first difference on the smallest machine that has it. `records` gives the records of any machine or
capture, `ps` prints the guide's listing from a function's numbers. For marks, `mark` runs a
function on hidden machines.
"""

from magmem.labs.checking import UnknownLab, machines
from magmem.labs.lab import CAUSES, LINES
from magmem.labs.printing import ps
from magmem.labs.records import (
    KERNEL,
    PAGE,
    Handle,
    Job,
    Mapping,
    Memory,
    Process,
    Records,
    Run,
    Vmo,
)
from magmem.labs.report import Mark, Report, check, mark
from magmem.labs.snapshots import records_of as records

__all__ = [
    "CAUSES",
    "KERNEL",
    "LINES",
    "PAGE",
    "Handle",
    "Job",
    "Mapping",
    "Mark",
    "Memory",
    "Process",
    "Records",
    "Report",
    "Run",
    "UnknownLab",
    "Vmo",
    "check",
    "machines",
    "mark",
    "ps",
    "records",
]
