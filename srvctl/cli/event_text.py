"""How an event is written for people: when, of what kind, and the sentence. Pure, but for the local time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from srvctl.cli.values import number, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

_KIND_WIDTH: Final = 7  #: of most
_YEAR_9999: Final = 253_000_000_000


def as_text(event: Mapping[str, Any], moment: str = "%Y-%m-%d %H:%M:%S") -> str:
    """Return an event as a line.

    Args:
        event: As the master tells it.
        moment: How its time is written, in the words of strftime(3).
    """
    if "left_out" in event:
        return f"... {shown(event['left_out'])} left out, which came faster than they were read"
    return f"{_time(event, moment)}  {shown(event.get('kind', '?')):<{_KIND_WIDTH}}  {sentence(event)}"


def sentence(event: Mapping[str, Any]) -> str:
    """Return what happened; what is no mere news is marked."""
    level, text = event.get("level"), shown(event.get("text", ""))
    return f"{level}: {text}" if level in {"warning", "error"} else text


def _time(event: Mapping[str, Any], moment: str) -> str:
    at = number(event, "at")
    return time.strftime(moment, time.localtime(at)) if 0 < at < _YEAR_9999 else "?"
