"""The registry of what ``all`` runs: who is asked for what, how long it may take, what is chosen by name."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from benchmarks.errors import BenchmarkError
from benchmarks.lifecycle.catalog import SCENARIOS
from benchmarks.load import Errors, Load
from benchmarks.results import Comparison, Footprint, Plan, Round, ServerResult
from benchmarks.servers import SERVERS, Server
from benchmarks.whole.parts import PARTS, Scope, chosen
from benchmarks.workloads import WORKLOADS
from benchmarks.ws import command as ws
from benchmarks.ws import idle
from benchmarks.ws.workloads import WS_WORKLOADS

if TYPE_CHECKING:
    from collections.abc import Sequence

SCOPE = Scope(tuple(SERVERS.values()), rounds=10, seconds=2, requests=1_000_000, is_quick=False)
OURS = ["srvctl", "srvctl-wsproto"]


def a_comparison(plan: Plan, **cpu_us: float) -> Comparison:
    load = Load(1000, 1.0, 34_000, 1.0, 2.0, 3.0, Errors())
    nothing = Footprint(1, 0, 0, 0, None, None)
    results = [
        ServerResult(name.replace("_", "-"), "1.0", {}, (Round(1, load, one / 1000),), nothing)
        for name, one in cpu_us.items()
    ]
    return Comparison(plan, {}, tuple(results), {"absent": "not installed"})


def test_everything_there_is_to_measure_is_a_part() -> None:
    assert {f"http-{name}" for name in WORKLOADS} <= PARTS.keys()
    assert {f"ws-{name}" for name in [*WS_WORKLOADS, "idle"]} <= PARTS.keys()
    assert {f"lifecycle-{name}" for name in SCENARIOS} <= PARTS.keys()
    assert {"memory", "control", "many", "micro-codec", "profile-http1", "profile-http2"} <= PARTS.keys()


def test_a_quick_run_is_a_part_of_the_whole_and_takes_less_of_each() -> None:
    quick = chosen(None, is_quick=True)
    assert {"http-hello", "memory", "lifecycle-kill", "profile-http1"} <= {part.name for part in quick}
    assert len(quick) < len(chosen(None, is_quick=False)) == len(PARTS)
    short = replace(SCOPE, rounds=3, seconds=1, requests=20_000, is_quick=True)
    assert all(part.estimate(short) <= part.estimate(SCOPE) for part in PARTS.values())
    assert sum(part.estimate(short) for part in quick) < 15 * 60


def test_parts_are_chosen_by_name_and_by_family_in_their_own_order() -> None:
    names = [part.name for part in chosen(["micro", "http-json"], is_quick=False)]
    assert names[0] == "http-json"
    assert all(name.startswith("micro-") for name in names[1:])
    assert len(names) > 2


@pytest.mark.parametrize("names", [["http-helo"], [], ["http", "htt"]])
def test_a_name_of_no_part_is_said_with_those_there_are(names: list[str]) -> None:
    with pytest.raises(BenchmarkError, match=r"is no part; there are http-hello, http-json"):
        chosen(names, is_quick=False)


def test_websockets_are_asked_of_what_comes_with_the_same_distributions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[str, list[str]]] = []

    def compared(plan: Plan, _driver: object, servers: Sequence[Server], _progress: object) -> Comparison:
        asked.append((plan.workload, [server.name for server in servers]))
        return a_comparison(plan, srvctl=10, uvicorn_wsproto=30)

    def measured(servers: Sequence[Server], connections: int, _progress: object) -> idle.Measured:
        asked.append((f"idle {connections}", [server.name for server in servers]))
        return idle.Measured((), {})

    monkeypatch.setattr(ws, "compare", compared)
    monkeypatch.setattr(idle, "measure", measured)
    scope = replace(SCOPE, servers=(SERVERS["srvctl"], SERVERS["raw"]))
    found = [part.run(scope) for part in chosen(["ws"], is_quick=False)]
    assert asked == [
        ("ws echo", [*OURS, "raw"]),
        ("ws echo-10k", [*OURS, "raw"]),
        ("ws echo-deflate", OURS),
        ("ws broadcast", OURS),
        ("idle 10000", OURS),
    ]
    assert "3.00 times the CPU of srvctl (3.00 to 3.00); mark 2: reached" in found[0].text
    assert [row.name for row in found[0].charts[0].rows] == ["srvctl", "uvicorn-wsproto"]


def test_a_comparison_that_nobody_came_through_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ws, "compare", lambda plan, *_: a_comparison(plan))
    with pytest.raises(BenchmarkError, match="absent: not installed"):
        PARTS["ws-echo"].run(SCOPE)
