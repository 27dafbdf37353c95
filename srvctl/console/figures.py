"""Every figure that is published, by its name: what it means, and where in the master's answer it stands.

Pure. One declaration each, for Prometheus (`exposition`), StatsD (`statsd`), OpenTelemetry (`otlp`) and the
table in docs/reference/metrics.md. What is read is the answer to ``metrics`` (`srvctl.ipc.control`),
with ``pss`` added to each worker by `srvctl.console.watching`. A figure that the answer lacks has no values.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    #: What ``metrics`` answers.
    Answer = Mapping[str, Any]
    #: Values of labels, and the value.
    Values = Iterable[tuple[tuple[str, ...], float]]

PREFIX: Final = "srvctl_"
PROGRAM_STATES: Final = ("waiting", "starting", "running", "stopping", "stopped", "done", "failed")
STATES: Final = ("booting", "running", "leaving", "stopping")
WORKER_STATES: Final = ("forking", "booting", "ready", "draining", "hung", "dying")
#: Classes of status that are always told, so that a rate can be taken from the first one on.
_USUAL: Final = ("2", "3", "4", "5")
_CLASS: Final = {"0": "none", **{str(digit): f"{digit}xx" for digit in range(1, 10)}}
WEBSOCKET: Final = "websocket"


class Kind(StrEnum):
    """How a figure behaves."""

    GAUGE = "gauge"
    COUNTER = "counter"  #: only rises, over deaths of workers, reloads and upgrades as well
    INFO = "info"  #: is 1, and says something by its labels


@dataclass(frozen=True, slots=True)
class Figure:
    """One of them.

    Attributes:
        name: With the prefix, without the suffix of its kind (``_total``, ``_info``).
        kind: How it behaves.
        meaning: One sentence.
        labels: The names of its labels, sorted: so Prometheus has them.
        read: Finds its values in an answer.
        unit: As OpenTelemetry writes it (UCUM); empty where it has none.
    """

    name: str
    kind: Kind
    meaning: str
    labels: tuple[str, ...]
    read: Callable[[Answer], Values]
    unit: str = ""

    @property
    def full_name(self) -> str:
        """As Prometheus has it."""
        suffix = {Kind.COUNTER: "_total", Kind.INFO: "_info"}.get(self.kind, "")
        return f"{self.name}{suffix}"


@dataclass(frozen=True, slots=True)
class Durations:
    """How long the requests of one class took, since the instance began.

    Attributes:
        name: Of the class of status: ``2xx``, or ``none`` where no response was begun.
        counts: Requests in each bucket: one more than there are bounds.
        seconds: All of them together.
    """

    name: str
    counts: tuple[int, ...]
    seconds: float

    @property
    def count(self) -> int:
        """How many requests there were."""
        return sum(self.counts)


DURATIONS: Final = f"{PREFIX}request_duration_seconds"
DURATIONS_MEANING: Final = (
    "How long the application took for a request, WebSockets left out, by class of status."
)


def bounds_of(answer: Answer) -> tuple[float, ...]:
    """Return the upper bounds of the buckets, in seconds; one bucket more is behind the last."""
    return tuple(answer.get("bounds", ()))


def durations(answer: Answer) -> list[Durations]:
    """Return how long requests took, for each class that is usual or occurred, over all slots."""
    size = len(bounds_of(answer)) + 1
    counts: dict[str, list[int]] = {digit: [0] * size for digit in _USUAL}
    seconds: Counter[str] = Counter()
    for slot in _slots(answer).values():
        for digit, row in slot.get("answered", {}).items():
            into = counts.setdefault(digit, [0] * size)
            for at, number in enumerate(row[:size]):
                into[at] += number
        seconds.update(slot.get("seconds", {}))
    return [
        Durations(_CLASS.get(digit, "none"), tuple(row), float(seconds[digit]))
        for digit, row in sorted(counts.items())
    ]


# -- where the values are ------------------------------------------------------------------------------------


def _slots(answer: Answer) -> Mapping[str, Mapping[str, Any]]:
    slots: Mapping[str, Mapping[str, Any]] = answer.get("slots", {})
    return slots


def _workers(answer: Answer) -> Sequence[Mapping[str, Any]]:
    workers: Sequence[Mapping[str, Any]] = answer.get("workers", ())
    return workers


def _one(key: str) -> Callable[[Answer], Values]:
    def read(answer: Answer) -> Values:
        if isinstance(value := answer.get(key), int | float):
            yield (), value

    return read


def _about(answer: Answer) -> Values:
    if "version" in answer:
        yield (str(answer.get("name", "")), str(answer["version"])), 1


def _is_up(answer: Answer) -> Values:
    yield (), int("state" in answer)


def _state(answer: Answer) -> Values:
    if "state" in answer:
        for name in STATES:
            yield (name,), int(answer["state"] == name)


def _by_state(answer: Answer) -> Values:
    if "workers" in answer:
        states = Counter(worker.get("state") for worker in _workers(answer))
        for name in WORKER_STATES:
            yield (name,), states[name]


def _program_states(answer: Answer) -> Values:
    for place in answer.get("programs", []):
        for state in PROGRAM_STATES:
            yield (str(place["index"]), place["name"], state), float(place["state"] == state)


def _program_restarts(answer: Answer) -> Values:
    for place in answer.get("programs", []):
        yield (str(place["index"]), place["name"]), place["restarts"]


def _restarts(answer: Answer) -> Values:
    for cause, number in sorted(answer.get("restarts", {}).items()):
        yield (cause,), number


def _of_scale(key: str) -> Callable[[Answer], Values]:
    def read(answer: Answer) -> Values:
        if isinstance(value := answer.get("scale", {}).get(key), int | float):
            yield (), value

    return read


def _is_held(answer: Answer) -> Values:
    if "scale" in answer:
        yield (), int(bool(answer["scale"].get("held")))


def _scalings(answer: Answer) -> Values:
    for change, number in sorted(answer.get("scale", {}).get("changes", {}).items()):
        direction, _, signal = change.partition(" ")
        yield (direction, signal), number


def _reloads(answer: Answer) -> Values:
    if "reloads" in answer:
        for result in ("succeeded", "failed"):
            yield (result,), answer["reloads"].get(result, 0)


def _is_reloading(answer: Answer) -> Values:
    if "reload" in answer:
        yield (), int(answer["reload"].get("state", "idle") != "idle")


def _lost(answer: Answer) -> Values:
    if "lost" in answer.get("log", {}):
        yield (), answer["log"]["lost"]


def _states_of_slots(answer: Answer) -> Values:
    found = Counter((str(worker["slot"]), str(worker.get("state", ""))) for worker in _workers(answer))
    yield from sorted(found.items())


def _in_slots(key: str, join: Callable[[float, float], float]) -> Callable[[Answer], Values]:
    """Return what reads a value of each slot; while one worker replaces another, there are two of them."""

    def read(answer: Answer) -> Values:
        found: dict[str, float] = {}
        for worker in _workers(answer):
            value = worker.get(key)
            if isinstance(value, int | float):
                slot = str(worker["slot"])
                found[slot] = join(found[slot], value) if slot in found else value
        for slot, value in found.items():
            yield (slot,), value

    return read


def _sum(one: float, other: float) -> float:
    return one + other


def _answered(answer: Answer) -> Values:
    for number, slot in _slots(answer).items():
        counts = {digit: sum(row) for digit, row in slot.get("answered", {}).items()}
        for digit in sorted({*_USUAL, *counts}):
            yield (_CLASS.get(digit, "none"), number), counts.get(digit, 0)
        yield (WEBSOCKET, number), max(slot.get("requests", 0) - sum(counts.values()), 0)


def _of_slots(key: str) -> Callable[[Answer], Values]:
    def read(answer: Answer) -> Values:
        for number, slot in _slots(answer).items():
            if isinstance(value := slot.get(key), int | float):
                yield (number,), value

    return read


_SLOT: Final = ("slot",)

FIGURES: Final = (
    Figure("srvctl", Kind.INFO, "The instance and the version of srvctl.", ("name", "version"), _about),
    Figure("srvctl_up", Kind.GAUGE, "1 if the master answers the console, else 0.", (), _is_up),
    Figure("srvctl_uptime_seconds", Kind.GAUGE, "Age of the master.", (), _one("uptime"), "s"),
    Figure(
        "srvctl_state", Kind.GAUGE, "1 for the state that the instance is in, else 0.", ("state",), _state
    ),
    Figure("srvctl_generation", Kind.GAUGE, "The generation that serves.", (), _one("generation")),
    Figure("srvctl_workers_target", Kind.GAUGE, "Workers that are wanted.", (), _one("target")),
    Figure(
        "srvctl_workers_min",
        Kind.GAUGE,
        "Fewest workers; as many as are wanted where their number does not follow the load.",
        (),
        _of_scale("min"),
    ),
    Figure(
        "srvctl_workers_max",
        Kind.GAUGE,
        "Most workers; as many as are wanted where their number does not follow the load.",
        (),
        _of_scale("max"),
    ),
    Figure(
        "srvctl_workers_held",
        Kind.GAUGE,
        "1 while the load needs more workers than there may be, else 0.",
        (),
        _is_held,
    ),
    Figure(
        "srvctl_utilization",
        Kind.GAUGE,
        "Share of its time that an event loop was lately busy in, on average; 0 where the number of workers "
        "does not follow it.",
        (),
        _of_scale("utilization"),
    ),
    Figure(
        "srvctl_scalings",
        Kind.COUNTER,
        "How often the load, or its bounds, changed the number of workers.",
        ("direction", "signal"),
        _scalings,
    ),
    Figure("srvctl_workers", Kind.GAUGE, "Workers in each state.", ("state",), _by_state),
    Figure(
        "srvctl_program_state",
        Kind.GAUGE,
        "Whether a process beside the workers is in this state.",
        ("index", "program", "state"),
        _program_states,
    ),
    Figure(
        "srvctl_program_restarts",
        Kind.COUNTER,
        "Processes beside the workers that were started in the place of another.",
        ("index", "program"),
        _program_restarts,
    ),
    Figure("srvctl_restarts", Kind.COUNTER, "Workers that ended, by cause.", ("cause",), _restarts),
    Figure("srvctl_reloads", Kind.COUNTER, "Reloads that ended, by result.", ("result",), _reloads),
    Figure("srvctl_reload_running", Kind.GAUGE, "1 while a reload is on its way.", (), _is_reloading),
    Figure("srvctl_log_lost_lines", Kind.COUNTER, "Lines that the log had no room for.", (), _lost),
    Figure(
        "srvctl_worker_state",
        Kind.GAUGE,
        "Workers of the slot in each state.",
        (*_SLOT, "state"),
        _states_of_slots,
    ),
    Figure(
        "srvctl_in_flight",
        Kind.GAUGE,
        "Requests at work in the application.",
        _SLOT,
        _in_slots("in_flight", _sum),
    ),
    Figure(
        "srvctl_waiting",
        Kind.GAUGE,
        "Requests waiting for their turn (limits.concurrency).",
        _SLOT,
        _in_slots("waiting", _sum),
    ),
    Figure(
        "srvctl_connections", Kind.GAUGE, "Connections of clients.", _SLOT, _in_slots("connections", _sum)
    ),
    Figure(
        "srvctl_connections_skew",
        Kind.GAUGE,
        "How unevenly the ready workers share the connections: standard deviation by mean, 0 for evenly.",
        (),
        _one("connections_skew"),
    ),
    Figure("srvctl_websockets", Kind.GAUGE, "Open WebSockets.", _SLOT, _in_slots("websockets", _sum)),
    Figure(
        "srvctl_loop_lag_seconds",
        Kind.GAUGE,
        "By how much the last beat of the event loop was late.",
        _SLOT,
        _in_slots("loop_lag", max),
        "s",
    ),
    Figure(
        "srvctl_loop_lag_max_seconds",
        Kind.GAUGE,
        "By how much a beat of the event loop was late at most, since the worker began.",
        _SLOT,
        _in_slots("loop_lag_max", max),
        "s",
    ),
    Figure(
        "srvctl_pss_bytes",
        Kind.GAUGE,
        "Memory, with what is shared divided among those that share it; all that is resident where the "
        "console may not know.",
        _SLOT,
        _in_slots("pss", _sum),
        "By",
    ),
    Figure("srvctl_rss_bytes", Kind.GAUGE, "Resident memory.", _SLOT, _in_slots("rss", _sum), "By"),
    Figure("srvctl_cpu", Kind.GAUGE, "Processors that were lately in use.", _SLOT, _in_slots("cpu", _sum)),
    Figure(
        "srvctl_worker_uptime_seconds",
        Kind.GAUGE,
        "Age of the newest worker of the slot.",
        _SLOT,
        _in_slots("uptime", min),
        "s",
    ),
    Figure(
        "srvctl_cpu_seconds",
        Kind.COUNTER,
        "Processor time that was used.",
        _SLOT,
        _of_slots("cpu_seconds"),
        "s",
    ),
    Figure(
        "srvctl_requests",
        Kind.COUNTER,
        "Requests that the application is done with, by class of status.",
        ("class", *_SLOT),
        _answered,
    ),
    Figure(
        "srvctl_errors",
        Kind.COUNTER,
        "Requests answered 5xx, or broken off by an exception of the application.",
        _SLOT,
        _of_slots("errors"),
    ),
    Figure(
        "srvctl_cut",
        Kind.COUNTER,
        "Requests whose response was left unfinished because the worker ended.",
        _SLOT,
        _of_slots("cut"),
    ),
    Figure(
        "srvctl_slot_restarts", Kind.COUNTER, "Workers of the slot that ended.", _SLOT, _of_slots("restarts")
    ),
    Figure(
        "srvctl_console_scrape_duration_seconds",
        Kind.GAUGE,
        "How long the console took for the scrape before this one.",
        (),
        _one("scrape_duration"),
        "s",
    ),
)
