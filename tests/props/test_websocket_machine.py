"""WebSockets whose clients and applications do anything, in any order, against what must always hold.

Time stands still unless it is moved on. Each client numbers its messages, and the application its own;
several tasks of the application receive and send at once, and are cancelled.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from srvctl.worker.timers import NEVER
from srvctl.worker.websocket.connection import WebSocketConnection
from tests.support.wire_websocket import (
    CLOSE,
    PING,
    PONG,
    TEXT,
    SocketWorld,
    close,
    frame,
    opening,
    text,
)

if TYPE_CHECKING:
    import asyncio

    from tests.support.wire_websocket import Got, Player, SocketWire

MOST = 3  #: messages that may wait for the application
BUFFER = 1024  #: bytes that may, and that may be sent before the application waits
LARGEST_PIECE = 700  #: that a client sends at once
#: No deadline is later than this, of whatever there is to wait for.
LATEST = 60.0
TIMEOUTS = {"request_head": 10.0, "keep_alive": 5.0, "write_stall": 15.0, "linger": 2.0, "queue": 4.0}
WS: dict[str, Any] = {
    "ping_interval": 6.0,
    "ping_timeout": 4.0,
    "handshake_timeout": 7.0,
    "close_timeout": 3.0,
    "drain_spread": 1.0,
}


@dataclass
class Task:
    """A task of the application that receives or sends, and what became of it."""

    task: asyncio.Task[None]
    number: int = 0  #: of the message that it sends


@dataclass
class Talk:
    """A client, its application, and what both have said.

    Attributes:
        sent: The texts that the client has sent, in order, before its close.
        got: The frames that it has received.
        numbers: Of the messages that the application has sent without an error, in order.
    """

    wire: SocketWire
    unsent: bytes = b""
    sent: list[str] = field(default_factory=list)
    got: list[Got] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    player: Player | None = None
    has_asked: bool = False
    has_closed: bool = False  #: the client has sent a close, or nonsense
    has_accepted: bool = False
    app_closed: bool = False
    is_gone: bool = False
    is_shut: bool = False

    def look(self) -> list[Got]:
        """Return all frames that the client has received."""
        self.got += self.wire.frames
        return self.got

    @property
    def app(self) -> Player | None:
        """The application, while it is at work."""
        return None if self.player is None or self.player.is_over else self.player


class WebSocketMachine(RuleBasedStateMachine):
    """Some clients, an application, and time."""

    @initialize(codec=st.sampled_from(["websockets", "wsproto"]), concurrency=st.sampled_from([0, 2]))
    def begins(self, codec: str, concurrency: int) -> None:
        self.number = 0
        self.codec = codec
        self.talks: list[Talk] = []
        self.is_draining = False
        limits = {"request_buffer": BUFFER, "response_buffer": BUFFER, "concurrency": concurrency}
        self.world = SocketWorld(
            limits=limits, timeouts=TIMEOUTS, protocol=codec, max_queue=MOST, max_size=100_000, **WS
        )
        self.client_comes(waits=False, accepts=True, is_tls=False)

    def pick(self, data: st.DataObject, *, is_there: bool = True) -> Talk | None:
        talks = [talk for talk in self.talks if not (is_there and talk.is_gone)]
        return data.draw(st.sampled_from(talks)) if talks else None

    def pick_app(self, data: st.DataObject) -> tuple[Talk, Player] | None:
        talks = [(talk, talk.app) for talk in self.talks if talk.app is not None]
        return data.draw(st.sampled_from(talks)) if talks else None

    # -- clients -----------------------------------------------------------------------------------

    @precondition(lambda self: len(self.talks) < 3)
    @rule(
        waits=st.booleans(),
        accepts=st.sampled_from([True, True, False]),
        is_tls=st.sampled_from([False, False, True]),
    )
    def client_comes(self, waits: bool, accepts: bool, is_tls: bool) -> None:
        talk = Talk(self.world.connect(is_tls=is_tls))
        self.talks.append(talk)
        if not waits:
            self.asks(talk)
            if accepts and talk.app is not None:
                self.do_accept(talk, talk.app)

    def asks(self, talk: Talk, behind: bytes = b"") -> None:
        talk.has_asked = True
        calls = len(self.world.calls)
        talk.wire.sends(opening() + behind)
        if len(self.world.calls) > calls:
            talk.player = self.world.player

    @rule(
        data=st.data(),
        kinds=st.lists(
            st.sampled_from(["text"] * 8 + ["ping", "ping", "pong", "fragments"]), min_size=1, max_size=12
        ),
        size=st.sampled_from([0, 0, 10, 300, 2000]),
        cuts=st.lists(st.integers(1, LARGEST_PIECE), max_size=4),
        later=st.sampled_from([0, 0, 0, 1, 9, 400]),
    )
    def client_sends(
        self, data: st.DataObject, kinds: list[str], size: int, cuts: list[int], later: int
    ) -> None:
        """Frames, in pieces; the last bytes come another time."""
        talk = self.pick(data)
        if talk is None or talk.is_shut or talk.has_closed:
            return
        stream = talk.unsent + b"".join(self.frame_of(talk, kind, size) for kind in kinds)
        end = max(0, len(stream) - later)
        talk.unsent, stream = stream[end:], stream[:end]
        if not talk.has_asked:
            self.asks(talk, stream)
            return
        pieces = []
        while stream:
            length = cuts.pop() if cuts else LARGEST_PIECE
            pieces.append(stream[:length])
            stream = stream[length:]
        talk.wire.sends(*pieces)

    def frame_of(self, talk: Talk, kind: str, size: int) -> bytes:
        self.number += 1
        if kind in {"ping", "pong"}:
            return frame(PING if kind == "ping" else PONG, b"%d" % self.number)
        content = f"{self.number}:" + "x" * size
        talk.sent.append(content)
        if kind == "text":
            return text(content)
        middle = len(content) // 2
        first = frame(TEXT, content[:middle].encode(), first=0)
        return first + frame(PING, b"%d" % self.number) + frame(0, content[middle:].encode())

    @rule(
        data=st.data(),
        kind=st.sampled_from([*[""] * 4, "close", "nonsense", "unmasked", "large", "shut", "leave"]),
    )
    def client_ends(self, data: st.DataObject, kind: str) -> None:
        """Mostly not."""
        talk = self.pick(data) if kind else None
        if talk is None:
            return
        if kind == "leave":
            talk.look()
            talk.is_gone = True
            talk.wire.leaves()
        elif kind == "shut":
            if not talk.is_shut:
                talk.is_shut = True
                talk.wire.shuts_down()
        elif talk.has_asked and not (talk.is_shut or talk.has_closed or talk.unsent):
            talk.has_closed = True
            ends = {
                "close": close(4000, "bye"),
                "nonsense": frame(TEXT, b"\xff"),
                "unmasked": frame(TEXT, b"a", mask=b""),
                "large": frame(TEXT, bytes(100_001)),
            }
            talk.wire.sends(ends[kind])

    @rule(data=st.data(), size=st.sampled_from([None, None, 1, 500, 0]))
    def client_reads(self, data: st.DataObject, size: int | None) -> None:
        """From now on, or so much, or no more from now on."""
        talk = self.pick(data)
        if talk is not None:
            talk.wire.stops_reading() if size == 0 else talk.wire.reads(size)

    # -- the application ---------------------------------------------------------------------------

    def do_accept(self, talk: Talk, player: Player) -> None:
        errors = len(player.errors)
        player.sends("accept", apart=True)
        talk.has_accepted |= len(player.errors) == errors

    @rule(data=st.data())
    def application_accepts(self, data: st.DataObject) -> None:
        picked = self.pick_app(data)
        if picked is not None:
            self.do_accept(*picked)

    @rule(data=st.data(), count=st.integers(1, 8), tasks=st.sampled_from([1, 1, 2, 3]))
    def application_receives(self, data: st.DataObject, count: int, tasks: int) -> None:
        picked = self.pick_app(data)
        if picked is None:
            return
        talk, player = picked
        for _ in range(tasks):
            if len(talk.tasks) < 12:
                player.asks(count, apart=True)
                talk.tasks.append(Task(player.tasks[-1]))

    @rule(data=st.data(), size=st.sampled_from([0, 10, 3000]), count=st.integers(1, 3))
    def application_sends(self, data: st.DataObject, size: int, count: int) -> None:
        picked = self.pick_app(data)
        if picked is None or not picked[0].has_accepted:
            return
        talk, player = picked
        for _ in range(count):
            self.number += 1
            player.does(partial(self.say, talk, player, self.number, "y" * size), apart=True)
            talk.tasks.append(Task(player.tasks[-1], self.number))

    async def say(self, talk: Talk, player: Player, number: int, content: str) -> None:
        expected = RuntimeError if talk.app_closed else OSError
        is_over = talk.app_closed or talk.is_gone
        talk.numbers.append(number)  # before: what a task sends is there even if the task is cancelled
        try:
            await player.send({"type": "websocket.send", "text": f"{number}:{content}"})
        except (OSError, RuntimeError) as error:
            talk.numbers.remove(number)
            if not isinstance(error, expected):
                talk.faults.append(f"{error!r} where {expected} is right")
        else:
            if is_over:
                talk.faults.append("sent behind the end")

    @rule(data=st.data())
    def application_cancels(self, data: st.DataObject) -> None:
        picked = self.pick_app(data)
        if picked is not None:
            waiting = [one for one in picked[0].tasks if not one.task.done()]
            if waiting:
                one = data.draw(st.sampled_from(waiting))
                for _ in range(data.draw(st.integers(1, 2))):
                    one.task.cancel()
                if data.draw(st.booleans()):
                    self.world.turn()

    @rule(data=st.data(), kind=st.sampled_from([*[""] * 2, "close", "close", "deny", "return", "fail"]))
    def application_ends(self, data: st.DataObject, kind: str) -> None:
        """Mostly not."""
        picked = self.pick_app(data) if kind else None
        if picked is None:
            return
        talk, player = picked
        errors = len(player.errors)
        if kind == "close":
            player.sends("close", code=4001, apart=True)
        elif kind == "deny":
            player.sends("http.response.start", apart=True, status=401)
            player.sends("http.response.body", apart=True, body=b"no")
        elif kind == "return":
            player.returns()
        else:
            player.raises()
        talk.app_closed |= kind != "deny" and len(player.errors) == errors

    @rule(seconds=st.sampled_from([0.5, 3.0, 5.0, 11.0]))
    def time_goes_by(self, seconds: float) -> None:
        self.world.advance(seconds)

    @precondition(lambda self: not self.is_draining and len(self.talks) >= 2)
    @rule(really=st.sampled_from([False, False, True]))
    def worker_ends(self, really: bool) -> None:
        if really:
            self.is_draining = True
            self.world.drains()

    # -- what must always hold ---------------------------------------------------------------------

    @invariant()
    def messages_come_once_and_in_order(self) -> None:
        """None is lost in between; the end is told behind them, and again and again."""
        for talk in getattr(self, "talks", []):
            if talk.player is None:
                continue
            texts = talk.player.texts
            assert texts == talk.sent[: len(texts)]
            kinds = [event["type"].rpartition(".")[2] for event in talk.player.events]
            assert kinds[:1] in ([], ["connect"])
            rest = kinds[1:]
            assert rest == sorted(rest, key=["receive", "disconnect"].index)
            ends = [event for event in talk.player.events if event["type"] == "websocket.disconnect"]
            assert all(end == ends[0] for end in ends)

    @invariant()
    def what_is_sent_arrives_once_and_in_order(self) -> None:
        """And a close is the last."""
        for talk in getattr(self, "talks", []):
            frames = talk.look()
            closes = [number for number, got in enumerate(frames) if got.opcode == CLOSE]
            assert closes in ([], [len(frames) - 1])
            numbers = [int(got.payload.partition(b":")[0]) for got in frames if got.opcode == TEXT]
            assert numbers == talk.numbers[: len(numbers)]

    @invariant()
    def memory_is_bounded(self) -> None:
        for talk in getattr(self, "talks", []):
            connection = talk.wire.socket
            if not isinstance(connection, WebSocketConnection):
                continue
            assert len(connection._unread) <= BUFFER + 3 * LARGEST_PIECE + 100_100
            if self.codec == "websockets":  # wsproto hands over what is in a slice, however much it is
                assert len(connection._inbox.messages) <= MOST

    @invariant()
    def reading_pauses_and_resumes(self) -> None:
        for talk in getattr(self, "talks", []):
            connection = talk.wire.socket
            if not isinstance(connection, WebSocketConnection) or connection._is_closing:
                continue
            assert connection._reading_paused != talk.wire.transport.reads
            is_full = connection._inbox.is_full and not connection._is_closed_by_us
            waiting = [event for event in connection._inbox.messages if "text" in event]
            size = sum(len(event["text"]) for event in waiting)
            count = len(connection._inbox.messages)
            assert connection._inbox.is_full == (count >= MOST or size >= BUFFER)
            if connection._reading_paused:
                assert is_full, "paused for nothing"
            elif not is_full:
                assert not connection._unread, "nobody reads on"

    @invariant()
    def there_is_a_deadline(self) -> None:
        """And it is known to the wheel."""
        for talk in getattr(self, "talks", []):
            connection = talk.wire.link
            if connection not in self.world.server.connections:
                assert connection.due == NEVER
            elif isinstance(connection, WebSocketConnection):
                assert connection.deadline <= self.world.loop.now + LATEST, "no deadline"
                assert connection.due <= connection.deadline, "the wheel would be too late"

    @invariant()
    def senders_wait_for_no_reason_only_while_the_client_does_not_read(self) -> None:
        for talk in getattr(self, "talks", []):
            transport = talk.wire.transport
            for one in talk.tasks:
                if one.number and not one.task.done():
                    assert transport.unsent, "a sender waits for nothing"

    @invariant()
    def nothing_goes_wrong_behind_the_scenes(self) -> None:
        if hasattr(self, "world"):
            assert self.world.loop.complaints == []
            assert [talk.faults for talk in self.talks if talk.faults] == []

    def teardown(self) -> None:
        """Everybody ends within their deadlines, and every application learns of it."""
        if not hasattr(self, "world"):
            return
        self.world.turn()
        for talk in self.talks:
            if talk.app is not None:  # nobody blames a client for what the application does not receive
                talk.app.asks(len(talk.sent) + 4, apart=True)
        self.world.advance(LATEST + 30)
        for talk in self.talks:
            assert talk.wire.end not in {"", "eof"}, "it would stay for ever"
            player = talk.player
            if player is None:
                continue
            if talk.app is not None:
                assert player.codes
                player.asks(2, apart=True)
                assert player.tasks[-1].done(), "the end is told again and again"
                player.sends("send", apart=True, text="a")
                assert isinstance(player.errors[-1], RuntimeError | OSError)
            assert all(task.done() for task in player.tasks), "a task waits for ever"
        self.messages_come_once_and_in_order()
        self.what_is_sent_arrives_once_and_in_order()
        self.world.ends()


WebSocketMachine.TestCase.settings = settings(max_examples=200, stateful_step_count=35, deadline=None)
TestWebSocket = WebSocketMachine.TestCase
