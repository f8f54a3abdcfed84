"""Drawn questions: their answers are what a machine says, and their mistakes are mistakes."""

from __future__ import annotations

from ast import literal_eval
from fractions import Fraction
from typing import Any

import pytest

import magmem
from magmem.predictions import BELIEFS, draw, judge, ten
from magmem.predictions.drawn import numbers
from magmem.sim import Machine, Process

SEEDS = [f"seed {number}" for number in range(12)]


def processes(machine: Machine, count: int) -> list[Process]:
    """Running processes that map nothing by themselves."""
    made = [machine.root_job.create_process(f"p{number}") for number in range(count)]
    for one in made:
        one.start()
    return made


def committed(owner: Process, size_k: int, name: str) -> Any:
    """A VMO with all its pages."""
    handle = owner.create_vmo(f"{size_k}k", name=name)
    handle.commit()
    return handle


def asked_of_a_machine(belief: str, n: dict[str, int]) -> int:
    """The answer in bytes as the simulator and the exact rule give it."""
    machine = Machine(memory="256M", seed=3)
    many = processes(machine, n["sharers"])
    me = many[0]
    shared_k = 4 * n["sharers"] * n["pages"]

    def owned() -> int:
        named = ("a", "b", "v", "common", "own", "original", "clone")
        return sum(vmo.committed_pages * 4096 for vmo in machine.vmos if vmo.name in named)

    def exact(process: Process) -> int:
        table = magmem.account(machine, "exact").df.set_index("koid")
        return int(Fraction(table.loc[process.koid, "pss_bytes"]))

    if belief == "mapped-is-memory":
        vmo = me.create_vmo(f"{n['large_k']}k", name="v")
        me.map(vmo, perms="rw").touch(f"{n['small_k']}k", write=True)
        return int(vmo.vmo.committed_pages) * 4096
    if belief == "handle-keeps-all":
        vmo = me.create_vmo(f"{n['middle_k']}k", name="v")
        at = me.map(vmo, perms="rw")
        at.touch(write=True)
        vmo.close()
        return int(at.vmo.committed_pages) * 4096
    if belief == "rows-are-vmos":
        first, second = committed(me, n["middle_k"], "a"), committed(me, n["small_k"], "b")
        for handle, times in ((first, n["times"]), (second, 0)):
            for _ in range(times):
                me.map(handle, perms="r")
        return owned()
    if belief in ("sizes-add-up", "others-do-not-matter", "pss-comes-back"):
        own_k = n["middle_k"] if belief == "pss-comes-back" else n["small_k"]
        common_k = n["large_k"] if belief == "sizes-add-up" else shared_k
        common = committed(me, common_k, "common")
        for one in many:
            one.map(one.open(common.vmo), perms="r").touch()
        for one in many if belief == "sizes-add-up" else [me]:
            one.map(committed(one, own_k, "own"), perms="rw").touch()
        if belief == "sizes-add-up":
            return owned()
        for one in many[1:] if belief == "others-do-not-matter" else []:
            one.exit()
        if belief == "others-do-not-matter":
            return exact(me)
        used = owned()
        me.exit()
        return used - owned()
    if belief == "unmapped-is-nothing":
        committed(me, n["large_k"], "v")
    if belief == "copy-doubles":
        original = committed(me, n["large_k"], "original")
        clone = original.clone(name="clone")
        at = me.map(clone, perms="rw")
        at.touch(f"{4 * n['pages']}k", write=True)
    if belief == "mapped-twice-is-twice":
        vmo = committed(me, n["middle_k"], "v")
        for _ in range(n["times"]):
            me.map(vmo, perms="r").touch()
        return exact(me)
    return owned()


@pytest.mark.parametrize(
    "belief", [b for b in BELIEFS if b not in ("kfree-is-free", "biggest-leaks")]
)
def test_answer_is_what_a_machine_says(belief: str) -> None:
    """Arithmetic on the drawn numbers and the simulator agree, to the byte."""
    for seed in SEEDS:
        question = draw(belief, "before", seed)
        assert literal_eval(question.answer) == asked_of_a_machine(
            belief, numbers(belief, "before", seed)
        ), question.ask


@pytest.mark.parametrize("belief", BELIEFS)
def test_a_known_mistake_is_wrong_and_named(belief: str) -> None:
    """Each form has a mistake that its belief leads to, and it never is the right answer."""
    for seed in SEEDS:
        question = draw(belief, "after", seed)
        assert question.mistakes
        for mistake in question.mistakes:
            judged = judge(question, literal_eval(mistake.guess), literal_eval)
            assert not judged.right, question.ask
            assert judged.belief == belief
            assert BELIEFS[belief].says in judged.says


def test_kfree_question_adds_up() -> None:
    """Its columns give the total that it names, as those of kstats do."""
    import re

    for seed in SEEDS:
        ask = draw("kfree-is-free", "before", seed).ask
        total, *parts = [int(size) for size in re.findall(r"(\d+)M", ask)]
        assert total == sum(parts), ask


def test_ten_before_and_after_differ_in_numbers_alone() -> None:
    """The same ten beliefs, for each student other numbers, and the same when asked again."""
    before, after = ten("before", "a"), ten("after", "a")
    assert len(before) == 10
    assert [one.belief for one in before] == [one.belief for one in after]
    assert not {one.ask for one in before} & {one.ask for one in after}
    assert before == ten("before", "a")
    assert before != ten("before", "b")
