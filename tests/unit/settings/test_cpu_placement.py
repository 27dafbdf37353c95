"""Which CPUs each slot gets: what the texts mean, and what becomes of them on machines of many shapes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srvctl.ipc.topology import Topology, read_topology
from srvctl.settings.checks import CHECKS
from srvctl.settings.cpu_placement import cpus_for, nodes_of, parse_affinity, spell_cpus, spread
from tests.support.topologies import MEMORY_ONLY, TWO_SOCKETS, WITH_HOLES, Shape, machine

if TYPE_CHECKING:
    from pathlib import Path

NOT_A_LIST = "is not a list of CPUs; write for example 0-3,8 or 0-3;4-7, or auto, or numa"
FLAT = Topology()  #: nothing is known


@pytest.mark.parametrize(
    ("text", "lists"),
    [
        ("0", [{0}]),
        ("0-3,8", [{0, 1, 2, 3, 8}]),
        (" 2 , 0 ", [{0, 2}]),
        ("1,1-2", [{1, 2}]),
        ("8191", [{8191}]),
        ("0-1;2-3", [{0, 1}, {2, 3}]),
        ("0 ; 0,1 ;5", [{0}, {0, 1}, {5}]),
    ],
)
def test_lists(text: str, lists: list[set[int]]) -> None:
    """Of numbers and ranges; several are for slots in turn."""
    assert parse_affinity(text) == tuple(map(frozenset, lists))


@pytest.mark.parametrize(("text", "word"), [("auto", "auto"), ("AUTO", "auto"), (" numa ", "numa")])
def test_words(text: str, word: str) -> None:
    """However they are written."""
    assert parse_affinity(text) == word


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", NOT_A_LIST),
        ("a", NOT_A_LIST),
        ("1,", NOT_A_LIST),
        ("1;", NOT_A_LIST),
        ("0;auto", NOT_A_LIST),
        ("-1", NOT_A_LIST),
        ("1-", NOT_A_LIST),
        ("٣", NOT_A_LIST),
        ("0,auto", NOT_A_LIST),
        ("0-4294967295", NOT_A_LIST),
        ("3-0", "has a range that ends before it begins; write 0-3"),
        ("0;0-8192", "names CPU 8192; no machine has more than 8192"),
    ],
)
def test_what_names_no_cpus(text: str, message: str) -> None:
    """Above all no range that takes the memory of the machine."""
    with pytest.raises(ValueError) as caught:
        parse_affinity(text)
    assert str(caught.value) == message


def test_the_check_of_the_settings_says_the_same() -> None:
    """So a mistake is told before anything is started."""
    CHECKS["workers.cpu_affinity"]("numa")
    with pytest.raises(ValueError, match="is not a list of CPUs"):
        CHECKS["workers.cpu_affinity"]("0-1;x")


@pytest.mark.parametrize(
    ("cpus", "text"), [({0}, "0"), ({0, 1, 2, 5}, "0-2,5"), ({1, 3}, "1,3"), (set(), "")]
)
def test_cpus_are_spelled_as_they_are_read(cpus: set[int], text: str) -> None:
    """For sentences."""
    assert spell_cpus(cpus) == text
    assert not cpus or parse_affinity(text) == (frozenset(cpus),)


# -- without a word of /sys ----------------------------------------------------------------------------


@pytest.mark.parametrize(("slot", "cpu"), [(0, 2), (1, 3), (2, 7), (3, 2), (300, 2)])
def test_auto_gives_each_slot_one_cpu_and_begins_anew_when_there_are_more_slots(slot: int, cpu: int) -> None:
    """Always the same one: a worker that replaces another takes its CPU."""
    assert cpus_for("auto", slot, frozenset({7, 3, 2}), FLAT) == {cpu}


def test_a_list_is_for_every_slot() -> None:
    """Wherever it is, and whatever may be used: that was checked before."""
    assert [cpus_for("0-1", slot, frozenset({0, 1, 2}), FLAT) for slot in (0, 9)] == [{0, 1}] * 2


def test_several_lists_are_for_slots_in_turn() -> None:
    """And from the beginning again."""
    found = [cpus_for("0-1;2-3", slot, frozenset(range(4)), FLAT) for slot in range(3)]
    assert found == [{0, 1}, {2, 3}, {0, 1}]


def test_without_nodes_there_is_one() -> None:
    """A kernel without NUMA is no reason not to start."""
    assert [cpus_for("numa", slot, frozenset({1, 3}), FLAT) for slot in (0, 1)] == [{1, 3}] * 2


# -- machines ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "available", "order"),
    [
        (TWO_SOCKETS, range(8), [0, 2, 1, 3, 4, 6, 5, 7]),  # nodes, then cores, and threads last
        (WITH_HOLES, {0, 2, 3, 4, 7}, [0, 2, 3, 4, 7]),
        (TWO_SOCKETS, {1, 5, 6}, [1, 6, 5]),  # a container that may use three
        (TWO_SOCKETS, {4, 5}, [4, 5]),  # only second threads: each is the first of its core here
        (MEMORY_ONLY, range(6), [0, 2, 4, 1, 3, 5]),
    ],
)
def test_auto_spreads_over_nodes_and_cores_first(
    tmp_path: Path, shape: Shape, available: Any, order: list[int]
) -> None:
    """A second thread of a core is worth a fraction of another core."""
    usable = frozenset(available)
    topology = read_topology(usable, machine(tmp_path, **shape))
    assert spread(usable, topology) == order
    found = [cpus_for("auto", slot, usable, topology) for slot in range(len(order) + 1)]
    assert found == [{cpu} for cpu in [*order, order[0]]]


@pytest.mark.parametrize(
    ("shape", "available", "nodes"),
    [
        (TWO_SOCKETS, range(8), [{0, 1, 4, 5}, {2, 3, 6, 7}]),
        (WITH_HOLES, {0, 2, 3, 4, 7}, [{0, 4}, {2, 3, 7}]),
        (TWO_SOCKETS, {1, 5, 6}, [{1, 5}, {6}]),
        (TWO_SOCKETS, {0, 4}, [{0, 4}]),  # the other node may not be used
        (MEMORY_ONLY, range(6), [{0, 1}, {2, 3}, {4, 5}]),
        (MEMORY_ONLY, {0, 99}, [{0}, {99}]),  # a CPU that came after /sys was read
    ],
)
def test_numa_gives_each_slot_a_node_in_turn(
    tmp_path: Path, shape: Shape, available: Any, nodes: list[set[int]]
) -> None:
    """Of those with CPUs that may be used."""
    usable = frozenset(available)
    topology = read_topology(usable, machine(tmp_path, **shape))
    assert nodes_of(usable, topology) == nodes
    found = [cpus_for("numa", slot, usable, topology) for slot in range(len(nodes) + 1)]
    assert found == [*nodes, nodes[0]]


groups = st.lists(st.frozensets(st.integers(0, 12)), max_size=5)


@given(st.frozensets(st.integers(0, 12), min_size=1), groups, groups)
def test_whatever_the_kernel_says_every_cpu_is_used_once(
    available: frozenset[int], nodes: list[frozenset[int]], cores: list[frozenset[int]]
) -> None:
    """Also where it contradicts itself: no slot is left without, and none gets what may not be used."""
    topology = Topology(tuple(nodes), frozenset(cores))
    assert sorted(spread(available, topology)) == sorted(available)
    assert frozenset().union(*nodes_of(available, topology)) == available
    for slot in range(20):
        assert cpus_for("numa", slot, available, topology) <= available
