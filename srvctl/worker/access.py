"""What the access log is told about each request."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import TYPE_CHECKING

from srvctl.logs.access.log import AccessLog
from srvctl.logs.access.record import WEBSOCKET, AccessRecord

if TYPE_CHECKING:
    from srvctl.logs.access.log import Clock
    from srvctl.worker.http.cycle import RequestCycle
    from srvctl.worker.http.protocol import RequestHead
    from srvctl.worker.http.scope import ScopeMaker, Seen


class Access:
    """Tells the access log, as much as its format asks for.

    Attributes:
        log: Takes the records.
        needs_details: The format asks for more than the line by default.
        needs_times: Times are among that.
    """

    def __init__(self, log: AccessLog) -> None:
        self.log = log
        self.needs_details = log.needs_details
        self.needs_times = log.needs_times

    @classmethod
    def wanted(cls, clock: Clock) -> Access | None:
        """Return what tells the log; None when nobody wants to know."""
        log = AccessLog(clock)
        return cls(log) if log.is_on else None

    def close(self) -> None:
        """Write what is left."""
        self.log.close()


class ConnectionAccess:
    """Tells the access log about the requests of one connection.

    Without details, a request that repeats the last one has the same line, which is then at hand.

    Args:
        access: That of the server.
        scopes: Makes the scopes of the connection.
    """

    __slots__ = ("_access", "_head", "_line", "_record", "_scopes")

    _record: AccessRecord

    def __init__(self, access: Access, scopes: ScopeMaker) -> None:
        self._access = access
        self._scopes = scopes
        self._head: RequestHead | None = None
        self._line: bytes | None = None

    def note(self, cycle: RequestCycle, seen: Seen | None = None) -> None:
        """Log a request whose response has ended.

        Args:
            cycle: The request.
            seen: What was seen of it; None when no scope was made since its own.
        """
        access, scopes = self._access, seen or self._scopes
        if access.needs_details:
            access.log.log(self._details(cycle, scopes))
            return
        head = cycle.head
        if head is not self._head or cycle.status != self._record.status:
            client, target = scopes.client_text, scopes.log_target
            method, status = head.method, cycle.status
            self._record = AccessRecord(client, method, target, head.version, status)
            if cycle.is_websocket:  # as uvicorn says it; other formats show a request like any other
                said = "[accepted]" if status == HTTPStatus.SWITCHING_PROTOCOLS else status
                self._record = self._record._replace(method=WEBSOCKET, status=said)
            self._head, self._line = head, None
        self._line = access.log.log(self._record, self._line)

    def _details(self, cycle: RequestCycle, scopes: Seen | ScopeMaker) -> AccessRecord:
        head, needs_times = cycle.head, self._access.needs_times
        return AccessRecord(
            scopes.client_text,
            head.method,
            scopes.log_target,
            head.version,
            cycle.status,
            size=cycle.body_sent,
            duration=time.monotonic() - cycle.began if needs_times else 0.0,
            time=time.time() if needs_times else 0.0,
            scheme=scopes.scheme,
            headers=list(head.headers),
            fields=cycle.fields,
            request_id=cycle.request_id or b"",
        )
