"""HTTP requests as the load of a comparison: by wrk, which connects within its own time."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from benchmarks.check import check
from benchmarks.probe import BatchProbe
from benchmarks.wrk import run, wrk_version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.load import Load
    from benchmarks.workloads import Workload


@dataclass(frozen=True, slots=True)
class HttpDriver:
    """One workload, on so many connections."""

    workload: Workload
    connections: int

    @property
    def app(self) -> str:
        """Import string of the application."""
        return self.workload.app

    @property
    def is_tls(self) -> bool:
        """Whether servers need a certificate."""
        return self.workload.is_tls

    def facts(self) -> dict[str, str]:
        """Return the version of wrk."""
        return {"wrk": wrk_version()}

    def check(self, port: int, path: str | None) -> None:
        """Compare one answer with the right one."""
        check(self.workload, port, path)

    @contextmanager
    def session(self, port: int, path: str | None) -> Iterator[Callable[[float], Load]]:
        """Yield what loads the server for some seconds."""
        yield partial(self._run, port, path)

    def _run(self, port: int, path: str | None, seconds: float) -> Load:
        workload, connections = self.workload, self.connections
        if workload.pipeline == 1:
            return run(workload, port, seconds=seconds, connections=connections, path=path)
        with BatchProbe(workload, port) as probe:
            load = run(workload, port, seconds=seconds, connections=connections, path=path)
        return replace(
            load,
            requests=load.requests + probe.requests,  # the server's CPU was used for these, too
            p50_ms=probe.percentile_ms(50),
            p90_ms=probe.percentile_ms(90),
            p99_ms=probe.percentile_ms(99),
        )
