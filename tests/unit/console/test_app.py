"""The console's routes, over real sockets, with one who plays the master."""

from __future__ import annotations

import json
import socket
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client.parser import text_string_to_metric_families as parse

from srvctl.ipc.control import Command, Done, refusal
from tests.support.console import TOKEN, ConsoleAlone, events_of, metrics, wait_for, worker

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.client import Connection, Response

JSON = "Content-Type: application/json"
AUTHORIZED = f"Authorization: Bearer {TOKEN}"
EVENTS = "Accept: text/event-stream"


@pytest.fixture(scope="module")
def shared() -> Iterator[ConsoleAlone]:
    with ConsoleAlone(TOKEN, hosts=("ops.example.org",)) as running:
        yield running


@pytest.fixture
def console(shared: ConsoleAlone) -> ConsoleAlone:
    shared.master.reset()
    return shared


@pytest.fixture(scope="module")
def silent() -> Iterator[ConsoleAlone]:
    """One without a token."""
    with ConsoleAlone(quorum=2) as running:
        yield running


def said(response: Response) -> dict[str, Any]:
    assert response.headers["content-type"] == "application/json"
    values: dict[str, Any] = json.loads(response.body)
    return values


def ask_for(connection: Connection, path: str) -> None:
    connection.send(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())


# -- reading -------------------------------------------------------------------------------------------------


def test_probes_tell_what_the_master_says(silent: ConsoleAlone) -> None:
    assert silent.ask("/livez").status == 200
    assert said(silent.ask("/readyz")) == {"ok": True, "state": "running", "ready": 2, "quorum": 2}
    silent.master.figures = metrics(2, workers=[worker(0), worker(1, state="booting")])
    wait_for(lambda: silent.ask("/readyz").status == 503)
    assert said(silent.ask("/readyz"))["reason"] == "1 workers serve, and 2 must (console.quorum)"
    assert silent.ask("/healthz").status == 503
    silent.master.figures = metrics(2, state="leaving")
    wait_for(lambda: said(silent.ask("/readyz"))["reason"] == "the instance is leaving")
    assert silent.ask("/livez").status == 200
    # Whatever the probe calls it; a scrape, however, is refused then.
    assert silent.ask("/livez", host="balancer.example.net").status == 200
    assert silent.ask("/metrics", host="balancer.example.net").status == 421
    silent.master.figures = metrics(2)


def test_one_question_answers_all_who_ask_at_a_time(console: ConsoleAlone) -> None:
    assert console.ask("/livez").status == 200
    before = len(console.master.of(Command.METRICS))
    threads = [threading.Thread(target=console.ask, args=[path]) for path in ("/metrics", "/api/metrics") * 5]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    half_seconds = int((time.monotonic() - began) / 0.5)  # an answer is good for one
    assert len(console.master.of(Command.METRICS)) <= before + 2 + half_seconds


