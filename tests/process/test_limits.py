"""How long a client may take, and how much it may send: each deadline reached, and each not reached."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

import pytest

from tests.support.client import Connection, ConnectionEnded
from tests.support.connections import count_connections, has_answer, reset, wait_connections
from tests.support.punctual import begins_anew, within
from tests.support.server import ServerProcess
from tests.support.server_waits import FACTOR, PATIENCE, Gate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EXTENDED = "tests.support.apps.extended:app"
MIB = 1024 * 1024
LITTLE = 64 * 1024  #: room for what is received
DEADLINE = 0.5 * FACTOR  #: seconds that the servers below give for one thing; LONG for all others
LONG = "600"
TIMEOUTS = ("request-head", "keep-alive", "request-body", "write-stall", "linger")


def serving(*short: str, flags: tuple[str, ...] = ()) -> ServerProcess:
    """Serve with these timeouts short, and all others long."""
    timeouts = [(f"--timeout-{name}", str(DEADLINE) if name in short else LONG) for name in TIMEOUTS]
    times = (part for pair in timeouts for part in pair)
    return ServerProcess(EXTENDED, "--no-access-log", *times, *flags)


RATE = ("--limit-request-body-rate", "1000")
#: The servers that tests share, by what has a short time on them.
SERVERS = {
    "heads": serving("request-head"),
    "idlers": serving("keep-alive"),
    "bodies": serving("request-body", flags=RATE),
    # The buffer is so large that a file's turn comes before all that stands before it is sent.
    "stalls": serving("write-stall", flags=("--limit-response-buffer", "8MiB")),
    "small": serving("linger", flags=("--limit-request-body-size", "1MiB")),
    "any rate": serving("request-body", flags=("--limit-request-body-rate", "0")),
}


@pytest.fixture(scope="module")
def servers() -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for server in SERVERS.values():
            stack.enter_context(server)
        yield


pytestmark = pytest.mark.usefixtures("servers")


@pytest.fixture
def gate() -> Iterator[Gate]:
    with Gate() as opened:
        yield opened


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: test\r\n\r\n".encode()


def post(path: str, *fields: str) -> bytes:
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: test", *fields, "", ""]).encode()


def told(server: ServerProcess, data: bytes, receive_buffer: int = 0) -> Connection:
    """Connect, and send this before the server waits no longer for a first byte."""
    with contextlib.ExitStack() as stack:
        with within(DEADLINE):
            address = ("127.0.0.1", server.port)
            client = stack.enter_context(Connection(address, receive_buffer=receive_buffer))
            client.send(data)
        stack.pop_all()
        return client


def kept(server: ServerProcess, data: bytes) -> Connection:
    """Connect, have a request answered, and send this before the connection has idled for too long."""
    with contextlib.ExitStack() as stack:
        client = stack.enter_context(server.connect())
        with within(DEADLINE):
            client.send(get("/"))
            assert client.read_response().status == 200
            client.send(data)
        stack.pop_all()
        return client


def wait_end(client: Connection) -> None:
    """Wait until the server ends the connection without a word."""
    with contextlib.suppress(ConnectionResetError):
        assert client.read_until_end() == b""


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that no buffer holds."""
    path = tmp_path_factory.mktemp("files") / "large"
    with path.open("wb") as file:
        file.truncate(64 * MIB)
    return path


def thirsty(server: ServerProcess) -> Connection:
    """Connect with little room for what is received."""
    return Connection(("127.0.0.1", server.port), receive_buffer=LITTLE)


def send_until_blocked(client: Connection, size: int) -> int:
    """Send until the other side takes nothing more, and return how much it took."""
    client.socket.settimeout(0.5 * FACTOR)
    sent = 0
    with contextlib.suppress(TimeoutError):
        while sent < size:
            sent += client.socket.send(bytes(min(MIB, size - sent)))
    client.socket.settimeout(PATIENCE)
    return sent


