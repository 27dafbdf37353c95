"""HTTP/2 from clients that do anything: what is right is answered right, what is not harms nobody else."""

from __future__ import annotations

import contextlib
import json
import random
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conformance import http2_compression_cases as compression
from tests.conformance import http2_frame_cases as frames
from tests.conformance import http2_message_cases as messages
from tests.conformance import http2_stream_cases as streams
from tests.conformance.http2_cases import START
from tests.conformance.http2_served import address_of, connect
from tests.support.http2_client import Http2
from tests.support.http2_frames import (
    INITIAL_WINDOW_SIZE,
    MOST,
    WINDOW,
    data,
    get,
    ping,
    post,
    rst_stream,
    window_update,
)
from tests.support.http2_library import LibraryClient

if TYPE_CHECKING:
    from tests.support.server import ServerProcess

MODULES: Final = (frames, streams, messages, compression)
SENT: Final[list[bytes]] = [
    case.start + (case.sent if isinstance(case.sent, bytes) else b"".join(case.sent))
    for module in MODULES
    for table in module.ALL
    for case in table
]
WORDS: Final[list[bytes]] = [
    get(9),
    post(9),
    data(9, b"x"),
    data(9, end=True),
    rst_stream(9),
    window_update(9, 1),
    ping(),
    START,
]


def changed(stream: bytes, dice: random.Random) -> bytes:
    """Return it with a word put in, a piece taken out, a byte changed, or with a piece of another."""
    at, end = sorted(dice.choices(range(len(stream) + 1), k=2))
    how = dice.randrange(5)
    if how == 0:
        return stream[:at] + dice.choice(WORDS) + stream[at:]
    if how == 1:
        return stream[:at] + stream[min(end, at + dice.randrange(12)) :]
    if how == 2:
        return stream[:at] + dice.randbytes(1) + stream[at + 1 :]
    if how == 3:
        return stream[:at] + dice.choice(SENT)[len(START) :]
    return stream + dice.randbytes(dice.randrange(200))


@pytest.mark.parametrize("number", range(8))
def test_no_bytes_harm_anybody_else(served: ServerProcess, number: int) -> None:
    """The cases of all tables, changed a few times; behind each a neighbour is served."""
    dice = random.Random(number)
    [worker] = served.workers()
    errors = len(served.lines("Exception in callback|Unhandled|never retrieved"))
    with connect(served) as neighbour:
        for _ in range(60):
            stream = dice.choice(SENT)
            for _ in range(dice.randrange(1, 5)):
                stream = changed(stream, dice)
            with Http2(address_of(served), values=None) as client:
                client.send_quietly(stream)
                client.socket.settimeout(0.001 if dice.randrange(2) else 0.02)
                with contextlib.suppress(OSError):
                    while client.socket.recv(65536):
                        pass
        neighbour.check_serves()
    assert served.workers() == [worker]
    assert len(served.lines("Exception in callback|Unhandled|never retrieved")) == errors


# -- what is right -------------------------------------------------------------------------------------

names = st.sampled_from(["x-a", "x-b", "accept", "user-agent", "cookie", "x-long", "authorization"])
values = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=40)
fields = st.lists(st.tuples(names, values), max_size=6)
step = st.one_of(
    st.tuples(st.just("get"), fields),
    st.tuples(st.just("post"), fields),
    st.tuples(
        st.just("piece"), st.integers(0, 9), st.sampled_from([0, 1, 100, 16_384, 70_000]), st.booleans()
    ),
    st.tuples(st.just("end"), st.integers(0, 9)),
    st.tuples(st.just("reset"), st.integers(0, 9)),
    st.tuples(st.just("wait"), st.integers(0, 9)),
    st.tuples(st.just("ping")),
    st.tuples(
        st.just("settings"),
        st.sampled_from([(1, 0), (1, 4096), (1, 65_536), (5, 16_384), (5, 20_000)]),
    ),
)


class Player:
    """Does the steps of an example, and knows what has to come of them."""

    def __init__(self, client: LibraryClient, window: int) -> None:
        self.client = client
        self.window = window  #: of each response, until the end
        self.open: dict[int, list[bytes]] = {}  #: requests whose end was not sent, and what was of them
        self.expected: dict[int, tuple[str, list[tuple[str, str]], bytes]] = {}

    def begin(self, method: str, more: list[tuple[str, str]]) -> None:
        asked = [
            (":method", method),
            (":scheme", "http"),
            (":path", f"/echo?{len(self.expected)}"),
            (":authority", "h"),
            *more,
        ]
        stream = self.client.ask(asked, end=method == "GET")
        self.expected[stream] = method, more, b""
        if method == "POST":
            self.open[stream] = []

    def one_of(self, number: int) -> int | None:
        """Return one of the requests that are not ended yet."""
        return [*self.open][number % len(self.open)] if self.open else None

    def end(self, stream: int) -> None:
        self.client.send_body(stream, b"", end=True)
        method, more, _ = self.expected[stream]
        self.expected[stream] = method, more, b"".join(self.open.pop(stream))

    def finish(self) -> None:
        """End what is open, and look at every answer."""
        self.client.update_settings({INITIAL_WINDOW_SIZE: MOST})
        for stream in [*self.open]:
            self.end(stream)
        for stream, (method, more, body) in self.expected.items():
            outcome = self.client.wait(stream)
            assert (outcome.status, outcome.has_ended) == (200, True), outcome
            seen: dict[str, Any] = json.loads(outcome.body)
            assert (seen["method"], seen["body"].encode("latin-1")) == (method, body)
            assert _of_cookies(seen["headers"][1:]) == _of_cookies([list(field) for field in more])


def _of_cookies(found: list[list[str]]) -> list[list[str]]:
    """Crumbs of cookies are one field."""
    crumbs = [value for name, value in found if name == "cookie"]
    return [*(field for field in found if field[0] != "cookie"), ["cookie", "; ".join(crumbs)]]


def play(player: Player, what: str, *more: Any) -> None:
    client = player.client
    if what in {"get", "post"}:
        player.begin(what.upper(), more[0])
    elif what == "ping":
        client.h2.ping(b"12345678")
        client.flush()
    elif what == "settings":
        client.update_settings(dict([more[0]]))
    elif what == "wait":
        done = [stream for stream in player.expected if stream not in player.open]
        if done and player.window >= WINDOW:
            client.wait(done[more[0] % len(done)])
    elif (stream := player.one_of(more[0])) is not None:
        if what == "piece":
            body = bytes([len(player.open)]) * more[1]
            client.send_body(stream, body, end=False, padding=9 if more[2] else None)
            player.open[stream].append(body)
        elif what == "end":
            player.end(stream)
        else:
            client.h2.reset_stream(stream, 8)
            client.flush()
            del player.open[stream], player.expected[stream]


#: The library takes no window that becomes negative, so that it only grows.
windows = st.sampled_from([0, 1, 100, WINDOW, MOST])


@given(st.lists(step, max_size=25), windows)
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_what_is_right_is_answered_right(
    served: ServerProcess, steps: list[tuple[Any, ...]], window: int
) -> None:
    """Requests in any order, at once, with any windows and tables, from Python's h2."""
    with LibraryClient(address_of(served)) as client:
        client.update_settings({INITIAL_WINDOW_SIZE: window})
        player = Player(client, window)
        for what, *more in steps:
            play(player, what, *more)
        player.finish()
