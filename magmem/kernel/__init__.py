"""What the kernel would report of a VMO, mapping or process, worked out from a snapshot's tables.

Every tool, rule, treemap and explorer starts here, so that no two of them decide differently
whether a number is known.
"""
