"""The address space explorer: its tree is `vmaps`', its clicks lead to the VMO and who maps it."""

from __future__ import annotations

from math import log2

import pytest
from magmem_widgets import AddressSpaceExplorer
from magmem_widgets.aspace.tree import KERNEL, Spaces

import magmem
from magmem.sim import Machine
from magmem.sim.vmo_handle import VmoHandle
from magmem.snapshot import Snapshot


@pytest.fixture(scope="module")
def guide() -> Snapshot:
    """The shell of the guide's vmaps listing."""
    machine: Machine = magmem.scenarios.make("guide_vmaps")
    return machine.snapshot()


def sharing() -> Machine:
    """A maps `data` twice, B and the kernel once; 3 of its 8 pages are committed."""
    machine = Machine("64M")
    a, b = (machine.root_job.create_process(name) for name in "AB")
    a.start()
    b.start()
    data = a.create_vmo(8 * 4096, "data")
    data.commit(4096, 3 * 4096)
    a.map(data, at=0x10000000)
    a.map(data, "r", at=0x20000000, vmo_offset=8192, length=4096)
    theirs = data.duplicate().transfer(b)
    assert isinstance(theirs, VmoHandle)
    b.map(theirs, at=0x30000000)
    machine.kernel.map(data)
    return machine


def test_tree_is_what_vmaps_prints(guide: Snapshot) -> None:
    """Every VMAR and mapping, in the order, size and committed bytes of vmaps."""
    listed = magmem.vmaps(guide, 2470).df
    listed = listed[listed["kind"] != "aspace"]
    spaces = Spaces(guide)
    tree = spaces.tree(2470)
    assert [node.base for node in tree] == listed["base"].tolist()
    assert [node.depth for node in tree] == listed["depth"].tolist()
    for node, resident in zip(tree, listed["resident_bytes"], strict=True):
        if node.kind == "mapping":
            assert node.committed_bytes == resident
        assert all(tree[at].parent == node.at for at in node.children)


def test_widths_are_on_a_log_scale(guide: Snapshot) -> None:
    """Siblings are as wide as 1 + log2 of their pages, one beside the other, within the sheet."""
    explorer = AddressSpaceExplorer(guide, 2470)
    tree = explorer.tree()
    marks = {mark.act: mark for mark in explorer.scene().marks if mark.act}
    acts = [f"{'in' if tree[at].kind == 'vmar' else 'pick'} {at}" for at in tree[0].children]
    scale = {
        marks[act].width / (1 + log2(tree[at].pages))
        for act, at in zip(acts, tree[0].children, strict=True)
    }
    assert max(scale) == pytest.approx(min(scale))


def test_selecting_names_everyone_who_maps() -> None:
    """The sentence says VMO, committed bytes, and each address space with its mappings."""
    machine = sharing()
    a, _ = machine.processes
    explorer = AddressSpaceExplorer(machine, a.koid)
    at = next(node.at for node in explorer.tree() if node.base == 0x20000000)
    explorer.view._handle_custom_msg({"act": f"pick {at}"}, [])
    koid = next(vmo.koid for vmo in machine.vmos if vmo.name == "data")
    assert f"shows 4k of VMO {koid} 'data', 4k of it committed" in explorer.view.sentence
    assert "3 address spaces map it: kernel, A 2 times, B." in explorer.view.sentence
    bars = [mark for mark in explorer.scene().marks if mark.act.startswith("go ")]
    assert len(bars) == 4
    assert [bar.ring for bar in bars].count(True) == 1


def test_a_bar_leads_to_the_other_mapping() -> None:
    """A click on a mapping of the VMO goes to its process and selects it there."""
    machine = sharing()
    a, b = machine.processes
    explorer = AddressSpaceExplorer(machine, a.koid, selected=1)
    act = next(m.act for m in explorer.scene().marks if m.act.startswith(f"go {b.koid}"))
    explorer.act(act)
    assert explorer.koid == b.koid
    assert explorer.tree()[explorer.selected].base == 0x30000000
    act = next(m.act for m in explorer.scene().marks if m.act.startswith(f"go {KERNEL} "))
    explorer.act(act)
    assert explorer.koid == KERNEL
    assert not explorer.view.is_error


