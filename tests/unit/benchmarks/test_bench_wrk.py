"""What is read from wrk's output, and what it is asked to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks import wrk
from benchmarks.errors import WrkError, WrkMissingError
from benchmarks.load import Errors
from benchmarks.workloads import Workload
from benchmarks.wrk import parse

if TYPE_CHECKING:
    from pathlib import Path

HEAD = """Running 1s test @ http://127.0.0.1:8765/
  1 threads and 8 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.31ms    1.97ms  18.94ms   89.12%
Requests/sec:   9670.00
"""


def figures(requests: int = 10745, p99: int = 10057, status: int = 0, timeout: int = 0) -> str:
    return (
        f'{{"requests":{requests},"duration_us":1111169,"bytes":1418340,'
        f'"p50_us":482,"p90_us":901,"p99_us":{p99},"p999_us":15631,'
        f'"errors":{{"connect":0,"read":0,"write":0,"status":{status},"timeout":{timeout}}}}}\n'
    )


def test_figures_are_read_from_the_last_json_line() -> None:
    load = parse(HEAD + figures())
    assert load.requests == 10745
    assert load.seconds == pytest.approx(1.111169)
    assert load.received_bytes == 1418340
    assert (load.p50_ms, load.p90_ms, load.p99_ms, load.p999_ms) == (0.482, 0.901, 10.057, 15.631)
    assert load.errors.total == 0


def test_errors_are_kept_by_kind() -> None:
    errors = parse(HEAD + figures(status=3, timeout=2)).errors
    assert errors == Errors(status=3, timeout=2)
    assert errors.total == 5
    assert str(errors) == "3 status, 2 timeout"


def test_errors_of_rounds_add_up() -> None:
    assert Errors(connect=1, read=2) + Errors(read=3, write=4) == Errors(connect=1, read=5, write=4)
    assert str(Errors()) == "none"


def test_latencies_of_pipelined_requests_are_unknown() -> None:
    load = parse(figures(p99=0), pipelined=True)
    assert (load.p50_ms, load.p90_ms, load.p99_ms, load.p999_ms) == (None, None, None, None)


@pytest.mark.parametrize("output", ["", HEAD, "unable to connect to 127.0.0.1:1 Connection refused\n"])
def test_output_without_figures_is_an_error(output: str) -> None:
    with pytest.raises(WrkError, match="no figures"):
        parse(output)


def test_a_run_without_a_request_is_an_error() -> None:
    with pytest.raises(WrkError, match="no request; its errors: 9 timeout"):
        parse(figures(requests=0, timeout=9))


def test_the_command_carries_the_whole_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wrk, "find", lambda: "wrk")
    workload = Workload(
        "any",
        "",
        app="a:b",
        answer=b"",
        path="/p",
        method="POST",
        body_size=7,
        headers={"A": "b"},
        pipeline=4,
    )
    line = wrk.command(workload, 8000, seconds=2, connections=9)
    assert line[:4] == ["wrk", "-t1", "-c9", "-d2s"]
    assert line[-7:] == ["-H", "A: b", "http://127.0.0.1:8000/p", "--", "POST", "7", "4"]


def test_a_missing_wrk_is_one_sentence_that_names_the_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(WrkMissingError, match="install the package 'wrk'"):
        wrk.find()
