"""Settings that cannot both be obeyed: development, and more than one worker. Pure.

Who turns ``reload.enabled`` on means one worker, so a number of workers from a lower source counts as not
set: ``--reload`` has to work although the file of the service says four. The same source, or a higher one,
contradicts itself or is contradicted, and nobody could say which of the two was meant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from srvctl.settings.catalog import catalog
from srvctl.settings.layer import Given, Layer, Problem, Source

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from srvctl.settings.load import Loaded

_RELOAD: Final = "reload.enabled"
_WORKERS: Final = "workers.count"
#: What the types of the settings read as true, in small letters.
YES: Final = frozenset({"true", "t", "yes", "y", "on", "1"})
_OF_RELOAD: Final = ("dirs", "include", "exclude", "delay", "grace", "browser")
_WHY: Final = "with --reload there is one worker; leave one of the two out"


def keep_one_worker(layers: Sequence[Layer]) -> list[Problem]:
    """Drop from ``layers``, highest first, the workers that development overrules; return the conflicts."""
    decider = next((layer for layer in layers if _RELOAD in layer.values), None)
    if decider is None or not _is_yes(decider.values[_RELOAD]):
        return []
    place = layers.index(decider)
    for lower in layers[place + 1 :]:
        lower.values.pop(_WORKERS, None)
    workers = next((layer.values[_WORKERS] for layer in layers if _WORKERS in layer.values), None)
    if workers is None or not _is_several(workers):
        return []
    return [_conflict(workers, decider.values[_RELOAD])]


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


def _is_several(given: Given) -> bool:
    text = str(given.value).strip().lower()
    try:
        return text == "auto" or float(text) > 1
    except ValueError:  # no number: told by who judges values
        return False


def _conflict(workers: Given, reload: Given) -> Problem:
    one, other = workers.origin, reload.origin
    if one.source is Source.FILE:
        return Problem.at(one, f"{_WORKERS} cannot be combined with {_RELOAD} (line {other.line})", _WHY)
    return Problem(one, f"{one.place} cannot be combined with {other.place}: {_WHY}")
