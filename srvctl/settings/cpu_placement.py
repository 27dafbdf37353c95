"""Which CPUs the worker of each slot runs on: what `workers.cpu_affinity` says, and what it comes to here.

Pure: it reads texts, and is told what CPUs there are and how they belong together (`srvctl.ipc.topology`).
The checks of the settings call it, so that a mistake is told when they are read; `srvctl.worker.privileges`
acts on what it returns.
"""

from __future__ import annotations

import re
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from srvctl.ipc.topology import Topology

AUTO: Final = "auto"  #: one CPU for each slot
NUMA: Final = "numa"  #: the CPUs of one memory node for each slot
WORDS: Final = frozenset({AUTO, NUMA})

_CPU_RANGE: Final = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?", re.ASCII)
_MOST_CPUS: Final = 8192  #: CONFIG_NR_CPUS of Linux allows no more


def parse_affinity(text: str) -> str | tuple[frozenset[int], ...]:
    """Return one of `WORDS`, or the CPUs of a list such as ``0-3,8``, or of several: ``0-3;4-7``.

    Raises:
        ValueError: It is neither; the message begins behind the text.
    """
    word = text.strip().lower()
    return word if word in WORDS else tuple(map(_parse_cpus, text.split(";")))


def _parse_cpus(text: str) -> frozenset[int]:
    cpus: set[int] = set()
    for part in text.split(","):
        match = _CPU_RANGE.fullmatch(part.strip())
        if match is None:
            raise ValueError("is not a list of CPUs; write for example 0-3,8 or 0-3;4-7, or auto, or numa")
        first, last = int(match[1]), int(match[2] or match[1])
        if first > last:
            raise ValueError(f"has a range that ends before it begins; write {last}-{first}")
        if last >= _MOST_CPUS:
            raise ValueError(f"names CPU {last}; no machine has more than {_MOST_CPUS}")
        cpus.update(range(first, last + 1))
    return frozenset(cpus)


def spell_cpus(cpus: Iterable[int]) -> str:
    """Return the CPUs as `parse_affinity` reads them."""
    ranges: list[list[int]] = []
    for cpu in sorted(cpus):
        if ranges and cpu == ranges[-1][-1] + 1:
            ranges[-1][1:] = [cpu]
        else:
            ranges.append([cpu])
    return ",".join("-".join(map(str, ends)) for ends in ranges)


def cpus_for(text: str, slot: int, available: frozenset[int], topology: Topology) -> frozenset[int]:
    """Return the CPUs that the worker of a slot runs on: the same for every worker of the slot.

    Args:
        text: As `parse_affinity` reads it. Of several lists, of the nodes, or of the CPUs, slots get one each
            in turn, and begin anew when there are more slots.
        slot: The slot's number.
        available: The CPUs that srvctl may use; only the words look at them.
        topology: How they belong together; the same.

    Raises:
        ValueError: The text is none.
    """
    affinity = parse_affinity(text)
    if isinstance(affinity, tuple):
        choices: list[frozenset[int]] = list(affinity)
    elif affinity == NUMA:
        choices = nodes_of(available, topology)
    else:
        choices = [frozenset({cpu}) for cpu in spread(available, topology)]
    return choices[slot % len(choices)]


def nodes_of(available: frozenset[int], topology: Topology) -> list[frozenset[int]]:
    """Return the CPUs that may be used of each memory node that has some; all, where no nodes are known.

    CPUs that no node names count as one more node: nothing that may be used is left out.
    """
    nodes = [node & available for node in topology.nodes]
    nodes.append(available.difference(*nodes))
    return [node for node in nodes if node]


def spread(available: frozenset[int], topology: Topology) -> list[int]:
    """Return the CPUs that may be used, in the order in which slots are to have them.

    The first threads of all cores come before any second one, because two threads of a core share its
    execution units and caches; and in each of these rounds the nodes take turns, because those of one node
    share its memory's bandwidth.
    """
    core_of = {cpu: core for core in topology.cores for cpu in core}
    nodes = []
    for node in nodes_of(available, topology):
        cores = {frozenset({cpu}) | (core_of.get(cpu, frozenset()) & node) for cpu in node}
        nodes.append(sorted(sorted(core) for core in cores))
    most = max((len(core) for node in nodes for core in node), default=0)
    order: list[int] = []
    for thread in range(most):
        rounds = [[core[thread] for core in node if thread < len(core)] for node in nodes]
        order += (cpu for cpu in chain.from_iterable(zip_longest(*rounds)) if cpu is not None)
    return list(dict.fromkeys(order))  # each once, even where the kernel contradicts itself
