"""What ``/metrics`` answers: the figures as Prometheus wants them.

The library says which format a scrape is to have, and how a figure begins in it. The samples are written
here: of 64 workers there are sixteen hundred, for each of which the library sorts and escapes names that are
the same every time. What comes out is byte for byte what the library writes (a test compares both), in a
quarter of its time; formats of which that is not known are left to it. Called by `app`.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, choose_encoder, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from srvctl.console.figures import DURATIONS, DURATIONS_MEANING, FIGURES, Figure, Kind, bounds_of, durations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from srvctl.console.figures import Answer

    Encode = Callable[[Collector], bytes]

_TYPES: Final = {Kind.GAUGE: "gauge", Kind.COUNTER: "counter", Kind.INFO: "info"}
_END: Final = "# EOF\n"  #: of OpenMetrics
#: How a content type begins whose samples are written here, and who writes the rest.
_KNOWN: Final = {
    "text/plain; version=0.0.4": False,
    "text/plain; version=1.0.0": False,
    "application/openmetrics-text; version=1.0.0": True,
}


class Figures(Collector):
    """One answer of the master, as the library reads it.

    Args:
        answer: Of the command ``metrics``; empty if there is none.
    """

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def collect(self) -> Iterator[Metric]:
        """Yield every figure that the answer has."""
        for figure in FIGURES:
            metric = _metric(figure)
            for labels, value in figure.read(self._answer):
                metric.add_sample(figure.full_name, dict(zip(figure.labels, labels, strict=True)), value)
            if metric.samples:
                yield metric
        yield self._durations()

    def _durations(self) -> Metric:
        metric = _histogram()
        for one in durations(self._answer):
            for bound, total in _totals(self._answer, one.counts):
                metric.add_sample(f"{DURATIONS}_bucket", {"class": one.name, "le": bound}, total)
            metric.add_sample(f"{DURATIONS}_count", {"class": one.name}, one.count)
            metric.add_sample(f"{DURATIONS}_sum", {"class": one.name}, one.seconds)
        return metric


def exposition(answer: Answer, accept: str) -> tuple[bytes, str]:
    """Return what a scrape is answered, and its content type.

    Args:
        answer: Of the command ``metrics``; empty if there is none.
        accept: The field ``Accept`` of the request; what makes no sense means the plain text format.
    """
    encode: Encode
    try:
        encode, content_type = choose_encoder(accept)
        known = [is_open for start, is_open in _KNOWN.items() if content_type.startswith(f"{start};")]
        return (_written(answer, is_open=known[0]) if known else encode(Figures(answer))), content_type
    except (TypeError, ValueError):  # a version that is no number
        return _written(answer, is_open=False), CONTENT_TYPE_PLAIN_0_0_4


def _written(answer: Answer, *, is_open: bool) -> bytes:
    """Return the figures in OpenMetrics, or in the plain text format."""
    parts: list[str] = []
    for figure in FIGURES:
        head, line = _form(figure, is_open=is_open)
        lines = [line % (*map(_escaped, labels), _number(value)) for labels, value in figure.read(answer)]
        if lines:
            parts += (head, *lines)
    parts.append(_head(_histogram(), is_open=is_open))
    for one in durations(answer):
        label = f'class="{_escaped(one.name)}"'
        parts += (
            f'{DURATIONS}_bucket{{{label},le="{bound}"}} {_number(total)}\n'
            for bound, total in _totals(answer, one.counts)
        )
        parts.append(f"{DURATIONS}_count{{{label}}} {_number(one.count)}\n")
        parts.append(f"{DURATIONS}_sum{{{label}}} {_number(one.seconds)}\n")
    if is_open:
        parts.append(_END)
    return "".join(parts).encode()


@cache
def _form(figure: Figure, *, is_open: bool) -> tuple[str, str]:
    """Return how a figure begins, and its samples with places for the labels' values and the value."""
    if list(figure.labels) != sorted(figure.labels):
        raise ValueError(f"the labels of {figure.name} are not in the order in which they are written")
    labels = ",".join(f'{label}="%s"' for label in figure.labels)
    named = f"{figure.full_name}{{{labels}}}" if labels else figure.full_name
    return _head(_metric(figure), is_open=is_open), f"{named} %s\n"


def _head(metric: Metric, *, is_open: bool) -> str:
    """Return what the library writes before the samples of a metric."""
    write: Encode = openmetrics.generate_latest if is_open else generate_latest
    return write(_Only(metric)).decode().removesuffix(_END)


class _Only(Collector):
    """A single metric."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric

    def collect(self) -> Iterator[Metric]:
        yield self._metric


def _metric(figure: Figure) -> Metric:
    return Metric(figure.name, figure.meaning, _TYPES[figure.kind])


def _histogram() -> Metric:
    return Metric(DURATIONS, DURATIONS_MEANING, "histogram")


def _totals(answer: Answer, counts: tuple[int, ...]) -> Iterator[tuple[str, int]]:
    """Yield the bounds, and how many requests took no longer."""
    total = 0
    for bound, count in zip([*map(_number, bounds_of(answer)), "+Inf"], counts, strict=True):
        total += count
        yield bound, total


def _escaped(value: str) -> str:
    """Return a label's value as both formats have it."""
    if "\\" in value or "\n" in value or '"' in value:
        return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
    return value


def _number(value: float) -> str:
    text: str = floatToGoString(value)  # type: ignore[no-untyped-call]
    return text
