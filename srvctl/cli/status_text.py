"""What ``srvctl status`` prints for people: the instance in two lines, and a line for each worker. Pure."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any, Final

from srvctl.errors import printable
from srvctl.ipc.verdicts import size_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_HEAD: Final = ("SLOT", "PID", "STATE", "GENERATION", "UPTIME", "REQUESTS", "IN FLIGHT", "RSS")
_WORDS: Final = frozenset({_HEAD.index("STATE")})


def as_text(status: Mapping[str, Any]) -> str:
    """Return a status as the master gives it, without what it does not say."""
    lines = [_headline(status)]
    lines += [f"  {text}" for text in (*map(_shown, _list(status, "binds")), *_reload(status)) if text]
    workers = [worker for worker in _list(status, "workers") if isinstance(worker, dict)]
    lines += ["", *_table(sorted(workers, key=_place))] if workers else ["  no workers"]
    return "\n".join(lines)


def duration(seconds: float) -> str:
    """Return a duration with its two largest units: ``3.4 s``, ``5 min 2 s``, ``2 h 0 min``, ``4 d 7 h``."""
    if seconds < _MINUTE:
        return f"{seconds:.1f} s"
    for unit, name, below, part in (
        (_DAY, "d", _HOUR, "h"),
        (_HOUR, "h", _MINUTE, "min"),
        (_MINUTE, "min", 1, "s"),
    ):
        if seconds >= unit:
            return f"{int(seconds // unit)} {name} {int(seconds % unit // below)} {part}"
    raise AssertionError("a minute is the smallest unit")


def _headline(status: Mapping[str, Any]) -> str:
    generation, uptime = status.get("generation"), _number(status, "uptime")
    name, app, state = (_shown(status.get(key) or "?") for key in ("name", "app", "state"))
    parts = [
        f"{name} ({app}): {state}",
        f"pid {_shown(status.get('pid', '?'))}",
        f"generation {_shown(generation)}" if generation is not None else "",
        f"up {duration(uptime)}" if uptime else "",
        f"srvctl {_shown(status.get('version', '?'))}",
    ]
    return ", ".join(part for part in parts if part)


def _reload(status: Mapping[str, Any]) -> list[str]:
    reload = status.get("reload")
    if not isinstance(reload, dict):
        return []
    lines = []
    if reload.get("state") not in {None, "", "idle"}:
        lines.append(f"reload to generation {_shown(reload.get('generation'))}: {_shown(reload['state'])}")
    if reload.get("error"):
        lines.append(f"the last reload failed: {_shown(reload['error'])}")
    return lines


def _table(workers: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return aligned columns: words to the left, numbers to the right."""
    rows = [_HEAD, *map(_row, workers)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    lines = []
    for number, row in enumerate(rows):
        cells = [
            cell.ljust(width) if column in _WORDS else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        note = _shown(workers[number - 1].get("leaves_because") or "") if number else ""
        lines.append("  ".join([*cells, note]).rstrip())
    return lines


def _row(worker: Mapping[str, Any]) -> tuple[str, ...]:
    pid = worker.get("pid")
    return (
        _shown(worker.get("slot", "?")),
        _shown(pid) if pid else "-",
        _shown(worker.get("state", "?")),
        _shown(worker.get("generation", "?")),
        duration(_number(worker, "uptime")),
        f"{_number(worker, 'requests'):.0f}",
        f"{_number(worker, 'in_flight'):.0f}",
        size_text(int(_number(worker, "rss"))) if _number(worker, "rss") else "-",
    )


def _place(worker: Mapping[str, Any]) -> tuple[float, float]:
    return _number(worker, "slot"), _number(worker, "generation")


def _number(values: Mapping[str, Any], key: str) -> float:
    value = values.get(key)
    return float(value) if isinstance(value, int | float) and isfinite(value) else 0.0


def _list(values: Mapping[str, Any], key: str) -> list[Any]:
    value = values.get(key)
    return value if isinstance(value, list) else []


def _shown(value: object) -> str:
    return printable(str(value))
