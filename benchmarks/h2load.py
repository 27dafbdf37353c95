"""Running ``h2load`` and reading what it prints and logs. The only module that knows it, and ``nghttp``.

Called by comparisons of HTTP/2 as their driver; knows no server.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.errors import H2loadMissingError, WrkError, WrongAnswerError
from benchmarks.http_driver import HttpDriver
from benchmarks.load import Errors, Load

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmarks.workloads import Workload

#: It ends on time by itself; this much later it hangs.
_GRACE_SECONDS: Final = 15.0
_CHECK_SECONDS: Final = 20
_SHOWN_BYTES: Final = 60
_COUNTS: Final = re.compile(
    r"requests: .*?(?P<done>\d+) done, .* (?P<errored>\d+) errored, (?P<timeout>\d+) timeout"
)
_STATUSES: Final = re.compile(r"status codes: \d+ 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx")
_BYTES: Final = re.compile(r"traffic: \S+ \((\d+)\) total")


@dataclass(frozen=True, slots=True)
class Http2Driver(HttpDriver):
    """One workload over HTTP/2 without TLS, on so many connections."""

    def facts(self) -> dict[str, str]:
        """Return the version of h2load."""
        return {"h2load": version()}

    def check(self, port: int, path: str | None) -> None:
        """Compare one answer with the right one."""
        check(self.workload, port, path)

    def _run(self, port: int, path: str | None, seconds: float) -> Load:
        with tempfile.TemporaryDirectory(prefix="srvctl-bench-") as directory:
            log = Path(directory, "requests")
            line = command(self.workload, port, log, seconds=seconds, connections=self.connections, path=path)
            output = _output(line, seconds + _GRACE_SECONDS)
            rows = log.read_text(encoding="ascii").splitlines() if log.exists() else []
        return parse(output, rows, seconds)


def find(program: str = "h2load") -> str:
    """Return the path of h2load, or of another program that comes with it.

    Raises:
        H2loadMissingError: It is not installed.
    """
    path = shutil.which(program)
    if path is None:
        raise H2loadMissingError(
            f"{program} is not installed; install the package 'nghttp2-client' (Debian, Ubuntu) or 'nghttp2'."
        )
    return path


def version() -> str:
    """Return the version h2load prints of itself, e.g. ``1.52.0``."""
    shown = subprocess.run([find(), "--version"], capture_output=True, text=True, check=False).stdout
    return shown.strip().rpartition("/")[2] or "unknown"


def check(workload: Workload, port: int, path: str | None = None) -> None:
    """Send the request once and compare the body of its answer.

    Raises:
        WrongAnswerError: There is no answer, or it is not the expected one.
    """
    line = [find("nghttp"), "--timeout", str(_CHECK_SECONDS), _url(workload, port, path)]
    try:
        done = subprocess.run(line, capture_output=True, check=False, timeout=_CHECK_SECONDS + 1)
    except subprocess.TimeoutExpired as error:
        raise WrongAnswerError(f"No answer over HTTP/2 within {_CHECK_SECONDS} s.") from error
    if done.stdout != workload.answer:
        said = done.stderr.strip() or done.stdout
        raise WrongAnswerError(
            f"Another answer over HTTP/2 than {workload.answer[:_SHOWN_BYTES]!r}: {said[:_SHOWN_BYTES]!r}"
        )


def command(
    workload: Workload, port: int, log: Path, *, seconds: float, connections: int, path: str | None = None
) -> list[str]:
    """Return the command line of one run, which logs each request; h2load takes whole seconds only."""
    headers = [part for name, value in workload.headers.items() for part in ("-H", f"{name}: {value}")]
    load = ["-t1", f"-c{connections}", f"-m{workload.pipeline}", f"-D{max(1, round(seconds))}"]
    return [find(), *load, f"--log-file={log}", *headers, _url(workload, port, path)]


def parse(output: str, rows: Iterable[str], seconds: float) -> Load:
    """Return the figures in h2load's output, and latencies from its log.

    Args:
        output: What it printed.
        rows: Lines of its log: start, status and microseconds, with tabs between them.
        seconds: How long it was told to measure.

    Raises:
        WrkError: There are no figures, or no request was finished.
    """
    counts, statuses, received = (each.search(output) for each in (_COUNTS, _STATUSES, _BYTES))
    if counts is None or statuses is None or received is None:
        raise WrkError(f"h2load printed no figures: {output.strip() or 'nothing at all'}")
    errors = Errors(
        read=int(counts["errored"]),
        status=sum(map(int, statuses.groups())),
        timeout=int(counts["timeout"]),
    )
    requests = int(counts["done"])
    if not requests:
        raise WrkError(f"h2load finished no request; its errors: {errors}.")
    latencies = sorted(int(row.split("\t")[2]) for row in rows)
    p50, p90, p99, p999 = (_percentile_ms(latencies, percent) for percent in (50, 90, 99, 99.9))
    return Load(
        requests=requests,
        seconds=float(max(1, round(seconds))),
        received_bytes=int(received[1]),
        p50_ms=p50,
        p90_ms=p90,
        p99_ms=p99,
        p999_ms=p999,
        errors=errors,
    )


def _percentile_ms(ordered: list[int], percent: float) -> float | None:
    if not ordered:
        return None
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] / 1000


def _output(line: list[str], patience: float) -> str:
    try:
        done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=patience)
    except subprocess.TimeoutExpired as error:
        raise WrkError(f"h2load did not end within {patience:g} s.") from error
    if done.returncode != 0:
        raise WrkError(f"h2load exited with code {done.returncode}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def _url(workload: Workload, port: int, path: str | None) -> str:
    return f"http://127.0.0.1:{port}{path or workload.path}"