def test_a_scrape_is_what_prometheus_reads(console: ConsoleAlone) -> None:
    answer = console.ask("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = {family.name: family for family in parse(answer.text)}
    [up] = families["srvctl_up"].samples
    assert up.value == 1
    open_ = console.ask("/metrics", "Accept: application/openmetrics-text; version=1.0.0")
    assert open_.headers["content-type"].startswith("application/openmetrics-text")
    assert open_.text.endswith("# EOF\n")


def test_workers_have_their_memory_added(console: ConsoleAlone) -> None:
    console.master.figures = metrics(1, workers=[worker(0, pid=4711)])
    found = wait_for(lambda: said(console.ask("/api/workers"))["workers"][0].get("pss"))
    assert found == 4711 * 1000


def test_what_is_read_of_the_master(console: ConsoleAlone) -> None:
    console.master.ends[Command.STATUS] = Done(ok=True, data={"name": "web"})
    assert said(console.ask("/api/status")) == {"name": "web"}
    console.master.told[Command.EVENTS] = [{"kind": "worker", "at": 1.5}]
    assert said(console.ask("/api/events?last=3")) == {"events": [{"kind": "worker", "at": 1.5}]}
    assert console.master.of(Command.EVENTS)[-1] == {"last": 3, "follow": False}
    wait_for(lambda: said(console.ask("/api/metrics"))["slots"].keys() == {"0", "1"})
    for query in ("last=-1", "last=x", "last=201", "last=%D9%A3"):
        assert console.ask(f"/api/events?{query}").status == 400


def test_the_log_and_the_settings_are_for_the_token(console: ConsoleAlone, silent: ConsoleAlone) -> None:
    console.master.told[Command.LOGS] = [{"line": "hello", "slot": 1}]
    console.master.ends[Command.SETTINGS] = Done(ok=True, data={"values": {}})
    for path in ("/api/logs?last=5&slot=1", "/api/settings"):
        assert console.ask(path).status == 401
        assert console.ask(path, f"Authorization: Bearer {TOKEN}x").status == 401
        assert silent.ask(path, AUTHORIZED).status == 403
        assert console.ask(path, AUTHORIZED).status == 200
    assert console.master.of(Command.LOGS) == [{"lines": 5, "follow": False, "slot": 1}]
    assert said(console.ask("/api/logs", AUTHORIZED)) == {"lines": [{"line": "hello", "slot": 1}]}


def test_the_page_can_learn_whether_it_may_act(console: ConsoleAlone, silent: ConsoleAlone) -> None:
    assert said(console.ask("/api/session")) == {"can_act": True, "authorized": False}
    assert said(console.ask("/api/session", AUTHORIZED)) == {"can_act": True, "authorized": True}
    assert said(silent.ask("/api/session", AUTHORIZED)) == {"can_act": False, "authorized": False}


def test_what_happens_is_told_as_it_happens(console: ConsoleAlone) -> None:
    """Figures every second, events at once; two who watch share one question."""
    console.master.told[Command.EVENTS] = [{"text": "one", "at": 1.0}, {"text": "two", "at": 2.0}]
    with console.connect() as first, console.connect() as second:
        ask_for(first, "/api/live?last=1")
        ask_for(second, "/api/events?follow")
        kinds = [next(events) for events in [events_of(first.stream())] for _ in range(3)]
        assert [kind for kind, _ in kinds] == ["event", "metrics", "metrics"]
        assert kinds[0][1] == {"text": "two", "at": 2.0}
        assert kinds[1][1]["workers"]
        others = events_of(second.stream())
        assert [next(others)[1]["text"] for _ in range(2)] == ["one", "two"]
    follows = [args for args in console.master.of(Command.EVENTS) if args["follow"]]
    assert len(follows) <= 1, "an earlier test may have begun it"


# -- whom it answers -----------------------------------------------------------------------------------------


def test_other_names_are_refused(console: ConsoleAlone) -> None:
    for host in ("evil.example.org", "localhost.evil.example.org"):
        for path in ("/metrics", "/api/status", "/", "/nothing"):
            answer = console.ask(path, host=host)
            assert answer.status == 421
            assert "console.hosts" in said(answer)["message"]
    for host in ("ops.example.org", "OPS.example.org:9100", "10.0.0.1", "[::1]:80"):
        assert console.ask("/metrics", host=host).status == 200


def test_every_answer_is_guarded(console: ConsoleAlone) -> None:
    for path in ("/livez", "/metrics", "/nothing", "/api/workers", "/"):
        headers = console.ask(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["cache-control"] in {"no-store", "no-cache"}
        assert "server" not in headers


def test_methods_and_paths(console: ConsoleAlone) -> None:
    for method, path, status, allow in [
        ("GET", "/nothing", 404, None),
        ("GET", "/livez/", 404, None),
        ("POST", "/metrics", 405, "GET, HEAD"),
        ("OPTIONS", "/api/reload", 405, "POST"),
        ("GET", "/api/reload", 405, "POST"),
        ("DELETE", "/api/workers/1/kill", 405, "POST"),
        ("POST", "/api/stop", 404, None),
        ("POST", "/api/workers/x/kill", 404, None),
        ("POST", "/api/workers/1/feed", 404, None),
        ("POST", "/api/workers/1234567/kill", 404, None),
    ]:
        answer = console.ask(path, AUTHORIZED, JSON, method=method, body="")
        assert (answer.status, answer.headers.get("allow")) == (status, allow), (method, path)
    assert not [request for request in console.master.asked if request.command is not Command.METRICS]


def test_head_has_the_head_of_get(console: ConsoleAlone) -> None:
    for path in ("/livez", "/metrics", "/api/workers", "/api/live", "/"):
        with console.connect() as connection:
            connection.send(f"HEAD {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            head, _, body = connection.read_until_end().partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert not body


# -- acting --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "body", "command", "args"),
    [
        ("/api/reload", "", Command.RELOAD, {}),
        ("/api/reload", "{}", Command.RELOAD, {}),
        ("/api/scale", '{"change": -1}', Command.SCALE, {"change": -1}),
        ("/api/scale", '{"count": 4}', Command.SCALE, {"count": 4}),
        ("/api/recycle", '{"target": "all"}', Command.RECYCLE, {"target": "all"}),
        ("/api/workers/3/restart", "", Command.RECYCLE, {"target": "slot:3"}),
        ("/api/workers/0/stop", "{}", Command.WORKER_STOP, {"target": "slot:0"}),
        ("/api/workers/12/kill", "", Command.WORKER_KILL, {"target": "slot:12"}),
        ("/api/workers/1/dump", "", Command.WORKER_DUMP, {"target": "slot:1"}),
    ],
)
def test_orders_reach_the_master(
    console: ConsoleAlone, path: str, body: str, command: Command, args: dict[str, Any]
) -> None:
    console.master.ends[command] = Done(ok=True, message="Done.", details="how", data={"n": 1})
    answer = console.ask(path, AUTHORIZED, JSON, method="POST", body=body)
    assert answer.status == 200
    assert said(answer) == {"ok": True, "message": "Done.", "details": "how", "data": {"n": 1}}
    assert console.master.of(command) == [args]
    console.master.ends[command] = refusal("It cannot be.")
    answer = console.ask(path, AUTHORIZED, JSON, method="POST", body=body)
    assert (answer.status, said(answer)["message"]) == (409, "It cannot be.")


def test_nobody_acts_without_the_token_or_by_a_form(console: ConsoleAlone, silent: ConsoleAlone) -> None:
    """A form of another website can neither know the token nor send JSON; none reaches the master."""
    for fields, status in [
        ([JSON], 401),
        ([JSON, "Authorization: Bearer wrong"], 401),
        ([JSON, f"Authorization: Basic {TOKEN}"], 401),
        ([AUTHORIZED], 415),
        ([AUTHORIZED, "Content-Type: text/plain"], 415),
        ([AUTHORIZED, "Content-Type: application/x-www-form-urlencoded"], 415),
    ]:
        answer = console.ask("/api/reload", *fields, method="POST", body="{}")
        assert answer.status == status
        assert ("www-authenticate" in answer.headers) is (status == 401)
    assert silent.ask("/api/reload", AUTHORIZED, JSON, method="POST", body="{}").status == 403
    for running in (console, silent):
        assert not running.master.of(Command.RELOAD)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/reload", "[]"),
        ("/api/reload", "{"),
        ("/api/reload", '{"x": 1}'),
        ("/api/reload", "\xff"),
        ("/api/scale", "{}"),
        ("/api/scale", '{"change": true}'),
        ("/api/scale", '{"change": 1.5}'),
        ("/api/scale", '{"change": 1, "count": 2}'),
        ("/api/scale", '{"count": 100000}'),
        ("/api/recycle", '{"target": "everything"}'),
        ("/api/recycle", '{"target": "slot:1\\n"}'),
        ("/api/workers/1/kill", '{"target": "all"}'),
        ("/api/reload", "[" * 16_000),
        ("/api/reload", '{"x": ' * 3000),
    ],
)
def test_bodies_of_nonsense_are_refused(console: ConsoleAlone, path: str, body: str) -> None:
    answer = console.ask(path, AUTHORIZED, JSON, method="POST", body=body)
    assert answer.status in {400, 413}
    assert not [request for request in console.master.asked if request.command is not Command.METRICS]


