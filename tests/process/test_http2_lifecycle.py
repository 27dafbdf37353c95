"""Stops, reloads, recycling and deaths while clients speak HTTP/2: what runs ends, and nothing is lost."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.support.apps.written import write_app
from tests.support.client_load import PATIENT
from tests.support.http2_client import Ended, Http2
from tests.support.http2_frames import GOAWAY, MOST, WINDOW, Code, get
from tests.support.http2_load import Http2Load
from tests.support.http2_websocket import WebSocket
from tests.support.punctual import begins_anew, within
from tests.support.server import BASIC, ServerProcess
from tests.support.server_waits import Gate
from tests.support.websocket_frames import text

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.client import Address

SITE: Final = "site_app:app"
ECHO: Final = "tests.support.apps.websocket_echo:app"
FLAGS: Final = ("--http2", *PATIENT)
SHORT: Final = 0.3  #: seconds that clients have where they are to be let go


def address_of(server: ServerProcess) -> Address:
    return "127.0.0.1", server.port


def connect(server: ServerProcess) -> Http2:
    return Http2(address_of(server))


def begun(server: ServerProcess, data: bytes, **options: Any) -> Http2:
    """Connect, and send this before the server lets the client go."""
    with contextlib.ExitStack() as stack:
        with within(SHORT):
            client = stack.enter_context(Http2(address_of(server), **options))
            client.send(data)
        stack.pop_all()
        return client


def check_leaves(client: Http2, last: int) -> None:
    """The server says in two steps that this stream was the last (RFC 9113 section 6.8)."""
    first = client.until(lambda frame: frame.kind == GOAWAY)
    assert (first.number, first.code) == (MOST, Code.NO_ERROR)
    second = client.until(lambda frame: frame.kind == GOAWAY)
    assert (second.number, second.code) == (last, Code.NO_ERROR)


def test_a_stop_waits_for_running_streams() -> None:
    """RFC 9113 section 6.8: what came is answered, what comes too late may safely be sent again."""
    with Gate() as gate, ServerProcess(BASIC, *FLAGS) as server, connect(server) as client:
        streams = [client.send_request(f"/hold?gate={gate.port}") for _ in range(3)]
        visitors = [gate.wait_visitor() for _ in streams]
        with connect(server) as idle:
            assert idle.ask("/").status == 200
            server.signal(signal.SIGTERM)
            check_leaves(idle, 1)
            idle.check_end()
        check_leaves(client, streams[-1])
        late = client.send_request("/")
        assert client.answer(late).reset == Code.REFUSED_STREAM
        server.wait_line("Waiting for 3 requests to finish")
        for visitor in visitors:
            visitor.let_pass()
        assert [client.answer(stream).body for stream in streams] == [b"held"] * 3
        with pytest.raises(Ended):
            client.step()
        assert server.wait_exit() == 0
        assert not server.lines("ERROR|WARNING")


def test_what_outlasts_the_grace_is_cut_visibly() -> None:
    """A response that is not whole never looks as if it were."""
    flags = ("--http2", "--no-access-log", "--timeout-graceful-shutdown", "0.2")
    with ServerProcess(BASIC, *flags) as server, Http2(address_of(server), gives_back=False) as client:
        stream = client.send_request("/stream?pieces=100&size=10000")
        client.wait_body(stream, WINDOW)
        server.signal(signal.SIGTERM)
        client.check_end()
        assert not client.answers[stream].has_ended
        server.wait_exit()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_websockets_are_told_to_come_back(number: signal.Signals) -> None:
    """1012, as with HTTP/1.1: each ends with its stream, and the connection behind the last."""
    with ServerProcess(ECHO, *FLAGS) as server, connect(server) as client:
        [worker] = server.workers()
        sockets = [WebSocket(client) for _ in range(3)]
        for each in sockets:
            each.send(text("there?"))
            assert each.frame().payload == b"there?"
        server.signal(number)
        for each in sockets:
            each.check_closed(1012)
        client.check_end()
        server.wait_death(worker)
        assert not server.lines("ERROR|WARNING")


def test_a_reload_waits_for_running_streams(tmp_path: Path) -> None:
    """The new code answers on new connections while a stream ends in the old."""
    write_app(tmp_path, "old")
    with (
        Gate() as gate,
        ServerProcess(SITE, *FLAGS, cwd=tmp_path) as server,
        connect(server) as client,
    ):
        [old] = server.workers()
        stream = client.send_request(f"/hold?gate={gate.port}")
        visitor = gate.wait_visitor()
        write_app(tmp_path, "new")
        server.signal(signal.SIGHUP)
        server.wait_line("Reload done: generation 2 runs in 1 worker")
        check_leaves(client, stream)
        with connect(server) as other:
            assert other.ask("/").body == b"new"
        visitor.let_pass()
        answer = client.answer(stream)
        assert (answer.body, dict(answer.fields)["x-pid"]) == (b"held", str(old))
        with pytest.raises(Ended):
            client.step()
        server.wait_death(old)
        assert not server.lines("ERROR|WARNING")


def test_no_request_is_lost_by_reloads(tmp_path: Path) -> None:
    """Two reloads under load: every request is answered, or was never looked at."""
    write_app(tmp_path, "v1")
    with ServerProcess(SITE, "--workers", "2", *FLAGS, cwd=tmp_path) as server:
        with Http2Load(address_of(server)) as load:
            load.wait_answered(200, "v1")
            for number in (2, 3):
                write_app(tmp_path, f"v{number}")
                server.signal(signal.SIGHUP)
                server.wait_line(f"Reload done: generation {number} runs in 2 workers")
                load.wait_answered(200, f"v{number}")
            server.wait_death(count=4)
        assert not load.lost, str(load)
        assert not server.lines("ERROR|WARNING")


def test_no_request_is_lost_by_recycling() -> None:
    """--max-requests counts streams."""
    flags = ("--workers", "2", "--max-requests", "150", *FLAGS)
    with ServerProcess(BASIC, *flags) as server:
        with Http2Load(address_of(server)) as load:
            server.wait_death(count=3)
            load.wait_answered(200)
        assert not load.lost, str(load)


def test_a_worker_that_is_killed_takes_only_its_own_with_it() -> None:
    """What it had is lost, visibly; every other request is answered."""
    with ServerProcess(BASIC, "--workers", "2", *FLAGS) as server:
        with Http2Load(address_of(server), clients=4) as load:
            load.wait_answered(200)
            victim = server.workers()[0]
            os.kill(victim, signal.SIGKILL)
            server.wait_death(victim, ".*")
            load.wait_answered(400)
        assert {lost.pid for lost in load.lost} <= {victim, None}, str(load)
        assert {lost.how for lost in load.lost} <= {"ended", "reset"}, str(load)
        assert len(load.lost) <= 4 * 5, str(load)


def test_a_connection_has_its_share_of_requests() -> None:
    """--limit-requests-per-connection: all of these are answered, and the client told to take another."""
    flags = ("--limit-requests-per-connection", "3", *FLAGS)
    with ServerProcess(BASIC, *flags) as server, connect(server) as client:
        streams = [client.new_stream() for _ in range(5)]
        # All at once: the server ends the connection behind the third.
        client.send(*(get(stream, "/") for stream in streams))
        answers = [client.answer(stream) for stream in streams[:3]]
        assert [answer.body for answer in answers] == [b"basic"] * 3
        client.check_end()
        assert client.goaway is not None
        assert client.goaway.code == Code.NO_ERROR
        for stream in streams[3:]:
            answer = client.answers.get(stream)
            if stream <= client.goaway.number:
                assert answer is not None
                assert answer.has_ended or answer.reset == Code.REFUSED_STREAM
            else:
                assert answer is None or answer.reset == Code.REFUSED_STREAM


@begins_anew
def test_clients_that_do_nothing_are_let_go() -> None:
    """Idle connections, ones that never begin, and responses that nobody takes."""
    names = ("keep-alive", "request-head", "write-stall")
    times = (part for name in names for part in (f"--timeout-{name}", f"{SHORT:g}"))
    with ServerProcess(BASIC, "--http2", "--no-access-log", *times) as server:
        with begun(server, get(1, "/")) as client:
            assert client.answer(1).status == 200
            client.check_end()
            assert client.goaway is not None
            assert (client.goaway.code, client.goaway.number) == (Code.NO_ERROR, 1)
        for part in (b"", b"PRI * HT", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0"):
            with begun(server, part, values=None) as client:
                while client.socket.recv(1000):
                    pass
        with begun(server, get(1, "/stream?pieces=100&size=10000"), gives_back=False) as client:
            answer = client.answer(1)
            assert answer.reset is not None
            assert not answer.has_ended
        with within(SHORT):
            assert server.get().status == 200
