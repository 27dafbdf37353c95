"""Each format, to the byte, and what is no format."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any

import pytest

from srvctl.logs.access.formats import FormatError, check_format, compile_format
from srvctl.logs.access.record import WEBSOCKET, AccessRecord, client_text

if TYPE_CHECKING:
    from collections.abc import Iterator

MOMENT = 1_700_000_000.25  # 2023-11-14T22:13:20.250Z


@pytest.fixture(autouse=True)
def _in_kathmandu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Local time differs from UTC by hours and minutes."""
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def record(**changes: Any) -> AccessRecord:
    return AccessRecord(
        client="192.0.2.7:5",
        method="GET",
        target=b"/p?x=1&y",
        version="1.1",
        status=200,
        size=12,
        duration=1.234567,
        time=MOMENT,
        headers=[
            (b"host", b"example.com:8000"),
            (b"user-agent", b"curl/8"),
            (b"referer", b"http://r/"),
            (b"x-two", b"1"),
            (b"x-two", b"2"),
        ],
        fields=b"Content-Type: text/plain\r\nx-empty:\r\n",
    )._replace(**changes)


def shown(text: str, **changes: Any) -> str:
    line = compile_format(text).line(record(**changes))
    assert line.endswith("\n")
    return line[:-1]


# -- uvicorn -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, 'INFO:     192.0.2.7:5 - "GET /p?x=1&y HTTP/1.1" 200 OK'),
        ({"client": ""}, 'INFO:      - "GET /p?x=1&y HTTP/1.1" 200 OK'),
        ({"status": 299}, 'INFO:     192.0.2.7:5 - "GET /p?x=1&y HTTP/1.1" 299 '),
        ({"status": 1234}, 'INFO:     192.0.2.7:5 - "GET /p?x=1&y HTTP/1.1" 1234'),
        ({"target": b'/"\\%0a'}, 'INFO:     192.0.2.7:5 - "GET /"\\%0a HTTP/1.1" 200 OK'),
        (
            {"target": b"/\n\x1b\xe9\x7f"},
            'INFO:     192.0.2.7:5 - "GET /\\x0a\\x1b\\xe9\\x7f HTTP/1.1" 200 OK',
        ),
        (
            {"method": WEBSOCKET, "status": "[accepted]"},
            'INFO:     192.0.2.7:5 - "WebSocket /p?x=1&y" [accepted]',
        ),
        ({"method": WEBSOCKET, "status": 403}, 'INFO:     192.0.2.7:5 - "WebSocket /p?x=1&y" 403'),
    ],
)
def test_uvicorns_line(changes: dict[str, Any], line: str) -> None:
    """As uvicorn writes it; what could forge a line is escaped."""
    assert shown("uvicorn", **changes) == line


def test_uvicorns_line_in_colours() -> None:
    """Level, request line and status."""
    line = compile_format("uvicorn", use_colors=True).line(record(status=404))
    assert line == (
        '\x1b[32mINFO\x1b[0m:     192.0.2.7:5 - "\x1b[1mGET /p?x=1&y HTTP/1.1\x1b[0m" '
        "\x1b[31m404 Not Found\x1b[0m\n"
    )


def test_only_uvicorns_line_has_colours() -> None:
    """The others are for machines."""
    for name in ("common", "combined", "json", "%h"):
        assert "\x1b" not in compile_format(name, use_colors=True).line(record())


# -- Apache ------------------------------------------------------------------------------------------------


def test_common_and_combined() -> None:
    """As Apache writes them; the time is when the request came in."""
    common = '192.0.2.7 - - [15/Nov/2023:03:58:19 +0545] "GET /p?x=1&y HTTP/1.1" 200 12'
    assert shown("common") == common
    assert shown("combined") == f'{common} "http://r/" "curl/8"'
    assert shown("combined", headers=[]) == f'{common} "-" "-"'


