"""The header fields the server adds to responses: Date, Server and those of the settings."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from srvctl.worker.http.headers import DATE, SERVER

if TYPE_CHECKING:
    from srvctl.settings.groups import HttpSettings

_SERVER_FIELD: Final = b"server: srvctl\r\n"
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def http_date(seconds: float) -> bytes:
    """Return an IMF-fixdate (RFC 9110 section 5.6.7), whatever the locale."""
    t = time.gmtime(seconds)
    return (
        f"{_DAYS[t.tm_wday]}, {t.tm_mday:02} {_MONTHS[t.tm_mon - 1]} {t.tm_year:04} "
        f"{t.tm_hour:02}:{t.tm_min:02}:{t.tm_sec:02} GMT"
    ).encode()


class GeneralFields:
    """The fields as bytes, which are joined once a second.

    Attributes:
        all: What goes into most responses.
    """

    def __init__(self, settings: HttpSettings) -> None:
        fields = [_split(header) for header in settings.headers]
        own = {name.lower(): b"%b: %b\r\n" % (name, value) for name, value in fields}
        self._renews_date = settings.date_header and b"date" not in own
        self._date = own.get(b"date", b"")
        self._server = own.get(b"server", _SERVER_FIELD if settings.server_header else b"")
        self._extra = b"".join(
            b"%b: %b\r\n" % (name, value)
            for name, value in fields
            if name.lower() not in {b"date", b"server"}
        )
        self.all = b""
        self.renew(time.time())

    def renew(self, now: float) -> None:
        """Take a new date (seconds since the epoch)."""
        if self._renews_date:
            self._date = b"date: %b\r\n" % http_date(now)
        self.all = self._date + self._server + self._extra

    def beside(self, says: int) -> bytes:
        """Return the fields for a response; those that its own fields say it has (flags) are left out."""
        date = b"" if says & DATE else self._date
        return date + (b"" if says & SERVER else self._server) + self._extra


def _split(header: str) -> tuple[bytes, bytes]:
    name, _, value = header.partition(":")
    return name.strip().encode("latin-1"), value.strip().encode("latin-1")
