"""Memory: at rest, with idle connections, and after many requests. ``python -m benchmarks memory``.

Each server has the machine to itself, one after the other: what two of them share would be divided.
"""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from benchmarks import usage
from benchmarks.check import check
from benchmarks.errors import BenchmarkError, ToolMissingError, WrongAnswerError
from benchmarks.processes import ServerProcess, free_port
from benchmarks.tables import aligned
from benchmarks.workloads import WORKLOADS
from benchmarks.wrk import request_bytes, run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.servers import Server
    from benchmarks.workloads import Workload

_MIB: Final = 1024 * 1024
#: Of one address of ours: well below the number of ports there are for outgoing connections.
_CONNECTIONS_PER_ADDRESS: Final = 5000
_LOAD_SECONDS: Final = 3
_SETTLE_SECONDS: Final = 0.5
_TIMEOUT_SECONDS: Final = 20.0


@dataclass(frozen=True, slots=True)
class Memory:
    """What one server takes, in bytes; PSS of its whole process tree, with nothing else measured beside it.

    Attributes:
        name: Of the server.
        at_rest: After some requests.
        idle: How much more with the idle connections.
        requests: How many the server then answered.
        growth: How much more after them than after the first tenth of them.
    """

    name: str
    at_rest: int
    idle: int
    requests: int
    growth: int


@dataclass(frozen=True, slots=True)
class Measured:
    """All of it: for how many connections, and who was left out and why."""

    connections: int
    results: tuple[Memory, ...]
    left_out: dict[str, str]


def measure(
    servers: Sequence[Server], connections: int, requests: int, progress: Callable[[str], None]
) -> Measured:
    """Measure one server after the other; one that fails is left out."""
    results: list[Memory] = []
    left_out: dict[str, str] = {}
    for server in servers:
        if not server.patience:
            continue
        if server.installed_version() is None:
            left_out[server.name] = "not installed"
            continue
        try:
            results.append(_measure(server, connections, requests, progress))
        except ToolMissingError:
            raise
        except (BenchmarkError, OSError) as error:
            left_out[server.name] = str(error)
            progress(f"{server.name} is left out: {error}")
    return Measured(connections, tuple(results), left_out)


def text(measured: Measured) -> str:
    """Return a table, in MiB."""
    header = ["server", "at rest", f"{measured.connections:,} idle connections", "requests", "growth"]
    rows = [
        [
            each.name,
            f"{each.at_rest / _MIB:.1f}",
            f"+{each.idle / _MIB:.1f}",
            f"{each.requests:,}",
            f"{each.growth / _MIB:+.1f}",
        ]
        for each in measured.results
    ]
    notes = [f"- left out: {name}: {reason}" for name, reason in measured.left_out.items()]
    return "\n".join(["memory: PSS of all processes, MiB", "", aligned(header, rows, left=1), *notes])


def _measure(server: Server, connections: int, requests: int, progress: Callable[[str], None]) -> Memory:
    workload = WORKLOADS["hello"]
    port = free_port()
    patient = replace(server, arguments=server.arguments + server.patience)
    process = ServerProcess(patient.command(workload.app, port), port)
    try:
        process.wait_until_listening()
        for _ in range(100):
            check(workload, port)
        at_rest = _pss(process)
        progress(f"{server.name}: {at_rest / _MIB:.1f} MiB at rest")
        idle = _with_idle(process, workload, connections) - at_rest
        progress(f"{server.name}: {idle / _MIB:+.1f} MiB with {connections:,} idle connections")
        done, growth = _growth(process, workload, requests)
        progress(f"{server.name}: {growth / _MIB:+.1f} MiB after {done:,} requests")
        process.raise_if_gone()
    finally:
        process.stop()
    return Memory(server.name, at_rest, idle, done, growth)


def _pss(process: ServerProcess) -> int:
    time.sleep(_SETTLE_SECONDS)
    return usage.pss_bytes(usage.tree(process.root))


def _with_idle(process: ServerProcess, workload: Workload, connections: int) -> int:
    """Return the memory while so many clients, each of which has had an answer, ask nothing more.

    Raises:
        WrongAnswerError: A connection was closed.
    """
    request = request_bytes(workload, process.port)
    with ExitStack() as stack:
        clients = []
        for number in range(connections):
            source = f"127.0.0.{1 + number // _CONNECTIONS_PER_ADDRESS}"
            client = socket.create_connection(
                ("127.0.0.1", process.port), _TIMEOUT_SECONDS, source_address=(source, 0)
            )
            clients.append(stack.enter_context(client))
            client.sendall(request)
            if not client.recv(4096).startswith(b"HTTP/1.1 200"):
                raise WrongAnswerError(f"Connection {number + 1} got no answer.")
        memory = _pss(process)
        if any(_is_closed(client) for client in clients):
            raise WrongAnswerError("An idle connection was closed.")
    return memory


def _is_closed(client: socket.socket) -> bool:
    client.setblocking(False)
    try:
        while client.recv(4096):  # the rest of its answer, if that came in two pieces
            pass
    except BlockingIOError:
        return False
    return True


def _growth(process: ServerProcess, workload: Workload, requests: int) -> tuple[int, int]:
    """Return how many requests were answered, and what the last nine tenths of them left behind."""
    done = _load(process, workload, requests // 10)
    before = _pss(process)
    done += _load(process, workload, requests - done)
    return done, _pss(process) - before


def _load(process: ServerProcess, workload: Workload, requests: int) -> int:
    done = 0
    while done < requests:
        done += run(workload, process.port, seconds=_LOAD_SECONDS, connections=workload.connections).requests
    return done
