"""Any number of clients that do anything in any order: the master's side is bounded, and nobody is mixed up.

Real socketpairs and a real selector; only the clock is the test's.
"""

from __future__ import annotations

import json
import socket
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, precondition, rule

from srvctl.ipc.control import MAX_REPLY, Command
from srvctl.supervisor.admin_client import Guest
from srvctl.supervisor.admin_clients import MOST_CLIENTS, MOST_OF_ONE_READER, MOST_READERS
from srvctl.supervisor.admin_roles import Role
from srvctl.supervisor.events import MetricsAsked, ReloadAsked, ScaleAsked, StatusAsked, StopAsked
from srvctl.supervisor.feeds import Feed
from tests.support.admin import Selector, opened

if TYPE_CHECKING:
    from srvctl.supervisor.events import Event

ROOM = 30_000
#: The largest reply, and what may wait in front of it.
MOST_UNSENT = MAX_REPLY + 256 * 1024
ASKED = (ReloadAsked, StatusAsked, MetricsAsked, ScaleAsked, StopAsked)
guests = st.sampled_from(
    [Guest("owner", Role.ACT, 0), *(Guest("member", Role.READ, uid) for uid in (1, 2, 3, 4))]
)
wholes = st.sampled_from(
    [
        b'{"v":1,"command":"status"}\n',
        b'{"v":1,"command":"reload"}\n',
        b'{"v":1,"command":"stop"}\n',
        b'{"v":1,"command":"scale","args":{"count":3}}\n',
        b'{"v":1,"command":"metrics"}\n',
        b'{"v":1,"command":"identify"}\n' * 3,
        b'{"v":1,"command":"logs","args":{"lines":20}}\n',
        b'{"v":1,"command":"logs","args":{"lines":9,"slot":1}}\n',
        b"GET / HTTP/1.1\r\n\r\n",
        b"\xff\n",
    ]
)
pieces = st.sampled_from([b"{", b'"v"', b"x" * 40_000, b"\n", b'{"v":1,"command":"st', b'atus"}\n'])


@dataclass(eq=False)
class Other:
    """One client, as itself."""

    sock: socket.socket
    data: bytes = b""
    has_ended: bool = False
    first: int = 0  #: item from which on it follows
    got: list[Any] = field(default_factory=list)

    def read(self, most: int) -> None:
        with suppress(BlockingIOError):
            try:
                while most > 0 and (piece := self.sock.recv(min(most, 65536))):
                    self.data += piece
                    most -= len(piece)
                self.has_ended = self.has_ended or most > 0
            except ConnectionResetError:
                self.has_ended = True

    def lines(self) -> list[Any]:
        *lines, self.data = self.data.split(b"\n")
        return [json.loads(line) for line in lines]


