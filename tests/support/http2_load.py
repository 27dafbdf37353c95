"""Load over HTTP/2 from the background, with an account of every single request.

A request is sent again only where the server has said that it never looked at it: its stream is above the
last one of a GOAWAY, or it was refused (RFC 9113 sections 6.8 and 8.7).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.client_load import Load
from tests.support.http2_client import Ended, Http2
from tests.support.http2_frames import Code

if TYPE_CHECKING:
    from tests.support.client import Address
    from tests.support.http2_answer import Answer


class Http2Load(Load):
    """Sends requests from threads, on one connection each, several at a time.

    A connection is used until the server says that it goes away, and ended once all answers are there.

    Args:
        address: The server.
        clients: Threads.
        at_once: Requests that each sends together.
    """

    def __init__(self, address: Address, *, clients: int = 3, at_once: int = 5) -> None:
        super().__init__(address, keeping=clients, renewing=0)
        self._at_once = at_once
        self.repeated = 0  #: requests that may be sent again

    def _use_connection(self, keeps: bool) -> None:
        pid: int | None = None
        try:
            with Http2(self._address) as client:
                while not (self._stop.is_set() or client.goaway or client.has_ended):
                    pid = self._send_together(client, pid)
        except ConnectionRefusedError as error:
            self._lose("refused", pid, repr(error))
        except (ConnectionError, TimeoutError) as error:
            self._lose("reset", pid, repr(error))

    def _send_together(self, client: Http2, pid: int | None) -> int | None:
        sent: dict[int, int] = {}
        try:
            for _ in range(self._at_once):
                number = next(self._numbers)
                sent[client.new_stream()] = number
                client.send_request_on(max(sent), f"/?number={number}")
        except ConnectionError:
            pass  # what it has said before is still to be read
        for stream, number in sent.items():
            pid = self._note(client, stream, number, pid)
        return pid

    def _note(self, client: Http2, stream: int, number: int, pid: int | None) -> int | None:
        try:
            answer = client.answer(stream)
        except (Ended, ConnectionError) as error:
            last = client.goaway.number if client.goaway is not None else None
            if last is not None and stream > last:
                self._repeat()
            else:
                self._lose("ended", pid, f"stream {stream}, last {last}: {error}")
            return pid
        if answer.reset == Code.REFUSED_STREAM:
            self._repeat()
            return pid
        return self._answered(answer, number, pid)

    def _answered(self, answer: Answer, number: int, pid: int | None) -> int | None:
        fields = dict(answer.fields)
        if answer.status != 200 or not answer.has_ended or fields.get("x-query") != f"number={number}":
            self._lose("wrong", pid, f"number {number}: {answer}")
            return pid
        with self._changed:
            self.answered[int(fields["x-pid"]), answer.body.decode()] += 1
            self._changed.notify_all()
        return int(fields["x-pid"])

    def _repeat(self) -> None:
        with self._changed:
            self.repeated += 1
