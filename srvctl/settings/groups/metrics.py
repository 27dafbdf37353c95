"""Where figures are sent, beside /metrics of the console."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from srvctl.settings.option import FORBID_UNKNOWN, Change, Option
from srvctl.settings.units import Seconds  # noqa: TC001 - pydantic resolves them at run time


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsSettings:
    """Where figures are sent, beside /metrics of the console."""

    __pydantic_config__: ClassVar = FORBID_UNKNOWN

    statsd: Annotated[
        str | None,
        Option(
            "StatsD server that figures are sent to, by UDP.", "--statsd", "HOST:PORT", change=Change.RESTART
        ),
    ] = None
    otlp: Annotated[
        str | None,
        Option(
            "OpenTelemetry collector that figures are sent to, by OTLP over HTTP (needs srvctl[otel]).",
            "--otlp",
            "URL",
            change=Change.RESTART,
        ),
    ] = None
    interval: Annotated[
        Seconds,
        Option(
            "How often figures are sent.", "--metrics-interval", "DURATION", minimum=1, change=Change.RESTART
        ),
    ] = 10.0
    prefix: Annotated[
        str,
        Option(
            "What the names of figures begin with at a StatsD server.",
            "--statsd-prefix",
            "PREFIX",
            change=Change.RESTART,
        ),
    ] = "srvctl"
