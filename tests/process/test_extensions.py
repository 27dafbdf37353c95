"""Early hints, trailers, files and debug messages, on the wire and in the scope."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conformance.cases import get
from tests.conformance.wire import Wire
from tests.support.connections import wait_connections
from tests.support.server import ServerProcess
from tests.support.supervised import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conformance.wire import Answer

either_loop = pytest.mark.parametrize("server", ["uvloop", "asyncio"], indirect=True)
EXTENDED = "tests.support.apps.extended:app"
TRAILERS = "TE: trailers"
ALWAYS = ["http.response.pathsend", "http.response.zerocopysend", "srvctl.broadcast"]
SIZES = [0, 1, 1000, 65_536, 65_537, 1_000_000, 9_000_000]


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest) -> Iterator[ServerProcess]:
    loop = getattr(request, "param", "uvloop")
    with ServerProcess(EXTENDED, "--no-access-log", "--loop", loop) as running:
        yield running


@pytest.fixture
def wire(server: ServerProcess) -> Iterator[Wire]:
    with Wire(server) as opened:
        yield opened


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of every size, named after it."""
    folder = tmp_path_factory.mktemp("files")
    for size in SIZES:
        (folder / str(size)).write_bytes(content(size))
    return folder


def content(size: int) -> bytes:
    return (b"0123456789abcdef!" * (size // 17 + 1))[:size]


def ask(wire: Wire, path: str, *fields: str, method: str = "GET", version: str = "1.1") -> Answer:
    wire.send(get(path, *fields, method=method, version=version))
    return wire.answer(method)


def check_goes_on(wire: Wire) -> None:
    """The connection is kept, with nothing on it that nobody asked for."""
    assert wire.received == b""
    assert ask(wire, "/").body == b"basic"


# -- what is offered ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "fields", "more"),
    [
        ("1.1", (), ["http.response.early_hint"]),
        ("1.1", (TRAILERS,), ["http.response.early_hint", "http.response.trailers"]),
        ("1.1", ("TE: gzip, Trailers;q=0",), ["http.response.early_hint"]),
        ("1.0", (), []),
        ("1.0", (TRAILERS,), []),
    ],
)
def test_what_cannot_be_used_is_not_offered(
    wire: Wire, version: str, fields: tuple[str, ...], more: list[str]
) -> None:
    """Rule 48; ASGI: extensions. HTTP/1.0 has no interim responses and no chunks (RFC 9110 6.5.1, 15.2)."""
    assert ask(wire, "/extensions", *fields, version=version).json == sorted([*ALWAYS, *more])


def test_debug_messages_are_for_debugging(server: ServerProcess, wire: Wire) -> None:
    """ASGI: http.response.debug. Offered and logged only at --log-level debug; refused otherwise."""
    assert ask(wire, "/debug").body == b"refused"
    with ServerProcess(EXTENDED, "--log-level", "debug") as talkative, Wire(talkative) as other:
        assert "http.response.debug" in ask(other, "/extensions").json
        assert ask(other, "/debug").body == b"sent"
        talkative.wait_line(r"DEBUG: +The application says: \{'template': 'a\.html'\}")


# -- early hints --------------------------------------------------------------------------------------


def test_early_hints_come_before_the_response(wire: Wire) -> None:
    """RFC 8297 section 2; ASGI: http.response.early_hint."""
    hint = ask(wire, "/hints")
    assert (hint.status, hint.all("link")) == (103, ["</a.css>; rel=preload", "</b.js>"])
    assert [name for name, _ in hint.fields] == ["link", "link"]
    assert (wire.answer().status, wire.answer().body) == (103, b"sent")


def test_1_0_gets_no_interim_response(wire: Wire) -> None:
    """RFC 9110 section 15.2: the message is refused, and the response goes on."""
    answer = ask(wire, "/hints", version="1.0")
    assert (answer.status, answer.body) == (200, b"RuntimeError")


def test_a_link_that_would_split_the_response_is_refused(wire: Wire) -> None:
    """RFC 9110 section 5.5."""
    assert ask(wire, "/hints?link=%3Ca%3E%0D%0AX:%20y").status == 103
    answer = wire.answer()
    assert (answer.status, answer.body, answer.all("x")) == (200, b"HeaderError", [])
    check_goes_on(wire)


# -- trailers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("query", ["", "?whole", "?length=4", "?length=99"])
def test_trailers_come_behind_the_last_chunk(wire: Wire, query: str) -> None:
    """RFC 9112 section 7.1.2: whatever length the application names, since chunks have none."""
    answer = ask(wire, f"/trailers{query.replace('whole', 'whole=1')}", TRAILERS)
    assert answer.body == (b"ab" if "whole" in query else b"abcd")
    assert answer.trailers == [b"x-sum: 1", b"x-end: 2"]
    assert answer.all("content-length") == []
    check_goes_on(wire)


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
def test_a_response_without_a_body_has_no_trailers(wire: Wire, method: str, status: int) -> None:
    """RFC 9112 section 6.3: it ends with its head, and the messages are taken all the same."""
    answer = ask(wire, f"/trailers?status={status}", TRAILERS, method=method)
    assert (answer.status, answer.trailers) == (status, [])
    check_goes_on(wire)


def test_trailers_that_were_announced_and_never_came_are_an_error(wire: Wire) -> None:
    """ASGI: response start. The end of the body is missing, so the connection is broken off."""
    wire.send(get("/trailers?none=1", TRAILERS))
    with pytest.raises((AssertionError, ConnectionError)):
        wire.answer()


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_client_that_takes_no_trailers_gets_the_whole_body(
    server: ServerProcess, wire: Wire, version: str
) -> None:
    """RFC 9110 section 6.5.1: it was not offered them, and the application's error harms no response."""
    mark = server.mark()
    answer = ask(wire, "/trailers", version=version)
    assert (answer.body, answer.trailers) == (b"abcd", [])
    server.wait_line("Expected|Unexpected ASGI message 'http.response.trailers'", since=mark)


@pytest.mark.parametrize(
    "name",
    [
        *("Content-Length", "Transfer-Encoding", "Trailer", "Host", "Set-Cookie"),
        *("Content-Type", "Content-Encoding"),
    ],
)
def test_a_field_that_must_not_be_a_trailer_is_refused(wire: Wire, name: str) -> None:
    """RFC 9110 section 6.5.1: nothing of framing, routing, authentication or content format."""
    wire.send(get(f"/trailers?name={name}", TRAILERS, "Connection: close"))
    with contextlib.suppress(ConnectionError):
        received = wire.rest()
        assert name.lower() + ": 2" not in received.decode().lower()
        assert not received.endswith(b"0\r\n\r\n")


def test_a_trailer_that_would_split_the_response_is_refused(wire: Wire) -> None:
    """RFC 9110 section 5.5."""
    wire.send(get("/trailers?value=a%0D%0A%0D%0AHTTP/1.1%20200", TRAILERS, "Connection: close"))
    with contextlib.suppress(ConnectionError):
        assert b"a\r\n\r\nHTTP" not in wire.rest()


# -- files --------------------------------------------------------------------------------------------


@either_loop
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("how", ["path", "file"])
def test_a_file_arrives_whole(wire: Wire, files: Path, how: str, size: int) -> None:
    """ASGI: pathsend, zerocopysend. With its length, and the connection goes on."""
    for query in ("", f"&length={size}"):
        answer = ask(wire, f"/{how}?path={files / str(size)}{query}")
        assert (answer.status, answer.all("content-length")) == (200, [str(size)])
        assert answer.body == content(size)
    check_goes_on(wire)


@pytest.mark.parametrize("size", [1000, 9_000_000])
@pytest.mark.parametrize(
    ("offset", "count"), [(None, None), (10, None), (10, 0), (10, 900), (999, 10_000_000), (10**9, None)]
)
def test_a_part_of_a_file(wire: Wire, files: Path, size: int, offset: int | None, count: int | None) -> None:
    """ASGI: zerocopysend. As far as the file goes."""
    query = "".join(
        f"&{name}={value}" for name, value in (("offset", offset), ("count", count)) if value is not None
    )
    begin = offset or 0
    end = size if count is None else begin + count
    assert ask(wire, f"/file?path={files / str(size)}{query}").body == content(size)[begin:end]
    check_goes_on(wire)


@pytest.mark.parametrize("size", [0, 1000, 9_000_000])
@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_file_between_other_pieces(wire: Wire, files: Path, size: int, version: str) -> None:
    """ASGI: zerocopysend with more_body. In chunks, or up to the end of the connection."""
    answer = ask(wire, f"/file?path={files / str(size)}&more=100000", version=version)
    assert answer.body == b"<" * 100_000 + content(size) + b">"
    if version == "1.1":
        check_goes_on(wire)
        length = 100_000 + size + 1
        answer = ask(wire, f"/file?path={files / str(size)}&more=100000&length={length}")
        assert (answer.body[-1:], len(answer.body)) == (b">", length)
        check_goes_on(wire)


@pytest.mark.parametrize("size", [1000, 9_000_000])
@pytest.mark.parametrize("how", ["path", "file"])
@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 304), ("GET", 204)])
def test_a_response_without_a_body_sends_no_file(
    wire: Wire, files: Path, size: int, how: str, method: str, status: int
) -> None:
    """RFC 9112 section 6.3; HEAD names the length (RFC 9110 section 8.6)."""
    answer = ask(wire, f"/{how}?path={files / str(size)}&status={status}", method=method)
    assert answer.status == status
    assert answer.all("content-length") == ([str(size)] if method == "HEAD" else [])
    check_goes_on(wire)


