"""The job tree: control groups or parents, with koids that no pid can have."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from magmem.linux.jobs import ROOT_KOID, cgroup_jobs, parent_jobs


def test_groups_are_jobs_below_each_other() -> None:
    """Every part of a path is a job; the kernel's threads are in one of their own."""
    tree = cgroup_jobs({1: "/", 7: "/user/a", 8: "/user", 2: "/"}, kernel={2})
    job = {job.koid: job for job in tree.jobs}
    assert tree.job_of[1] == ROOT_KOID
    assert job[tree.job_of[7]].name == "a"
    assert job[tree.job_of[7]].parent_koid == tree.job_of[8]
    assert job[tree.job_of[8]].parent_koid == ROOT_KOID
    assert job[tree.job_of[2]].name == "kernel threads"


def test_koids_of_groups_follow_from_their_path() -> None:
    """Two captures agree on the koid of a group, whatever other groups there are."""
    one = cgroup_jobs({1: "/system/web"}, set())
    two = cgroup_jobs({1: "/system/web", 2: "/a", 3: "/zz"}, set())
    assert one.job_of[1] == two.job_of[1]


def test_parents_are_jobs_that_hold_themselves() -> None:
    """A process that started others is a job with it and them; others are in their parent's."""
    tree = parent_jobs(
        {1: 0, 10: 1, 11: 10, 12: 10, 5: 4}, {1: "init", 10: "sh", 11: "a", 12: "b", 5: "c"}
    )
    names = {job.koid: job.name for job in tree.jobs}
    assert names == {ROOT_KOID: "root", ROOT_KOID + 1: "init", ROOT_KOID + 10: "sh"}
    assert tree.job_of == {
        1: ROOT_KOID + 1,
        10: ROOT_KOID + 10,
        11: ROOT_KOID + 10,
        12: ROOT_KOID + 10,
        5: ROOT_KOID,  # its parent is not there
    }


@given(parents=st.dictionaries(st.integers(1, 30), st.integers(0, 30)))
def test_any_parents_give_a_tree(parents: dict[int, int]) -> None:
    """Also parents in a circle: every process is in a job, every job ends at the root."""
    tree = parent_jobs(parents, dict.fromkeys(parents, "x"))
    above = {job.koid: job.parent_koid for job in tree.jobs}
    assert tree.job_of.keys() == parents.keys()
    for koid in tree.job_of.values():
        steps = 0
        while koid != ROOT_KOID:
            koid, steps = above[koid], steps + 1  # noqa: PLW2901 (climbing)
            assert steps <= len(above)


@given(paths=st.dictionaries(st.integers(1, 99), st.text("/ab.", max_size=8)))
def test_any_paths_give_a_tree(paths: dict[int, str]) -> None:
    """Jobs come after their parents and have koids of their own, above every pid."""
    tree = cgroup_jobs(paths, set())
    seen: set[int | None] = {None}
    for job in tree.jobs:
        assert job.parent_koid in seen
        assert job.koid not in seen
        assert 4_194_304 < job.koid < 20_000_000
        seen.add(job.koid)
    assert set(tree.job_of.values()) <= seen
