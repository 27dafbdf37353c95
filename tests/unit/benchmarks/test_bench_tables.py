"""The tables of workloads and servers, the applications, and the command line."""

from __future__ import annotations

import asyncio
import importlib
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmarks import __main__ as command_line
from benchmarks.certificate import Certificate
from benchmarks.compare import Cpus, rotated, split_cpus
from benchmarks.servers import SERVERS, Server, contestants
from benchmarks.workloads import WORKLOADS, Workload

if TYPE_CHECKING:
    from benchmarks.apps.bare import Message


def answer_of(workload: Workload) -> list[Message]:
    """Call the workload's application in this process, the way a server would."""
    module, _, name = workload.app.partition(":")
    app = getattr(importlib.import_module(module), name)
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": workload.method,
        "scheme": "http",
        "path": workload.path,
        "raw_path": workload.path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"test")],
        "server": ("127.0.0.1", 80),
        "client": ("127.0.0.1", 1),
    }
    half = workload.body_size // 2
    parts = [b"x" * half, b"x" * (workload.body_size - half)]
    messages: list[Message] = [
        {"type": "http.request", "body": parts[0], "more_body": True},
        {"type": "http.request", "body": parts[1]},
    ]
    sent: list[Message] = []

    async def receive() -> Message:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    return sent


@pytest.mark.parametrize("workload", WORKLOADS.values(), ids=lambda workload: workload.name)
def test_the_application_of_each_workload_gives_the_right_answer(workload: Workload) -> None:
    if "fastapi" in workload.app:
        pytest.importorskip("fastapi")
    start, *bodies = answer_of(workload)
    assert start["status"] == 200
    assert b"".join(message.get("body", b"") for message in bodies) == workload.answer
    headers = dict(start["headers"])
    assert headers[b"content-length"] == str(len(workload.answer)).encode()
    assert b"content-type" in headers


def test_headers20_sends_twenty() -> None:
    assert len(WORKLOADS["headers20"].headers) == 20


@pytest.mark.parametrize("server", SERVERS.values(), ids=lambda server: server.name)
def test_each_command_runs_this_interpreter_on_the_app_and_port(server: Server) -> None:
    command = server.command("some.module:app", 8123)
    assert command[:2] == [sys.executable, "-m"]
    assert server.is_fixed or "some.module:app" in command
    assert "8123" in " ".join(command)
    assert "{" not in " ".join(command)


def test_each_server_that_can_is_told_of_the_certificate() -> None:
    files = Certificate(Path("/some/cert.pem"), Path("/some/key.pem"))
    for server in contestants(WORKLOADS["tls"], list(SERVERS.values())):
        assert {"/some/cert.pem", "/some/key.pem"} <= set(server.command("a:b", 1, files))


def test_servers_without_applications_take_part_in_nothing_but_hello() -> None:
    everyone = list(SERVERS.values())
    fixed = {server.name for server in everyone if server.is_fixed}
    assert fixed == {"nginx", "raw"}
    for name, workload in WORKLOADS.items():
        names = {server.name for server in contestants(workload, everyone)}
        assert (fixed <= names) == (name in {"hello", "headers20", "pipeline16", "unique", "connections1000"})
        assert workload.baseline in names


def test_roles_are_played_by_the_servers_that_were_chosen() -> None:
    cast = contestants(WORKLOADS["access"], [SERVERS["srvctl"]])
    assert [(role.name, role.beside) for role in cast] == [("srvctl", None), ("srvctl log", "srvctl")]
    assert ["--no-access-log" in role.command("a:b", 1) for role in cast] == [True, False]
    assert ["--access-log" in role.command("a:b", 1) for role in cast] == [False, True]
    paths = [role.path for role in contestants(WORKLOADS["file8m"], [SERVERS["granian"]])]
    assert paths == ["/pathsend"]


def test_a_server_that_is_not_installed_has_no_version() -> None:
    assert Server("none", "no-such-distribution", ()).installed_version() is None


def test_each_round_begins_one_further() -> None:
    assert [rotated("abc", number) for number in range(4)] == [
        ["a", "b", "c"],
        ["b", "c", "a"],
        ["c", "a", "b"],
        ["a", "b", "c"],
    ]
    assert rotated([], 3) == []


def test_servers_and_wrk_get_a_cpu_each_when_there_are_two() -> None:
    assert split_cpus({3, 0, 2}) == Cpus(servers=3, load=0)
    assert split_cpus({5}) == Cpus(None, None)


def test_list_names_all_and_runs_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main(["http", "--list"]) == 0
    listed = capsys.readouterr().out
    assert all(f"  {name} " in listed for name in [*WORKLOADS, *SERVERS])


def test_without_wrk_the_command_ends_with_one_line_and_exit_code_2(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    assert command_line.main(["http"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [["--servers", "uvicorn,apache"], ["--servers", ","], ["--rounds", "0"], ["--app", "nothing"]],
)
def test_wrong_usage_ends_with_exit_code_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_info:
        command_line.main(["http", *arguments])
    assert exit_info.value.code == 2
    assert "error:" in capsys.readouterr().err
