"""What ``/metrics`` answers: the figures as Prometheus wants them, written by its own library.

Knows the library and no socket. Called by `app`, with an answer of the master.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, choose_encoder, generate_latest
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from srvctl.console.figures import DURATIONS, DURATIONS_MEANING, FIGURES, Kind, bounds_of, durations

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from srvctl.console.figures import Answer

_TYPES: Final = {Kind.GAUGE: "gauge", Kind.COUNTER: "counter", Kind.INFO: "info"}


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
            name = figure.name if figure.kind is not Kind.INFO else figure.name.removesuffix("_info")
            metric = Metric(name, figure.meaning, _TYPES[figure.kind])
            for labels, value in figure.read(self._answer):
                metric.add_sample(figure.full_name, dict(zip(figure.labels, labels, strict=True)), value)
            if metric.samples:
                yield metric
        yield self._durations()

    def _durations(self) -> Metric:
        metric = Metric(DURATIONS, DURATIONS_MEANING, "histogram")
        bounds = [*map(floatToGoString, bounds_of(self._answer)), "+Inf"]
        for one in durations(self._answer):
            total = 0
            for bound, count in zip(bounds, one.counts, strict=True):
                total += count
                metric.add_sample(f"{DURATIONS}_bucket", {"class": one.name, "le": bound}, total)
            metric.add_sample(f"{DURATIONS}_count", {"class": one.name}, total)
            metric.add_sample(f"{DURATIONS}_sum", {"class": one.name}, one.seconds)
        return metric


def exposition(answer: Mapping[str, Any], accept: str) -> tuple[bytes, str]:
    """Return what a scrape is answered, and its content type.

    Args:
        answer: Of the command ``metrics``; empty if there is none.
        accept: The field ``Accept`` of the request; what makes no sense means the plain text format.
    """
    figures = Figures(answer)
    try:
        encode, content_type = choose_encoder(accept)
        return encode(figures), content_type
    except (TypeError, ValueError):  # a version that is no number
        return generate_latest(figures), CONTENT_TYPE_PLAIN_0_0_4
