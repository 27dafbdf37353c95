"""Which of the ways to say where to listen wins: ``bind``, ``uds``, ``fd``, or ``host`` and ``port``. Pure.

The highest source that says anything decides the way, and the other ways in lower sources count as not
set: ``--port 9000`` must not be ignored because the file has ``bind``. Two ways in one source are a mistake.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from srvctl.settings.layer import Given, Layer, Problem, Source

if TYPE_CHECKING:
    from collections.abc import Iterable

_WAYS: Final = {
    "server.bind": "bind",
    "server.uds": "uds",
    "server.fd": "fd",
    "server.host": "host and port",
    "server.port": "host and port",
}


def keep_one_way(layers: Iterable[Layer]) -> list[Problem]:
    """Drop from ``layers``, highest first, what a higher one overrules; return the conflicts within one."""
    decided: str | None = None
    problems = []
    for layer in layers:
        if decided is not None and layer.source is Source.FOREIGN:
            # Variables of other tools are nobody's mistake as long as they decide nothing.
            _drop(layer, keep=decided)
        ways = {_WAYS[key]: key for key in reversed(_WAYS) if _is_set(layer.values.get(key))}
        if len(ways) > 1:
            first, second, *_ = sorted(ways.values(), key=list(_WAYS).index)
            problems.append(_conflict(layer, first, second))
        elif decided is not None:
            _drop(layer, keep=decided)
        decided = decided or next(iter(ways), None)
    return problems


def _is_set(given: Given | None) -> bool:
    return given is not None and given.value not in ([], (), None)


def _drop(layer: Layer, *, keep: str) -> None:
    for key, way in _WAYS.items():
        if way != keep:
            layer.values.pop(key, None)


def _conflict(layer: Layer, first: str, second: str) -> Problem:
    one, other = layer.values[first].origin, layer.values[second].origin
    why = "each says where to listen; keep one of bind, uds, fd, or host and port"
    if layer.source is Source.FILE:
        return Problem.at(one, f"{first} cannot be combined with {second} (line {other.line})", why)
    return Problem(one, f"{one.name} cannot be combined with {other.name}: {why}")
