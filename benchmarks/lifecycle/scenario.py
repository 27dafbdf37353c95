"""What a scenario is, and how it is run: server and load start, the fault happens, everything is ended."""

from __future__ import annotations

import os
import resource
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from benchmarks.errors import BenchmarkError
from benchmarks.lifecycle.clients import LoadPlan
from benchmarks.lifecycle.code import Code
from benchmarks.lifecycle.load import Load
from benchmarks.lifecycle.outcome import Combine, Figure, Outcome, combine
from benchmarks.lifecycle.service import Service, until
from benchmarks.machine import busy_seconds
from benchmarks.processes import uninterrupted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from benchmarks.lifecycle.servers import Ability, Contestant

ENOUGH: Final = 20_000  #: requests, for a mark about them
LOST: Final = Figure("lost", "requests lost", mark=0, least=ENOUGH)
RETRIABLE: Final = Figure("retriable", "retriable closes")
LATE: Final = Figure("late", "requests late (over 1 s)")
#: What every scenario under load shows first; some of however many requests.
UNDER_LOAD: Final = (LOST, RETRIABLE, LATE)
UNDER_SOME_LOAD: Final = (LOST.about_any(), RETRIABLE, LATE)
_STEADY_SECONDS: Final = 1.0
_TRIES: Final = 2
_BUSY_SHARE: Final = 0.05


@dataclass(frozen=True, slots=True)
class Pace:
    """How much of everything.

    Attributes:
        rate: Requests a second.
        kept: Clients that keep their connection.
        fresh: Clients that open one for each request.
        requests: How many a scenario about lost requests makes.
        busy_seconds: Of the scenario at 100 % CPU.
        idle_seconds: Of the scenario of idle workers.
        idle_workers: How many these are.
        soak: Reloads, and kills.
    """

    rate: float = 1500
    kept: int = 48
    fresh: int = 16
    requests: int = ENOUGH
    busy_seconds: float = 30
    idle_seconds: float = 60
    idle_workers: int = 64
    soak: int = 50

    def load(self, port: int) -> LoadPlan:
        """Return the ordinary load."""
        return LoadPlan(port, self.rate, self.kept, self.fresh)

    @property
    def tally_seconds(self) -> float:
        """How long it takes to make all the requests."""
        return self.requests / self.rate


class Stage:
    """What a scenario has to work with: a server, and a load on it."""

    def __init__(self, service: Service, pace: Pace, stack: ExitStack) -> None:
        self.service = service
        self.pace = pace
        self._stack = stack
        self._load: Load | None = None

    def __repr__(self) -> str:
        return f"<Stage {self.service!r} {self._load!r}>"

    @property
    def load(self) -> Load:
        """The ordinary load, which is started when it is first asked for, and let become steady."""
        if self._load is None:
            self._load = self.more_load(self.pace.load(self.service.port))
            time.sleep(_STEADY_SECONDS)
        return self._load

    def more_load(self, plan: LoadPlan) -> Load:
        """Start another load, which ends with the scenario at the latest."""
        load = Load(plan)
        self._stack.callback(load.kill)
        return load

    def load_until(self, requests: int, then: float = 0.0) -> None:
        """Go on until so many requests were due, and some seconds longer."""
        until(lambda: self.load.look().due >= requests, requests / self.pace.rate + 10, step=0.2)
        time.sleep(then)


@dataclass(frozen=True, slots=True)
class Scenario:
    """One fault, and what is measured of it.

    Attributes:
        name: What ``--only`` calls it.
        figures: The rows it fills.
        run: Makes the fault happen, and returns what it showed.
        workers: How many; None for as many as the pace has idle ones.
        code: The first revision.
        needs: Abilities without which a server does not take part, and what to tell it.
        told: What else to tell those that understand.
        rounds: How often, each time with another server process.
        is_about_import: Servers that import before they fork take part.
        is_about_start: It begins before the workers are ready.
        is_about_end: That the server exits is part of it.
    """

    name: str
    figures: tuple[Figure, ...]
    run: Callable[[Stage], Outcome]
    workers: int | None = 4
    code: Code = field(default_factory=Code)
    needs: Mapping[Ability, str] = field(default_factory=dict)
    told: Mapping[Ability, str] = field(default_factory=dict)
    rounds: int = 1
    is_about_import: bool = False
    is_about_start: bool = False
    is_about_end: bool = False

    def concerns(self, contestant: Contestant) -> bool:
        """Return whether a server takes part."""
        return contestant.can(self.needs) and (self.is_about_import or not contestant.is_preloading)


def perform(scenario: Scenario, contestant: Contestant, pace: Pace) -> Outcome:
    """Run all rounds of a scenario on one server; one whose load did not keep its times is done once more.

    Raises:
        BenchmarkError: The server did not start, or nothing can be said.
    """
    since, others = time.monotonic(), _seconds_of_others()
    outcome = combine([_round(scenario, contestant, pace) for _ in range(scenario.rounds)], scenario.figures)
    cpus = len(os.sched_getaffinity(0))
    share = (_seconds_of_others() - others) / (time.monotonic() - since) / cpus
    if share <= _BUSY_SHARE:
        return outcome
    remark = f"BUSY MACHINE: other processes took {share:.0%} of the CPUs; repeat on a quiet one"
    return replace(outcome, remarks=(*outcome.remarks, remark))


def _seconds_of_others() -> float:
    """Return the CPU time that went to neither us nor what we started and waited for."""
    ours = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    own = sum(usage.ru_utime + usage.ru_stime for usage in ours)
    return sum(map(busy_seconds, os.sched_getaffinity(0))) - own


def _round(scenario: Scenario, contestant: Contestant, pace: Pace) -> Outcome:
    for _ in range(_TRIES):
        with _staged(scenario, contestant, pace) as stage:
            try:
                outcome = scenario.run(stage)
            except BenchmarkError as error:
                raise BenchmarkError(f"{error} {stage.service.exit_reason()}".rstrip()) from error
            reason = stage.service.exit_reason()
        if outcome.is_valid:
            break
    if reason and not scenario.is_about_end:
        outcome = replace(outcome, remarks=(*outcome.remarks, reason))
    return outcome


@contextmanager
def _staged(scenario: Scenario, contestant: Contestant, pace: Pace) -> Iterator[Stage]:
    """Start a server; end it and every load however the scenario ends."""
    workers = pace.idle_workers if scenario.workers is None else scenario.workers
    service = Service(contestant, workers, {**scenario.told, **scenario.needs}, scenario.code)
    stack = ExitStack()
    try:
        if not scenario.is_about_start:
            service.wait_until_ready()
        yield Stage(service, pace, stack)
    finally:
        with uninterrupted():
            stack.close()
            service.close()


def lasting(text: str, key: str, mark: float | None = None) -> Figure:
    """Return a figure in seconds, of which the worst round counts."""
    return Figure(key, text, "s", mark, combine=Combine.WORST)
