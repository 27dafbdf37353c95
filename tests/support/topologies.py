"""Trees of /sys as the kernel shows them for machines that nobody has at hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from pathlib import Path


class Shape(TypedDict):
    """Of a machine: what the files of its nodes, and of its CPUs, say."""

    nodes: dict[int, str]
    siblings: dict[int, str]


#: Two sockets of two cores, each of two threads, numbered as most firmware does: first threads first.
TWO_SOCKETS: Shape = {
    "nodes": {0: "0-1,4-5", 1: "2-3,6-7"},
    "siblings": {0: "0,4", 1: "1,5", 2: "2,6", 3: "3,7", 4: "0,4", 5: "1,5", 6: "2,6", 7: "3,7"},
}
#: The same with a core of the first socket, and a thread of the second, taken offline.
WITH_HOLES: Shape = {
    "nodes": {0: "0,4", 1: "2-3,7"},
    "siblings": {0: "0,4", 2: "2", 3: "3,7", 4: "0,4", 7: "3,7"},
}
#: Node 1 is memory without CPUs, as of an expander (CXL); there never was a node 2.
MEMORY_ONLY: Shape = {
    "nodes": {0: "0-1", 1: "", 3: "2-3", 10: "4-5"},
    "siblings": {cpu: str(cpu) for cpu in range(6)},
}


def machine(root: Path, nodes: dict[int, str], siblings: dict[int, str]) -> Path:
    """Make the files below a root, and return it."""
    system = root / "sys/devices/system"
    (system / "node").mkdir(parents=True)
    (system / "node/online").write_text("whatever\n")
    for node, cpus in nodes.items():
        folder = system / f"node/node{node}"
        folder.mkdir()
        (folder / "cpulist").write_text(f"{cpus}\n")
    for cpu, threads in siblings.items():
        folder = system / f"cpu/cpu{cpu}/topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(f"{threads}\n")
    return root
