"""The table of WebSocket servers, the applications, the report and the command line."""

from __future__ import annotations

import asyncio
import resource
from typing import TYPE_CHECKING

import pytest

from benchmarks import __main__ as command_line
from benchmarks.apps import sockets
from benchmarks.errors import BenchmarkError
from benchmarks.load import Errors, Load
from benchmarks.results import Comparison, Footprint, Plan, Round, ServerResult
from benchmarks.servers import Server
from benchmarks.ws import idle, report
from benchmarks.ws.servers import WS_SERVERS, contestants, is_peer
from benchmarks.ws.workloads import WS_WORKLOADS

if TYPE_CHECKING:
    from benchmarks.apps.bare import Message

ACCEPT = {"type": "websocket.accept"}
PLAN = Plan("ws echo", 2, 1, 32, pinned=True, baseline="srvctl", client="client", unit="msg")


def a_result(name: str, *cpu_us: float, errors: Errors | None = None) -> ServerResult:
    load = Load(1000, 1.0, 34_000, None, None, None, errors or Errors())
    rounds = [Round(number, load, cpu_seconds=one / 1000) for number, one in enumerate(cpu_us, 1)]
    return ServerResult(name, "1.0", {}, tuple(rounds), Footprint(1, 0, 0, 0, None, None))


def a_comparison(*results: ServerResult) -> Comparison:
    return Comparison(PLAN, {"processor": "abacus"}, results, {"absent": "not installed"})


def converse(app: sockets.Broadcast | None, path: str, *incoming: Message) -> list[Message]:
    """Have an application talk with one client that then goes."""
    messages: list[Message] = [{"type": "websocket.connect"}, *incoming, {"type": "websocket.disconnect"}]
    sent: list[Message] = []

    async def receive() -> Message:
        return messages.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run((app or sockets.echo)({"type": "websocket", "path": path}, receive, send))
    return sent


def test_an_echo_sends_back_text_and_bytes() -> None:
    text, data = {"type": "websocket.receive", "text": "a"}, {"type": "websocket.receive", "bytes": b"b"}
    assert converse(None, "/", text, data) == [
        ACCEPT,
        {"type": "websocket.send", "text": "a"},
        {"type": "websocket.send", "bytes": b"b"},
    ]


def test_a_listener_hears_itself_and_is_then_forgotten() -> None:
    app = sockets.Broadcast()
    sent = converse(app, "/", {"type": "websocket.receive", "text": "a"})
    assert sent == [ACCEPT, {"type": "websocket.send", "text": "a"}]
    assert app._sends == set()


def test_the_sender_is_heard_by_all_but_those_that_have_just_gone() -> None:
    app = sockets.Broadcast()
    heard: list[Message] = []

    async def gone(_message: Message) -> None:
        raise ConnectionResetError

    async def there(message: Message) -> None:
        heard.append(message)

    app._sends = {gone, there}
    sent = converse(app, sockets.SENDER_PATH, {"type": "websocket.receive", "text": "a"})
    assert sent == [ACCEPT, {"type": "websocket.send", "text": "a"}]
    assert heard == sent[1:]


def test_the_applications_decline_all_but_websockets() -> None:
    async def nothing(*_: object) -> Message:
        raise AssertionError

    with pytest.raises(NotImplementedError, match="lifespan"):
        asyncio.run(sockets.echo({"type": "lifespan"}, nothing, nothing))  # type: ignore[arg-type]


def test_each_implementation_is_asked_for() -> None:
    ways = [server.arguments[-2:] for name, server in WS_SERVERS.items() if name.startswith("uvicorn-")]
    assert ways == [("--ws", "websockets"), ("--ws", "websockets-sansio"), ("--ws", "wsproto")]
    assert [name for name in WS_SERVERS if not is_peer(name)] == ["srvctl", "srvctl-wsproto", "raw"]
    assert all(name == server.name for name, server in WS_SERVERS.items())


def test_the_floor_takes_part_in_nothing_but_echoes() -> None:
    for name, workload in WS_WORKLOADS.items():
        names = [server.name for server in contestants(workload, list(WS_SERVERS.values()))]
        assert ("raw" in names) == (name in {"echo", "echo-10k"})
        assert "srvctl" in names


def test_the_mark_is_about_the_best_peer_and_ratios_within_a_round() -> None:
    """The machine is twice slower in round 2; srvctl with wsproto is no peer."""
    results = [
        a_result("srvctl", 10, 20),
        a_result("srvctl-wsproto", 11, 22),
        a_result("slow", 40, 80),
        a_result("fast", 18, 44),
    ]
    text = report.text(a_comparison(*results), mark=2.0)
    assert "best peer: fast, 2.00 times the CPU of srvctl (1.80 to 2.20); mark 2: reached" in text
    assert "mark 2.1: missed" in report.text(a_comparison(*results), mark=2.1)
    assert "mark" not in report.verdict(a_comparison(*results), mark=None)
    slow = next(line for line in text.splitlines() if line.startswith("| slow "))
    assert [cell.strip() for cell in slow.strip("|").split("|")] == [
        "slow",
        "1.0",
        "1,000",
        "60.0",
        "4.00",
        "4.00 to 4.00",
        "34",
        "0.0",
        "0",
    ]
    assert "server and client on a CPU each" in text
    assert "left out: absent: not installed" in text


def test_without_srvctl_or_a_peer_there_is_no_mark() -> None:
    assert "no mark" in report.text(a_comparison(a_result("uvicorn", 10, 20)), mark=2.0)
    assert "no mark" in report.text(a_comparison(a_result("srvctl", 10, 20)), mark=2.0)
    assert "no mark" in report.text(a_comparison(), mark=2.0)
    apart = a_comparison(a_result("srvctl"), a_result("uvicorn", 10))
    assert "no round in common" in report.text(apart, mark=2.0)


def test_idle_memory_is_told_for_each_websocket() -> None:
    results = (idle.Idle("srvctl", 2**20, 10_000 * 1024, 1000), idle.Idle("other", 2**20, 2**20, 1000))
    text = idle.text(idle.Measured(results, {"absent": "not installed"}))
    assert "srvctl: 10.0 KiB each; mark 12 KiB: reached" in text
    assert "- left out: absent: not installed" in text
    missed = idle.Measured((idle.Idle("srvctl", 0, 13 * 1024, 1),), {})
    assert "mark 12 KiB: missed" in idle.text(missed)


def test_a_server_that_is_not_installed_is_left_out_of_idle_memory() -> None:
    measured = idle.measure([Server("none", "no-such-distribution", ())], 1, lambda _: None)
    assert measured == idle.Measured((), {"none": "not installed"})


def test_more_connections_than_files_are_refused() -> None:
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    with pytest.raises(BenchmarkError, match="may open"):
        idle.measure([], limit, lambda _: None)


def test_list_names_all_and_runs_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main(["ws", "--list"]) == 0
    listed = capsys.readouterr().out
    assert all(f"  {name} " in listed for name in [*WS_WORKLOADS, "idle", *WS_SERVERS])


@pytest.mark.parametrize("arguments", [["--servers", "apache"], ["--in-flight", "0"], ["--app", "hello"]])
def test_wrong_usage_ends_with_exit_code_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_info:
        command_line.main(["ws", *arguments])
    assert exit_info.value.code == 2
    assert "error:" in capsys.readouterr().err
