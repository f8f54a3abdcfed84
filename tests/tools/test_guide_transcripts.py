"""The guide's own samples come out of machines as the guide prints them (mid-2017).

Each sample has a described machine among the goldens and a simulated one among the scenarios.
"""

from __future__ import annotations

import pytest
from support.shared import goldens

import magmem
from magmem import datasets, scenarios
from magmem.errors import BadState, NotFound, WrongType
from magmem.snapshot import Snapshot


def guide(name: str) -> list[str]:
    """A sample's lines, without its command and its author's remarks."""
    lines = datasets.path(name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if not line.startswith(("$", "#"))]


def machine(name: str, how: str = "described") -> Snapshot:
    """The machine made after a sample."""
    if how == "simulated":
        return scenarios.make(f"guide_{name}").snapshot()
    described = "ps" if name == "kstats" else name
    return Snapshot.load(goldens() / f"system-doc-{described}.json")


both = pytest.mark.parametrize("how", ["described", "simulated"])


@both
def test_ps(how: str) -> None:
    """Every PSS is PRIVATE plus a twelfth of the vDSO."""
    assert str(magmem.ps(machine("ps", how))).splitlines() == guide("guide-ps")


@both
def test_vmaps(how: str) -> None:
    """Size, resident, names and addresses of process 2470."""
    assert str(magmem.vmaps(machine("vmaps", how), 2470)).splitlines() == guide("guide-vmaps")


@both
def test_vmos(how: str) -> None:
    """The author's sample has some of the rows, its copy lost the names of the last."""
    printed = str(magmem.vmos(machine("vmos", how), 1118)).splitlines()
    wanted = iter(guide("guide-vmos"))
    line = next(wanted)
    for row in printed:
        if line and row.removesuffix(" -") == line:
            line = next(wanted, "")
    assert not line


@both
def test_kstats(how: str) -> None:
    """Seven columns of 10, a time above, no blank at the end."""
    assert str(magmem.kstats(machine("kstats", how))).splitlines() == guide("guide-kstats")


def test_kstats_reports_stand_apart() -> None:
    """A blank line separates reports; the capture's last one is repeated."""
    text = str(magmem.kstats(machine("ps"), times=2))
    report = "\n".join(guide("guide-kstats")) + "\n"
    assert text == f"{report}\n{report}"


@both
def test_asd_kernel(how: str) -> None:
    """Address spaces, VMARs, mappings and their VMOs, with inclusive ranges."""
    assert str(magmem.asd(machine("asd", how), "kernel")).splitlines() == guide("guide-asd")


def test_statuses_of_the_era() -> None:
    """Mid-2017 says ERR_…, September 2017 ZX_ERR_…; another era is refused."""
    snap = machine("ps")
    for era, word in (("mx", "ERR_NOT_FOUND"), ("zx", "ZX_ERR_NOT_FOUND")):
        with pytest.raises(NotFound, match=rf"^couldn't find process with koid 7: {word} \(-25\)$"):
            magmem.vmaps(snap, 7, era=era)
    with pytest.raises(WrongType, match=r"koid 1028: ERR_WRONG_TYPE \(-12\)"):
        magmem.vmos(snap, 1028, era="mx")
    with pytest.raises(ValueError, match="expected era 'mx' or 'zx', found 'fx'"):
        magmem.vmos(snap, 1028, era="fx")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="expected era 'mx' or 'zx', found 'fx'"):
        magmem.kstats(snap, era="fx")  # type: ignore[arg-type]
    stopped = Snapshot.load(goldens() / "system-2.json")
    with pytest.raises(BadState, match=r"^couldn't get maps for process with koid 1159: ERR_BAD"):
        magmem.vmaps(stopped, 1159, era="mx")


def test_a_thread_is_no_process() -> None:
    """The koid of a thread is of the wrong type, one outside the root job is not found."""
    snap = Snapshot.load(goldens() / "system-2.json")
    with pytest.raises(WrongType, match="koid 1072: ZX_ERR_WRONG_TYPE"):
        magmem.vmos(snap, 1072)
    with pytest.raises(NotFound, match="koid 1025: ZX_ERR_NOT_FOUND"):
        magmem.vmos(snap, 1025)
