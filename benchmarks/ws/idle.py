"""What an idle WebSocket takes in memory. ``python -m benchmarks ws --app idle``.

Each server has the machine to itself, one after the other: what two of them share would be divided. Memory of
the kernel is not in it; that is the same for all.
"""

from __future__ import annotations

import resource
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from benchmarks import usage
from benchmarks.errors import BenchmarkError, WrongAnswerError
from benchmarks.processes import ServerProcess, free_port
from benchmarks.tables import aligned
from benchmarks.ws.opening import opened
from benchmarks.ws.servers import OURS
from benchmarks.ws.workloads import WS_WORKLOADS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.servers import Server

CONNECTIONS: Final = 10_000
MARK_BYTES: Final = 12 * 1024
_SETTLE_SECONDS: Final = 0.5
#: Opened and closed before the first look, so that what is made once is there.
_WARM_UP: Final = 100
#: Files a server and its client have open besides.
_OTHER_FILES: Final = 200
_MIB: Final = 1024 * 1024
_KIB: Final = 1024


@dataclass(frozen=True, slots=True)
class Idle:
    """What one server takes, in bytes; PSS of its whole process tree.

    Attributes:
        name: Of the server.
        at_rest: After some WebSockets have come and gone.
        growth: How much more with the idle ones.
        connections: How many these are.
    """

    name: str
    at_rest: int
    growth: int
    connections: int

    @property
    def each(self) -> float:
        """Bytes for each of them."""
        return self.growth / self.connections


@dataclass(frozen=True, slots=True)
class Measured:
    """All of it, and who was left out and why."""

    results: tuple[Idle, ...]
    left_out: dict[str, str]


def measure(servers: Sequence[Server], connections: int, progress: Callable[[str], None]) -> Measured:
    """Measure one server after the other; one that fails is left out.

    Raises:
        BenchmarkError: No process may have as many files open.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit < connections + _OTHER_FILES:
        raise BenchmarkError(f"A process may open {limit} files, too few for {connections} connections.")
    results: list[Idle] = []
    left_out: dict[str, str] = {}
    for server in servers:
        if server.installed_version() is None:
            left_out[server.name] = "not installed"
            continue
        try:
            results.append(_measure(server, connections))
            progress(
                f"{server.name}: {results[-1].each / _KIB:.1f} KiB for each of {connections:,} WebSockets"
            )
        except (BenchmarkError, OSError) as error:
            left_out[server.name] = str(error)
            progress(f"{server.name} is left out: {error}")
    return Measured(tuple(results), left_out)


def text(measured: Measured) -> str:
    """Return a table, and whether the mark is reached."""
    header = ["server", "at rest MiB", "WebSockets", "growth MiB", "KiB each"]
    rows = [
        [
            one.name,
            f"{one.at_rest / _MIB:.1f}",
            f"{one.connections:,}",
            f"{one.growth / _MIB:.1f}",
            f"{one.each / _KIB:.1f}",
        ]
        for one in measured.results
    ]
    blocks = ["idle: PSS of all processes with idle WebSockets", aligned(header, rows, left=1)]
    for ours in (one for one in measured.results if one.name == OURS):
        result = "reached" if ours.each <= MARK_BYTES else "missed"
        blocks.append(f"{OURS}: {ours.each / _KIB:.1f} KiB each; mark {MARK_BYTES // _KIB} KiB: {result}")
    blocks.append("\n".join(f"- left out: {name}: {reason}" for name, reason in measured.left_out.items()))
    return "\n\n".join(block for block in blocks if block)


def _measure(server: Server, connections: int) -> Idle:
    workload = WS_WORKLOADS["echo"]
    script = workload.make_script()
    port = free_port()
    process = ServerProcess(server.command(workload.app, port), port)
    try:
        process.wait_until_listening()
        with opened(_WARM_UP, port, "/", script):
            pass
        at_rest = _pss(process)
        with opened(connections, port, "/", script) as clients:
            growth = _pss(process) - at_rest
            if not all(client.is_open() for client in clients):
                raise WrongAnswerError("An idle WebSocket was closed.")
        process.raise_if_gone()
    finally:
        process.stop()
    return Idle(server.name, at_rest, growth, connections)


def _pss(process: ServerProcess) -> int:
    time.sleep(_SETTLE_SECONDS)
    return usage.pss_bytes(usage.tree(process.root))
