"""The record of a worker's death, and its line in the ledger: one JSON object.

Pure: the master fills the record in and writes the line (`srvctl.supervisor.ledger`), ``srvctl why`` reads
it, maybe that of an older or a newer srvctl, maybe one that was torn when the machine stopped. What is not a
death is skipped, never an error. The words for people are in `srvctl.ipc.verdicts`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

#: Bytes of the longest line, with its newline; the smallest ledger holds one.
MAX_LINE: Final = 16 * 1024
#: Last lines of stderr that are kept, and characters of each.
MAX_STDERR: Final = 20
MAX_STDERR_LINE: Final = 500
#: Characters of the other texts, each of which JSON may write as twelve bytes.
_MAX_TEXT: Final = 250
_MAX_PATH: Final = 4096  #: bytes of JSON; a path that is cut would name another file
_MAX_TREND: Final = 16
_MAX_COUNT: Final = 2**63 - 1
_MAX_SECONDS: Final = 1e11  #: until the year 5138, which every calendar can show


@dataclass(frozen=True, slots=True, kw_only=True)
class Death:
    """How a worker ended, and what was known about it then.

    The numbers from `rss` on are those of the last look at the worker's board.

    Attributes:
        at: When, in seconds since 1970.
        master: Process of the master.
        worker: Number of the worker, unique in the master's life.
        slot: The place it served.
        generation: The code it ran.
        pid: Its process.
        state: Where it was in its life: ``booting``, ``ready``, ``hung``, ``draining`` or
            ``dying``.
        cause: What the kernel says: ``exit code 3``, ``killed by SIGKILL``.
        asked_by: Who in srvctl wanted it to end, and why, e.g. ``reload``, ``max_memory: 612 MiB PSS``; empty
            when nobody did.
        uptime: Seconds from its fork to its end.
        oom: The kernel's OOM killer did it.
        is_measured: Its board could be read; else the numbers that follow are 0, and say nothing.
        rss: Resident memory, in bytes; 0 where it is not known.
        rss_trend: Earlier values of it, oldest first.
        lag: Seconds by which the last beat of its loop was late.
        lag_max: The most that a beat was late by.
        served: Requests that the application was done with.
        in_flight: Requests that it was at work on.
        cut: Requests that were broken off before, because the worker was to end.
        stderr: The last lines it wrote to stderr.
        stack: Absolute path of the file with the stacks of its threads; empty where there is none.
    """

    at: float
    master: int
    worker: int
    slot: int
    generation: int
    pid: int
    state: str
    cause: str
    asked_by: str = ""
    uptime: float = 0.0
    oom: bool = False
    is_measured: bool = True
    rss: int = 0
    rss_trend: tuple[int, ...] = ()
    lag: float = 0.0
    lag_max: float = 0.0
    served: int = 0
    in_flight: int = 0
    cut: int = 0
    stderr: tuple[str, ...] = ()
    stack: str = ""

    @property
    def lost(self) -> int:
        """Requests that got no answer, or not all of it."""
        return self.cut + self.in_flight


def to_line(death: Death) -> bytes:
    """Return the line of a death, newline included, `MAX_LINE` bytes at most: of what `trimmed` leaves."""
    return _encode(trimmed(death))


def from_line(line: bytes) -> Death | None:
    """Return the death of a line; None if it is none. Fields that a newer srvctl added are passed over."""
    try:
        values = json.loads(line)
        return Death(**{name: read(values[name]) for name, read in _READERS.items() if name in values})
    # Garbage can be anything: no JSON, no object, without a field, nested a thousand times, 10**400.
    except (ValueError, TypeError, KeyError, ArithmeticError, RecursionError):
        return None


def from_lines(data: bytes) -> list[Death]:
    """Return the deaths in a piece of a ledger, in their order; its first and last line may be torn."""
    return [death for line in data.split(b"\n") if line and (death := from_line(line)) is not None]


def trimmed(death: Death) -> Death:
    """Return a death that fits into a line: texts cut, oldest lines of stderr dropped, numbers in range."""
    death = Death(**{name: trim(getattr(death, name)) for name, trim in _TRIMS.items()})
    while len(_encode(death)) > MAX_LINE and death.stderr:
        death = replace(death, stderr=death.stderr[1:])
    return death


def _encode(death: Death) -> bytes:
    # ASCII only, whatever stderr held: the file can be shown on any terminal and read with any program.
    return json.dumps(asdict(death), separators=(",", ":"), allow_nan=False).encode("ascii") + b"\n"


def _read_int(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= _MAX_COUNT:
        raise ValueError(value)
    return value


def _read_float(value: Any) -> float:
    if type(value) not in {int, float} or not 0 <= value <= _MAX_SECONDS:  # NaN is not, either
        raise ValueError(value)
    return float(value)


def _read_bool(value: Any) -> bool:
    if type(value) is not bool:
        raise ValueError(value)
    return value


def _read_text(value: Any) -> str:
    if type(value) is not str:
        raise ValueError(value)
    return value


def _read_list(value: Any, read: Callable[[Any], Any]) -> tuple[Any, ...]:
    if type(value) is not list:
        raise ValueError(value)
    return tuple(map(read, value))


def _clamp(value: float, most: float) -> Any:
    return min(value, most) if value > 0 else type(value)(0)  # NaN compares as false


#: By the annotation of a field: what makes its value of JSON, and what makes it fit.
_BY_KIND: Final[dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]]] = {
    "int": (_read_int, lambda value: _clamp(value, _MAX_COUNT)),
    "float": (_read_float, lambda value: _clamp(float(value), _MAX_SECONDS)),
    "bool": (_read_bool, bool),
    "str": (_read_text, lambda value: value[:_MAX_TEXT]),
    "tuple[int, ...]": (
        lambda value: _read_list(value, _read_int),
        lambda value: tuple(_clamp(size, _MAX_COUNT) for size in value[-_MAX_TREND:]),
    ),
    "tuple[str, ...]": (
        lambda value: _read_list(value, _read_text),
        lambda value: tuple(line[:MAX_STDERR_LINE] for line in value[-MAX_STDERR:]),
    ),
}
_READERS: Final = {field.name: _BY_KIND[str(field.type)][0] for field in fields(Death)}
_TRIMS: Final = {field.name: _BY_KIND[str(field.type)][1] for field in fields(Death)} | {
    "stack": lambda path: path if len(json.dumps(path)) <= _MAX_PATH else ""
}
