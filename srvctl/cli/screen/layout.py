"""What ``srvctl top`` shows: the instance, its workers and the last events, for any size. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from srvctl.cli.event_text import as_text
from srvctl.cli.quantities import duration, share, short_size
from srvctl.cli.screen.lines import cut, plain, sparkline
from srvctl.cli.screen.worker_rows import COLORS, rate_of, shortened, table, time_of
from srvctl.cli.status_text import failure, ready, reload_text, restarts
from srvctl.cli.values import items, number, shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from srvctl.cli.screen.figures import Figures
    from srvctl.cli.screen.lines import Line

_EVENT_COLORS: Final = {"warning": "yellow", "error": "red"}
_LEAST_EVENTS: Final = 3
_MOST_EVENTS: Final = 20
_ROOM_FOR_EVENTS: Final = 12
_SMALLEST_SPARKLINE: Final = 8
#: Lines of a window in which the workers need the room of what is nice to know.
_SHORT: Final = 12
_HELP: Final = (
    "q       quit",
    "s       sort by another column: slot, processor, memory, requests, p99, lag",
    "?       this help",
    "",
    "CPU     of one processor, lately        REQ/S  finished in a second",
    "PSS     memory, shared parts divided    P50    half of them took no longer",
    "LAG     how late the event loop was     P99    99 of 100 took no longer",
    "",
    "srvctl worker dump SLOT tells what a worker is doing, srvctl why what ended one.",
)


@dataclass(frozen=True, slots=True)
class View:
    """All that is to be seen.

    Attributes:
        metrics: What the master says.
        figures: What was made of it.
        events: The last ones, the oldest first.
        history: Requests in a second, the oldest first.
        sort: One of `worker_rows.SORTS`.
        note: What is wrong with what is shown; empty if nothing is.
        has_bars: The terminal can show them.
        is_help_shown: In the place of the workers.
    """

    metrics: Mapping[str, Any]
    figures: Figures
    events: Sequence[Mapping[str, Any]] = ()
    history: Sequence[float] = ()
    sort: str = "SLOT"
    note: str = ""
    has_bars: bool = True
    is_help_shown: bool = field(default=False, kw_only=True)


def screen(view: View, width: int, height: int) -> list[Line]:
    """Return exactly so many lines, the last of which says what the keys do."""
    head = _head(view, width, is_short=height < _SHORT)
    room = max(height - len(head) - 2, 0)  # a blank line, and the keys
    if view.is_help_shown:
        body: list[Line] = [*(((text, ""),) for text in _HELP[:room])]
    else:
        rows = table(view.figures.workers, view.sort, width)
        least = _LEAST_EVENTS if room >= _ROOM_FOR_EVENTS else 0
        events = _events(view, max(room - len(rows), least))
        shown_rows = shortened(rows, room - len(events))
        gap: list[Line] = [()] * (room - len(shown_rows) - len(events))
        body = [*shown_rows, *gap, *events]
    keys: Line = ((f" q quit   s sort ({view.sort.lower()})   ? help ", "reverse"),)
    lines = [*head, (), *body][: height - 1]
    blank: list[Line] = [()] * (height - 1 - len(lines))
    return [cut(line, width) for line in (*lines, *blank, keys)]


def page(view: View, width: int) -> list[Line]:
    """Return all there is, as long as it may be."""
    rows = table(view.figures.workers, view.sort, width)
    return [cut(line, width) for line in (*_head(view, width), (), *rows, *_events(view, _MOST_EVENTS))]


def _head(view: View, width: int, *, is_short: bool = False) -> list[Line]:
    metrics, figures = view.metrics, view.figures
    state = shown(metrics.get("state", "?"))
    about = (
        f"  generation {shown(metrics.get('generation', '?'))}  up {duration(number(metrics, 'uptime'))}"
        f"  pid {shown(metrics.get('pid', '?'))}  srvctl {shown(metrics.get('version', '?'))}"
    )
    name = shown(metrics.get("name", "?"))
    lines: list[Line] = [((name, "bold"), (f"  {state}", COLORS.get(state, "yellow")), (about, ""))]
    if not is_short:
        lines.append(((", ".join(shown(bind) for bind in items(metrics, "binds")), "dim"),))
    lines.append(_traffic(view, width))
    if not is_short:
        lines.append(_resources(metrics, figures))
    wrong = [(reload_text(metrics), "yellow"), (failure(metrics), "red"), (view.note, "bold yellow")]
    return [*lines, *(((text, style),) for text, style in wrong if text)]


def _traffic(view: View, width: int) -> Line:
    traffic = view.figures.traffic
    has_errors = traffic is not None and traffic.errors > 0
    line: Line = (
        (f"req/s {rate_of(traffic, 'requests')}", "bold"),
        ("   ", ""),
        (f"5xx/s {rate_of(traffic, 'errors')}", "bold red" if has_errors else ""),
        (f"   p50 {time_of(traffic, 'p50')}   p99 {time_of(traffic, 'p99')}", ""),
        (f"   in flight {view.figures.in_flight}   connections {view.figures.connections}", ""),
    )
    room = width - len(plain(line)) - 3
    if not view.has_bars or room < _SMALLEST_SPARKLINE:
        return line
    return (*line, ("   ", ""), (sparkline(view.history, room), "cyan"))


def _resources(metrics: Mapping[str, Any], figures: Figures) -> Line:
    there, wanted = ready(metrics), int(number(metrics, "target"))
    size = short_size(figures.pss) if figures.pss else "-"
    return (
        (f"CPU {share(figures.cpu)}   PSS {size}   ", ""),
        (f"workers ready {there}/{wanted}", "" if there >= wanted else "bold yellow"),
        (f"   {restarts(metrics)}", "dim"),
    )


def _events(view: View, room: int) -> list[Line]:
    """Return the last events, with a blank line before them."""
    chosen = view.events[-(room - 1) :] if room > 1 else ()
    lines: list[Line] = [
        ((as_text(event, "%H:%M:%S"), _EVENT_COLORS.get(str(event.get("level")), "")),) for event in chosen
    ]
    return [(), *lines] if lines else []
