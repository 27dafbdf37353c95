"""One client of the control socket: bounded buffers both ways, and one deadline at a time.

Owns its connection. Never waits, and never raises because of what a client does: `is_over` says that nothing
more will come of it. Must not know what commands mean. Called by `admin`.
"""

from __future__ import annotations

import selectors
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from srvctl.ipc.control import MAX_REPLY, MAX_REQUEST, Command, Lines
from srvctl.ipc.peers import UNKNOWN
from srvctl.supervisor.admin_roles import Role

if TYPE_CHECKING:
    from collections.abc import Mapping

    from srvctl.supervisor.feeds import Reader

#: Seconds from the connection, or from the last answer, until a whole request is there.
TO_ASK: Final = 10.0
#: Seconds in which a client must read something of what it was sent.
TO_READ: Final = 30.0
#: The largest reply must fit behind the lines of progress that were not read yet.
_MOST_UNSENT: Final = MAX_REPLY + 256 * 1024
_CHUNK: Final = 65536
#: Requests that are taken one after the other, and seconds to each of those that follow.
_AT_ONCE: Final = 5
_EACH: Final = 0.1


@dataclass(frozen=True, slots=True)
class Guest:
    """Who a client is.

    Attributes:
        by: In words.
        role: What it may do.
        uid: Its user.
        is_own: A part of this instance, such as its console: it may be silent, and is never sent away.
    """

    by: str
    role: Role = Role.ACT
    uid: int = UNKNOWN
    is_own: bool = False


