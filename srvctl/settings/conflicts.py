"""Settings that cannot both be obeyed: development and several workers; bounds the wrong way round. Pure.

Who turns ``reload.enabled`` on means one worker, so a number of workers from a lower source counts as not
set: ``--reload`` has to work although the file of the service says four. The same source, or a higher one,
contradicts itself or is contradicted, and nobody could say which of the two was meant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from srvctl.settings.catalog import catalog
from srvctl.settings.layer import Given, Layer, Problem, Source

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from srvctl.settings.load import Loaded

_RELOAD: Final = "reload.enabled"
_WORKERS: Final = "workers.count"
_LEAST: Final = "workers.min"
_MOST: Final = "workers.max"
#: What the types of the settings read as true, in small letters.
YES: Final = frozenset({"true", "t", "yes", "y", "on", "1"})
_OF_RELOAD: Final = ("dirs", "include", "exclude", "delay", "grace", "browser")
_OF_SCALING: Final = ("min", "scale_utilization", "scale_in_flight", "scale_down_delay")
_WHY: Final = "with --reload there is one worker; leave one of the two out"


def keep_one_worker(layers: Sequence[Layer]) -> list[Problem]:
    """Drop from ``layers``, highest first, the workers that development overrules; return the conflicts."""
    decider = next((layer for layer in layers if _RELOAD in layer.values), None)
    if decider is None or not _is_yes(decider.values[_RELOAD]):
        return []
    place = layers.index(decider)
    for lower in layers[place + 1 :]:
        for key in (_WORKERS, _LEAST, _MOST):
            lower.values.pop(key, None)
    found = [(key, given) for key in (_WORKERS, _MOST) if (given := _highest(layers, key)) is not None]
    reload = decider.values[_RELOAD]
    return [_conflict(key, given, reload) for key, given in found if _is_several(key, given)]


def keep_bounds(layers: Sequence[Layer], typed: Mapping[Source, Mapping[str, object]]) -> list[Problem]:
    """Return what is wrong with the bounds of the number of workers: the least must not be beyond the most.

    Args:
        layers: The sources, highest first.
        typed: Their values, as far as these are right.
    """
    least, most = (_number(layers, typed, key) for key in (_LEAST, _MOST))
    if least is None or not most or least <= most:
        return []
    given = _highest(layers, _LEAST)
    other = _highest(layers, _MOST)
    if given is None or other is None:
        return []
    why = f"{least} is more than {_MOST} ({most}, {other.origin}); write {most} or less"
    return [Problem.at(given.origin, _LEAST, why, key=_LEAST)]


def without_most(loaded: Loaded) -> Iterable[str]:
    """Yield a line about each flag that is obeyed only where the number of workers follows the load.

    In a file they are no mistake: there they wait for ``--max-workers``.
    """
    if loaded.settings.workers.max:
        return
    for name in _OF_SCALING:
        origin = loaded.origins[f"workers.{name}"]
        if origin.source is Source.COMMAND_LINE:
            yield f"{origin.name} has no effect without {catalog()[_MOST].label}"


def without_reload(loaded: Loaded) -> Iterable[str]:
    """Yield a line about each flag that only development obeys, where it is off.

    In a file they are no mistake: there they wait for ``--reload``.
    """
    if loaded.settings.reload.enabled:
        return
    for name in _OF_RELOAD:
        origin = loaded.origins[f"reload.{name}"]
        if origin.source is Source.COMMAND_LINE:
            yield f"{origin.name} has no effect without {catalog()[_RELOAD].label}"


def _is_yes(given: Given) -> bool:
    return str(given.value).strip().lower() in YES


def _highest(layers: Sequence[Layer], key: str) -> Given | None:
    return next((layer.values[key] for layer in layers if key in layer.values), None)


def _number(layers: Sequence[Layer], typed: Mapping[Source, Mapping[str, object]], key: str) -> int | None:
    """Return the number that decides; None where none is given, or none that is right."""
    decider = next((layer for layer in layers if key in layer.values), None)
    value = typed.get(decider.source, {}).get(key) if decider is not None else None
    return value if isinstance(value, int) else None


def _is_several(key: str, given: Given) -> bool:
    text = str(given.value).strip().lower()
    try:
        return text == "auto" or float(text) > (1 if key == _WORKERS else 0)
    except ValueError:  # no number: told by who judges values
        return False


def _conflict(key: str, workers: Given, reload: Given) -> Problem:
    one, other = workers.origin, reload.origin
    if one.source is Source.FILE:
        return Problem.at(one, f"{key} cannot be combined with {_RELOAD} (line {other.line})", _WHY)
    return Problem(one, f"{one.place} cannot be combined with {other.place}: {_WHY}")