@pytest.mark.parametrize(
    ("atom", "text"),
    [
        ("%h", "192.0.2.7"),
        ("%a", "192.0.2.7"),
        ("%l", "-"),
        ("%u", "-"),
        ("%r", "GET /p?x=1&y HTTP/1.1"),
        ("%s", "200"),
        ("%>s", "200"),
        ("%b", "12"),
        ("%B", "12"),
        ("%D", "1234567"),
        ("%M", "1235"),
        ("%T", "1"),
        ("%L", "1.234567"),
        pytest.param("%p", str(os.getpid()), id="%p"),
        pytest.param("%P", str(os.getpid()), id="%P"),
        ("%m", "GET"),
        ("%U", "/p"),
        ("%q", "?x=1&y"),
        ("%H", "HTTP/1.1"),
        ("%S", "http"),
        ("%v", "example.com"),
        ("%V", "example.com"),
        ("%{HOST}i", "example.com:8000"),
        ("%{X-Two}i", "1, 2"),
        ("%{X-Three}i", "-"),
        ("%{content-type}o", "text/plain"),
        ("%{x-empty}o", "-"),
        ("%{sec}t", "1699999999"),
        ("%{msec}t", "1699999999015"),
        ("%{iso}t", "2023-11-14T22:13:19.015Z"),
        ("%(h)s", "192.0.2.7"),
        ("%(a)s", "curl/8"),
        ("%(f)s", "http://r/"),
        ("%({x-two}i)s", "1, 2"),
        ("%({content-type}o)s", "text/plain"),
    ],
)
def test_atoms(atom: str, text: str) -> None:
    """Each shows its part, whatever stands around it."""
    assert shown(atom) == text
    assert shown(f'100%% é "{atom}"s%h') == f'100% é "{text}"s192.0.2.7'


@pytest.mark.parametrize(
    ("atom", "changes", "text"),
    [
        ("%h", {"client": "2001:db8::1:80"}, "2001:db8::1"),
        ("%h", {"client": ""}, "-"),
        ("%b", {"size": 0}, "-"),
        ("%B", {"size": 0}, "0"),
        ("%q", {"target": b"/"}, ""),
        ("%q", {"target": b"/?"}, ""),
        ("%r", {"method": WEBSOCKET}, "WebSocket /p?x=1&y"),
        ("%s", {"status": "[accepted]"}, "[accepted]"),
        ("%v", {"headers": [(b"host", b"[::1]:80")]}, "[::1]"),
        ("%v", {"headers": [(b"host", b"[::1]")]}, "[::1]"),
        ("%v", {"headers": []}, "-"),
        ("%u", {"headers": [(b"authorization", b"Basic YW5uOnNlY3JldA==")]}, "ann"),
        ("%u", {"headers": [(b"authorization", b"bAsIc YW5uIgo6eA==")]}, 'ann\\"\\n'),
        ("%u", {"headers": [(b"authorization", b"Basic OnNlY3JldA==")]}, "-"),
        ("%u", {"headers": [(b"authorization", b"Basic ?")]}, "-"),
        ("%u", {"headers": [(b"authorization", b"Bearer YW5uOnNlY3JldA==")]}, "-"),
        ("%{X-Request-ID}i", {"request_id": b"7"}, "7"),
        ("%{x-request-id}o", {"request_id": b"7"}, "7"),
        ("%{X-Request-ID}i", {"headers": [(b"x-request-id", b"8")]}, "8"),
        ("%r", {"target": b'/"\\\t\r\n\x00\xff'}, 'GET /\\"\\\\\\t\\r\\n\\x00\\xff HTTP/1.1'),
    ],
)
def test_atoms_of_other_requests(atom: str, changes: dict[str, Any], text: str) -> None:
    """What is missing is a hyphen, and what is dangerous is escaped."""
    assert shown(atom, **changes) == text


@pytest.mark.parametrize(
    ("zone", "offset"), [("UTC", "+0000"), ("America/St_Johns", "-0330"), ("Asia/Tokyo", "+0900")]
)
def test_the_time_says_its_zone(monkeypatch: pytest.MonkeyPatch, zone: str, offset: str) -> None:
    """In hours and minutes."""
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    assert shown("%t").endswith(f" {offset}]")


def test_the_time_goes_on() -> None:
    """What is remembered of the last request is that of its second alone."""
    form = compile_format("%t %{iso}t")
    lines = [form.line(record(time=MOMENT + more, duration=0)) for more in (0, 0.5, 1)]
    assert [line.split()[0][-8:] for line in lines] == ["03:58:20", "03:58:20", "03:58:21"]
    assert [line.split()[2][-7:] for line in lines] == ["20.250Z", "20.750Z", "21.250Z"]


