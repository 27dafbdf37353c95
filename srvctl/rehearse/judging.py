"""What to think of the counts of each act: what is allowed, what is broken, what is doubtful. Pure.

A rule that is worth its own sentence: a request is *excused* if it was lost on a connection to a worker that
the rehearsal itself killed or blocked. Nobody could have answered it. All others count.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from srvctl.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from srvctl.rehearse.acts import Act
    from srvctl.rehearse.tally import Tally

#: Seconds of its own delay, of the slowest hundredth, beyond which the load's times say little.
LAG_LIMIT: Final = 0.05
#: Share of requests that had to wait for a connection of the load's.
_HELD_BACK_SHARE: Final = 0.1
#: Below, an answer is as it should be; up to 499 the load may have asked for the wrong thing.
_REFUSED: Final = range(400, 500)


@dataclass(frozen=True, slots=True)
class Limits:
    """What an act may show at most; None allows anything.

    Attributes:
        lost: Requests lost, those excused apart.
        failed: Answers with a status of 500 or more, to paths that had none in the steady act.
        late: Late answers.
        p99: Seconds within which 99 of 100 answers came.
    """

    lost: int = 0
    failed: int = 0
    late: int | None = None
    p99: float | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What one act has shown.

    Attributes:
        act: Which.
        seconds: How long it took.
        tally: What became of the requests; None for one that was not tried.
        back: Seconds until all workers were ready again; for the end of the instance, until it was gone.
        excused: Lost requests that nobody could have answered.
        problem: What did not happen as it must; empty if everything did.
        notes: What else a reader wants to know.
        obstacle: Why it was not tried; empty if it was.
    """

    act: Act
    seconds: float = 0.0
    tally: Tally | None = None
    back: float | None = None
    excused: int = 0
    problem: str = ""
    notes: tuple[str, ...] = ()
    obstacle: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is said of a whole rehearsal.

    Attributes:
        broken: A sentence for each limit that was broken.
        doubts: A sentence for each act in which the load did not keep its times.
        tried: How many acts were tried.
        baseline: Paths that fail by themselves.
    """

    broken: tuple[str, ...]
    doubts: tuple[str, ...]
    tried: int
    baseline: frozenset[str] = field(default=frozenset())

    @property
    def exit_code(self) -> ExitCode:
        """What the command ends with."""
        return ExitCode.REFUSED if self.broken else ExitCode.OK

    @property
    def sentence(self) -> str:
        """The end of the report."""
        if self.broken:
            return "Not good enough: " + "; ".join(self.broken) + "."
        acts = "1 act" if self.tried == 1 else f"{self.tried} acts"
        return f"Good: no limit was broken in {acts}." if self.tried else "No act was tried."


def failed(tally: Tally, baseline: Collection[str]) -> int:
    """Return the answers that are failures, but for paths that fail by themselves."""
    return sum(count for path, count in tally.failures.items() if path not in baseline)


def failing(steady: Tally | None) -> frozenset[str]:
    """Return the paths that fail although nothing happens."""
    return frozenset(steady.failures) if steady is not None else frozenset()


def judge(results: Sequence[Result], limits: Limits, baseline: frozenset[str]) -> Verdict:
    """Return the verdict."""
    broken = [
        f"{result.act}: {sentence}" for result in results for sentence in _broken(result, limits, baseline)
    ]
    doubts = [f"{result.act}: {doubt}" for result in results if (doubt := doubtful(result.tally))]
    tried = sum(not result.obstacle for result in results)
    return Verdict(tuple(broken), tuple(doubts), tried, baseline)


def _broken(result: Result, limits: Limits, baseline: Collection[str]) -> list[str]:
    tally = result.tally
    found = [result.problem] if result.problem else []
    if tally is None:
        return found
    if not tally.answered and not result.problem:
        found.append("no request was answered")
    p99 = tally.latency.percentile(99)
    figures: Mapping[str, tuple[float | None, float | None, str]] = {
        "lost": (tally.lost - result.excused, limits.lost, "d"),
        "failed": (failed(tally, baseline), limits.failed, "d"),
        "late": (tally.late, limits.late, "d"),
        "p99 in seconds": (p99, limits.p99, ".3f"),
    }
    for name, (value, limit, form) in figures.items():
        if value is not None and limit is not None and value > limit:
            found.append(f"{value:{form}} {name}, and {limit:g} allowed")
    return found


def doubtful(tally: Tally | None) -> str:
    """Return why the times of an act say little about the server; nothing if they do."""
    if tally is None or not tally.due:
        return ""
    lag = tally.lag.percentile(99)
    if lag is not None and lag > LAG_LIMIT:
        return (
            f"the load itself was late by {lag * 1000:.0f} ms and more (p99); the machine has too much to do"
        )
    if tally.held_back > tally.due * _HELD_BACK_SHARE:
        return (
            f"{tally.held_back} requests waited for a connection of the load's, so it could not keep the "
            "rate; try --connections or another --rate"
        )
    return ""


def remark(tally: Tally, baseline: Collection[str]) -> str:
    """Return what is to be known about the answers themselves; nothing if they are as they should be."""
    refused = {status: n for status, n in tally.statuses.items() if status in _REFUSED}
    if sum(refused.values()) * 2 > tally.answered > 0:
        most = max(refused, key=lambda status: refused[status])
        return f"most answers are {most}: is it what --path and --send ask for?"
    if baseline:
        return f"fails by itself: {', '.join(sorted(baseline))}"
    return ""


def as_json(result: Result, baseline: Collection[str]) -> dict[str, Any]:
    """Return a result with all its numbers; times in seconds."""
    told: dict[str, Any] = {
        "act": result.act.value,
        "tried": not result.obstacle,
        "obstacle": result.obstacle,
        "problem": result.problem,
        "notes": list(result.notes),
        "seconds": _rounded(result.seconds),
        "back": _rounded(result.back),
    }
    tally = result.tally
    if tally is None:
        return told
    ranks = {"p50": 50.0, "p90": 90.0, "p99": 99.0}
    return told | {
        "requests": tally.due,
        "answered": tally.answered,
        "turned_away": tally.turned_away,
        "lost": tally.lost,
        "excused": result.excused,
        "reasons": tally.reasons,
        "late": tally.late,
        "failed": failed(tally, baseline),
        "failed_anyway": sum(tally.failures.values()) - failed(tally, baseline),
        "statuses": {str(status): count for status, count in sorted(tally.statuses.items())},
        "latency": {name: _rounded(tally.latency.percentile(rank)) for name, rank in ranks.items()}
        | {"max": _rounded(tally.latency.most)},
        "load": {
            "lag_p99": _rounded(tally.lag.percentile(99)),
            "lag_max": _rounded(tally.lag.most),
            "held_back": tally.held_back,
            "doubt": doubtful(tally),
        },
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 6)