class Trickle:
    """Sends a byte every now and then, until the server has had enough."""

    def __init__(self, client: Connection, byte: bytes = b"y") -> None:
        self._client = client
        self._byte = byte

    def until_answered(self) -> None:
        """Return when something has come."""
        begun = time.monotonic()
        while not has_answer(self._client, 0.05):
            with contextlib.suppress(ConnectionError):
                self._client.send(self._byte)
            assert time.monotonic() - begun < PATIENCE, "the server waits for ever"


class TestHead:
    @begins_anew
    def test_a_head_that_comes_byte_by_byte_has_an_absolute_deadline(self) -> None:
        """Each byte in time does not help: 408 and the end (RFC 9110 section 15.5.9)."""
        server = SERVERS["heads"]
        mark = server.mark()
        part = b"GET / HTTP/1.1\r\nX: "
        for before in (b"", get("/")):
            begun = time.monotonic()
            with told(server, before or part) as client:
                if before:
                    assert client.read_response().status == 200
                    begun = time.monotonic()
                    client.send(part)
                Trickle(client).until_answered()
                assert time.monotonic() - begun >= DEADLINE - 0.1
                answer = client.read_response()
                assert (answer.status, answer.is_last) == (408, True)
        server.wait_line("WARNING: +Invalid HTTP request received: request head took too long.", since=mark)

    @begins_anew
    def test_a_head_that_began_behind_another_request_has_all_its_time(self) -> None:
        """It counts from when its turn has come, not from when the connection was made."""
        server = SERVERS["heads"]
        with Gate() as gate, told(server, get(f"/hold?gate={gate.port}") + get("/?second")[:-2]) as client:
            visitor = gate.wait_visitor()
            assert not has_answer(client, 2 * DEADLINE)
            with within(DEADLINE):
                visitor.let_pass()
                assert client.read_response().text == "held"
                client.send(b"\r\n")
            assert client.read_response().headers["x-query"] == "second"

    def test_a_new_connection_on_which_nothing_comes_is_closed_without_a_word(self) -> None:
        """There is no request that could be answered; empty lines do not make one."""
        server = SERVERS["heads"]
        mark = server.mark()
        with server.connect() as silent, server.connect() as blank:
            blank.send(b"\r\n")
            for client in (silent, blank):
                wait_end(client)
            assert not server.stderr.matches("WARNING|ERROR", mark)

    @begins_anew
    def test_a_kept_alive_connection_has_another_deadline(self) -> None:
        """The time for a head begins with its first byte."""
        server = SERVERS["heads"]
        with told(server, get("/")) as client:
            assert client.read_response().status == 200
            assert not has_answer(client, 2 * DEADLINE)
            assert client.get().status == 200


class TestKeepAlive:
    def test_a_connection_that_idles_is_closed(self) -> None:
        """Quietly, and not before its time; empty lines do not keep it."""
        server = SERVERS["idlers"]
        mark = server.mark()
        with server.connect() as client, server.connect() as blank:
            begun = time.monotonic()
            for each in (client, blank):
                assert each.get().status == 200
            blank.send(b"\r\n")
            wait_end(client)
            assert time.monotonic() - begun >= DEADLINE - 0.1
            wait_end(blank)
            assert not server.stderr.matches("WARNING|ERROR", mark)

    @begins_anew
    def test_a_running_request_does_not_idle(self) -> None:
        """Neither one that is answered nor one whose head or body is still coming."""
        server = SERVERS["idlers"]
        with (
            Gate() as gate,
            kept(server, get(f"/hold?gate={gate.port}")) as running,
            kept(server, get("/?head")[:-2]) as head,
            kept(server, post("/count", "Content-Length: 2") + b"x") as body,
        ):
            visitor = gate.wait_visitor()
            assert not has_answer(running, 2.5 * DEADLINE)
            visitor.let_pass()
            assert running.read_response().text == "held"
            head.send(b"\r\n")
            assert head.read_response().headers["x-query"] == "head"
            body.send(b"y")
            assert body.read_response().text == "2"

    @begins_anew
    def test_a_client_that_took_its_response_slowly_then_has_the_whole_time(self) -> None:
        """A connection idles from when its client has taken the response, not from when that was made."""
        server = SERVERS["idlers"]
        with thirsty(server) as client:
            client.send(get(f"/whole?size={16 * MIB}"))
            assert has_answer(client, PATIENCE)
            time.sleep(2.5 * DEADLINE)  # it is busy with the response: no time has passed
            with within(DEADLINE):
                assert len(client.read_response().body) == 16 * MIB
                begun = time.monotonic()
                client.send(get("/"))
            assert client.read_response().status == 200
            wait_end(client)
            assert time.monotonic() - begun >= DEADLINE - 0.1

    def test_the_rest_of_an_unwanted_body_does_not_keep_a_connection_for_ever(self) -> None:
        """A client may finish its upload behind the response, but not take all day."""
        server = SERVERS["idlers"]
        with server.connect() as client:
            client.send(post("/?early", "Content-Length: 1000") + b"x")
            assert client.read_response().status == 200
            begun = time.monotonic()
            with contextlib.suppress(ConnectionError):
                while not has_answer(client, 0.05):
                    client.send(b"y")
                    assert time.monotonic() - begun < PATIENCE


