"""The extensions of the ASGI conversation, and the order of all messages, each in each state."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from srvctl.worker.http.cycle import ClientDisconnected, RequestCycle
from srvctl.worker.http.headers import HeaderError
from srvctl.worker.http.protocol import RequestHead
from tests.unit.worker.recording import FakeHost, FakeServer, is_waiting, step

if TYPE_CHECKING:
    from pathlib import Path

    from srvctl.worker.http.file_body import FileBody

ALL = ("early_hint", "trailers", "pathsend", "zerocopysend", "debug")
SMALL, BIG = b"file", b"f" * 100_000  #: a file that is written with its head, and one that is sent


class Host(FakeHost):
    """Sends files, or fails to, or waits with it."""

    failure: BaseException | None = None
    waits = False
    files = 0

    async def send_file(self, body: FileBody) -> None:
        self.files += 1
        if self.failure is not None:
            raise self.failure
        if self.waits:
            await asyncio.get_running_loop().create_future()
        await super().send_file(body)


class Talk:
    """A cycle whose request has all extensions, unless told otherwise."""

    def __init__(
        self,
        method: str = "GET",
        version: str = "1.1",
        *,
        takes_trailers: bool = True,
        extensions: tuple[str, ...] = ALL,
    ) -> None:
        self.host, self.server = Host(), FakeServer()
        head = RequestHead(method, b"/", version, (), takes_trailers=takes_trailers)
        scope: dict[str, Any] = {"extensions": {f"http.response.{name}": {} for name in extensions}}
        self.cycle = RequestCycle(self.host, self.server, head, scope)

    def sends(self, kind: str, **message: Any) -> None:
        step(self.cycle.send({"type": f"http.response.{kind}", **message}))

    def starts(self, *headers: tuple[bytes, bytes], status: int = 200, **message: Any) -> None:
        self.sends("start", status=status, headers=headers, **message)

    @property
    def fields(self) -> bytes:
        """The head of the response."""
        return self.host.sent.partition(b"\r\n\r\n")[0] + b"\r\n"

    @property
    def content(self) -> bytes:
        """What came behind the head."""
        return self.host.sent.partition(b"\r\n\r\n")[2]

    @property
    def is_over(self) -> bool:
        return bool(self.host.ended)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small"
    path.write_bytes(SMALL)
    return path


@pytest.fixture
def big(tmp_path: Path) -> Path:
    path = tmp_path / "big"
    path.write_bytes(BIG)
    return path


# -- the order of messages ----------------------------------------------------------------------------

Steps = list[tuple[str, dict[str, Any]]]
START = ("start", {"status": 200, "headers": []})
LENGTH = ("start", {"status": 200, "headers": [(b"content-length", b"8")]})
TRAILING = ("start", {"status": 200, "headers": [], "trailers": True})
MORE = ("body", {"body": b"more", "more_body": True})
END = ("body", {"body": b"end!"})

STATES: dict[str, tuple[dict[str, Any], Steps]] = {
    "before start": ({}, []),
    "started": ({}, [START]),
    "sized": ({}, [LENGTH, MORE]),
    "chunked": ({}, [START, MORE]),
    "until close": ({"version": "1.0"}, [START, MORE]),
    "bodiless": ({"method": "HEAD"}, [START, MORE]),
    "trailers": ({}, [TRAILING, END]),
    "unsent trailers": ({"method": "HEAD"}, [TRAILING, END]),
    "complete": ({}, [START, END]),
}
MESSAGES: dict[str, tuple[str, dict[str, Any]]] = {
    "start": START,
    "more body": MORE,
    "body": END,
    "early hint": ("early_hint", {"links": [b"</a>; rel=preload"]}),
    "debug": ("debug", {"info": 1}),
    "pathsend": ("pathsend", {}),
    "zerocopysend": ("zerocopysend", {}),
    "more zerocopysend": ("zerocopysend", {"more_body": True}),
    "trailers": ("trailers", {"headers": [(b"a", b"b")]}),
    "more trailers": ("trailers", {"headers": [(b"a", b"b")], "more_trailers": True}),
    "push": ("push", {"path": "/", "headers": []}),
}
BODIES = ("more body", "body", "zerocopysend", "more zerocopysend")
ALLOWED = {
    "before start": ("start", "early hint", "debug"),
    "started": (*BODIES, "pathsend"),
    "sized": BODIES,
    "chunked": BODIES,
    "until close": BODIES,
    "bodiless": BODIES,
    "trailers": ("trailers", "more trailers"),
    "unsent trailers": ("trailers", "more trailers"),
    "complete": (),
}


@pytest.mark.parametrize("message", MESSAGES)
@pytest.mark.parametrize("state", STATES)
def test_every_message_in_every_state(state: str, message: str, small: Path) -> None:
    """What the tables do not have is refused, and changes nothing."""
    request, steps = STATES[state]
    talk = Talk(**request)
    for kind, fields in steps:
        talk.sends(kind, **fields)
    before, accepts = talk.host.sent, talk.cycle._accepts
    kind, fields = MESSAGES[message]
    with small.open("rb") as file:
        files: dict[str, dict[str, Any]] = {"pathsend": {"path": str(small)}, "zerocopysend": {"file": file}}
        fields = fields | files.get(kind, {})
        if message in ALLOWED[state]:
            talk.sends(kind, **fields)
            ends = not fields.get("more_body") and not fields.get("more_trailers")
            assert talk.is_over == (ends and message not in {"start", "early hint", "debug"})
            return
        with pytest.raises(RuntimeError, match="ASGI message"):
            talk.sends(kind, **fields)
    assert (talk.host.sent, talk.cycle._accepts) == (before, accepts)


@pytest.mark.parametrize("state", STATES)
def test_every_state_has_an_end_when_the_application_returns(state: str) -> None:
    """500 where nothing was sent, nothing where all was, and a break between them."""
    request, steps = STATES[state]
    talk = Talk(**request)
    for kind, fields in steps:
        talk.sends(kind, **fields)
    talk.cycle.returned(None)
    assert len(talk.host.ended) + len(talk.host.broken) == 1
    assert bool(talk.host.broken) == (state not in {"before start", "started", "complete"})
    assert (b" 500 " in talk.host.sent) == (state in {"before start", "started"})
    assert talk.cycle.is_response_complete
    assert len(talk.server.reports) == (state != "complete")


@pytest.mark.parametrize("extension", ALL)
def test_an_extension_that_was_not_offered_is_refused(extension: str, small: Path) -> None:
    """And the error does not name it; the response can still be sent."""
    talk = Talk(extensions=tuple(name for name in ALL if name != extension), takes_trailers=False)
    messages: dict[str, dict[str, Any]] = {
        "early_hint": {"links": []},
        "trailers": {"headers": []},
        "pathsend": {"path": str(small)},
        "zerocopysend": {"file": 0},
        "debug": {"info": 1},
    }
    is_early = extension in {"early_hint", "debug"}
    if not is_early:
        talk.starts()
    with pytest.raises(RuntimeError, match="Expected ASGI message") as raised:
        talk.sends(extension, **messages[extension])
    assert extension not in str(raised.value).partition(", but got")[0]
    if is_early:
        talk.starts()
    talk.sends("body", body=b"ok")
    assert talk.content == b"ok"


def test_the_error_names_what_the_request_was_offered() -> None:
    """It is what the developer sees."""
    talk = Talk(extensions=("pathsend",))
    talk.starts()
    with pytest.raises(RuntimeError) as raised:
        talk.starts()
    assert str(raised.value) == (
        "Expected ASGI message 'http.response.body' or 'http.response.pathsend', "
        "but got 'http.response.start'."
    )


# -- early hints and debug ----------------------------------------------------------------------------


def test_early_hints_leave_at_once_and_as_often_as_wanted() -> None:
    """RFC 8297: before the final response, of which they are no part."""
    talk = Talk()
    for number in range(2):
        talk.sends("early_hint", links=[b"</%d>" % number, b"</b>; rel=preload"])
    assert talk.host.sent == b"".join(
        b"HTTP/1.1 103 Early Hints\r\nlink: </%d>\r\nlink: </b>; rel=preload\r\n\r\n" % number
        for number in range(2)
    )
    assert not talk.cycle.is_response_begun
    talk.cycle.give_up()
    assert b"HTTP/1.1 500 " in talk.host.sent


@pytest.mark.parametrize("link", [b"</a>\r\nx: y", b"</a>\n", b"\0"])
def test_early_hints_cannot_split_the_response(link: bytes) -> None:
    """Like any other field."""
    talk = Talk()
    with pytest.raises(HeaderError):
        talk.sends("early_hint", links=[link])
    assert talk.host.sent == b""


def test_what_is_debugged_is_logged_and_not_sent() -> None:
    """ASGI: debug extension."""
    talk = Talk()
    talk.sends("debug", info={"a": 1})
    talk.sends("debug")
    assert talk.server.debugged == [{"a": 1}, None]
    assert talk.host.sent == b""


# -- trailers -----------------------------------------------------------------------------------------


def test_trailers_stand_behind_the_last_chunk() -> None:
    """RFC 9112 section 7.1.2."""
    talk = Talk()
    talk.starts((b"trailer", b"a"), trailers=True)
    talk.sends("body", body=b"abc")
    assert talk.content == b"3\r\nabc\r\n0\r\n"
    assert not talk.is_over
    talk.sends("trailers", headers=[(b"a", b"1")], more_trailers=True)
    talk.sends("trailers", headers=[(b"b", b"2")])
    assert talk.content == b"3\r\nabc\r\n0\r\na: 1\r\nb: 2\r\n\r\n"
    assert talk.is_over


def test_a_response_with_trailers_has_no_length() -> None:
    """Only chunks carry trailers, and chunks have no Content-Length (RFC 9112 section 6.3)."""
    talk = Talk()
    talk.starts((b"Content-Length", b"3"), (b"x", b"y"), trailers=True)
    talk.sends("body", body=b"abc")
    talk.sends("trailers")
    assert b"ength" not in talk.fields
    assert b"\r\nx: y\r\n" in talk.fields
    assert b"\r\ntransfer-encoding: chunked\r\n" in talk.fields
    assert talk.content == b"3\r\nabc\r\n0\r\n\r\n"


@pytest.mark.parametrize("how", ["not announced", "client takes none"])
def test_trailers_need_both_sides(how: str) -> None:
    """Then there are none, and no place for them."""
    talk = Talk(takes_trailers=how == "not announced")
    talk.starts(trailers=how != "not announced")
    talk.sends("body", body=b"abc")
    assert talk.is_over
    assert talk.content == b"abc"
    with pytest.raises(RuntimeError, match="already completed"):
        talk.sends("trailers", headers=[])


@pytest.mark.parametrize(
    "request_", [{"method": "HEAD"}, {"version": "1.0"}, {"status": 204}, {"status": 304}]
)
def test_trailers_of_what_has_no_chunks_are_not_sent(request_: dict[str, Any]) -> None:
    """The application need not know."""
    status = request_.pop("status", 200)
    talk = Talk(**request_)
    talk.starts(status=status, trailers=True)
    talk.sends("body", body=b"")
    before = talk.host.sent
    talk.sends("trailers", headers=[(b"a", b"b")], more_trailers=True)
    assert not talk.is_over
    talk.sends("trailers", headers=[(b"a", b"b")])
    assert talk.host.sent == before
    assert talk.is_over


@pytest.mark.parametrize("field", [(b"a", b"1\r\nb: 2"), (b"a b", b"1"), (b"content-length", b"3")])
def test_bad_trailers_are_refused_and_good_ones_may_follow(field: tuple[bytes, bytes]) -> None:
    """RFC 9110 section 6.5.1: a length behind the body is none."""
    talk = Talk()
    talk.starts(trailers=True)
    talk.sends("body", body=b"abc")
    before = talk.host.sent
    with pytest.raises((HeaderError, RuntimeError)):
        talk.sends("trailers", headers=[field])
    assert talk.host.sent == before
    talk.sends("trailers", headers=[(b"a", b"1")])
    assert talk.content.endswith(b"0\r\na: 1\r\n\r\n")


def test_500_in_place_of_a_response_with_trailers_has_none() -> None:
    """What the attempt knew is forgotten."""
    talk = Talk()
    talk.starts(trailers=True)
    talk.cycle.give_up()
    assert talk.is_over
    assert b"content-length: 21\r\n" in talk.fields


# -- files --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", SMALL, BIG])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_path_is_a_whole_body(method: str, content: bytes, tmp_path: Path) -> None:
    """Of a length that is known; the log counts it."""
    path = tmp_path / "file"
    path.write_bytes(content)
    talk = Talk(method)
    talk.starts()
    talk.sends("pathsend", path=str(path))
    assert talk.is_over
    assert talk.content == (content if method == "GET" else b"")
    assert talk.cycle.body_sent == len(talk.content)
    if method == "GET" or content:
        assert b"\r\ncontent-length: %d\r\n" % len(content) in talk.fields
    assert talk.host.files == (method == "GET" and content == BIG)


@pytest.mark.parametrize("path", ["small", "big"])
def test_a_path_keeps_the_length_that_was_announced(path: str, request: pytest.FixtureRequest) -> None:
    """Or is not sent at all."""
    file: Path = request.getfixturevalue(path)
    size = file.stat().st_size
    for length in (size - 1, size, size + 1):
        talk = Talk()
        talk.starts((b"content-length", b"%d" % length))
        if length == size:
            talk.sends("pathsend", path=str(file))
            assert len(talk.content) == size
            continue
        with pytest.raises(RuntimeError, match="than Content-Length"):
            talk.sends("pathsend", path=str(file))
        assert talk.host.sent == b""


def test_a_path_that_cannot_be_opened_can_be_answered_otherwise(tmp_path: Path) -> None:
    """Nothing was sent."""
    talk = Talk()
    talk.starts()
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(OSError, match=str(path)):
            talk.sends("pathsend", path=str(path))
    talk.cycle.give_up()
    assert b" 500 " in talk.host.sent


def test_files_and_bytes_can_be_mixed(small: Path, big: Path) -> None:
    """In chunks, or within the length that was announced."""
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (b"a", SMALL, BIG, b"z"))
    for length in (None, 2 + len(SMALL) + len(BIG)):
        talk = Talk()
        talk.starts(*([] if length is None else [(b"content-length", b"%d" % length)]))
        talk.sends("body", body=b"a", more_body=True)
        with small.open("rb") as file, big.open("rb") as other:
            talk.sends("zerocopysend", file=file, more_body=True)
            talk.sends("zerocopysend", file=other, more_body=True)
        talk.sends("body", body=b"z")
        assert talk.content == (chunks + b"0\r\n\r\n" if length is None else b"a" + SMALL + BIG + b"z")
        assert talk.is_over
        assert talk.cycle.body_sent == 2 + len(SMALL) + len(BIG)


@pytest.mark.parametrize("first", [True, False])
def test_a_part_of_a_file_is_sent(first: bool, big: Path) -> None:
    """From an offset, so many bytes, as the first piece of the body or a later one."""
    talk = Talk()
    talk.starts((b"content-length", b"70000"))
    if not first:
        talk.sends("body", body=b"", more_body=True)
    with big.open("rb") as file:
        talk.sends("zerocopysend", file=file, offset=5, count=70_000)
    assert talk.content == BIG[5:70_005]
    assert talk.is_over


def test_an_empty_file_does_not_end_a_stream_of_chunks(tmp_path: Path) -> None:
    """An empty chunk would be the last."""
    path = tmp_path / "empty"
    path.touch()
    talk = Talk()
    talk.starts()
    with path.open("rb") as file:
        talk.sends("zerocopysend", file=file, more_body=True)
        talk.sends("body", body=b"a", more_body=True)
        talk.sends("zerocopysend", file=file)
    assert talk.content == b"1\r\na\r\n0\r\n\r\n"


def test_trailers_behind_a_file(big: Path) -> None:
    """It is chunked for them."""
    talk = Talk()
    talk.starts(trailers=True)
    talk.sends("pathsend", path=str(big))
    assert not talk.is_over
    talk.sends("trailers", headers=[(b"a", b"1")])
    assert talk.content == b"%x\r\n%b\r\n0\r\na: 1\r\n\r\n" % (len(BIG), BIG)


def test_a_file_for_1_0_without_a_length_ends_with_the_connection(big: Path) -> None:
    """More might follow."""
    talk = Talk(version="1.0")
    talk.starts()
    with big.open("rb") as file:
        talk.sends("zerocopysend", file=file, more_body=True)
    assert talk.cycle.ends_with_connection
    talk.sends("body")
    assert talk.content == BIG
    assert not talk.cycle.keep_alive


@pytest.mark.parametrize("error", [OSError("became shorter"), asyncio.CancelledError()])
def test_a_file_that_is_not_sent_whole_breaks_the_connection(error: BaseException, big: Path) -> None:
    """A part may be on its way; whatever the application sends next comes too late."""
    talk = Talk()
    talk.host.failure = error
    talk.starts()
    with pytest.raises(type(error)):
        talk.sends("pathsend", path=str(big))
    assert talk.host.broken == [talk.cycle]
    with pytest.raises(RuntimeError, match="already completed"):
        talk.sends("body", body=b"x")
    talk.cycle.give_up()
    assert talk.host.broken == [talk.cycle], "the end is told once"


def test_a_client_that_leaves_during_a_file_is_no_fault(big: Path) -> None:
    """Nothing is broken, nothing is reported, and nothing more is sent."""
    talk = Talk()
    talk.host.failure = ClientDisconnected("the client went away")
    talk.starts()
    with pytest.raises(ClientDisconnected):
        talk.sends("pathsend", path=str(big))
    assert talk.cycle.is_disconnected
    talk.cycle.returned(None)
    assert (talk.host.broken, talk.server.reports) == ([], [])
    with pytest.raises(ClientDisconnected):
        talk.sends("body", body=b"x")


def test_nothing_can_be_sent_while_a_file_is(big: Path) -> None:
    """By another task: it would land in its middle."""

    async def scenario() -> None:
        talk = Talk()
        talk.host.waits = True
        talk.starts()
        sending = talk.cycle.send({"type": "http.response.pathsend", "path": str(big)})
        assert is_waiting(sending)
        before = talk.host.sent
        for kind, fields in (END, START, ("zerocopysend", {"file": 0})):
            with pytest.raises(RuntimeError, match="while a file is being sent"):
                talk.sends(kind, **fields)
        assert talk.host.sent == before
        assert talk.cycle.is_response_begun
        sending.close()
        assert talk.host.broken == [talk.cycle]

    asyncio.run(scenario())


# -- event streams ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "is_stream"),
    [(b"text/event-stream", True), (b"Text/Event-Stream; charset=utf-8", True), (b"text/plain", False)],
)
def test_an_event_stream_is_known_by_its_type(kind: bytes, is_stream: bool) -> None:
    """Once it has begun: it is told first that a worker stops."""
    talk = Talk()
    talk.starts((b"Content-Type", kind))
    assert not talk.cycle.is_event_stream
    talk.sends("body", body=b"a", more_body=True)
    assert talk.cycle.is_event_stream is is_stream
