"""How the CPUs of a machine belong together, as /sys says it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from srvctl.ipc.topology import Topology, listed, read_topology
from tests.support.topologies import MEMORY_ONLY, TWO_SOCKETS, WITH_HOLES, machine

if TYPE_CHECKING:
    from pathlib import Path


def sets(*groups: set[int]) -> frozenset[frozenset[int]]:
    return frozenset(map(frozenset, groups))


def test_nodes_and_cores(tmp_path: Path) -> None:
    """Two threads of a core are one core, whichever of them is asked for."""
    found = read_topology(range(8), machine(tmp_path, **TWO_SOCKETS))
    assert found == Topology((frozenset({0, 1, 4, 5}), frozenset({2, 3, 6, 7})), found.cores)
    assert found.cores == sets({0, 4}, {1, 5}, {2, 6}, {3, 7})


def test_what_is_offline_is_not_there(tmp_path: Path) -> None:
    """The kernel lists what is online."""
    found = read_topology({0, 2, 3, 4, 7}, machine(tmp_path, **WITH_HOLES))
    assert found.nodes == (frozenset({0, 4}), frozenset({2, 3, 7}))
    assert found.cores == sets({0, 4}, {2}, {3, 7})


def test_nodes_come_by_number_and_may_have_no_cpus(tmp_path: Path) -> None:
    """Node 10 is behind node 3."""
    found = read_topology((), machine(tmp_path, **MEMORY_ONLY))
    assert found == Topology(tuple(map(frozenset, ({0, 1}, (), {2, 3}, {4, 5}))))


def test_only_the_cores_of_the_cpus_that_may_be_used_are_looked_for(tmp_path: Path) -> None:
    """A container is shown the whole machine."""
    assert read_topology({1}, machine(tmp_path, **TWO_SOCKETS)).cores == sets({1, 5})


def test_a_machine_that_tells_nothing(tmp_path: Path) -> None:
    """A kernel without NUMA, or a container that hides /sys."""
    assert read_topology({0, 1}, tmp_path) == Topology()


@pytest.mark.parametrize(
    ("text", "cpus"),
    [
        ("0-3,8\n", {0, 1, 2, 3, 8}),
        ("5", {5}),
        ("", set()),
        ("\n", set()),
        ("3-1", set()),
        ("0-", {0}),
        ("-1", set()),
        ("0,x", set()),
        ("0-99999999", set()),
    ],
)
def test_lists_of_the_kernel(text: str, cpus: set[int]) -> None:
    """What is none is nothing, and above all no range that takes all memory."""
    assert listed(text) == cpus


def test_this_machine_says_nothing_absurd() -> None:
    """Every CPU that may be used is on one core at most; the rest is for the kernel to know."""
    usable = os.sched_getaffinity(0)
    found = read_topology(usable)
    assert sum(len(core & usable) for core in found.cores) <= len(usable)
