"""Datasets: each is in the catalogue with its provenance, can be read, and ships in the wheel."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest
from support.make_datasets import MADE

import magmem
from magmem import datasets, scenarios

ROOT = Path(__file__).parent.parent


def test_catalogue_and_folder_agree() -> None:
    """Every file in datasets/ is catalogued, and every catalogued file is there."""
    files = {path.name for path in (ROOT / "datasets").iterdir()} - {"catalogue.toml"}
    assert {datasets.path(name).name for name in datasets.names()} == files


def test_every_dataset_says_what_it_is_and_where_from() -> None:
    """What and provenance are whole sentences; sizes are those of the files."""
    table = datasets.catalogue()
    assert table.columns.tolist() == ["name", "what", "provenance", "size_bytes"]
    assert table["what"].str.endswith(".").all()
    assert table["provenance"].str.endswith(".").all()
    assert (table["size_bytes"] > 0).all()


@pytest.mark.parametrize("name", datasets.names())
def test_every_dataset_is_read(name: str) -> None:
    """A dataset's name works where a file does, and gives a snapshot of that name."""
    snap = datasets.load(name)
    assert snap.name
    assert len(snap.sources) >= 1
    assert len(magmem.read_capture(name).sources) == len(snap.sources)


@pytest.mark.parametrize(("name", "scenario"), MADE.items())
def test_made_datasets_are_their_scenarios(name: str, scenario: str) -> None:
    """A dataset made from a scenario holds exactly the state the scenario gives today."""
    assert datasets.load(name).equals(scenarios.make(scenario).snapshot(name=name))


def test_memgraph_is_of_the_machine_it_names() -> None:
    """The memgraph that ships is what the tool prints of the described machine beside it."""
    printed = str(magmem.memgraph(datasets.load("two-arena-machine"), threads=True, vmos=True))
    assert datasets.path("two-arena-memgraph").read_text() == printed


def test_low_memory_report_is_of_its_scenario() -> None:
    """Total, free and the listed process are the scenario's; the leaking one is too small to list.

    The kernel lists processes of 1M and more, in whole M cut down.
    """
    machine = scenarios.make("unmapped_leak", minutes=490)
    told, kmem = datasets.load("low-memory"), machine.snapshot().kmem.iloc[-1]
    text = datasets.path("low-memory").read_text()
    sizes = [magmem.format_size(int(kmem[name])) for name in ("free_bytes", "total_bytes")]
    assert text.startswith(f"OOM: {sizes[0]} free (-4M) / {sizes[1]} total\n")
    processes = magmem.ps(machine).df.query("kind == 'process'").set_index("koid")
    mapped = processes["private_bytes"] + processes["shared_bytes"]
    large = mapped[mapped >= 1 << 20] // (1 << 20) * (1 << 20)
    listed = told.processes.set_index("koid")["reported_resident_bytes"]
    assert listed.to_dict() == large.to_dict() == {1035: 48 << 20}


def test_unknown_name_offers_the_nearest() -> None:
    """A misspelt dataset is one error that names what there is."""
    with pytest.raises(magmem.UnknownDataset, match="no dataset 'guide-p'; there are guide-ps, "):
        datasets.path("guide-p")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as `make wheel` builds it."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    built = subprocess.run(command, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout + built.stderr
    return next(folder.glob("*.whl"))


def test_wheel_works_in_a_fresh_environment(wheel: Path, tmp_path: Path) -> None:
    """Installed from the wheel into an empty environment, magmem finds its datasets and assets.

    The dependencies are lent from this environment by a path entry, so that the test needs no
    network; magmem itself is not among them, as path entries do not load editable installs.
    """
    venv.create(tmp_path / "env", with_pip=False)
    python = tmp_path / "env" / "bin" / "python"
    site = next((tmp_path / "env" / "lib").glob("python*/site-packages"))
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert "magmem_widgets/__init__.py" in names
    assert "magmem/py.typed" in names
    assert "magmem/treemap/assets/treemap.js" in names
    assert {f"magmem/_datasets/{datasets.path(name).name}" for name in datasets.names()} < set(
        names
    )
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps", "--quiet"]
    subprocess.run([*pip, str(wheel)], check=True, capture_output=True)
    lent = next(path for path in sys.path if path.endswith("site-packages"))
    (site / "lent.pth").write_text(lent + "\n")
    code = (
        "import magmem, magmem_widgets; print(magmem.__file__); "
        "print(magmem.ps(magmem.datasets.load('guide-ps')), end='')"
    )
    ran = subprocess.run([python, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    place, _, text = ran.stdout.partition("\n")
    assert Path(place).is_relative_to(tmp_path)
    assert "p:1916   24.4M   24.4M     28k devhost:pci#3:8086:2922" in text


def test_source_distribution_builds_the_same_package(wheel: Path) -> None:
    """The sdist carries what the wheel is built from: code, widgets, datasets, licence."""
    with tarfile.open(next(wheel.parent.glob("*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"LICENSE", "datasets/catalogue.toml", "widgets/magmem_widgets/__init__.py"} < names
