"""What an application is told over HTTP/2, and what becomes of what it says, where the version matters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conformance.http2_served import FLAGS, SERVED, address_of, connect
from tests.conformance.wire import notes
from tests.support.certificates import Authority
from tests.support.http2_client import Http2
from tests.support.http2_frames import (
    DATA,
    INITIAL_WINDOW_SIZE,
    PING,
    RST_STREAM,
    Code,
    block,
    data,
    get,
    headers,
    rst_stream,
)
from tests.support.server import ServerProcess
from tests.support.server_waits import Gate

if TYPE_CHECKING:
    from pathlib import Path


# -- the scope -----------------------------------------------------------------------------------------


def test_the_scope(served: ServerProcess) -> None:
    """ASGI: HTTP connection scope; the pseudo-headers are no headers, and :authority is the Host."""
    with connect(served) as client:
        seen = client.ask("/echo?x=1", ("x-b", "1"), ("x-a", "2"), ("x-b", "3")).json
        assert seen["type"] == "http"
        assert (seen["http_version"], seen["scheme"], seen["method"]) == ("2", "http", "GET")
        assert (seen["path"], seen["raw_path"], seen["query_string"]) == ("/echo", "/echo", "x=1")
        assert seen["headers"] == [["host", "h"], ["x-b", "1"], ["x-a", "2"], ["x-b", "3"]]
        assert seen["server"] == ["127.0.0.1", served.port]
        assert seen["client"] == list(client.socket.getsockname())
        assert seen["asgi"]["version"] == "3.0"


@pytest.mark.parametrize("crumbs", [("a=1",), ("a=1", "b=2"), ("a=1", "b=2; c=3", "d=4")])
def test_crumbs_of_cookies_are_one_field(served: ServerProcess, crumbs: tuple[str, ...]) -> None:
    """RFC 9113 section 8.2.3; ASGI: HTTP connection scope."""
    with connect(served) as client:
        seen = client.ask("/echo", *(("cookie", crumb) for crumb in crumbs)).json
        assert [value for name, value in seen["headers"] if name == "cookie"] == ["; ".join(crumbs)]


def test_the_host_is_named_once(served: ServerProcess) -> None:
    """RFC 9113 section 8.3.1: by :authority, also where both are there."""
    with connect(served) as client:
        assert client.ask("/echo", ("host", "h")).json["headers"] == [["host", "h"]]
        stream = client.new_stream()
        fields = ((":method", "GET"), (":scheme", "http"), (":path", "/echo"), ("host", "other:8"))
        client.send(headers(stream, block(*fields)))
        assert client.answer(stream).json["headers"] == [["host", "other:8"]]


def test_tls(tmp_path: Path) -> None:
    """ASGI: HTTP connection scope, and ALPN (RFC 7301): each client gets the version it asks for first."""
    authority = Authority(tmp_path)
    pair = authority.issue("localhost")
    with ServerProcess(SERVED, *FLAGS, *pair.flags) as server:
        context = authority.client()
        context.set_alpn_protocols(["h2", "http/1.1"])
        with Http2(address_of(server), tls=context) as client:
            stream = client.new_stream()
            fields = ((":method", "GET"), (":scheme", "https"), (":path", "/echo"), (":authority", "h"))
            client.send(headers(stream, block(*fields)))
            seen = client.answer(stream).json
            assert (seen["http_version"], seen["scheme"]) == ("2", "https")
            assert "tls" in seen["extensions"]
            assert len(client.ask("/bytearray-large").body) == 50_000
            client.check_serves()
        server.stop()


def test_a_unix_socket(tmp_path: Path) -> None:
    """ASGI: HTTP connection scope."""
    path = tmp_path / "s"
    with ServerProcess(SERVED, *FLAGS, bind=f"unix:{path}") as server, Http2(str(path)) as client:
        seen = client.ask("/echo").json
        assert (seen["http_version"], seen["server"], seen["client"]) == ("2", [server.path, None], None)


def test_lifespan_state(served: ServerProcess) -> None:
    """ASGI lifespan: a shallow copy for each request (rule 33)."""
    with connect(served) as client:
        seen = [client.ask("/state").json for _ in range(3)]
        assert [mine for mine, _ in seen] == [None] * 3
        assert [len(pool) for _, pool in seen] == [len(seen[0][1]) + number for number in range(3)]


def test_the_context_of_each_request_is_its_own(served: ServerProcess) -> None:
    """No request sees what another has set."""
    with connect(served) as client:
        assert [client.ask(f"/context?{number}").body for number in range(3)] == [b"unset"] * 3


def test_what_is_offered(extended: ServerProcess) -> None:
    """ASGI: extensions."""
    with connect(extended) as client:
        offered = client.ask("/extensions").json
        assert {"http.response.early_hint", "http.response.pathsend"} <= set(offered)
        assert "http.response.trailers" in client.ask("/extensions", ("te", "trailers")).json


# -- bodies --------------------------------------------------------------------------------------------


def test_a_request_streams(extended: ServerProcess) -> None:
    """ASGI: request; each piece is told as it comes."""
    with connect(extended) as client, Gate() as gate:
        stream = client.send_request(f"/watch?gate={gate.port}", method="POST", end=False)
        visitor = gate.wait_visitor()
        for _ in range(3):
            client.send_data(stream, b"piece")
            assert visitor.wait_word() == "http.request"
        client.send_data(stream, end=True)
        assert visitor.wait_word() == "http.request"
        client.send(rst_stream(stream))
        assert visitor.wait_word() == "http.disconnect"


def test_a_response_streams(extended: ServerProcess) -> None:
    """ASGI: response body; the client has each piece before the next one is made."""
    with connect(extended) as client:
        stream = client.send_request("/talk", method="POST", end=False)
        assert client.wait_body(stream, 5).body == b"begun"
        client.send_data(stream, b"x", end=True)
        assert client.answer(stream).body == b"begunended"


def test_an_application_waits_for_a_slow_client(extended: ServerProcess) -> None:
    """ASGI: send() returns once there is room; what is made ahead is limits.response_buffer."""
    with Http2(address_of(extended), gives_back=False) as client, Gate() as gate:
        stream = client.send_request(f"/stream?pieces=1000&size=10000&gate={gate.port}")
        visitor = gate.wait_visitor()
        made = sum(1 for _ in visitor.words_until_silent(0.5))
        assert made < 30, f"{made} pieces of 10,000 bytes for a window of 65,535"
        client.gives_back = True
        client.give_back(0, 1 << 20)
        client.give_back(stream, 1 << 20)
        assert len(client.answer(stream).body) == 10_000_000


def test_streams_run_at_the_same_time(extended: ServerProcess) -> None:
    """RFC 9113 section 5: an answer waits for no other."""
    with connect(extended) as client, Gate() as gate:
        streams = [client.send_request(f"/hold?gate={gate.port}") for _ in range(20)]
        visitors = [gate.wait_visitor() for _ in streams]
        assert client.ask("/").body == b"basic"
        for visitor in reversed(visitors):
            visitor.let_pass()
        assert {client.answer(stream).body for stream in streams} == {b"held"}


def test_large_responses_take_turns(extended: ServerProcess) -> None:
    """RFC 9113 section 5.2.2: none waits for the end of another."""
    with connect(extended) as client:
        streams = [client.send_request("/whole-stream?pieces=4") for _ in range(3)]
        for stream in streams:
            assert len(client.answer(stream).body) == 4 << 20
        order = [frame.stream for frame in client.seen if frame.kind == DATA and frame.payload]
        firsts = [order.index(stream) for stream in streams]
        lasts = [len(order) - order[::-1].index(stream) for stream in streams]
        assert max(firsts) < min(lasts)


# -- interim responses, trailers, files ----------------------------------------------------------------


def test_early_hints(extended: ServerProcess) -> None:
    """RFC 8297; ASGI: http.response.early_hint."""
    with connect(extended) as client:
        answer = client.ask("/hints")
        assert [status for status, _ in answer.interim] == [103, 103]
        assert answer.interim[0][1] == [("link", "</a.css>; rel=preload"), ("link", "</b.js>")]
        assert (answer.status, answer.body) == (200, b"sent")


def test_a_hint_that_would_split_is_refused(extended: ServerProcess) -> None:
    """RFC 9113 section 8.2.1."""
    with connect(extended) as client:
        answer = client.ask("/hints?link=%3Ca%3E%0D%0AX:%20y")
        assert (len(answer.interim), answer.body) == (1, b"HeaderError")


@pytest.mark.parametrize("query", ["", "?whole=1", "?length=4"])
def test_trailers(extended: ServerProcess, query: str) -> None:
    """RFC 9113 section 8.1; ASGI: http.response.trailers."""
    with connect(extended) as client:
        answer = client.ask(f"/trailers{query}", ("te", "trailers"))
        assert answer.body == (b"ab" if "whole" in query else b"abcd")
        assert answer.trailers == [("x-sum", "1"), ("x-end", "2")]
        client.check_serves()


def test_trailers_wait_for_the_window_of_the_body(extended: ServerProcess) -> None:
    """RFC 9113 section 6.9: they are not counted, but come behind what is."""
    with Http2(address_of(extended), values={INITIAL_WINDOW_SIZE: 3}, gives_back=False) as client:
        client.wait_settings()
        stream = client.send_request("/trailers", ("te", "trailers"))
        answer = client.wait_body(stream, 3)
        client.check_open()
        assert not answer.has_ended
        client.give_back(stream, 1)
        assert client.answer(stream).trailers == [("x-sum", "1"), ("x-end", "2")]


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
def test_no_body_and_no_trailers(extended: ServerProcess, method: str, status: int) -> None:
    """RFC 9110 sections 15.3.5 and 15.4.5: the response ends with its head."""
    with connect(extended) as client:
        answer = client.ask(f"/trailers?status={status}", ("te", "trailers"), method=method)
        assert (answer.status, answer.body, answer.trailers) == (status, b"", [])
        client.check_serves()


def test_trailers_that_never_come(extended: ServerProcess) -> None:
    """ASGI: response start. The end of the response is missing, and the client sees that."""
    with connect(extended) as client:
        assert client.ask("/trailers?none=1", ("te", "trailers")).reset == Code.INTERNAL_ERROR
        client.check_serves()


@pytest.mark.parametrize("size", [0, 1, 65_536, 3_000_000])
def test_files(extended: ServerProcess, tmp_path: Path, size: int) -> None:
    """ASGI: http.response.pathsend and zerocopysend."""
    content = (b"0123456789abcdef!" * (size // 17 + 1))[:size]
    file = tmp_path / "file"
    file.write_bytes(content)
    with connect(extended) as client:
        assert client.ask(f"/path?path={file}").body == content
        assert client.ask(f"/path?path={file}&length={size}").body == content
        assert client.ask(f"/path?path={file}&length={size}", method="HEAD").body == b""
        assert client.ask(f"/file?path={file}&more=10").body == b"<" * 10 + content + b">"
        assert client.ask("/path?path=/does/not/exist").body == b"no such file"
        client.check_serves()


@pytest.mark.parametrize("length", ["", "&length=100000"])
def test_a_file_and_a_client_that_leaves(extended: ServerProcess, tmp_path: Path, length: str) -> None:
    """Nothing is left open, and nobody waits."""
    file = tmp_path / "file"
    file.write_bytes(bytes(100_000))
    with Http2(address_of(extended), gives_back=False) as client:
        stream = client.send_request(f"/path?path={file}{length}")
        client.wait_body(stream, 65_535)
        client.send(rst_stream(stream))
        client.give_back(0, 1 << 20)
        client.check_serves()


# -- 100 Continue --------------------------------------------------------------------------------------


def test_100_continue_is_sent_when_the_application_reads(extended: ServerProcess) -> None:
    """RFC 9110 section 10.1.1: and not before."""
    with connect(extended) as client, Gate() as gate:
        stream = client.send_request(
            f"/later?gate={gate.port}", ("expect", "100-continue"), method="POST", end=False
        )
        visitor = gate.wait_visitor()
        client.check_open()
        assert stream not in client.answers
        visitor.let_pass()
        while stream not in client.answers:
            client.step()
        assert client.answers[stream].interim == [(100, [])]
        client.send_data(stream, b"abc", end=True)
        assert client.answer(stream).body == b"3"


def test_no_100_continue_when_it_does_not(served: ServerProcess) -> None:
    """RFC 9110 section 10.1.1: the answer at once, and the connection goes on."""
    with connect(served) as client:
        stream = client.send_request("/ok", ("expect", "100-continue"), method="POST", end=False)
        answer = client.wait_head(stream)
        assert (answer.status, answer.interim) == (200, [])
        client.send(data(stream, end=True))
        client.check_serves()


def test_no_100_continue_behind_the_body(served: ServerProcess) -> None:
    """RFC 9110 section 10.1.1."""
    with connect(served) as client:
        answer = client.ask("/late", ("expect", "100-continue"), method="POST", body=b"abc")
        assert (answer.interim, answer.body) == ([], b"3")


# -- ends ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 3, 100_000])
@pytest.mark.parametrize("how", ["RST_STREAM", "the connection"])
def test_a_client_that_leaves_is_noticed(served: ServerProcess, size: int, how: str) -> None:
    """ASGI: http.disconnect (rule 32), also behind a large body."""
    notes(served, 0)
    with connect(served) as client:
        client.wait_settings()
        stream = client.send_request("/watch", method="POST", body=bytes(size))
        if how == "RST_STREAM":
            client.check_open()
            client.send(rst_stream(stream))
            assert notes(served, 1) == ["http.disconnect"]
            client.check_serves()
    assert how == "RST_STREAM" or notes(served, 1) == ["http.disconnect"]


def test_a_request_that_never_ends_is_a_disconnect(served: ServerProcess) -> None:
    """ASGI: a body that breaks off is never told as whole."""
    notes(served, 0)
    with connect(served) as client:
        stream = client.send_request("/late", method="POST", end=False)
        client.send_data(stream, b"abc")
        client.check_open()
        client.send(rst_stream(stream))
        assert notes(served, 1) == ["disconnect"]


def test_sending_to_a_client_that_left_raises(served: ServerProcess) -> None:
    """ASGI HTTP spec 2.4: an OSError (rule 16)."""
    notes(served, 0)
    with connect(served) as client:
        stream = client.send_request("/for-ever")
        client.wait_body(stream, 1000)
        client.send(rst_stream(stream))
        assert notes(served, 1) == ["OSError: True"]
        client.check_serves()


def test_receive_and_send_after_the_response(served: ServerProcess) -> None:
    """ASGI: disconnect, repeatedly; sending is an error (rules 15 and 18)."""
    notes(served, 0)
    with connect(served) as client:
        assert client.ask("/after-end").body == b"ok"
        assert notes(served, 3) == ["http.disconnect", "http.disconnect", "send raised"]


def test_a_reset_stream_says_nothing_more(served: ServerProcess) -> None:
    """RFC 9113 section 5.4.2: but for what was on its way."""
    with connect(served) as client:
        stream = client.send_request("/for-ever")
        client.wait_body(stream, 1000)
        client.send(rst_stream(stream))
        client.check_open()
        came = len(client.answers[stream].pieces)
        client.check_open()
        assert len(client.answers[stream].pieces) == came


def test_an_answer_before_the_end_of_the_request(served: ServerProcess) -> None:
    """RFC 9113 section 8.1: whole, and then NO_ERROR where the rest is not wanted."""
    with connect(served) as client:
        stream = client.send_request("/ok", method="POST", end=False)
        answer = client.answer(stream)
        assert (answer.status, answer.body, answer.has_ended) == (200, b"ok", True)
        client.check_open()
        resets = [frame.code for frame in client.seen if frame.kind == RST_STREAM]
        assert resets in ([], [Code.NO_ERROR])
        client.send(data(stream, b"late", end=True))
        client.check_serves()


def test_half_of_a_request_at_the_end_of_the_connection(served: ServerProcess) -> None:
    """Nothing of it is answered, and the worker serves on."""
    for sent in (get(1)[:5], get(1)[:20], get(1)[:-1]):
        with connect(served) as client:
            client.send(sent)
    with connect(served) as client:
        client.check_serves()


def test_frames_may_come_byte_by_byte(served: ServerProcess) -> None:
    """A frame is not a packet."""
    with connect(served) as client:
        client.new_stream()
        for byte in get(1, "/echo", ("x", "y"), method="POST", end=False) + data(1, b"ab", end=True):
            client.send(bytes([byte]))
        assert client.answer(1).json["body"] == "ab"
        client.check_serves()


def test_a_ping_overtakes_a_response(served: ServerProcess) -> None:
    """RFC 9113 section 6.7: its answer should come before other frames."""
    with Http2(address_of(served), gives_back=False) as client:
        client.send_request("/for-ever")
        client.send(b"\0\0\x08\x06\0\0\0\0\0overtake")
        client.until(lambda frame: frame.kind == PING and frame.payload == b"overtake")


# -- limits and the log --------------------------------------------------------------------------------


def test_a_body_that_is_too_large(tmp_path: Path) -> None:
    """--limit-request-body-size: 413, whether it was announced or not; others go on."""
    with (
        ServerProcess(SERVED, *FLAGS, "--limit-request-body-size", "100000") as server,
        connect(server) as client,
    ):
        client.wait_settings()
        stream = client.send_request("/echo", ("content-length", "100001"), method="POST", end=False)
        assert client.wait_head(stream).status == 413
        stream = client.send_request("/echo", method="POST", body=bytes(200_000))
        assert client.wait_head(stream).status == 413
        assert client.ask("/late", method="POST", body=bytes(100_000)).body == b"100000"
        client.check_serves()


def test_more_requests_than_a_worker_answers(tmp_path: Path) -> None:
    """--limit-concurrency: streams count like requests, 503 ends no connection, and the places come back."""
    flags = ("--limit-concurrency", "2", "--no-access-log")
    with (
        ServerProcess("tests.support.apps.extended:app", *FLAGS, *flags) as server,
        connect(server) as client,
        Gate() as gate,
    ):
        for _ in range(3):
            streams = [client.send_request(f"/hold?gate={gate.port}") for _ in range(2)]
            visitors = [gate.wait_visitor() for _ in streams]
            answer = client.ask("/")
            assert (answer.status, answer.all("retry-after")) == (503, ["1"])
            for visitor in visitors:
                visitor.let_pass()
            assert [client.answer(stream).body for stream in streams] == [b"held"] * 2
            stream = client.send_request(f"/hold?gate={gate.port}")
            visitor = gate.wait_visitor()
            client.send(rst_stream(stream))
            visitor.let_pass()
            visitor.wait_end()
        assert client.ask("/").status == 200


def test_the_access_log(tmp_path: Path) -> None:
    """A line for each stream, which says the version."""
    with ServerProcess(SERVED, *FLAGS) as server, connect(server) as client:
        assert client.ask("/ok?a=b").status == 200
        assert client.ask("/raises").status == 500
        assert client.ask("/204", method="PUT").status == 204
        for line in ('"GET /ok\\?a=b HTTP/2" 200', '"GET /raises HTTP/2" 500', '"PUT /204 HTTP/2" 204'):
            server.stdout.wait(line)


def test_what_is_served_without_http2(tmp_path: Path) -> None:
    """Without --http2 a preface is a request of an unknown version, and TLS offers no h2."""
    authority = Authority(tmp_path)
    pair = authority.issue("localhost")
    with ServerProcess(SERVED, *pair.flags) as server:
        context = authority.client()
        context.set_alpn_protocols(["h2", "http/1.1"])
        with pytest.raises(AssertionError, match="no h2"), Http2(address_of(server), tls=context):
            pass
    with ServerProcess(SERVED) as server, Http2(address_of(server)) as client:
        assert client.socket.recv(1000).startswith(b"HTTP/1.1 505 ")


def test_http_1_is_served_beside_it(served: ServerProcess) -> None:
    """Who does not begin with the preface speaks HTTP/1.1, on the same socket."""
    assert served.get("/ok").text == "ok"
    with served.connect() as client:
        client.send(b"PRI")
        client.send(b"NT / HTTP/1.1\r\nHost: h\r\n\r\n")
        assert client.read_response().status == 200
    with served.connect() as client:
        client.send(b"PRI * HTTP/1.1\r\nHost: h\r\n\r\n")
        assert client.read_response().status == 400


def test_a_preface_may_come_in_pieces(served: ServerProcess) -> None:
    """RFC 9113 section 3.4."""
    with Http2(address_of(served), values=None) as client:
        for byte in b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n":
            client.send(bytes([byte]))
        client.send_settings({})
        client.check_serves()


def test_what_the_server_says_of_itself(served: ServerProcess) -> None:
    """Section 6.5.2, RFC 8441 section 3."""
    with connect(served) as client:
        client.wait_settings()
        assert client.theirs.get(2, 0) == 0
        assert client.theirs[3] == 100
        assert client.theirs.get(5, 16384) == 16384
        assert client.theirs[8] == 1
