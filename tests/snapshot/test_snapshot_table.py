"""Tables as arrays: what they hold, what they refuse, and that nobody writes to them."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
from support.random_snapshots import random_machine

from magmem.snapshot import TABLES, Snapshot, Table
from magmem.snapshot.frames import table_of

VMOS = {"id": ["a", "b"], "koid": [7, None], "name": [None, "x"], "pages_known": [True, False]}


def test_unknown_is_blank_and_told_by_a_mask() -> None:
    """A column gives its values, 0, None or -1 where missing, and where it is known."""
    table = Table.of(TABLES["vmos"], {**VMOS, "kind": [None, "physical"]})
    assert table.ints("koid").tolist() == [7, 0]
    assert table.known("koid").tolist() == [True, False]
    assert table.texts("name").tolist() == [None, "x"]
    assert table.codes("kind").tolist() == [-1, 1]
    assert table.texts("kind").tolist() == [None, "physical"]
    assert table.is_choice("kind", "physical").tolist() == [False, True]
    assert not table.known("size_bytes").any()
    with pytest.raises(KeyError):
        table.is_choice("kind", "imaginary")


@pytest.mark.parametrize("kind", [np.int8, np.int16, np.int32, np.uint16, np.uint32, np.uint64])
def test_integers_have_64_bits(kind: type) -> None:
    """Whatever width a maker's integers have, the table's have 64 bits."""
    table = Table.of(TABLES["pages"], dict.fromkeys(TABLES["pages"].columns, np.array([1], kind)))
    assert {table.values(name).dtype for name in table.spec.columns} == {np.dtype(np.int64)}
    handed = Table.of(TABLES["vmos"], {**VMOS, "addr": np.array([1, 2], kind)})
    assert handed.values("addr").dtype == np.uint64


def test_a_pair_is_values_and_where_they_are_known() -> None:
    """Values under the mask do not matter: they become blank."""
    known = np.array([True, False])
    one = Table.of(TABLES["vmos"], {**VMOS, "size_bytes": (np.array([4096, -99]), known)})
    assert one.ints("size_bytes").tolist() == [4096, 0]
    assert one.equals(Table.of(TABLES["vmos"], {**VMOS, "size_bytes": [4096, None]}))


@pytest.mark.parametrize(
    ("columns", "error"),
    [
        ({"kiod": [1]}, KeyError),
        ({"koid": [1, 2]}, KeyError),  # neither id nor pages_known
        ({**VMOS, "koid": [1]}, ValueError),
        ({**VMOS, "koid": [1, 1.5]}, TypeError),
        ({**VMOS, "koid": [1, 1 << 64]}, OverflowError),
        ({**VMOS, "pages_known": (np.array([True, True]), np.array([True, False]))}, ValueError),
    ],
)
def test_what_a_column_cannot_hold_is_refused(columns: dict[str, Any], error: type) -> None:
    """No value is bent into a column; required ones are there in every row."""
    with pytest.raises(error):
        Table.of(TABLES["vmos"], columns)


@pytest.mark.parametrize("seed", range(6))
def test_frames_and_tables_say_the_same(seed: int) -> None:
    """A DataFrame of a table, read again, is the same table, and has the schema's dtypes."""
    snap = random_machine(seed)
    for name, spec in TABLES.items():
        table = snap.table[name]
        assert table_of(spec, table.df).equals(table)
        assert table.df.dtypes.to_list() == [column.dtype for column in spec.columns.values()]
        assert table.df is getattr(snap, name)


def test_rows_taken_and_joined() -> None:
    """Rows are taken by number or by a mask, and tables are laid end to end."""
    table = random_machine(1).table.vmos
    every = np.arange(len(table))
    cut = [table.take(every[:2]), table.take(every >= 2)]
    assert Table.concat(cut).equals(table)
    assert not table.take(every[::-1]).equals(table)


def test_nobody_writes_to_a_snapshot() -> None:
    """Arrays cannot be written to, and what is written into a DataFrame stays there."""
    first = np.array([1, 2])
    snap = Snapshot.of({"vmos": {**VMOS, "koid": first}})
    with pytest.raises(ValueError, match="read-only"):
        snap.table.vmos.ints("koid")[0] = 5
    frame = snap.vmos.copy()
    frame.loc[0, "koid"] = 99
    assert snap.vmos["koid"].tolist() == [1, 2]
    snap.vmos.loc[0, "koid"] = 99
    snap.vmos["name"] = "y"
    assert snap.table.vmos.ints("koid").tolist() == [1, 2]
    assert snap.table.vmos.texts("name").tolist() == [None, "x"]


def _pickled(snap: Snapshot) -> Snapshot:
    again: Snapshot = pickle.loads(pickle.dumps(snap))  # noqa: S301 (made a line above)
    return again


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, _pickled])
def test_snapshots_are_copied_and_pickled(again: Any) -> None:
    """A copy is the same state, and as read-only as the first."""
    snap = random_machine(2)
    twin = again(snap)
    assert twin.equals(snap)
    assert twin.coverage == snap.coverage
    with pytest.raises(ValueError, match="read-only"):
        twin.table.vmos.ints("koid")[:] = 0


def test_no_table_but_its_own() -> None:
    """A state takes each table once, under its own name."""
    snap = random_machine(0)
    with pytest.raises(TypeError, match="'notes'"):
        Snapshot(**{name: snap.table[name] for name in TABLES if name != "notes"})
    with pytest.raises(Exception, match="columns"):
        snap.with_tables({"pages": snap.table.entries})
    with pytest.raises(AttributeError, match="'pies'"):
        snap.pies  # noqa: B018


def test_a_simulated_machine_is_a_snapshot_without_pandas() -> None:
    """Making and checking a state, and reading its arrays, need no pandas."""
    script = (
        "import sys; sys.modules['pandas'] = None\n"
        "from magmem import scenarios\n"
        "from magmem.sim.machine import Machine\n"
        "snap = Machine().snapshot()\n"
        "assert snap.table.tasks.ints('koid').all() and snap.renamed('x').equals(snap) is False\n"
        "print(snap)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr == ""
    assert "tasks" in done.stdout


def test_pandas_column_is_read_as_it_is() -> None:
    """Series and extension arrays may be given for columns, as before."""
    koid = pd.Series([7, None], dtype="Int64")
    assert Table.of(TABLES["vmos"], {**VMOS, "koid": koid}).known("koid").tolist() == [True, False]