def test_progress_comes_as_events(console: ConsoleAlone) -> None:
    console.master.told[Command.RELOAD] = [{"text": "Importing."}, {"text": "Slot 0 is new."}]
    console.master.ends[Command.RELOAD] = Done(ok=True, message="Reload done.")
    with console.connect() as connection:
        connection.send(
            f"POST /api/reload HTTP/1.1\r\nHost: localhost\r\n{AUTHORIZED}\r\n{JSON}\r\n{EVENTS}\r\n"
            "Content-Length: 0\r\n\r\n".encode()
        )
        told = list(events_of(connection.stream()))
    assert [(kind, values.get("text", values.get("message"))) for kind, values in told] == [
        ("progress", "Importing."),
        ("progress", "Slot 0 is new."),
        ("done", "Reload done."),
    ]


def test_who_leaves_is_not_waited_for(console: ConsoleAlone) -> None:
    """Twenty orders that take long, whose clients are gone, leave room for the next."""

    def has_asked(times: int) -> bool:
        return len(console.master.of(Command.RELOAD)) == times

    console.master.waits.add(Command.RELOAD)
    for number in range(20):
        with console.connect() as connection:
            connection.send(
                f"POST /api/reload HTTP/1.1\r\nHost: localhost\r\n{AUTHORIZED}\r\n{JSON}\r\n"
                "Content-Length: 0\r\n\r\n".encode()
            )
            wait_for(partial(has_asked, number + 1))
    console.master.ends[Command.SCALE] = Done(ok=True)
    order = ("/api/scale", AUTHORIZED, JSON)
    wait_for(lambda: console.ask(*order, method="POST", body='{"change": 1}').status == 200)


