"""What a comparison measured, as plain values: made by ``compare.py``, read by ``report.py``."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.load import Errors, Load
from benchmarks.servers import BASELINE


@dataclass(frozen=True, slots=True)
class Round:
    """One server under load once.

    Attributes:
        number: Which round, from 1.
        load: What the client saw.
        cpu_seconds: CPU time of the server's whole process tree.
        others_share: Share of the servers' CPU that went to anything else; None where they have none.
    """

    number: int
    load: Load
    cpu_seconds: float
    others_share: float | None = None

    @property
    def cpu_us_per_request(self) -> float:
        """CPU time of the server's whole process tree for each request done, in microseconds."""
        return self.cpu_seconds / self.load.requests * 1e6

    @property
    def requests_per_second(self) -> float:
        """Requests done in each second of the load."""
        return self.load.requests / self.load.seconds

    @property
    def megabytes_per_second(self) -> float:
        """Bytes received in each second of the load, heads included, in millions."""
        return self.load.received_bytes / self.load.seconds / 1e6


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a server takes after the load, when nothing is asked of it.

    Attributes:
        processes: How many processes it consists of.
        pss_bytes: Memory of all of them, pages shared with strangers counted in part.
        root_pss_bytes: The same of the process that was started, which is the master where there is one.
        alone_bytes: Memory of all of them, were they alone on the machine.
        root_idle_ms_per_second: CPU time of that one in a second of idling; None where none is kept.
        idle_ms_per_second: The same of all of them.
    """

    processes: int
    pss_bytes: int
    root_pss_bytes: int
    alone_bytes: int
    root_idle_ms_per_second: float | None
    idle_ms_per_second: float | None


@dataclass(frozen=True, slots=True)
class ServerResult:
    """All that was measured of one server; `beside` names another one to compare it with."""

    name: str
    version: str
    companions: dict[str, str | None]
    rounds: tuple[Round, ...]
    footprint: Footprint
    beside: str | None = None

    @property
    def errors(self) -> Errors:
        """Failures of all rounds together."""
        return sum((each.load.errors for each in self.rounds), Errors())


@dataclass(frozen=True, slots=True)
class Plan:
    """How a comparison is made.

    Attributes:
        workload: Name of the workload.
        rounds: How often each server is put under load.
        seconds: How long each time.
        connections: Kept open at once.
        pinned: Whether servers have one CPU and the client another.
        baseline: Name of the contestant the others are compared with.
        client: Who makes the load.
        unit: What is counted, in short.
    """

    workload: str
    rounds: int
    seconds: float
    connections: int
    pinned: bool
    baseline: str = BASELINE
    client: str = "wrk"
    unit: str = "req"


@dataclass(frozen=True, slots=True)
class Comparison:
    """A finished comparison.

    Attributes:
        plan: How it was made.
        machine: Facts of the machine, by name.
        results: One for each server that came through.
        left_out: Why another did not, by its name.
    """

    plan: Plan
    machine: dict[str, str]
    results: tuple[ServerResult, ...]
    left_out: dict[str, str]