def test_in_and_out(guide: Snapshot) -> None:
    """A VMAR fills the view when entered; out leads back; the root has no out."""
    explorer = AddressSpaceExplorer(guide, 2470)
    assert all(mark.act != "out" for mark in explorer.scene().marks)
    vmar = next(at for at in explorer.tree()[0].children if explorer.tree()[at].kind == "vmar")
    explorer.act(f"in {vmar}")
    assert explorer.zoom == vmar
    assert "VMAR 'useralloc' of sh spans 104k: 3 mappings" in explorer.sentence()
    assert any(mark.act == "out" for mark in explorer.scene().marks)
    explorer.act("out")
    assert explorer.zoom == 0


def test_many_children_are_shown_in_parts() -> None:
    """Of 60 mappings 24 are drawn, from the one the slider says; selecting by bar moves there."""
    machine = magmem.Machine("64M")
    process = machine.root_job.create_process("many")
    process.start()
    data = process.create_vmo(4096, "data")
    for number in range(60):
        process.map(data, at=0x10000000 + number * 0x10000)
    explorer = AddressSpaceExplorer(machine, process.koid)
    slider = explorer.children[0].children[1]
    assert slider.max >= 60 - 24
    drawn = [mark for mark in explorer.scene().marks if mark.act.startswith("pick")]
    assert len(drawn) == 24
    slider.value = slider.max
    assert explorer.first == slider.max
    last = explorer.tree()[0].children[-1]
    assert any(mark.act == f"pick {last}" for mark in explorer.scene().marks)
    explorer.act(f"go {process.koid} {explorer.tree()[0].children[0]}")
    assert explorer.first == 0


def test_every_space_fits_the_sheet() -> None:
    """Whatever is shown or selected, marks lie on the sheet, and what acts has words."""
    for name in ("guide_vmaps", "random_machine", "guide_asd"):
        explorer = AddressSpaceExplorer(magmem.scenarios.make(name))
        for koid in list(explorer.spaces.names)[:4]:
            explorer.koid = koid
            picks = [node.at for node in explorer.tree() if node.kind == "mapping"]
            for selected in (-1, picks[0], picks[-1]):
                explorer.selected = selected
                scene = explorer.scene()
                assert (scene.width, scene.height) == (760, 372)
                for mark in scene.marks:
                    assert mark.kind == "text" or min(mark.width, mark.height) >= 0
                    assert 0 <= mark.x <= mark.x + mark.width <= 760.01
                    assert 0 <= mark.y <= mark.y + mark.height <= 372
                    assert mark.tip or not mark.act


def test_wrong_places_are_told(guide: Snapshot) -> None:
    """A place that is not a VMAR appears as a message; a snapshot without addresses is refused."""
    explorer = AddressSpaceExplorer(guide, 2470)
    before = explorer.view.scene
    explorer.zoom = 2
    assert explorer.view.is_error
    assert "expected a vmar at place 2 of sh, found mapping" in explorer.view.sentence
    assert explorer.view.scene == before
    data, _ = explorer._repr_mimebundle_()
    assert data["text/plain"] == explorer.view.sentence
    explorer = AddressSpaceExplorer(guide, 2470, selected=99)
    assert explorer.view.is_error
    assert explorer.view.scene["marks"] == []
    with pytest.raises(ValueError, match="address of every mapping"):
        AddressSpaceExplorer(Snapshot.of({}))
    with pytest.raises(LookupError, match="found 77"):
        Spaces(guide).tree(77)


def test_summary_and_still_form(guide: Snapshot) -> None:
    """The text has each child with its size and committed bytes; a saved notebook has a picture."""
    explorer = AddressSpaceExplorer(guide, 2470)
    lines = explorer.summary().splitlines()
    assert lines[0] == "sh: root"
    assert lines[2].split() == [
        "0x0000246812b91000",
        "mapping",
        "rw-",
        "2M",
        "76k",
        "mmap-anonymous",
    ]
    assert lines[-1] == explorer.sentence()
    data, _ = explorer._repr_mimebundle_()
    assert data["image/png"]
    assert data["text/plain"] == explorer.summary()
    assert sum(len(box.children) for box in explorer.children[:-1]) <= 7
