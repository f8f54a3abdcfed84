"""Files are written whole or not at all; links, devices and FIFOs stay what they are."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from magmem.cli.main import run
from magmem.files import write_atomically


def test_a_file_is_replaced_with_its_rights(tmp_path: Path) -> None:
    """A new file has the umask's rights; one that was there keeps its own."""
    target = tmp_path / "page.html"
    write_atomically(target, "first")
    target.chmod(0o640)
    write_atomically(target, "second")
    assert target.read_text(encoding="utf-8") == "second"
    assert target.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_a_symbolic_link_stays_and_its_file_is_written(tmp_path: Path) -> None:
    """A link is never replaced by a file, whether what it names is there already or not."""
    for name in ("there", "not there yet"):
        real, link = tmp_path / name, tmp_path / f"link to {name}"
        if name == "there":
            real.write_text("old", encoding="utf-8")
        link.symlink_to(real)
        write_atomically(link, "new")
        assert link.is_symlink()
        assert real.read_text(encoding="utf-8") == "new"


def test_a_fifo_is_written_through(tmp_path: Path) -> None:
    """Whoever reads a FIFO gets the bytes, and the FIFO is still there."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(fifo.read_bytes()), daemon=True)
    reader.start()
    write_atomically(fifo, "through")
    reader.join(20)
    assert got == [b"through"]
    assert stat.S_ISFIFO(fifo.lstat().st_mode)


def test_a_device_is_written_through(tmp_path: Path) -> None:
    """A device node is never replaced by a file; the node here is made for this test alone."""
    node = tmp_path / "null"
    try:
        os.mknod(node, stat.S_IFCHR | 0o666, os.makedev(1, 3))
        node.write_bytes(b"")
    except OSError as error:
        pytest.skip(f"device nodes cannot be made and opened here: {error.strerror}")
    write_atomically(node, "gone")
    assert run(["treemap", "small-machine", "-o", str(node)]) == 0
    assert run(["treemap", "small-machine", "--png", "-o", str(node)]) == 0
    assert stat.S_ISCHR(node.lstat().st_mode)
    assert [path.name for path in tmp_path.iterdir()] == ["null"]


def test_an_open_file_of_this_process_is_written_through(tmp_path: Path) -> None:
    """`-o /dev/stdout` and its like are names of open files: nothing is put in their place."""
    with (tmp_path / "out").open("w+b") as out:
        write_atomically(f"/dev/fd/{out.fileno()}", "through")
        assert out.read() == b"through"


@pytest.mark.parametrize("where", ["no such folder/page.html", "."])
def test_errors_name_the_file_that_was_asked_for(
    where: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not the temporary file beside it; and nothing is left behind."""
    asked = str(tmp_path / where)
    with pytest.raises(OSError) as refused:  # noqa: PT011 (which one depends on the path)
        write_atomically(asked, "x")
    assert refused.value.filename == asked
    assert run(["treemap", "small-machine", "-o", asked]) == 1
    assert capsys.readouterr().err.startswith(f"magmem: {asked}: ")
    assert list(tmp_path.iterdir()) == []
