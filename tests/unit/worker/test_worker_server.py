"""What the connections of a worker share: the clock and the fields of every response."""

from __future__ import annotations

import time
from email.utils import formatdate

import pytest

from srvctl.settings.groups import HttpSettings
from srvctl.worker.general_fields import GeneralFields, http_date
from srvctl.worker.http.headers import CLOSE, DATE, SERVER


@pytest.mark.parametrize(
    ("seconds", "date"),
    [
        (0, b"Thu, 01 Jan 1970 00:00:00 GMT"),
        (784111777, b"Sun, 06 Nov 1994 08:49:37 GMT"),
        (784111777.999, b"Sun, 06 Nov 1994 08:49:37 GMT"),
        (951782400, b"Tue, 29 Feb 2000 00:00:00 GMT"),
        (4102444799, b"Thu, 31 Dec 2099 23:59:59 GMT"),
    ],
)
def test_dates(seconds: float, date: bytes) -> None:
    """RFC 9110 section 5.6.7: always 29 characters of English."""
    assert http_date(seconds) == date
    assert len(date) == 29


def test_every_day_and_month() -> None:
    """Against another implementation."""
    for day in range(0, 800, 5):
        assert http_date(day * 86400 + day).decode() == formatdate(day * 86400 + day, usegmt=True)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 784111777.0)


D, S = b"date: Sun, 06 Nov 1994 08:49:37 GMT\r\n", b"server: srvctl\r\n"


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize(
    ("settings", "everything"),
    [
        (HttpSettings(), D + S),
        (HttpSettings(date_header=False), S),
        (HttpSettings(server_header=False), D),
        (HttpSettings(date_header=False, server_header=False), b""),
        (HttpSettings(headers=("X-One: 1", "x-two:2 ")), D + S + b"X-One: 1\r\nx-two: 2\r\n"),
        (HttpSettings(headers=("X-Time: 12:00",)), D + S + b"X-Time: 12:00\r\n"),
        (HttpSettings(headers=("X: \xe4",)), D + S + b"X: \xe4\r\n"),
    ],
)
def test_general_fields(settings: HttpSettings, everything: bytes) -> None:
    """Date, Server and what the settings add; a Server of the settings is the only one."""
    fields = GeneralFields(settings)
    assert fields.all == everything
    assert fields.beside(0) == everything
    assert fields.beside(CLOSE) == everything
    assert fields.beside(DATE) == everything.replace(D, b"")
    assert fields.beside(SERVER) == everything.replace(S, b"")
    assert fields.beside(DATE | SERVER) == everything.replace(D, b"").replace(S, b"")


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("field", ["Date: mine", "SERVER: mine"])
def test_a_date_or_server_of_the_settings_is_the_only_one(field: str) -> None:
    """RFC 9110 section 6.6.1: it takes the place of ours, and gives way to the application's."""
    fields = GeneralFields(HttpSettings(headers=(field, "x: y")))
    name, ours, says = (b"date", D, DATE) if field.startswith("Date") else (b"server", S, SERVER)
    assert ours not in fields.all
    assert fields.all.lower().count(name + b":") == 1
    assert name + b":" not in fields.beside(says).lower()
    assert b"x: y" in fields.beside(says)
    fields.renew(0)
    assert ours not in fields.all


def test_the_date_is_renewed() -> None:
    """The rest stays."""
    fields = GeneralFields(HttpSettings(headers=("X: y",)))
    fields.renew(0)
    assert fields.all == b"date: Thu, 01 Jan 1970 00:00:00 GMT\r\n" + S + b"X: y\r\n"
    before = fields.all
    fields.renew(time.time())
    assert fields.all != before


def test_no_date_is_renewed_where_none_is_wanted() -> None:
    """The setting holds for good."""
    fields = GeneralFields(HttpSettings(date_header=False))
    fields.renew(0)
    assert fields.all == S
