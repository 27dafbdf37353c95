"""Accepts connections that begin with a PROXY protocol header, and hands them on once it is read.

The header comes before everything else, TLS included (haproxy, doc/proxy-protocol.txt; sections are cited).
So it is taken off the bare socket, up to its last byte and no further, before an event loop makes a transport
of it: neither TLS nor HTTP, nor a server without the PROXY protocol, knows anything of it.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from typing import TYPE_CHECKING, Final

from srvctl.worker.accepting import Accepting
from srvctl.worker.http.surroundings import Peer
from srvctl.worker.proxy.protocol import ProxyDecoder
from srvctl.worker.proxy.tlv import ProxyProtocolError
from srvctl.worker.refusals import Refusals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from srvctl.worker.balance import Balance
    from srvctl.worker.proxy.protocol import ProxyHeader
    from srvctl.worker.proxy.trust import Trust

    #: Takes a socket, which is then its own, and whom it is connected for; None for whoever is connected.
    Deliver = Callable[[socket.socket, Peer | None], None]

_PEEKED: Final = 4096  #: bytes looked at; a header has no more


class Acceptor:
    """Accepts from listeners whose peers send the header.

    Args:
        trust: Whose header is believed; all others are refused.
        seconds: Time a peer has to send it.
        deliver: Takes the connection behind it.
        on_change: Is called whenever a connection was given up.
        is_alone: See `Accepting`.
    """

    def __init__(
        self,
        trust: Trust,
        seconds: float,
        deliver: Deliver,
        on_change: Callable[[], None],
        *,
        is_alone: bool = True,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.deliver = deliver
        self._trust = trust
        self._seconds = seconds
        self._on_change = on_change
        self._accepting = Accepting(self.accept, is_alone=is_alone)
        self._arrivals: set[_Arrival] = set()
        self._refusals = Refusals(self.loop)

    @property
    def is_waiting(self) -> bool:
        """Whether connections are here whose header is not."""
        return bool(self._arrivals)

    @property
    def waiting(self) -> int:
        """How many there are."""
        return len(self._arrivals)

    @property
    def sockets(self) -> Iterable[socket.socket]:
        """Their sockets."""
        return [arrival.sock for arrival in self._arrivals]

    def start(self, listener: socket.socket, balance: Balance | None = None) -> None:
        """Accept from a listener; it stays the caller's. See `Accepting.start`."""
        self._accepting.start(listener, balance)

    def stop(self, seconds: float) -> None:
        """Accept no more; peers whose header is not here have at most so many seconds left."""
        self._accepting.stop()
        for arrival in self._arrivals:
            arrival.hasten(seconds)

    def close(self) -> None:
        """Give up every connection whose header is not here; after `stop`."""
        for arrival in list(self._arrivals):
            arrival.give_up()
        self._refusals.close()

    # -- accepting -------------------------------------------------------------------------------------

    def accept(self, listener: socket.socket) -> None:
        """Accept one connection.

        Raises:
            OSError: None is queued, or there is no descriptor left.
        """
        sock, address = listener.accept()
        is_unix = listener.family == socket.AF_UNIX
        host: str | None = None if is_unix else address[0]
        name = "a Unix socket" if is_unix else host
        if self._trust.match_peer(host, is_unix=is_unix) is None:
            sock.close()
            # Section 2: a receiver must know who may connect, and refuse everybody else.
            self._refusals.note(
                f"A connection from {name} is refused, it is no trusted proxy (proxy.forwarded_allow_ips); "
                "with proxy.protocol = on nobody else is served"
            )
            return
        sock.setblocking(False)
        _Arrival(self, sock, f"A connection from {name} is closed", self._seconds)

    # -- called by the arrivals ------------------------------------------------------------------------

    def expect(self, arrival: _Arrival) -> None:
        """Know of a connection whose header is not whole yet."""
        self._arrivals.add(arrival)

    def forget(self, arrival: _Arrival) -> None:
        """Know no more of a connection that has been delivered."""
        self._arrivals.discard(arrival)

    def lose(self, arrival: _Arrival, why: str) -> None:
        """Know no more of a connection that was closed; without a reason, it was its client who left."""
        self._arrivals.discard(arrival)
        if why:
            self._refusals.note(why)
        self._on_change()


class _Arrival:
    """A connection whose header is being read.

    What is peeked at and belongs to the header is taken off at once, even if it is not whole: left where it
    is, it would keep the socket readable, and the loop busy, until the rest comes.

    Attributes:
        sock: The connection.
    """

    __slots__ = ("_acceptor", "_decoder", "_due", "_name", "_seconds", "_timer", "sock")

    def __init__(self, acceptor: Acceptor, sock: socket.socket, name: str, seconds: float) -> None:
        self._acceptor = acceptor
        self.sock = sock
        self._name = name
        self._seconds = seconds
        self._due = 0.0
        self._decoder = ProxyDecoder()
        self._timer: asyncio.TimerHandle | None = None
        self._read()  # most proxies send the header with their first packet

    def hasten(self, seconds: float) -> None:
        """Have less time."""
        loop = self._acceptor.loop
        due = loop.time() + seconds
        if self._timer is not None and due < self._due:
            self._timer.cancel()
            self._timer = loop.call_at(due, self.give_up)

    def give_up(self) -> None:
        """Close it, because the worker ends."""
        self._lose()

    def _read(self) -> None:
        """Take off what has come of the header."""
        try:
            header = self._read_header()
        except (BlockingIOError, InterruptedError):
            self._wait()
        except ProxyProtocolError as error:
            self._lose(f"{self._name}: {error}")
        except OSError:  # checks that only connect do this all day, and clients may leave at any time
            self._lose()
        else:
            self._release()
            self._acceptor.forget(self)
            self._acceptor.deliver(self.sock, Peer.of_header(header))

    def _read_header(self) -> ProxyHeader:
        """Return the header.

        Reads on until it is whole or nothing more is there: uvloop tells only once of a reset.

        Raises:
            OSError: It is not whole; BlockingIOError where the client may still send the rest.
            ProxyProtocolError: There is none.
        """
        while True:
            data = self.sock.recv(_PEEKED, socket.MSG_PEEK)
            if not data:
                raise ConnectionResetError(errno.ECONNRESET, "the client left")
            header = self._decoder.feed(data)
            if header is not None:
                _skip(self.sock, len(data) - len(header.rest))
                return header
            _skip(self.sock, len(data))

    def _wait(self) -> None:
        if self._timer is None:
            loop = self._acceptor.loop
            self._due = loop.time() + self._seconds
            self._timer = loop.call_at(self._due, self._expire)
            loop.add_reader(self.sock, self._read)
            self._acceptor.expect(self)

    def _expire(self) -> None:
        self._lose(f"{self._name}: it sent no whole PROXY header within {self._seconds:g} s")

    def _lose(self, why: str = "") -> None:
        self._release()
        self.sock.close()
        self._acceptor.lose(self, why)

    def _release(self) -> None:
        """Let go of the loop, before the socket is closed or becomes somebody else's."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._acceptor.loop.remove_reader(self.sock)


def _skip(sock: socket.socket, size: int) -> None:
    """Take bytes off a socket that were peeked at.

    Raises:
        OSError: The connection was reset meanwhile.
    """
    while size:
        taken = len(sock.recv(size))
        if not taken:
            raise ConnectionResetError(errno.ECONNRESET, "the connection was shut down")
        size -= taken
