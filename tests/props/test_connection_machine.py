"""Connections whose clients and applications do anything, in any order, against what must always hold.

Time stands still unless it is moved on, and nothing is waited for. Each client numbers its requests, and the
application puts the number into its answer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from srvctl.worker.timers import NEVER
from tests.support.wire import World, get, post

if TYPE_CHECKING:
    from tests.support.wire import Call, Wire

REQUEST_BUFFER = 1024
RESPONSE_BUFFER = 1024
LARGEST_PIECE = 700  #: that a client sends at once
#: No deadline is later than this, of whatever there is to wait for.
LATEST = 60.0
TIMEOUTS = {
    "request_head": 10.0,
    "request_body": 12.0,
    "keep_alive": 5.0,
    "write_stall": 20.0,
    "queue": 4.0,
    "linger": 2.0,
}
kinds = st.sampled_from(
    [
        *["get"] * 30,
        *["post"] * 4,
        *["chunked"] * 2,
        "expect",
        "lines",
        "large",
        "broken",
        "close",
        "nonsense",
    ]
)
_STATUS = re.compile(rb"HTTP/1\.1 (\d+)[^\r]*\r\n")


@dataclass
class Client:
    """A client, and what it has sent and got.

    Attributes:
        unsent: Bytes of requests that it has not sent yet.
        requests: Numbers of the requests it has begun.
        got: What it has received.
    """

    wire: Wire
    unsent: bytes = b""
    requests: list[int] = field(default_factory=list)
    got: bytes = b""
    is_shut: bool = False
    is_gone: bool = False

    def look(self) -> bytes:
        """Return all it has received."""
        self.got += self.wire.got
        return self.got

    @property
    def has_end(self) -> bool:
        """Whether it knows that nothing more will come."""
        return bool(self.wire.end)


@dataclass
class Response:
    """A response as a client reads it."""

    status: int
    number: int | None
    is_whole: bool


def read_responses(data: bytes) -> list[Response]:
    """Read all responses, the last of which may not be whole."""
    responses = []
    while data:
        head, separator, rest = data.partition(b"\r\n\r\n")
        if not separator:
            break
        match = _STATUS.match(head + b"\r\n")
        assert match is not None, f"no response begins with {data[:60]!r}"
        status = int(match[1])
        if status == 100:
            data = rest
            continue
        name = re.search(rb"\r\nnumber: (\d+)", head)
        number = int(name[1]) if name is not None else None
        length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
        if length is not None:
            size = int(length[1])
            responses.append(Response(status, number, len(rest) >= size))
            data = rest[size:]
            continue
        whole, data = read_chunks(rest)
        responses.append(Response(status, number, whole))
    return responses


def read_chunks(data: bytes) -> tuple[bool, bytes]:
    """Return whether a chunked body is whole, and what is behind it."""
    while True:
        line, separator, rest = data.partition(b"\r\n")
        if not separator:
            return False, b""
        size = int(line, 16)
        if len(rest) < size + 2:
            return False, b""
        assert rest[size : size + 2] == b"\r\n", "a chunk of another length"
        data = rest[size + 2 :]
        if not size:
            return True, data


class ConnectionMachine(RuleBasedStateMachine):
    """Some clients, an application, and time."""

    @initialize(
        concurrency=st.sampled_from([0, 1, 2]),
        queue=st.integers(0, 2),
        rate=st.sampled_from([0, 50]),
        count=st.sampled_from([0, 0, 3]),
    )
    def begins(self, concurrency: int, queue: int, rate: int, count: int) -> None:
        self.number = 0
        self.clients: list[Client] = []
        self.has_rate = rate > 0
        self.world = World(
            limits={
                "request_buffer": REQUEST_BUFFER,
                "response_buffer": RESPONSE_BUFFER,
                "unread_body_size": 2000,
                "request_body_size": 5000,
                "request_body_rate": rate,
                "concurrency": concurrency,
                "concurrency_queue": queue,
                "requests_per_connection": count,
            },
            timeouts=TIMEOUTS,
        )

    # -- clients -----------------------------------------------------------------------------------

    @precondition(lambda self: len(self.clients) < 4)
    @rule()
    def client_comes(self) -> None:
        self.clients.append(Client(self.world.connect()))

    def pick(self, data: st.DataObject) -> Client | None:
        there = [client for client in self.clients if not client.is_gone]
        return data.draw(st.sampled_from(there)) if there else None

    @rule(
        data=st.data(),
        kinds=st.lists(kinds, min_size=1, max_size=30),
        size=st.integers(1, 3000),
        cuts=st.lists(st.integers(1, LARGEST_PIECE), max_size=5),
        later=st.sampled_from([0, 0, 1, 40, 2000]),
    )
    def client_sends(
        self, data: st.DataObject, kinds: list[str], size: int, cuts: list[int], later: int
    ) -> None:
        """What has not been sent, and requests behind it, in pieces; the last bytes come another time."""
        client = self.pick(data)
        if client is None or client.is_shut:
            return
        stream = client.unsent + b"".join(self.request_of(client, kind, size) for kind in kinds)
        end = max(0, len(stream) - later)
        client.unsent, stream = stream[end:], stream[:end]
        pieces = []
        while stream:
            length = cuts.pop() if cuts else LARGEST_PIECE
            pieces.append(stream[:length])
            stream = stream[length:]
        client.wire.sends(*pieces)

    def request_of(self, client: Client, kind: str, size: int) -> bytes:
        self.number += 1
        path, body = f"/{self.number}", b"x" * size
        if kind not in {"lines", "nonsense"}:
            client.requests.append(self.number)
        chunked = get(path, "Transfer-Encoding: chunked")
        requests = {
            "get": get(path),
            "post": post(path, size) + body,
            "large": post(path, 6000) + body,
            "expect": post(path, size, "Expect: 100-continue") + body,
            "chunked": chunked + b"%x\r\n%b\r\n0\r\n\r\n" % (size, body),
            "broken": chunked + b"5\r\n12345\r\nnonsense\r\n",
            "close": get(path, "Connection: close"),
            "lines": b"\r\n" * (1 + size % 3),
            "nonsense": b"\x00nonsense\r\n\r\n",
        }
        return requests[kind]

    @rule(data=st.data())
    def client_shuts_down(self, data: st.DataObject) -> None:
        client = self.pick(data)
        if client is not None and not client.is_shut:
            client.is_shut = True
            client.wire.shuts_down()

    @rule(data=st.data())
    def client_leaves(self, data: st.DataObject) -> None:
        client = self.pick(data)
        if client is not None:
            client.look()
            client.is_gone = True
            client.wire.leaves()

    @rule(data=st.data())
    def client_stops_reading(self, data: st.DataObject) -> None:
        client = self.pick(data)
        if client is not None:
            client.wire.stops_reading()

    @rule(data=st.data(), size=st.sampled_from([None, 1, 500]))
    def client_reads(self, data: st.DataObject, size: int | None) -> None:
        client = self.pick(data)
        if client is not None:
            client.wire.reads(size)

    # -- the application ---------------------------------------------------------------------------

    def running(self, data: st.DataObject) -> Call | None:
        calls = [call for call in self.world.calls if not call.is_over]
        return data.draw(st.sampled_from(calls)) if calls else None

    @rule(data=st.data(), size=st.sampled_from([0, 10, 3000]), count=st.integers(1, 20))
    def application_answers(self, data: st.DataObject, size: int, count: int) -> None:
        for _ in range(count):
            call = self.running(data)
            if call is None:
                return
            call.answers(b"y" * size, (b"number", call.path[1:].encode()))

    @rule(data=st.data(), size=st.sampled_from([0, 10, 3000]), step=st.integers(0, 4))
    def application_goes_on(self, data: st.DataObject, size: int, step: int) -> None:
        """In whatever order: some of it is wrong."""
        call = self.running(data)
        if call is None:
            return
        if step == 0:
            call.starts(200, (b"number", call.path[1:].encode()))
        elif step == 1:
            call.streams(b"y" * size)
        elif step == 2:
            call.ends(b"z" * size)
        elif step == 3:
            call.starts(200, (b"number", call.path[1:].encode()))
            call.streams(b"y" * size)
        else:
            call.asks()

    @rule(data=st.data(), fails=st.booleans())
    def application_returns(self, data: st.DataObject, fails: bool) -> None:
        call = self.running(data)
        if call is not None:
            call.raises() if fails else call.returns()

    @rule(seconds=st.sampled_from([0.5, 3.0, 11.0, 25.0]))
    def time_goes_by(self, seconds: float) -> None:
        self.world.advance(seconds)

    # -- what must always hold ---------------------------------------------------------------------

    @invariant()
    def responses_come_in_order_and_once(self) -> None:
        """What the application says of a request reaches whoever asked, in the order of asking."""
        for client in getattr(self, "clients", []):
            numbers = [r.number for r in read_responses(client.look()) if r.number is not None]
            assert numbers == sorted(set(numbers)), "twice, or out of order"
            assert set(numbers) <= set(client.requests), "an answer for somebody else"
            assert len(read_responses(client.got)) <= len(client.requests) + 1, "one refusal at most"

    @invariant()
    def an_end_is_seen(self) -> None:
        """A response that is not whole is followed by more of it, or by a reset."""
        for client in getattr(self, "clients", []):
            responses = read_responses(client.look())
            assert all(response.is_whole for response in responses[:-1])
            if client.wire.end in {"closed", "eof"} and responses:
                assert responses[-1].is_whole, "half a response, and then an ordinary end"

    @invariant()
    def memory_is_bounded(self) -> None:
        for client in getattr(self, "clients", []):
            connection = client.wire.connection
            assert len(connection._held) <= REQUEST_BUFFER + 3 * LARGEST_PIECE
            cycle = next(iter(connection.cycles), None)
            if cycle is not None and cycle.inbox is not None:
                assert cycle.inbox.size <= REQUEST_BUFFER + 2 * LARGEST_PIECE

    @invariant()
    def reading_goes_on_when_there_is_room(self) -> None:
        for client in getattr(self, "clients", []):
            connection = client.wire.connection
            if not connection._reading_paused or connection._is_closing:
                continue
            cycle = next(iter(connection.cycles), None)
            inbox = cycle.inbox.size if cycle is not None and cycle.inbox is not None else 0
            held = len(connection._held) - connection._held_from
            assert inbox > REQUEST_BUFFER or held > REQUEST_BUFFER, "paused for nothing"
            assert cycle is not None or connection.can_write is not None, "paused, and nobody will resume"

    @invariant()
    def there_is_a_deadline_while_the_client_is_due(self) -> None:
        """And it is known to the wheel; it may be another's turn only where our side is."""
        for client in getattr(self, "clients", []):
            connection = client.wire.connection
            if connection not in self.world.server.connections:
                assert connection.due == NEVER
                continue
            now = self.world.loop.now
            cycle = next(iter(connection.cycles), None)
            is_body_due = cycle is not None and not cycle.is_request_complete and self.has_rate
            is_client_due = (
                cycle is None or connection.can_write is not None or connection.is_waiting or is_body_due
            )
            if connection._is_closing or is_client_due:
                assert connection.deadline <= now + LATEST, "no deadline"
            if connection.deadline != NEVER:
                assert connection.due <= connection.deadline, "the wheel would be too late"

    @invariant()
    def nothing_goes_wrong_behind_the_scenes(self) -> None:
        if hasattr(self, "world"):
            assert self.world.loop.complaints == []

    def teardown(self) -> None:
        """Whoever is left gets an answer or an end; then nothing is left."""
        if not hasattr(self, "world"):
            return
        asking = {int(call.path[1:]) for call in self.world.calls if call.is_asking and not call.is_over}
        for client in self.clients:
            if asking.intersection(client.requests):  # its application does nothing else until it leaves
                client.wire.leaves()
                client.is_gone = True
            if not client.is_gone:
                client.wire.reads()
        for _ in range(2000):
            busy = [call for call in self.world.calls if not call.is_over]
            if not busy:
                break
            for call in busy:
                call.answers(b"", (b"number", call.path[1:].encode()))
        self.responses_come_in_order_and_once()
        self.an_end_is_seen()
        for client in self.clients:
            if client.is_gone or client.unsent or client.has_end:
                continue
            answered = len(read_responses(client.look()))
            is_waiting = client.wire.connection.is_waiting
            assert answered >= len(client.requests) or is_waiting, "a request without an answer or an end"
        self.world.advance(LATEST + sum(TIMEOUTS.values()))
        for client in self.clients:
            if self.has_rate:
                assert client.wire.end not in {"", "eof"}, "it would stay for ever"
        self.world.ends()


ConnectionMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestConnection = ConnectionMachine.TestCase