def test_tabs_and_quotation_marks_as_in_apaches_files() -> None:
    r"""``\t``, ``\"`` and ``\\`` mean what they mean there."""
    assert shown('%s\\t\\"%m\\"\\\\\t.') == '200\t"GET"\\\t.'


@pytest.mark.parametrize(
    ("text", "needs"),
    [
        ("uvicorn", False),
        ("common", True),
        ("json", True),
        ("%h %r", False),
        ("%{sec}t", True),
        ("%(D)s", True),
        ("%L", True),
        ("%{T}i", False),
    ],
)
def test_a_format_says_whether_it_shows_times(text: str, needs: bool) -> None:
    """Else nobody needs to look at a clock."""
    assert compile_format(text).needs_times is needs


# -- JSON --------------------------------------------------------------------------------------------------


def test_json() -> None:
    """One object with these keys, in this order."""
    changes = {"request_id": b"r1", "target": b"/p%20?x=1"}
    parsed = json.loads(shown("json", **changes))
    assert list(parsed.items()) == [
        ("time", "2023-11-14T22:13:20.250Z"),
        ("client", "192.0.2.7"),
        ("client_port", 5),
        ("method", "GET"),
        ("scheme", "http"),
        ("path", "/p%20"),
        ("query", "x=1"),
        ("http_version", "1.1"),
        ("status", 200),
        ("bytes", 12),
        ("duration", 1.234567),
        ("request_id", "r1"),
        ("user_agent", "curl/8"),
        ("referer", "http://r/"),
    ]


def test_json_of_little() -> None:
    """What is not there is null; a status may be a text."""
    parsed = json.loads(shown("json", client="", headers=[], status="[accepted]", method=WEBSOCKET))
    nothing = {key for key, value in parsed.items() if value is None}
    assert nothing == {"client", "client_port", "request_id", "user_agent", "referer"}
    assert (parsed["method"], parsed["status"]) == ("WebSocket", "[accepted]")


def test_json_of_any_bytes() -> None:
    """UTF-8 is read as such, anything else is escaped; the line is ASCII."""
    line = shown("json", headers=[(b"user-agent", "é\n".encode()), (b"referer", b'"\xe9\x7f')])
    assert line.isascii()
    assert line.isprintable()
    parsed = json.loads(line)
    assert (parsed["user_agent"], parsed["referer"]) == ("é\n", '"\\xe9\x7f')


# -- clients -----------------------------------------------------------------------------------------------


def test_clients() -> None:
    """Host and port as uvicorn shows them; nobody on a Unix socket."""
    assert client_text(("::1", 5)) == "::1:5"
    assert client_text(("a\nb", 0)) == "a\\x0ab:0"
    assert client_text(None) == ""


# -- what is no format -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", '"" is neither the name of a format (uvicorn, common, combined, json) nor a text with atoms'),
        ("unicorn", '"unicorn" is neither the name of a format'),
        ("100%%", "is neither the name of a format"),
        ("%h %Z", '"%Z" is no atom of the access log; there are %h %a '),
        ("%h %{x}C", '"%{x}C" is no atom'),
        ("%{}i", '"%{}i" is no atom'),
        ("%{%H}t", '"%{%H}t" is no atom'),
        ("%(message)s", '"%(message)s" is no atom'),
        ("%>h", '"%>h" is no atom'),
        ("%h %", '"%" is no atom'),
        ("%h %é", '"%\\xe9" is no atom'),
        ("%{HOME}e", "The access log shows no environment variables: %{HOME}e."),
        ("%h\n%s", "\\x0a in the format of the access log would break its lines"),
        ("%h\x1b", "\\x1b in the format"),
        ("%h\u2028", "\\u2028 in the format"),
        ("%h\udc80", "\\udc80 in the format"),
    ],
)
def test_what_is_no_format_is_refused(text: str, says: str) -> None:
    """The message names what is wrong and what there is."""
    with pytest.raises(FormatError) as caught:
        check_format(text)
    assert says in str(caught.value)
    assert str(caught.value).isprintable()
    assert isinstance(caught.value, ValueError)