class AdminMachine(RuleBasedStateMachine):
    """The admin, its clients, and somebody who answers what it asks."""

    clients: Bundle[Other] = Bundle("clients")
    followers: Bundle[Other] = Bundle("followers")

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory(dir="/tmp")
        self.now = 100.0
        self.feed = Feed(ROOM)
        self.pushed = 0
        self.admin = opened(
            Path(self.directory.name), clock=lambda: self.now, feeds={Command.LOGS: self.feed}
        )
        poller = self.admin._poller
        assert isinstance(poller, Selector)
        self.poller = poller
        self.all: list[Other] = []
        self.asked: list[int] = []
        self.numbers: set[int] = set()

    # -- what clients do -------------------------------------------------------------------------------

    def _connected(self, guest: Guest) -> Other | None:
        mine, theirs = socket.socketpair()
        mine.setblocking(False)
        other = Other(mine)
        self.all.append(other)
        if self.admin._clients.has_room(guest):
            self.admin._clients.add(theirs, guest, self.now)
            return other
        theirs.close()
        return None

    @rule(target=clients, guest=guests)
    def connect(self, guest: Guest) -> Other:
        self._connected(guest)
        return self.all[-1]

    @rule(guest=guests, number=st.integers(1, 30))
    def connect_many(self, guest: Guest, number: int) -> None:
        for _ in range(number):
            self._connected(guest)

    @rule(target=followers, guest=guests)
    def follow(self, guest: Guest) -> Other:
        other = self._connected(guest) or self.all[-1]
        other.first = self.pushed
        with suppress(OSError):
            other.sock.send(b'{"v":1,"command":"logs","args":{"lines":0,"follow":true}}\n')
        self._turn()
        return other

    @rule(client=clients, data=wholes | pieces)
    def send(self, client: Other, data: bytes) -> None:
        with suppress(OSError):
            client.sock.send(data)

    @rule(client=clients)
    def send_no_more(self, client: Other) -> None:
        with suppress(OSError):
            client.sock.shutdown(socket.SHUT_WR)

    @rule(client=consumes(clients))
    def go(self, client: Other) -> None:
        client.sock.close()
        self.all.remove(client)

    @rule(client=clients, most=st.sampled_from([1, 1000, 10**7]))
    def read(self, client: Other, most: int) -> None:
        """What is read are whole replies, and nothing comes after the end of a connection."""
        client.read(most)
        for reply in client.lines():
            assert reply["type"] in {"progress", "done"}

    @rule(client=followers, most=st.sampled_from([100, 10**7]))
    def read_feed(self, client: Other, most: int) -> None:
        """Each item comes once and in order, or is counted."""
        client.read(most)
        for reply in client.lines():
            if reply["type"] == "done":
                assert not reply["ok"]  # it found no room
                continue
            item = reply["data"]
            expected = client.first + sum(client.got)
            assert item.get("n", expected) == expected
            client.got.append(item.get("left_out", 1))
        assert client.first + sum(client.got) <= self.pushed

    # -- what the master does --------------------------------------------------------------------------

    def _turn(self) -> None:
        for event in self.poller.turn():
            self._note(event)
        self.admin.expire(self.now)

    def _note(self, event: Event) -> None:
        assert isinstance(event, ASKED)
        assert event.client is not None
        assert event.client not in self.asked
        self.asked.append(event.client)

    @rule(times=st.integers(1, 5))
    def turn(self, times: int) -> None:
        for _ in range(times):
            self._turn()

    @rule(seconds=st.sampled_from([0.02, 1.0, 6.0, 31.0, 601.0]))
    def let_time_pass(self, seconds: float) -> None:
        self.now += seconds
        self.admin.expire(self.now)
        deadline = self.admin.next_deadline()
        assert deadline is None or deadline >= self.now

    @rule(number=st.sampled_from([1, 5, 300]))
    def push(self, number: int) -> None:
        for _ in range(number):
            self.feed.push({"n": self.pushed, "slot": self.pushed % 2, "line": "x" * 100})
            self.pushed += 1

    @precondition(lambda self: self.asked)
    @rule(data=st.data(), text=st.sampled_from(["", "x" * 40_000]))
    def tell(self, data: st.DataObject, text: str) -> None:
        self.admin.progress(data.draw(st.sampled_from(self.asked)), text, {"done": 1, "of": 2})

    @precondition(lambda self: self.asked)
    @rule(data=st.data(), is_ok=st.booleans())
    def answer(self, data: st.DataObject, is_ok: bool) -> None:
        number = data.draw(st.sampled_from(self.asked))
        self.asked.remove(number)
        self.admin.reply(number, is_ok, "done", data={"text": "x" * 1000})

    # -- what always holds -----------------------------------------------------------------------------

    @invariant()
    def is_bounded(self) -> None:
        clients = list(self.admin._clients)
        readers = [client for client in clients if client.guest.role is Role.READ]
        assert len(clients) <= MOST_CLIENTS
        assert len(readers) <= MOST_READERS
        for uid in {client.guest.uid for client in readers}:
            assert sum(client.guest.uid == uid for client in readers) <= MOST_OF_ONE_READER
        assert all(len(client._unsent) <= MOST_UNSENT for client in clients)
        assert self.feed._size <= ROOM

    @invariant()
    def watches_what_there_is(self) -> None:
        watched = set(self.poller.selector.get_map())
        expected = {client.socket.fileno() for client in self.admin._clients if client.mask}
        assert self.admin._listener is not None
        assert watched == expected | {self.admin._listener.fileno()}

    def teardown(self) -> None:
        """And the owner always finds a place that nobody who only looks can take."""
        for client in self.all:
            client.sock.close()
        for _ in range(3):
            self._turn()
        self.let_time_pass(31.0)
        waiting = [client for client in self.admin._clients if client.is_waiting]
        assert len(list(self.admin._clients)) == len(waiting)
        if len(waiting) < MOST_CLIENTS:
            assert self.admin._clients.has_room(Guest("owner", Role.ACT, 0))
        self.admin.close()
        self.poller.selector.close()
        self.directory.cleanup()


TestAdminMachine = AdminMachine.TestCase
TestAdminMachine.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
