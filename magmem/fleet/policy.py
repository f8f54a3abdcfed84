"""What a fleet has decided once: ``fleet.json``, written when the first captures come.

Names are kept as they are, or keyed: an HMAC with a key that is never in the fleet, so the same
name has the same alias in every capture and nobody without the key can test a guess.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from magmem import __version__
from magmem.fleet.errors import FleetError, NewerFleet
from magmem.fleet.place import Place
from magmem.fleet.tables import LAYOUT

__all__ = ["Aliases", "Policy"]

FORMAT = "magmem fleet"
FILE = "fleet.json"

COMMON = frozenset(
    {"", "root", "[anon]", "[heap]", "[stack]", "[vdso]", "[vvar]", "shared anonymous", "live"}
)
"""Names that are the same on every machine, so they say nothing of one."""

ALIAS_LENGTH = 10


@dataclass(frozen=True)
class Policy:
    """The decisions of one fleet.

    Attributes
    ----------
    names : str
        ``plain`` or ``keyed``.
    keep : tuple of str
        Names that stay as they are in a keyed fleet.
    check : str
        Tells another key from the fleet's own; empty for a plain one.
    originals : bool
        Whether the captures themselves are kept beside their facts.
    retention_days : int or None
        What ``forget`` without a choice deletes: captures older than so many days.
    labels : tuple of str
        Further labels that the first captures had.
    """

    names: str = "plain"
    keep: tuple[str, ...] = ()
    check: str = ""
    originals: bool = True
    retention_days: int | None = None
    labels: tuple[str, ...] = ()

    @classmethod
    def read(cls, place: Place) -> Policy | None:
        """The fleet's decisions; None if there is no fleet yet.

        Raises
        ------
        FleetError
            Not a fleet's file.
        NewerFleet
            The layout is one that this magmem does not know.
        """
        data = place.read(FILE)
        if data is None:
            return None
        try:
            told = json.loads(data)
            layout = int(told["layout"]) if told["format"] == FORMAT else 0
        except (ValueError, KeyError, TypeError):
            layout = 0
        if layout < 1:
            raise FleetError(
                f"{place.full(FILE)}: expected the file of a magmem fleet, found {data[:60]!r}"
            )
        if layout > LAYOUT:
            raise NewerFleet(place.root, layout, str(told.get("magmem")), LAYOUT, __version__)
        names = told.get("names") or {}
        return cls(
            names.get("how", "plain"),
            tuple(names.get("keep", ())),
            names.get("check", ""),
            bool(told.get("originals", True)),
            told.get("retention_days"),
            tuple(told.get("labels", ())),
        )

    def write(self, place: Place) -> None:
        """Store the decisions."""
        told = asdict(self)
        names = {"how": told.pop("names"), "keep": told.pop("keep"), "check": told.pop("check")}
        head = {"format": FORMAT, "layout": LAYOUT, "magmem": __version__, "names": names}
        place.write(FILE, (json.dumps(head | told, indent=1) + "\n").encode())


class Aliases:
    """The names of a fleet: as they are, or keyed.

    Parameters
    ----------
    key : bytes or None
        None leaves every name as it is.
    keep : iterable of str
        Names that stay.
    """

    def __init__(self, key: bytes | None, keep: Iterable[str] = ()) -> None:
        self.key = key
        self.keep = frozenset(keep) | COMMON
        self._known: dict[tuple[str, str], str] = {}

    def __call__(self, kind: str, name: str) -> str:
        """The alias of a name of this kind."""
        if self.key is None or name in self.keep:
            return name
        alias = self._known.get((kind, name))
        if alias is None:
            alias = self.digest(f"{kind}\0{name}".encode("utf-8", "surrogatepass"))[:ALIAS_LENGTH]
            self._known[kind, name] = alias
        return alias

    def digest(self, data: bytes) -> str:
        """SHA-256 in hex; keyed, so that nobody can test whether a capture is in the fleet."""
        if self.key is None:
            return hashlib.sha256(data).hexdigest()
        return hmac.new(self.key, data, hashlib.sha256).hexdigest()

    def check(self) -> str:
        """What a keyed fleet stores to recognise its key."""
        return "" if self.key is None else self.digest(b"magmem fleet key")[:16]
