"""The registry of parts: what ``all`` runs, in this order. A new part is one entry.

A part is told how much of everything (`Scope`) and returns what it found (`Measured`); it knows nothing of
the run around it. One that is a subcommand of its own needs no more than its name in `_COMMANDS`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from benchmarks import http_command, memory, profiling, report
from benchmarks.arguments import progress
from benchmarks.errors import BenchmarkError
from benchmarks.lifecycle import command as lifecycle
from benchmarks.lifecycle import report as books
from benchmarks.lifecycle.catalog import SCENARIOS
from benchmarks.lifecycle.servers import CONTESTANTS, Contestant
from benchmarks.report import as_json
from benchmarks.servers import contestants
from benchmarks.whole import charts
from benchmarks.whole.programs import output_of
from benchmarks.whole.values import Measured
from benchmarks.workloads import WORKLOADS
from benchmarks.ws import command as ws
from benchmarks.ws import idle
from benchmarks.ws import report as ws_report
from benchmarks.ws.workloads import WS_WORKLOADS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from benchmarks.results import Comparison
    from benchmarks.servers import Server

_FEW_CONNECTIONS: Final = 1000  #: idle ones, of a quick run
_MANY_CONNECTIONS: Final = 10_000
_MICRO: Final = ("codec", "scope", "cycle", "connection", "access_log", "frames")
_QUICK: Final = {"hello", "json", "http2"}
_QUICK_FAULTS: Final = {"reload", "kill", "stop"}
#: Seconds of a scenario on one server, where they are far from those of most.
_SCENARIO_SECONDS: Final = {"soak": 150, "idle": 75, "busy": 60, "blocked": 60, "kill": 60, "burst": 50}
_ORDINARY_SECONDS: Final = 30
_QUICK_SHARE: Final = 0.5
_CONTROL_QUICK: Final = ("--clients", "100", "--asks", "50", "--reloads", "3")


class _Command(NamedTuple):
    """A subcommand that runs by itself."""

    module: str
    about: str
    seconds: float
    quick_seconds: float
    #: What makes it quick.
    quick: tuple[str, ...] = ("--quick",)
    is_plain: bool = False


_COMMANDS: Final = {
    "balance": _Command(
        "benchmarks.balance",
        "how evenly connections are spread over four workers, by strategies of accepting",
        900,
        320,
        ("--rounds", "2", "--seconds", "1"),
        is_plain=True,
    ),
    "many": _Command("benchmarks.many", "64 workers, 10,000 connections, 1,000 reloads", 1200, 90),
    "control": _Command(
        "benchmarks.control",
        "status and reload among 1,000 hostile clients",
        60,
        20,
        _CONTROL_QUICK,
        is_plain=True,
    ),
}


@dataclass(frozen=True, slots=True)
class Scope:
    """How much of everything.

    Attributes:
        servers: Who takes part; tables of other parts have what comes with the same distributions.
        rounds: For each server.
        seconds: Of a round.
        requests: Of the memory part.
        is_quick: A fraction of the rest, to see that everything works.
    """

    servers: tuple[Server, ...]
    rounds: int
    seconds: int
    requests: int
    is_quick: bool

    @property
    def idle_connections(self) -> int:
        """How many connections idle where their memory is measured."""
        return _FEW_CONNECTIONS if self.is_quick else _MANY_CONNECTIONS


@dataclass(frozen=True, slots=True)
class Part:
    """One thing to measure.

    Attributes:
        name: What ``--only`` calls it; what is before its first hyphen is the family.
        about: One line.
        estimate: Returns about how many seconds it takes.
        run: Measures.
        is_quick: A quick run has it.
    """

    name: str
    about: str
    estimate: Callable[[Scope], float]
    run: Callable[[Scope], Measured]
    is_quick: bool = False


def chosen(names: Sequence[str] | None, *, is_quick: bool) -> tuple[Part, ...]:
    """Return the parts of these names or families, in order; those of an ordinary or a quick run for None.

    Raises:
        BenchmarkError: There is no such part.
    """
    if names is None:
        return tuple(part for part in PARTS.values() if part.is_quick or not is_quick)
    unknown = [name for name in names if not any(_is_of(part, name) for part in PARTS.values())]
    if unknown or not names:
        raise BenchmarkError(
            f"{', '.join(unknown) or 'nothing'} is no part; there are {', '.join(PARTS)},"
            " and families of them: what is before the first hyphen."
        )
    return tuple(part for part in PARTS.values() if any(_is_of(part, name) for name in names))


def _is_of(part: Part, name: str) -> bool:
    return name in {part.name, part.name.partition("-")[0]}


def _rounds_estimate(count: int, scope: Scope) -> float:
    """Return seconds of a comparison: start and stop, warm-up, rounds with a check each, and idling."""
    return 3.0 + count * (2.5 + scope.rounds * (scope.seconds + 0.3))


def _installed(servers: Sequence[Server]) -> list[Server]:
    return [server for server in servers if server.installed_version() is not None]


def _compared(found: Comparison, text: str) -> Measured:
    if not found.results:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in found.left_out.items())
        raise BenchmarkError(f"No server came through: {reasons or 'none can take part'}")
    return Measured(text, charts.of_comparison(found), samples=as_json(found))


def _http(name: str) -> Part:
    def estimate(scope: Scope) -> float:
        return _rounds_estimate(len(contestants(WORKLOADS[name], _installed(scope.servers))), scope)

    def run(scope: Scope) -> Measured:
        found = http_command.measure(name, scope.servers, rounds=scope.rounds, seconds=scope.seconds)
        return _compared(found, report.text(found))

    return Part(f"http-{name}", WORKLOADS[name].about, estimate, run, is_quick=name in _QUICK)


def _ws(name: str) -> Part:
    workload = WS_WORKLOADS[name]

    def estimate(scope: Scope) -> float:
        return _rounds_estimate(len(_installed(ws.of_distributions(scope.servers))), scope)

    def run(scope: Scope) -> Measured:
        servers = ws.of_distributions(scope.servers)
        found = ws.measure(name, servers, rounds=scope.rounds, seconds=scope.seconds)
        return _compared(found, ws_report.text(found, workload.mark))

    return Part(f"ws-{name}", f"WebSockets: {workload.about}", estimate, run, is_quick=name == "echo")


def _patient(scope: Scope) -> list[Server]:
    return [server for server in _installed(scope.servers) if server.patience]


def _run_memory(scope: Scope) -> Measured:
    found = memory.measure(scope.servers, scope.idle_connections, scope.requests, progress)
    return Measured(memory.text(found), charts.of_memory(found))


def _memory_estimate(scope: Scope) -> float:
    each = 4 + scope.idle_connections / 2500 + max(6, scope.requests / 8000)
    return each * len(_patient(scope))


def _run_idle(scope: Scope) -> Measured:
    servers = ws.serving_applications(ws.of_distributions(scope.servers))
    found = idle.measure(servers, scope.idle_connections, progress)
    return Measured(idle.text(found), charts.of_idle(found))


def _idle_estimate(scope: Scope) -> float:
    servers = ws.serving_applications(ws.of_distributions(scope.servers))
    return len(_installed(servers)) * (3 + scope.idle_connections / 1000)


def _faulty(name: str, scope: Scope) -> list[Contestant]:
    """Return who takes part in a scenario; a quick run has one gunicorn."""
    distributions = {server.distribution for server in scope.servers}
    return [
        one
        for one in CONTESTANTS.values()
        if one.server.distribution in distributions
        and SCENARIOS[name].concerns(one)
        and not (scope.is_quick and one.name.startswith("gunicorn-"))
    ]


def _lifecycle(name: str) -> Part:
    def estimate(scope: Scope) -> float:
        count = sum(one.server.installed_version() is not None for one in _faulty(name, scope))
        seconds = _SCENARIO_SECONDS.get(name, _ORDINARY_SECONDS)
        return count * seconds * (_QUICK_SHARE if scope.is_quick else 1)

    def run(scope: Scope) -> Measured:
        pace = lifecycle.QUICK if scope.is_quick else lifecycle.ORDINARY
        found = lifecycle.measure([SCENARIOS[name]], _faulty(name, scope), pace)
        return Measured(books.text(found), charts.of_books(found), samples=books.as_json(found))

    about = f"Faults under load: {name}"
    return Part(f"lifecycle-{name}", about, estimate, run, is_quick=name in _QUICK_FAULTS)


def _command(name: str, command: _Command) -> Part:
    def estimate(scope: Scope) -> float:
        return command.quick_seconds if scope.is_quick else command.seconds

    def run(scope: Scope) -> Measured:
        arguments = command.quick if scope.is_quick else ()
        return Measured(output_of("benchmarks", [name, *arguments]), is_plain=command.is_plain)

    return Part(name, command.about, estimate, run)


def _micro(name: str) -> Part:
    def run(_scope: Scope) -> Measured:
        return Measured(output_of(f"benchmarks.micro.{name}", []), is_plain=True)

    return Part(f"micro-{name}", f"a stage of a request by itself, µs each: {name}", lambda _: 15, run)


def _profile(name: str, *, is_http2: bool) -> Part:
    def run(_scope: Scope) -> Measured:
        try:
            svg = profiling.record(is_http2=is_http2, seconds=profiling.SECONDS)
        except BenchmarkError as error:
            progress(str(error))
            return Measured(str(error))
        about = "Each box is a function, as wide as its share of the samples; what it called stands on it."
        return Measured(about, pictures={profiling.file_name(is_http2=is_http2): svg})

    about = f"where srvctl's CPU of hello goes over {'HTTP/2' if is_http2 else 'HTTP/1.1'}"
    return Part(f"profile-{name}", about, lambda _: profiling.SECONDS + 5, run, is_quick=True)


def _all() -> Iterator[Part]:
    yield from map(_http, WORKLOADS)
    yield from map(_ws, WS_WORKLOADS)
    yield Part("ws-idle", "WebSockets on which nothing is said: memory", _idle_estimate, _run_idle)
    about = "at rest, with idle connections, after many requests"
    yield Part("memory", about, _memory_estimate, _run_memory, is_quick=True)
    yield from map(_lifecycle, SCENARIOS)
    for name, command in _COMMANDS.items():
        if find_spec(command.module) is not None:
            yield _command(name, command)
    yield from map(_micro, _MICRO)
    yield from map(partial(_profile, is_http2=False), ["http1"])
    yield from map(partial(_profile, is_http2=True), ["http2"])


PARTS: Mapping[str, Part] = MappingProxyType({part.name: part for part in _all()})
