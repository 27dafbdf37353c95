"""What the access log is told about each request."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from srvctl.logs.access.log import AccessLog
from srvctl.logs.access.record import AccessRecord

if TYPE_CHECKING:
    from srvctl.logs.access.log import Clock
    from srvctl.worker.http.cycle import RequestCycle
    from srvctl.worker.http.scope import ScopeMaker


class Access:
    """Tells the access log, as much as its format asks for.

    Attributes:
        needs_details: The format asks for more than the line by default, times among it.
    """

    def __init__(self, log: AccessLog) -> None:
        self._log = log
        self.needs_details = log.needs_details

    @classmethod
    def wanted(cls, clock: Clock) -> Access | None:
        """Return what tells the log; None when nobody wants to know."""
        log = AccessLog(clock)
        return cls(log) if log.is_on else None

    def note(self, cycle: RequestCycle, scopes: ScopeMaker) -> None:
        """Log a request whose response has ended; ``scopes`` made its scope, and none since."""
        head, client, target = cycle.head, scopes.client_text, scopes.log_target
        if not self.needs_details:
            self._log.log(AccessRecord(client, head.method, target, head.version, cycle.status))
            return
        record = AccessRecord(
            client,
            head.method,
            target,
            head.version,
            cycle.status,
            size=cycle.body_sent,
            duration=time.monotonic() - cycle.began,
            time=time.time(),
            scheme=scopes.scheme,
            headers=list(head.headers),
            fields=cycle.fields,
            request_id=cycle.request_id or b"",
        )
        self._log.log(record)

    def close(self) -> None:
        """Write what is left."""
        self._log.close()