class TestBody:
    def test_a_body_that_comes_too_slowly_is_answered_408(self) -> None:
        """A byte now and then is less than --limit-request-body-rate demands."""
        server = SERVERS["bodies"]
        with server.connect() as client:
            begun = time.monotonic()
            client.send(post("/count", "Content-Length: 100000"))
            Trickle(client).until_answered()
            assert time.monotonic() - begun >= DEADLINE - 0.1
            answer = client.read_response()
            assert (answer.status, answer.is_last) == (408, True)
            server.wait_line("WARNING: +Invalid HTTP request received: request body came too slowly.")

    def test_chunks_that_come_too_slowly_are_answered_408(self) -> None:
        """Framing is not content."""
        server = SERVERS["bodies"]
        with server.connect() as client:
            client.send(post("/count", "Transfer-Encoding: chunked"))
            Trickle(client, b"1;x=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\ny\r\n").until_answered()
            assert client.read_response().status == 408

    def test_when_the_response_has_begun_the_connection_is_broken_off(self) -> None:
        """There can be no second response, and the first must not look as if it were whole."""
        server = SERVERS["bodies"]
        with server.connect() as client:
            client.send(post("/talk", "Content-Length: 100000"))
            with pytest.raises((ConnectionResetError, ConnectionEnded)):
                client.read_response()
            assert server.get().status == 200

    @begins_anew
    def test_a_body_at_a_sufficient_rate_may_take_long(self) -> None:
        """Several times the deadline."""
        server = SERVERS["bodies"]
        with server.connect() as client:
            before = time.monotonic()
            client.send(post("/count", "Content-Length: 20000"))
            for _ in range(20):
                now = time.monotonic()
                with within(DEADLINE, since=before):  # so that each window has a piece
                    client.send(b"x" * 1000)
                before = now
                time.sleep(3.5 * DEADLINE / 20)
            assert client.read_response().text == "20000"

    @begins_anew
    def test_a_body_that_waits_for_the_application_is_no_slow_body(self) -> None:
        """While the worker does not read, the client cannot send; afterwards it has its time again."""
        size = 8 * MIB
        server = SERVERS["bodies"]
        with Gate() as gate, server.connect() as client:
            first = b"x" * MIB  # more than the worker reads ahead, so that it reads no more at once
            with within(DEADLINE):
                client.send(post(f"/later?gate={gate.port}", f"Content-Length: {size}") + first)
            visitor = gate.wait_visitor()
            sent = len(first) + send_until_blocked(client, size - len(first) - 100)
            assert not has_answer(client, 3 * DEADLINE)
            with within(DEADLINE):
                visitor.let_pass()
                client.send(b"x" * (size - sent))
            assert client.read_response().text == str(size)

    @pytest.mark.parametrize("kind", ["100-continue", "blocked"])
    @begins_anew
    def test_a_client_that_could_not_send_until_just_now_is_given_time(self, kind: str) -> None:
        """Whenever in a window of the deadline the worker says that it wants the body."""
        expect = ("Expect: 100-continue",) if kind == "100-continue" else ()
        size = 100_010
        server = SERVERS["bodies"]
        with contextlib.ExitStack() as stack:
            clients = []
            for number in range(8):
                client = stack.enter_context(server.connect())
                seconds = DEADLINE * (0.6 + number / 5)
                wanted = time.monotonic() + seconds  # or a little later
                head = post(f"/doze?seconds={seconds}", f"Content-Length: {size}", *expect)
                with within(DEADLINE):
                    client.send(head + (b"" if expect else b"x" * (size - 10)))
                clients.append((wanted, client))
            for wanted, client in clients:
                with within(DEADLINE, since=wanted):
                    if expect:
                        assert client.read_exactly(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
                    time.sleep(max(0.0, wanted + 0.6 * DEADLINE - time.monotonic()))
                    with contextlib.suppress(ConnectionError):
                        client.send(b"x" * (size if expect else 10))
            assert [client.read_response().status for _, client in clients] == [200] * 8

    def test_a_client_that_waits_for_100_continue_is_not_slow(self, gate: Gate) -> None:
        """It sends when the application wants the body, and may be slow only then."""
        server = SERVERS["bodies"]
        with server.connect() as client:
            client.send(post(f"/later?gate={gate.port}", "Content-Length: 5", "Expect: 100-continue"))
            visitor = gate.wait_visitor()
            assert not has_answer(client, 3 * DEADLINE)
            visitor.let_pass()
            assert client.read_exactly(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
            assert client.read_response().status == 408

    def test_without_a_rate_any_will_do(self) -> None:
        """0 turns it off."""
        server = SERVERS["any rate"]
        with server.connect() as client:
            client.send(post("/count", "Content-Length: 3") + b"x")
            assert not has_answer(client, 2.5 * DEADLINE)
            client.send(b"yz")
            assert client.read_response().text == "3"


class TestUnreadResponse:
    @pytest.mark.parametrize("path", ["/whole?size=33554432", "/stream?pieces=1024&size=65536"])
    def test_a_client_that_takes_nothing_is_dropped(self, path: str) -> None:
        """Whether the application has to wait or has said everything."""
        server = SERVERS["stalls"]
        with thirsty(server) as client:
            client.send(get(path))
            assert has_answer(client, PATIENCE)
            wait_connections(server, 0)
            assert server.get().status == 200

    @pytest.mark.parametrize("before", [0, 4 * MIB])
    @begins_anew
    def test_a_client_that_takes_nothing_of_a_file_is_dropped(self, large: Path, before: int) -> None:
        """Also if it took all that was before the file, and stops then."""
        server = SERVERS["stalls"]
        with thirsty(server) as client:
            read = 0
            with within(DEADLINE):
                client.send(get(f"/file?path={large}&more={before}" if before else f"/path?path={large}"))
                while read < before + 100_000:
                    piece = client.socket.recv(65536)
                    assert piece
                    read += len(piece)
            wait_connections(server, 0)
            assert server.get().status == 200

    @begins_anew
    def test_a_client_that_takes_a_little_now_and_then_is_served(self, large: Path) -> None:
        """Slow is not stalled: several times the deadline, for a body and for a file."""
        server = SERVERS["stalls"]
        wait_connections(server, 0)  # nobody is left of the tests before
        with thirsty(server) as body, thirsty(server) as file:
            before = time.monotonic()
            body.send(get(f"/whole?size={32 * MIB}"))
            file.send(get(f"/path?path={large}"))
            for _ in range(14):
                now = time.monotonic()
                with within(DEADLINE, since=before):
                    for client in (body, file):
                        assert client.socket.recv(65536)
                before = now
                time.sleep(DEADLINE / 4)
            with within(DEADLINE, since=before):
                assert count_connections(server) == 2

    def test_unread_pipelined_responses_count_as_well(self) -> None:
        """The client sends request after request and reads no answer."""
        server = SERVERS["stalls"]
        with thirsty(server) as client:
            client.socket.settimeout(0.1)
            with contextlib.suppress(TimeoutError, ConnectionError):
                while True:
                    client.send(get("/whole?size=30000") * 100)
            wait_connections(server, 0)


class TestLingering:
    def test_a_client_can_read_the_refusal_of_what_it_still_sends(self) -> None:
        """413, although it goes on sending: a reset would take the response away (RFC 9112 section 9.6)."""
        server = SERVERS["small"]
        for framing in ("Content-Length: 50000000", "Transfer-Encoding: chunked"):
            with server.connect() as client:
                client.send(post("/count", framing))
                with contextlib.suppress(ConnectionError):
                    for _ in range(100):
                        client.send(b"186a0\r\n" + b"x" * 100_000 + b"\r\n")
                answer = client.read_response()
                assert (answer.status, answer.is_last) == (413, True)

    def test_it_does_not_go_on_for_ever(self) -> None:
        """--timeout-linger is all the time a client has for what nobody wants."""
        server = SERVERS["small"]
        with server.connect() as client:
            client.send(post("/count", "Content-Length: 50000000"))
            assert client.read_response().status == 413
            begun = time.monotonic()
            with contextlib.suppress(ConnectionError):
                while True:
                    client.send(b"x")
                    assert time.monotonic() - begun < PATIENCE
                    time.sleep(0.02)

    def test_413_is_said_before_the_body_is_sent(self) -> None:
        """Who asks first is spared the effort (RFC 9110 section 10.1.1)."""
        server = SERVERS["small"]
        with server.connect() as client:
            client.send(post("/count", f"Content-Length: {MIB + 1}", "Expect: 100-continue"))
            assert client.read_response().status == 413
            assert client.read_until_end() == b""
        with server.connect() as client:
            client.send(post("/count", f"Content-Length: {MIB}", "Expect: 100-continue"))
            assert client.read_exactly(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
            client.send(b"x" * MIB)
            assert client.read_response().text == str(MIB)


def test_a_reset_leaves_nothing_behind(gate: Gate) -> None:
    """Connection and application are gone, in whatever state the reset found them."""
    server = SERVERS["any rate"]
    mark = server.mark()
    clients = [server.connect() for _ in range(5)]
    clients[0].send(b"GET / HT")
    clients[1].get()
    clients[2].send(get(f"/watch?gate={gate.port}"))
    clients[3].send(post("/count", "Content-Length: 10") + b"x")
    clients[4].send(get("/stream?pieces=100000&size=1000"))
    visitor = gate.wait_visitor()
    wait_connections(server, 5)
    for client in clients:
        reset(client)
    visitor.wait_end()
    wait_connections(server, 0)
    assert server.get().status == 200
    assert not server.stderr.matches("ERROR|Traceback", mark)


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
@begins_anew
def test_deadlines_are_kept_with_either_loop(loop: str, large: Path) -> None:
    """One of each kind, all at once."""
    with (
        serving(*TIMEOUTS, flags=(*RATE, "--loop", loop)) as server,
        told(server, get("/")) as idle,
        told(server, b"GET / HTTP/1.1\r\n") as head,
        told(server, post("/count", "Content-Length: 10000") + b"x") as body,
        server.connect() as silent,
        told(server, get("/stream?pieces=1024&size=65536"), receive_buffer=LITTLE),
        told(server, get(f"/path?path={large}"), receive_buffer=LITTLE),
    ):
        assert idle.read_response().status == 200
        assert [client.read_response().status for client in (head, body)] == [408, 408]
        for client in (silent, idle):
            wait_end(client)
        wait_connections(server, 0)
