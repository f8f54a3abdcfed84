"""The waist of magmem: one machine state as a handful of plain tables.

Whatever makes snapshots (simulated machine, captures) knows nothing of whatever reads them.
"""

from magmem.snapshot.schema import FACETS, PAGE_BYTES, TABLES, Column, TableSpec
from magmem.snapshot.snapshot import Coverage, Snapshot
from magmem.snapshot.table import Table

__all__ = ["FACETS", "PAGE_BYTES", "TABLES", "Column", "Coverage", "Snapshot", "Table", "TableSpec"]
