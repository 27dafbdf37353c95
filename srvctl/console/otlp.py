"""The figures as OpenTelemetry takes them: OTLP over HTTP, by its own exporter (``srvctl[otel]``).

The counts are the master's and complete, histograms among them, so nothing is counted here a second time: the
points are made as the SDK's own instruments would make them, cumulative since the instance began. Headers,
certificates and attributes come from the variables that OpenTelemetry defines (``OTEL_EXPORTER_OTLP_HEADERS``
and the like). Loaded only where it is asked for; blocks, so called in a thread.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Final, cast
from urllib.parse import urlsplit

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricExportResult,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from srvctl import __version__
from srvctl.console.figures import (
    DURATIONS,
    DURATIONS_MEANING,
    FIGURES,
    PREFIX,
    Figure,
    Kind,
    bounds_of,
    durations,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from srvctl.console.figures import Answer

_NANO: Final = 1_000_000_000
_TIMEOUT: Final = 5.0  #: seconds for one delivery with all its attempts
#: Of a histogram's point OTLP has them as optional, and nobody knows them.
_UNKNOWN: Final = cast("float", None)
_WAY: Final = "/v1/metrics"  #: where collectors take metrics (OTLP/HTTP)


def endpoint_of(url: str) -> str:
    """Return where metrics go: where the URL leads, or below a URL that names only a host."""
    return url if urlsplit(url).path.strip("/") else url.rstrip("/") + _WAY


def otel_name(name: str) -> str:
    """Return a figure's name as OpenTelemetry has it: dotted, the unit beside it and not in it."""
    short = name.removeprefix(PREFIX).removesuffix("_seconds").removesuffix("_bytes")
    return f"srvctl.{short}"


def metrics_data(answer: Answer, environ: Mapping[str, str]) -> MetricsData:
    """Return an answer of the master as OTLP's exporter takes it.

    Args:
        answer: Of the command ``metrics``.
        environ: The environment; may name the service otherwise.
    """
    now = int(answer["at"] * _NANO)
    began = now - int(answer.get("uptime", 0) * _NANO)
    metrics = [_metric(figure, answer, began, now) for figure in FIGURES if figure.kind is not Kind.INFO]
    named = {} if environ.get("OTEL_SERVICE_NAME") else {SERVICE_NAME: str(answer.get("name", ""))}
    return MetricsData(
        [
            ResourceMetrics(
                Resource.create(named),
                [
                    ScopeMetrics(
                        InstrumentationScope("srvctl", __version__),
                        [*(metric for metric in metrics if metric), _histogram(answer, began, now)],
                        "",
                    )
                ],
                "",
            )
        ]
    )


def _metric(figure: Figure, answer: Answer, began: int, now: int) -> Metric | None:
    points = [
        NumberDataPoint(dict(zip(figure.labels, labels, strict=True)), began, now, value)
        for labels, value in figure.read(answer)
    ]
    if not points:
        return None
    data: Sum | Gauge = Gauge(points)
    if figure.kind is Kind.COUNTER:
        data = Sum(points, AggregationTemporality.CUMULATIVE, is_monotonic=True)
    return Metric(otel_name(figure.name), figure.meaning, figure.unit or "1", data)


def _histogram(answer: Answer, began: int, now: int) -> Metric:
    bounds: Sequence[float] = bounds_of(answer)
    points = [
        HistogramDataPoint(
            {"class": one.name},
            began,
            now,
            one.count,
            one.seconds,
            one.counts,
            bounds,
            _UNKNOWN,
            _UNKNOWN,
        )
        for one in durations(answer)
    ]
    return Metric(
        otel_name(DURATIONS), DURATIONS_MEANING, "s", Histogram(points, AggregationTemporality.CUMULATIVE)
    )


class Otlp:
    """Delivers to one collector.

    Args:
        url: Of the collector.
    """

    def __init__(self, url: str) -> None:
        # What the library says about each attempt that fails is said once, by who calls this.
        library = logging.getLogger("opentelemetry")
        library.addHandler(logging.NullHandler())
        library.propagate = False
        self._exporter = OTLPMetricExporter(endpoint_of(url), timeout=_TIMEOUT)

    def deliver(self, answer: Answer) -> bool:
        """Send the figures; return whether they arrived. Blocks for some seconds where nobody answers."""
        return self._exporter.export(metrics_data(answer, os.environ)) is MetricExportResult.SUCCESS
