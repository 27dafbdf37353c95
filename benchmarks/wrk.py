"""Running ``wrk`` and reading the JSON line its script prints. The only module that knows wrk."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.errors import WrkError, WrkMissingError
from benchmarks.load import Errors, Load

if TYPE_CHECKING:
    from benchmarks.workloads import Workload

_SCRIPT = Path(__file__).resolve().parent / "wrk" / "load.lua"
#: wrk ends on time by itself; this much later it hangs.
_GRACE_SECONDS = 15.0


def find() -> str:
    """Return the path of wrk.

    Raises:
        WrkMissingError: It is not installed.
    """
    path = shutil.which("wrk")
    if path is None:
        raise WrkMissingError("wrk is not installed; install the package 'wrk' (Debian, Ubuntu, Homebrew).")
    return path


def wrk_version() -> str:
    """Return the version wrk prints of itself, e.g. ``4.1.0``."""
    shown = subprocess.run([find(), "--version"], capture_output=True, text=True, check=False).stdout
    return shown.partition(" [")[0].removeprefix("wrk ").strip() or "unknown"


def request_bytes(workload: Workload, port: int) -> bytes:
    """Return the workload's request as wrk sends it, for other clients."""
    lines = [f"{workload.method} {workload.path} HTTP/1.1", f"Host: 127.0.0.1:{port}"]
    lines += [f"{name}: {value}" for name, value in workload.headers.items()]
    if workload.body_size:
        lines.append(f"Content-Length: {workload.body_size}")
    return "\r\n".join([*lines, "", ""]).encode() + b"x" * workload.body_size


def command(
    workload: Workload, port: int, *, seconds: float, connections: int, path: str | None = None
) -> list[str]:
    """Return the command line of one run; wrk takes whole seconds only."""
    headers = [part for name, value in workload.headers.items() for part in ("-H", f"{name}: {value}")]
    scheme = "https" if workload.is_tls else "http"
    url = f"{scheme}://127.0.0.1:{port}{path or workload.path}"
    load = ["-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "-s", str(_SCRIPT)]
    request = [workload.method, str(workload.body_size), str(workload.pipeline)]
    if workload.is_unique:
        request.append("unique")
    return [find(), *load, *headers, url, "--", *request]


def run(workload: Workload, port: int, *, seconds: float, connections: int, path: str | None = None) -> Load:
    """Put a server under load and return what came of it.

    Args:
        workload: What to send.
        port: Where to.
        seconds: How long.
        connections: Open at once.
        path: What to ask for, if not for the workload's path.

    Raises:
        WrkError: wrk failed, hung, or finished no request.
    """
    line = command(workload, port, seconds=seconds, connections=connections, path=path)
    try:
        done = subprocess.run(
            line, capture_output=True, text=True, check=False, timeout=seconds + _GRACE_SECONDS
        )
    except subprocess.TimeoutExpired as error:
        raise WrkError(f"wrk did not end within {seconds + _GRACE_SECONDS:g} s.") from error
    if done.returncode != 0:
        raise WrkError(f"wrk exited with code {done.returncode}: {(done.stderr or done.stdout).strip()}")
    return parse(done.stdout, pipelined=workload.pipeline > 1)


def parse(output: str, *, pipelined: bool = False) -> Load:
    """Return the figures in wrk's output, without latencies when requests were pipelined.

    wrk 4 then records one latency for each batch but ranks percentiles among all requests, so that most come
    out as 0 and the rest wrong.

    Raises:
        WrkError: There are none, or no request was finished.
    """
    line = next((line for line in reversed(output.splitlines()) if line.startswith("{")), None)
    if line is None:
        raise WrkError(f"wrk printed no figures: {output.strip() or 'nothing at all'}")
    figures = json.loads(line)
    errors = Errors(**figures["errors"])
    p50, p90, p99, p999 = (
        None if pipelined else figures[name] / 1000 for name in ("p50_us", "p90_us", "p99_us", "p999_us")
    )
    if not figures["requests"]:
        raise WrkError(f"wrk finished no request; its errors: {errors}.")
    return Load(
        requests=figures["requests"],
        seconds=figures["duration_us"] / 1e6,
        received_bytes=figures["bytes"],
        p50_ms=p50,
        p99_ms=p99,
        p999_ms=p999,
        errors=errors,
        p90_ms=p90,
    )