class AdminClient:
    """A connection from accept(2) to close(2).

    Args:
        sock: The connection; is made non-blocking.
        number: How the fleet names it; another one as soon as it is not to hear of a command any more.
        guest: Who it is.
        now: Monotonic seconds.

    Attributes:
        command: What it waits for; None between commands.
        rests_until: When it is listened to again, in monotonic seconds: it has asked a lot.
        answers_until: When it is told that this takes longer, in monotonic seconds.
        reader: Its place in the feed that it reads.
        has_asked: It has sent a request that makes sense.
        is_over: Nothing more can come of it.
    """

    __slots__ = (
        "_answers_within",
        "_asks_until",
        "_hears_nothing",
        "_lines",
        "_paid_until",
        "_reads_until",
        "_unsent",
        "answers_until",
        "command",
        "guest",
        "has_asked",
        "is_over",
        "number",
        "reader",
        "rests_until",
        "socket",
        "stays",
    )

    def __init__(self, sock: socket.socket, number: int, guest: Guest, now: float) -> None:
        sock.setblocking(False)
        self.socket = sock
        self.number = number
        self.guest = guest
        self.command: Command | None = None
        self.answers_until: float | None = None
        self._answers_within: float | None = None
        self.reader: Reader | None = None
        self.has_asked = False
        self.stays = False
        self.is_over = False
        self._hears_nothing = False
        self._lines = Lines(MAX_REQUEST)
        self._unsent = b""
        self._paid_until = now
        self.rests_until: float | None = None
        self._asks_until: float | None = None
        self._reads_until: float | None = None
        self._await_request(now)

    def export(self) -> dict[str, Any]:
        """Return what `inherit` needs, as JSON."""
        return {
            "number": self.number,
            "fd": self.socket.fileno(),
            "by": self.guest.by,
            "role": self.guest.role,
            "uid": self.guest.uid,
            "is_own": self.guest.is_own,
            "answers_within": self._answers_within,
            "reader": self.reader.export() if self.reader is not None else None,
            "command": self.command,
            "stays": self.stays,
            "has_asked": self.has_asked,
            "hears_nothing": self._hears_nothing,
            "rest": self._lines.rest.decode("latin-1"),
            "unsent": self._unsent.decode("latin-1"),
        }

    @classmethod
    def inherit(cls, values: Mapping[str, Any], now: float) -> Self:
        """Go on with a connection of the program that this process ran before; its time begins anew.

        Raises:
            OSError: It did not come along.
            ValueError: It waits for a command that there is not any more.
        """
        command = Command(values["command"]) if values["command"] is not None else None
        # Those of before took nobody who may not act.
        role, uid = Role(values.get("role", Role.ACT)), values.get("uid", UNKNOWN)
        guest = Guest(values["by"], role, uid, values.get("is_own", False))
        client = cls(socket.socket(fileno=values["fd"]), values["number"], guest, now)
        client.socket.set_inheritable(False)
        client.command, client.stays, client.has_asked = command, values["stays"], values["has_asked"]
        client._hears_nothing = values["hears_nothing"]
        client._lines = Lines(MAX_REQUEST, values["rest"].encode("latin-1"))
        client._unsent = values["unsent"].encode("latin-1")
        client._answers_within = values.get("answers_within")
        if client.is_waiting:
            client._asks_until = None
            client.go_on(now)
        client._reads_until = now + TO_READ if client._unsent else None
        return client

    @property
    def mask(self) -> int:
        """What to watch for; 0 for nothing, which a client that has sent its last byte is worth."""
        is_deaf = self._hears_nothing or self.rests_until is not None
        reading = 0 if is_deaf else selectors.EVENT_READ
        return reading | (selectors.EVENT_WRITE if self._unsent else 0)

    @property
    def deadline(self) -> float | None:
        """When it is dropped, in monotonic seconds; None while the master is the slower one.

        Who follows a feed and does not read costs nothing but a place, which others get if they need it.
        """
        if self._reads_until is not None:
            return None if self.is_following else self._reads_until
        return self._asks_until

    @property
    def is_following(self) -> bool:
        """Whether it reads what comes, without an end."""
        return self.reader is not None and self.reader.is_following

    @property
    def has_unsent(self) -> bool:
        """Whether it has not read all that it was sent."""
        return bool(self._unsent)

    @property
    def is_waiting(self) -> bool:
        """Whether something is still to come for it: an answer, or the end of the master."""
        return self.command is not None or self.stays

    @property
    def has_hung_up(self) -> bool:
        """Whether it has sent its last byte; it may still read."""
        return self._hears_nothing

    def read(self) -> list[bytes]:
        """Return the line that it has sent, if it is whole; one of each client's at a time.

        Raises:
            ControlError: It sends no lines.
        """
        try:
            # The rest stays in the kernel until the next turn of the loop: nobody has two requests in one.
            found = self.socket.recv(_CHUNK, socket.MSG_PEEK)
            data = self.socket.recv((found.find(b"\n") + 1) or len(found)) if found else b""
        except BlockingIOError:
            return []
        except OSError:
            self.is_over = True
            return []
        if not data:
            # Only one direction may have ended: `echo ... | nc -U` still reads. Of who follows a feed nothing
            # would tell for as long as there are no news whether it is there at all, so that is its end.
            self._hears_nothing = True
            self.is_over = self.is_following
            self._end_if_idle()
            return []
        return self._lines.feed(data)

    def pay(self, now: float) -> None:
        """Count a request; who asks more often than anybody reads rests, and costs nothing meanwhile."""
        self._paid_until = max(self._paid_until, now) + _EACH
        if not self.guest.is_own and self._paid_until > now + _AT_ONCE * _EACH:
            self.rests_until = self._paid_until - _AT_ONCE * _EACH

    def begin(self, command: Command, now: float, within: float | None = None) -> None:
        """Wait for the end of a command.

        Args:
            command: The command.
            now: Monotonic seconds.
            within: Seconds in which there must be news of it; None for as long as it takes.
        """
        self.command = command
        self.has_asked = True
        self._asks_until = None
        self._answers_within = within
        self.go_on(now)

    def go_on(self, now: float) -> None:
        """Wait for the end of the command from now on: there is news of it."""
        within = self._answers_within
        self.answers_until = now + within if self.command is not None and within is not None else None

    def end(self, now: float, *, stays: bool = False) -> None:
        """Wait for the next command; with ``stays`` for none: the end of the connection is to tell."""
        self.command = self.reader = self.answers_until = None
        self.stays = stays
        if not stays:
            self._await_request(now)
        self._end_if_idle()

    def _await_request(self, now: float) -> None:
        self._asks_until = None if self.guest.is_own else now + TO_ASK

    def dismiss(self) -> None:
        """Take nothing more from it; it is over as soon as it has what it was sent."""
        self._hears_nothing = True
        self.command = self.reader = self.answers_until = None
        self.stays = False
        self._end_if_idle()

    def send(self, data: bytes, now: float) -> None:
        """Send what the kernel takes now, and keep the rest for `flush`."""
        if self.is_over:
            return
        if len(self._unsent) + len(data) > _MOST_UNSENT:
            self.is_over = True
            return
        if not self._unsent:
            self._reads_until = now + TO_READ
        self._unsent += data
        self.flush(now)

    def flush(self, now: float) -> None:
        """Send more of what is kept."""
        if not self._unsent:
            return
        try:
            sent = self.socket.send(self._unsent)
        except BlockingIOError:
            return
        except OSError:  # it has gone
            self.is_over = True
            return
        self._unsent = self._unsent[sent:]
        self._reads_until = now + TO_READ if self._unsent else None
        self._end_if_idle()

    def _end_if_idle(self) -> None:
        if self._hears_nothing and not self.is_waiting and not self._unsent:
            self.is_over = True

    def __repr__(self) -> str:
        state = f"command={self.command}, unsent={len(self._unsent)}"
        return f"AdminClient({self.number}, {self.guest.by!r}, {state})"
