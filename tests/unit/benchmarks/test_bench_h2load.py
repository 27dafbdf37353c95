"""What is read from h2load's output and log, and what it is asked to do; and titles of flame graphs."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import h2load
from benchmarks.errors import H2loadMissingError, WrkError
from benchmarks.load import Errors
from benchmarks.profiling import titled
from benchmarks.servers import SERVERS, contestants
from benchmarks.workloads import WORKLOADS

OUTPUT = """Stopped all clients for thread #0

finished in 1.00s, 15154.00 req/s, 1.52MB/s
requests: {done} total, 15186 started, {done} done, 15150 succeeded, 4 failed, 3 errored, 1 timeout
status codes: 15150 2xx, 0 3xx, 2 4xx, 1 5xx
traffic: 1.52MB (1592706) total, 961.92KB (985010) headers (space savings 30.85%), 192.38KB (197002) data
                     min         max         mean         sd        +/- sd
"""
ROWS = [f"1795451896738495\t200\t{number}" for number in range(1000, 0, -1)]


def test_figures_are_read_and_percentiles_come_from_the_log() -> None:
    load = h2load.parse(OUTPUT.format(done=15154), ROWS, 1.0)
    assert (load.requests, load.seconds, load.received_bytes) == (15154, 1.0, 1592706)
    assert (load.p50_ms, load.p90_ms, load.p99_ms, load.p999_ms) == (0.501, 0.901, 0.991, 1.0)
    assert load.errors == Errors(read=3, status=3, timeout=1)


def test_without_a_log_there_are_no_latencies() -> None:
    assert h2load.parse(OUTPUT.format(done=5), [], 1.0).p99_ms is None


def test_output_without_figures_is_an_error() -> None:
    with pytest.raises(WrkError, match="no figures: nothing at all"):
        h2load.parse("", [], 1.0)


def test_a_run_without_a_request_is_an_error() -> None:
    with pytest.raises(WrkError, match="no request; its errors: 3 read, 3 status, 1 timeout"):
        h2load.parse(OUTPUT.format(done=0), [], 1.0)


def test_the_command_has_connections_streams_and_whole_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(h2load, "find", lambda: "h2load")
    line = h2load.command(WORKLOADS["http2-streams"], 8000, Path("/log"), seconds=1.6, connections=8)
    assert line == ["h2load", "-t1", "-c8", "-m16", "-D2", "--log-file=/log", "http://127.0.0.1:8000/"]


def test_a_missing_h2load_is_one_sentence_that_names_the_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(H2loadMissingError, match="install the package 'nghttp2-client'"):
        h2load.find()


def test_those_that_speak_it_take_part_and_are_told_to() -> None:
    cast = {one.name: one for one in contestants(WORKLOADS["http2"], list(SERVERS.values()))}
    assert cast.keys() == {"srvctl", "uvicorn", "granian", "hypercorn"}
    assert cast["srvctl"].command("a:b", 1)[-2:] == ["--http2", "--no-access-log"]
    assert cast["uvicorn"].command("a:b", 1)[-4:-1] == ["--http", "zttp", "--http2"]
    assert cast["uvicorn"].companions == ("uvloop", "zttp")
    told = contestants(WORKLOADS["hello"], [SERVERS["srvctl"]])[0].command("a:b", 1)
    assert "--http2" not in told


def test_a_flame_graph_gets_a_title_of_ours() -> None:
    svg = '<svg><text id="title" x="1">py-spy record --pid 1</text><text id="details"> </text></svg>'
    assert titled(svg, "hello") == svg.replace("py-spy record --pid 1", "hello")
