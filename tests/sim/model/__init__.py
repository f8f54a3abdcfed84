"""A second machine, slow and obvious: one bytearray a page, one set item a page-table entry.

It is written from the reference alone and shares no code with the simulator: of magmem it imports
the exceptions and nothing else. The state-machine test drives both and compares them.
"""
