"""The guide's tools over a snapshot: each prints to the byte what the real one prints.

One module a tool; the rules are reference/tools.md. Every function takes a `Snapshot`, or anything
with a ``snapshot()`` method such as a simulated machine, and returns a `magmem.listing.Listing`.
"""
