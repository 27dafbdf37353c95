"""One HTTP/2 connection whose client and application do anything, against what must always hold.

Time stands still unless it is moved on. Whatever comes, the server's frames are frames, it sends no more of a
body than the client has room for, nothing on a stream behind its end, and nothing is left of anybody.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import http2_frames as h2
from tests.support.wire import World

if TYPE_CHECKING:
    from tests.support.wire import Call, Wire

LIMITS = {
    "http2_streams": 4,
    "http2_resets": 6,
    "http2_idle_frames": 12,
    "request_buffer": 1024,
    "response_buffer": 1024,
    "request_head_size": 2048,
    "request_body_size": 5000,
}
TIMEOUTS = {"request_head": 10.0, "request_body": 12.0, "keep_alive": 5.0, "write_stall": 20.0, "queue": 4.0}
HEAD = 9  #: bytes of the head of a frame
PATHS = ("/", "/other")


@dataclass
class Judge:
    """What a client has room for, and what the server has sent."""

    window: int = h2.WINDOW
    initial: int = h2.WINDOW
    streams: dict[int, int] = field(default_factory=dict)  #: room of each that was opened
    ended: set[int] = field(default_factory=set)
    seen: int = 0  #: bytes that were looked at
    is_over: bool = False

    def look(self, taken: bytes) -> None:
        """Look at what has come since the last look."""
        while len(taken) - self.seen >= HEAD:
            start = self.seen
            size = int.from_bytes(taken[start : start + 3])
            kind, flags = taken[start + 3], taken[start + 4]
            stream = int.from_bytes(taken[start + 5 : start + HEAD])
            if len(taken) < start + HEAD + size:
                return
            self.seen += HEAD + size
            assert size <= h2.FRAME_SIZE
            assert not self.is_over, "a frame behind the last GOAWAY"
            self._judge(kind, flags, stream, taken[start + HEAD : self.seen])

    def _judge(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == h2.GOAWAY:
            self.is_over = int.from_bytes(payload[4:8]) != h2.Code.NO_ERROR
        elif kind == h2.RST_STREAM:
            assert stream in self.streams
            self.ended.add(stream)
        elif kind in {h2.HEADERS, h2.DATA}:
            assert stream in self.streams
            assert stream not in self.ended, "something behind the end of a stream"
            if kind == h2.DATA:
                self.window -= len(payload)
                self.streams[stream] -= len(payload)
                assert not payload or (self.window >= 0 and self.streams[stream] >= 0), (
                    "more than there is room for"
                )
            if flags & h2.END_STREAM:
                self.ended.add(stream)


class Client:
    """One that does what it is told, mostly by the rules."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.wire: Wire = world.connect()
        self.judge = Judge()
        self.next = 1
        self.bodies: list[int] = []  #: streams whose requests go on
        self.sends(h2.PREFACE + h2.settings())

    def sends(self, data: bytes, cut: int | None = None) -> None:
        """Send bytes, in two pieces if they are to be cut."""
        if not self.wire.end:
            self.wire.sends(*([data] if cut is None else [data[:cut], data[cut:]]))

    def open(self, path: str, *, has_body: bool) -> bytes:
        """Return a request."""
        stream, self.next = self.next, self.next + 2
        self.judge.streams[stream] = self.judge.initial
        if has_body:
            self.bodies.append(stream)
            return h2.post(stream, path)
        return h2.get(stream, path)

    def pick(self, number: int) -> int:
        """Return a stream that was opened, if there is any."""
        return max(1, 2 * (number % max(1, self.next // 2)) + 1)


raw_frames = st.builds(
    h2.frame,
    st.integers(0, 11),
    st.integers(0, 255),
    st.integers(0, 12),
    st.binary(max_size=40),
)
requests = st.tuples(st.sampled_from(["get", "post"]), st.sampled_from(PATHS))
by_client = st.one_of(
    requests,
    requests,
    requests,
    st.tuples(st.just("data"), st.integers(0, 600), st.booleans()),
    st.tuples(st.just("reset"), st.integers(0, 9)),
    st.tuples(st.just("window"), st.integers(0, 9), st.integers(1, 5000)),
    st.tuples(st.just("initial"), st.integers(0, 3000)),
    st.tuples(st.just("ack")),
    st.tuples(st.just("stop reading")),
    st.tuples(st.just("read")),
)
rude = st.one_of(
    st.tuples(st.just("raw"), raw_frames),
    st.tuples(st.just("bytes"), st.binary(max_size=30)),
    st.just(("eof",)),
)
by_application = st.tuples(
    st.sampled_from(["answers", "starts", "streams", "ends", "asks", "returns", "raises", "large"]),
    st.integers(0, 9),
)
polite_steps = st.one_of(
    by_client.map(lambda step: ("client", *step)),
    by_application.map(lambda step: ("application", *step)),
    by_application.map(lambda step: ("application", *step)),
    st.sampled_from([0.1, 0.1, 1.0, 6.0, 25.0]).map(lambda seconds: ("time", seconds)),
)
rude_steps = st.one_of(rude.map(lambda step: ("client", *step)), st.just(("drain",)))
#: Most of what happens is well-meant, or nothing would last.
steps = st.builds(
    lambda *parts: [
        *(("client", *first) for first in parts[0]),
        *(step for part in parts[1:] for step in part),
    ],
    st.lists(requests, min_size=1, max_size=5),
    st.lists(polite_steps, max_size=25),
    st.lists(rude_steps, max_size=2),
    st.lists(polite_steps, max_size=15),
    st.lists(rude_steps, max_size=3),
)


def client_does(client: Client, what: str, *rest: object) -> None:
    """Do one thing."""
    judge = client.judge
    match what, *rest:
        case (("get" | "post"), str(path)):
            client.sends(client.open(path, has_body=what == "post"))
        case "data", int(size), bool(ends):
            if client.bodies:
                stream = client.bodies.pop() if ends else client.bodies[-1]
                client.sends(h2.data(stream, b"x" * size, end=ends), cut=5)
        case "reset", int(number):
            client.sends(h2.rst_stream(client.pick(number)))
        case "window", int(number), int(size):
            stream = client.pick(number) if number else 0
            if not stream:
                judge.window += size
            elif stream in judge.streams:
                judge.streams[stream] += size
            client.sends(h2.window_update(stream, size))
        case "initial", int(size):
            client.wire.reads()  # or the server would not learn of it in time
            judge.look(client.wire.transport.taken)
            change, judge.initial = size - judge.initial, size
            for stream in judge.streams:
                judge.streams[stream] += change
            client.sends(h2.settings({h2.INITIAL_WINDOW_SIZE: size}))
        case ("ack",):
            client.sends(h2.settings(ack=True))
        case (("raw" | "bytes"), bytes(data)):
            judge.window = judge.initial = h2.MOST  # whatever it says: only the server's own order is judged
            for stream in range(1, 40, 2):
                judge.streams[stream] = h2.MOST
            client.sends(data)
        case ("stop reading",):
            client.wire.stops_reading()
        case ("read",):
            client.wire.reads()
        case ("eof",):
            if not client.wire.end:
                client.wire.shuts_down()


def application_does(calls: list[Call], what: str, number: int) -> None:
    """Do one thing in one of the requests that are not over."""
    running = [call for call in calls if not call.is_over]
    if not running:
        return
    call = running[number % len(running)]
    match what:
        case "streams":
            call.streams(b"x" * 300)
        case "ends":
            call.ends(b"y")
        case "large":
            call.answers(b"z" * 20_000)
        case _:
            getattr(call, what)()


@given(steps)
@settings(deadline=None, max_examples=150)
def test_whatever_happens(does: list[tuple[object, ...]]) -> None:
    with World(limits=LIMITS, timeouts=TIMEOUTS, http={"http2": True}) as world:
        client = Client(world)
        for who, *rest in does:
            if who == "client":
                client_does(client, *rest)  # type: ignore[arg-type]
            elif who == "application":
                application_does(world.calls, *rest)  # type: ignore[arg-type]
            elif who == "time":
                world.advance(float(rest[0]))  # type: ignore[arg-type]
            else:
                world.server.is_draining = True
                for connection in list(world.server.connections):
                    connection.drain(0.1)
                world.turn()
            client.judge.look(client.wire.transport.taken + client.wire.transport.unsent)
            assert len(world.server.connections) <= 1