# -- a master that does not answer ---------------------------------------------------------------------------


def test_a_silent_master_is_told_of() -> None:
    """Within its time, and nothing is told as if it were new."""
    with ConsoleAlone(patience=1.0) as console:
        wait_for(lambda: "srvctl_generation" in console.ask("/metrics").text)
        console.master.figures = None
        wait_for(lambda: "srvctl_up 0.0" in console.ask("/metrics").text)
        assert "srvctl_generation" not in console.ask("/metrics").text
        answers: dict[str, Response] = {}
        paths = ("/livez", "/readyz", "/api/workers")
        threads = [
            threading.Thread(target=lambda path=path: answers.setdefault(path, console.ask(path)))
            for path in paths
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {path: answer.status for path, answer in answers.items()} == dict.fromkeys(paths, 503)
        assert said(answers["/readyz"])["reason"] == "the master does not answer"
        console.master.reset()
        wait_for(lambda: console.ask("/livez").status == 200)


def test_clients_that_do_not_read_keep_nobody_waiting(console: ConsoleAlone) -> None:
    """Nor do those that send half a request, or nothing."""
    stalled = []
    try:
        for text in ("GET /api/live HTTP/1.1\r\nHost: localhost\r\n\r\n", "GET /met", "") * 20:
            sock = socket.socket()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.connect(("127.0.0.1", console.port))
            sock.sendall(text.encode())
            stalled.append(sock)
        with console.connect() as live:
            ask_for(live, "/api/live")
            told = events_of(live.stream())
            for _ in range(3):
                wait_for(lambda: next(told)[0] == "metrics")
                assert console.ask("/livez").status == 200
    finally:
        for sock in stalled:
            sock.close()