@pytest.mark.parametrize("how", ["path", "file"])
@pytest.mark.parametrize("size", [1000, 9_000_000])
@pytest.mark.parametrize("wrong", [-1, 1])
def test_a_length_that_is_not_that_of_the_file_is_an_error(
    wire: Wire, files: Path, how: str, size: int, wrong: int
) -> None:
    """RFC 9110 section 8.6: noticed before anything is sent, so it can be answered."""
    assert ask(wire, f"/{how}?path={files / str(size)}&length={size + wrong}").status == 500
    check_goes_on(wire)


def test_an_application_can_answer_when_there_is_no_such_file(wire: Wire, files: Path) -> None:
    """FileNotFoundError from send(), before anything is sent; it is no error of the server."""
    answer = ask(wire, f"/path?path={files}/absent&status=404")
    assert (answer.status, answer.body) == (404, b"no such file")
    assert ask(wire, f"/path?path={files}").status == 500, "a folder"
    check_goes_on(wire)


def test_a_file_in_1_0_has_a_length(wire: Wire, files: Path) -> None:
    """RFC 9112 section 6.3."""
    answer = ask(wire, f"/path?path={files}/9000000", version="1.0")
    assert (answer.all("content-length"), answer.body) == (["9000000"], content(9_000_000))
    assert wire.rest() == b""


