"""Rates, quantiles and shares from two looks at the metrics of an instance. Pure.

A master counts since the instance began; what happens now is the difference of two looks. The totals of a
slot never go down while the instance lives; those of one worker begin anew with its successor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from srvctl.cli.values import amount, items, number, shown, table, workers
from srvctl.ipc.quantiles import quantile

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_MEDIAN: Final = 0.5
_HIGH: Final = 0.99


@dataclass(frozen=True, slots=True)
class Traffic:
    """What was answered between two looks.

    Attributes:
        requests: In a second.
        errors: In a second.
        p50: Seconds in which half of them were answered; None if none was.
        p99: Seconds in which all but a hundredth were.
    """

    requests: float
    errors: float
    p50: float | None
    p99: float | None


@dataclass(frozen=True, slots=True)
class WorkerFigures:
    """One worker.

    Attributes:
        slot: Its place.
        pid: Its process; 0 before it has one.
        state: A word.
        generation: Of its code.
        uptime: Seconds.
        cpu: Of how many processors it used the time.
        pss: Bytes; None where it is not known.
        traffic: None in the first look.
        in_flight: Requests that the application is at work on.
        connections: That are open.
        lag: Seconds by which its loop was late.
        leaves_because: Empty if it does not leave.
    """

    slot: int
    pid: int
    state: str
    generation: int
    uptime: float
    cpu: float
    pss: int | None
    traffic: Traffic | None
    in_flight: int
    connections: int
    lag: float
    leaves_because: str


@dataclass(frozen=True, slots=True)
class Figures:
    """The instance.

    Attributes:
        traffic: Of all workers, those that are gone meanwhile included; None in the first look.
        cpu: Of all workers.
        pss: Of all workers; None where it is not known of any.
        in_flight: Of all workers.
        connections: Of all workers.
        workers: By slot.
    """

    traffic: Traffic | None
    cpu: float
    pss: int | None
    in_flight: int
    connections: int
    workers: tuple[WorkerFigures, ...]


def compare(before: Mapping[str, Any] | None, now: Mapping[str, Any], seconds: float) -> Figures:
    """Return what two looks at the metrics show.

    Args:
        before: The first; None if there was none.
        now: The second.
        seconds: Between the two.
    """
    bounds = _rising(items(now, "bounds"))
    if before is None or seconds <= 0 or not _is_same(before, now):
        before = None
    earlier = {} if before is None else {number(worker, "pid"): worker for worker in workers(before)}
    found = []
    for worker in workers(now):
        # One that was not there has counted everything since: it began with nothing.
        counted = None if before is None else _no_less(earlier.get(number(worker, "pid"), {}), worker)
        found.append(_worker(counted, worker, seconds, bounds))
    sizes = [worker.pss for worker in found if worker.pss is not None]
    traffic = None
    if before is not None:
        totals = [_sum(table(look, "slots").values(), len(bounds) + 1) for look in (before, now)]
        traffic = _traffic(totals[0], totals[1], seconds, bounds)
    return Figures(
        traffic=traffic,
        cpu=sum(worker.cpu for worker in found),
        pss=sum(sizes) if sizes else None,
        in_flight=sum(worker.in_flight for worker in found),
        connections=sum(worker.connections for worker in found),
        workers=tuple(found),
    )


# -- details -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Counted:
    requests: float
    errors: float
    answered: list[float]


def _rising(bounds: Sequence[Any]) -> list[float]:
    """Return the bounds of the buckets; none if they make no sense."""
    found = [amount(bound) for bound in bounds]
    return found if all(low < high for low, high in zip([0.0, *found], found, strict=False)) else []


def _is_same(before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Return whether it is still the same instance; an upgrade in place changes neither of the two."""
    return before.get("pid") == now.get("pid") and number(before, "uptime") <= number(now, "uptime")


def _no_less(before: Mapping[str, Any], now: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what was counted before; nothing if it was more than now, by another process of the same pid."""
    return before if number(before, "requests") <= number(now, "requests") else {}


def _worker(
    before: Mapping[str, Any] | None, now: Mapping[str, Any], seconds: float, bounds: Sequence[float]
) -> WorkerFigures:
    traffic, cpu, size = None, number(now, "cpu"), number(now, "pss")
    if before is not None:
        buckets = len(bounds) + 1
        traffic = _traffic(_sum([before], buckets), _sum([now], buckets), seconds, bounds)
        used = number(now, "cpu_seconds") - number(before, "cpu_seconds")
        cpu = used / seconds if "cpu_seconds" in before and used >= 0 else cpu
    return WorkerFigures(
        slot=int(number(now, "slot")),
        pid=int(number(now, "pid")),
        state=shown(now.get("state", "?")),
        generation=int(number(now, "generation")),
        uptime=number(now, "uptime"),
        cpu=cpu,
        pss=int(size) if size else None,
        traffic=traffic,
        in_flight=int(number(now, "in_flight")),
        connections=int(number(now, "connections")),
        lag=number(now, "loop_lag"),
        leaves_because=shown(now.get("leaves_because") or ""),
    )


def _traffic(before: _Counted, now: _Counted, seconds: float, bounds: Sequence[float]) -> Traffic:
    new = [max(later - earlier, 0.0) for earlier, later in zip(before.answered, now.answered, strict=True)]
    return Traffic(
        requests=max(now.requests - before.requests, 0.0) / seconds,
        errors=max(now.errors - before.errors, 0.0) / seconds,
        p50=quantile(_MEDIAN, bounds, new),
        p99=quantile(_HIGH, bounds, new),
    )


def _sum(counted: Iterable[Any], buckets: int) -> _Counted:
    """Return what slots or workers have counted together, of whatever class of status."""
    requests = errors = 0.0
    answered = [0.0] * buckets
    for values in counted:
        if not isinstance(values, dict):
            continue
        requests += number(values, "requests")
        errors += number(values, "errors")
        for counts in table(values, "answered").values():
            if isinstance(counts, list) and len(counts) == buckets:
                for bucket, one in enumerate(counts):
                    answered[bucket] += max(amount(one), 0.0)
    return _Counted(requests, errors, answered)
