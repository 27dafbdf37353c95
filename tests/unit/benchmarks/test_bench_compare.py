"""A whole comparison of small real servers, with wrk and the check of the answer faked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psutil
import pytest

from benchmarks import compare as module
from benchmarks import http_driver
from benchmarks.compare import compare
from benchmarks.errors import WrkError
from benchmarks.http_driver import HttpDriver
from benchmarks.load import Errors, Load
from benchmarks.results import Plan
from benchmarks.servers import Server
from benchmarks.workloads import WORKLOADS

if TYPE_CHECKING:
    from benchmarks.workloads import Workload

TINY = ("http.server", "{port}", "--bind", "127.0.0.1")
FIRST = Server("first", "pytest", TINY)
SECOND = Server("second", "pytest", TINY)
MISSING = Server("missing", "no-such-distribution", TINY)
BROKEN = Server("broken", "pytest", ("no_such_module",))
PLAN = Plan("hello", rounds=2, seconds=1, connections=1, pinned=True)
DRIVER = HttpDriver(WORKLOADS["hello"], connections=1)


class FakeWrk:
    """Does 100 requests in no time; fails or is interrupted at the call it is told to."""

    def __init__(self) -> None:
        self.ports: list[int] = []
        self.failures: dict[int, BaseException] = {}

    def run(
        self, _workload: Workload, port: int, *, seconds: float, connections: int, path: str | None
    ) -> Load:
        assert (seconds, connections, path) == (1, 1, None)
        self.ports.append(port)
        if len(self.ports) in self.failures:
            raise self.failures[len(self.ports)]
        return Load(100, 1.0, 1, 1.0, 1.0, 1.0, Errors())


@pytest.fixture
def fake_wrk(monkeypatch: pytest.MonkeyPatch) -> FakeWrk:
    fake = FakeWrk()
    monkeypatch.setattr(http_driver, "run", fake.run)
    monkeypatch.setattr(http_driver, "check", lambda *_: None)
    monkeypatch.setattr(http_driver, "wrk_version", lambda: "4.1.0")
    monkeypatch.setattr(module, "facts", lambda: {"processor": "abacus"})
    monkeypatch.setattr(module, "IDLE_SECONDS", 0.05)
    return fake


def running_servers() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if "http.server" in child.cmdline()]


def test_servers_take_turns_after_a_warm_up(fake_wrk: FakeWrk) -> None:
    comparison = compare(PLAN, DRIVER, [FIRST, SECOND], lambda _: None)
    one, two = fake_wrk.ports[:2]
    assert fake_wrk.ports == [one, two, one, two, two, one]
    assert [(result.name, len(result.rounds)) for result in comparison.results] == [
        ("first", 2),
        ("second", 2),
    ]
    assert comparison.machine == {"processor": "abacus", "wrk": "4.1.0"}
    footprint = comparison.results[0].footprint
    assert footprint.processes == 1
    assert 0 < footprint.root_pss_bytes == footprint.pss_bytes <= footprint.alone_bytes
    assert running_servers() == []


@pytest.mark.usefixtures("fake_wrk")
def test_a_server_that_cannot_start_is_left_out_with_the_reason() -> None:
    comparison = compare(PLAN, DRIVER, [MISSING, BROKEN, FIRST], lambda _: None)
    assert [result.name for result in comparison.results] == ["first"]
    assert comparison.left_out["missing"] == "not installed"
    assert comparison.left_out["broken"].startswith("did not start: It exited with code 1.")


def test_a_server_that_fails_in_a_round_is_left_out_and_the_others_go_on(fake_wrk: FakeWrk) -> None:
    fake_wrk.failures[3] = WrkError("wrk finished no request.")
    comparison = compare(PLAN, DRIVER, [FIRST, SECOND], lambda _: None)
    assert comparison.left_out == {"first": "failed in its round 1/2: wrk finished no request."}
    assert [result.name for result in comparison.results] == ["second"]


def test_an_interrupted_comparison_leaves_no_server_behind(fake_wrk: FakeWrk) -> None:
    fake_wrk.failures[4] = KeyboardInterrupt()
    lines: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        compare(PLAN, DRIVER, [FIRST, SECOND], lines.append)
    assert lines[:2] == ["starting first", "starting second"]
    assert running_servers() == []