@either_loop
def test_a_file_that_becomes_shorter_is_visibly_cut_off(
    server: ServerProcess, wire: Wire, tmp_path: Path
) -> None:
    """RFC 9112 section 8: neither padded nor followed by anything that could be taken for its rest."""
    path, mark = tmp_path / "shrinking", server.mark()
    with path.open("wb") as file:
        file.truncate(100_000_000)
        wire.send(get(f"/path?path={path}") + get("/"))
        wire.take(1000)
        file.truncate(20_000_000)
    with pytest.raises(ConnectionResetError):
        wire.rest()
    assert len(wire.received) < 100_000_000
    server.wait_line("has become .* bytes shorter while it was sent", since=mark)


@either_loop
def test_files_may_be_pipelined(wire: Wire, files: Path) -> None:
    """In order, and each with its own bytes."""
    sizes = [9_000_000, 0, 1000, 1_000_000, 65_537] * 2
    wire.send(b"".join(get(f"/path?path={files / str(size)}") for size in sizes))
    for size in sizes:
        assert wire.answer().body == content(size)
    check_goes_on(wire)


@either_loop
def test_a_client_that_leaves_inside_a_file_leaves_no_descriptor(server: ServerProcess, files: Path) -> None:
    """Neither of the file nor of the socket."""
    [worker] = server.workers()

    def descriptors() -> int:
        return len(list(Path(f"/proc/{worker}/fd").iterdir()))

    server.get("/")
    wait_connections(server, 0)
    before = descriptors()
    for _ in range(20):
        with Wire(server) as leaving:
            leaving.send(get(f"/path?path={files}/9000000"))
            leaving.take(1000)
    wait_until(lambda: descriptors() <= before, "neither files nor sockets are left")
