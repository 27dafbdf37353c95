"""WSGI applications in threads: order, streaming, clients that leave, requests that are cancelled."""

from __future__ import annotations

import asyncio
import contextvars
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from srvctl.worker.http.roles import ClientDisconnected
from srvctl.worker.interfaces.wsgi import Wsgi

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATIENCE = 20

END = {"type": "http.response.body", "body": b""}
OK = {"type": "http.response.start", "status": 200, "headers": []}


def body(piece: bytes) -> dict[str, Any]:
    return {"type": "http.response.body", "body": piece, "more_body": True}


def scope(**changes: Any) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/",
        "raw_path": b"/",
        "root_path": "",
        "query_string": b"",
        "headers": [],
        "server": ("127.0.0.1", 8000),
        "client": ("192.0.2.1", 5000),
        **changes,
    }


class Client:
    """Sends what it is given, and takes messages until it has enough."""

    def __init__(self, *pieces: bytes, leaves: bool = False, takes: int = sys.maxsize) -> None:
        self.messages = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
        if not leaves:
            self.messages.append({"type": "http.request", "body": b"", "more_body": False})
        self.sent: list[Any] = []
        self.takes = takes
        self.has_gone = asyncio.Event()

    async def receive(self) -> Any:
        return self.messages.pop(0) if self.messages else {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        if len(self.sent) == self.takes:
            self.has_gone.set()
            raise ClientDisconnected("gone")
        self.sent.append(message)


def run(
    application: Any, *pieces: bytes, leaves: bool = False, takes: int = sys.maxsize, **changes: Any
) -> Client:
    async def main() -> Client:
        client = Client(*pieces, leaves=leaves, takes=takes)
        async with asyncio.timeout(PATIENCE):
            await Wsgi(application, 2)(scope(**changes), client.receive, client.send)
        return client

    return asyncio.run(main())


def environ_of(*pieces: bytes, threads: int = 2, **changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}

    def application(environ: Any, start_response: Any) -> Any:
        found.update(environ)
        start_response("200 OK", [])
        return []

    async def main() -> None:
        client = Client(*pieces)
        await Wsgi(application, threads)(scope(**changes), client.receive, client.send)

    asyncio.run(main())
    return found


class Pieces:
    """An iterator that tells of its end."""

    def __init__(self, *pieces: bytes, after: BaseException | None = None) -> None:
        self._pieces = iter(pieces)
        self._after = after
        self.closed = 0
        self.taken = 0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        self.taken += 1
        try:
            return next(self._pieces)
        except StopIteration:
            if self._after is not None:
                raise self._after from None
            raise

    def close(self) -> None:
        self.closed += 1

    def application(self, environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [])
        return self


class TestResponse:
    def test_pieces_are_sent_as_they_are(self) -> None:
        """But for empty ones; then the iterator is closed, once."""
        pieces = Pieces(b"a", b"", b"b")
        assert run(pieces.application).sent == [OK, body(b"a"), body(b"b"), END]
        assert pieces.closed == 1

    def test_a_response_may_have_no_pieces(self) -> None:
        """It has a head all the same."""
        assert run(Pieces().application).sent == [OK, END]

    def test_a_generator_begins_when_it_is_asked(self) -> None:
        """So its start_response() comes late."""

        def application(environ: Any, start_response: Any) -> Any:
            start_response("404 Not Found", [("X-A", "\xe4 ")])
            yield b"a"

        start = {"type": "http.response.start", "status": 404, "headers": [(b"x-a", b"\xe4")]}
        assert run(application).sent == [start, body(b"a"), END]

    def test_a_status_may_have_no_reason(self) -> None:
        """HTTP allows that."""

        def application(environ: Any, start_response: Any) -> Any:
            start_response("204", [])
            return []

        assert run(application).sent[0]["status"] == 204

    def test_the_head_may_be_replaced_until_it_is_sent(self) -> None:
        """PEP 3333: by an error handler, which has ``exc_info``."""

        def application(environ: Any, start_response: Any) -> Any:
            start_response("200 OK", [])
            try:
                raise ValueError("a")
            except ValueError:
                start_response("503 Sorry", [], sys.exc_info())
            return [b"sorry"]

        assert [message.get("status") for message in run(application).sent] == [503, None, None]

    def test_behind_the_first_piece_it_may_not(self) -> None:
        """The exception it was called for goes on."""

        def application(environ: Any, start_response: Any) -> Any:
            start_response("200 OK", [])
            yield b"a"
            try:
                raise ValueError("too late")
            except ValueError:
                start_response("503 Sorry", [], sys.exc_info())
            yield b"b"

        with pytest.raises(ValueError, match="too late"):
            run(application)

    def test_write(self) -> None:
        """What is written comes before what is returned."""

        def application(environ: Any, start_response: Any) -> Any:
            write = start_response("200 OK", [])
            write(b"")
            write(b"a")
            write(b"b")
            return [b"c"]

        assert run(application).sent == [OK, body(b"a"), body(b"b"), body(b"c"), END]

    @pytest.mark.parametrize("pieces", [[], [b"a"]])
    def test_a_response_without_a_head(self, pieces: list[bytes]) -> None:
        """It is not sent."""
        with pytest.raises(RuntimeError, match=r"did not call start_response"):
            run(lambda environ, start_response: pieces)

    def test_two_heads(self) -> None:
        """They are one too many."""

        def application(environ: Any, start_response: Any) -> Any:
            start_response("200 OK", [])
            start_response("200 OK", [])
            return []

        with pytest.raises(RuntimeError, match="called twice"):
            run(application)

    @pytest.mark.parametrize(
        ("error", "kind"),
        [
            (ValueError("a"), ValueError),
            (SystemExit(3), RuntimeError),
            (KeyboardInterrupt(), RuntimeError),
            (asyncio.CancelledError(), RuntimeError),
        ],
        ids=repr,
    )
    def test_what_an_application_raises_comes_out(self, error: BaseException, kind: type[Exception]) -> None:
        """In the task of the request, and as nothing that would end the loop; the iterator is closed."""
        pieces = Pieces(b"a", after=error)
        with pytest.raises(kind):
            run(pieces.application)
        assert pieces.closed == 1

    def test_a_stop_iteration_of_a_call_comes_out(self) -> None:
        """It cannot be set on a future: whoever waited for that would wait for ever."""

        def application(environ: Any, start_response: Any) -> Any:
            return next(iter([]))

        with pytest.raises(RuntimeError):
            run(application)

    def test_what_cannot_be_sent_comes_out(self) -> None:
        """A piece that the server refuses, and the iterator ends."""
        pieces = Pieces(*[b"a"] * 100)

        class Picky(Client):
            async def send(self, message: Any) -> None:
                await super().send(message)
                if message["type"] == "http.response.body":
                    raise TypeError("no such piece")

        async def main() -> None:
            client = Picky()
            await Wsgi(pieces.application, 1)(scope(), client.receive, client.send)

        with pytest.raises(TypeError, match="no such piece"):
            asyncio.run(main())
        assert pieces.closed == 1
        assert pieces.taken < 10

    def test_context_variables_are_those_of_the_request(self) -> None:
        """What the application sets stays in its thread's copy."""
        variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="none")
        found = []

        def application(environ: Any, start_response: Any) -> Any:
            found.append(variable.get())
            variable.set("mine")
            start_response("200 OK", [])
            return []

        async def main() -> None:
            variable.set("request")
            wsgi, client = Wsgi(application, 1), Client()
            await wsgi(scope(), client.receive, client.send)
            await wsgi(scope(), Client().receive, Client().send)
            assert variable.get() == "request"

        asyncio.run(main())
        assert found == ["request", "request"]


class TestLeaving:
    def test_a_client_that_leaves_ends_the_iterator(self) -> None:
        """Of an endless response, and its thread is free again: there is only one for both."""
        pieces = Pieces(*[b"a"] * 100_000)

        async def main() -> None:
            wsgi = Wsgi(pieces.application, 1)
            for _ in range(2):
                client = Client(takes=5)
                with pytest.raises(ClientDisconnected):
                    async with asyncio.timeout(PATIENCE):
                        await wsgi(scope(), client.receive, client.send)

        asyncio.run(main())
        assert pieces.closed == 2
        assert pieces.taken < 40

    def test_a_cancelled_request_ends_the_iterator(self) -> None:
        """As soon as the application makes its next piece; nobody waits for that."""
        began, go_on, closed = threading.Event(), threading.Event(), threading.Event()

        def application(environ: Any, start_response: Any) -> Any:
            start_response("200 OK", [])
            try:
                while True:
                    yield b"a"
                    began.set()
                    go_on.wait(PATIENCE)
            finally:
                closed.set()

        async def main() -> None:
            client = Client()
            task = asyncio.ensure_future(Wsgi(application, 1)(scope(), client.receive, client.send))
            await asyncio.to_thread(began.wait, PATIENCE)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert not closed.is_set()
            go_on.set()
            assert await asyncio.to_thread(closed.wait, PATIENCE)

        asyncio.run(main())

    def test_a_thread_that_is_late_does_not_keep_the_loop(self) -> None:
        """The loop ends while the application works, and so does the thread when it wants to go on."""
        began, go_on, done = threading.Event(), threading.Event(), threading.Event()
        ended: list[BaseException] = []

        def application(environ: Any, start_response: Any) -> Any:
            began.set()
            go_on.wait(PATIENCE)
            try:
                environ["wsgi.input"].read()
            except OSError as error:
                ended.append(error)
            start_response("200 OK", [])
            try:
                yield b"a"
            finally:
                done.set()

        async def main() -> None:
            client = Client()
            task = asyncio.ensure_future(Wsgi(application, 1)(scope(), client.receive, client.send))
            await asyncio.to_thread(began.wait, PATIENCE)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(main())
        go_on.set()
        assert done.wait(PATIENCE)
        assert ended

    def test_a_cancelled_request_that_waits_for_a_thread_is_never_called(self) -> None:
        """Its place is free again."""
        began, go_on, calls = threading.Event(), threading.Event(), []

        def application(environ: Any, start_response: Any) -> Any:
            calls.append(environ["PATH_INFO"])
            began.set()
            go_on.wait(PATIENCE)
            start_response("200 OK", [])
            return []

        async def main() -> None:
            wsgi = Wsgi(application, 1)
            first, second, third = (
                asyncio.ensure_future(wsgi(scope(raw_path=path), Client().receive, Client().send))
                for path in (b"/1", b"/2", b"/3")
            )
            await asyncio.to_thread(began.wait, PATIENCE)
            second.cancel()
            with pytest.raises(asyncio.CancelledError):
                await second
            go_on.set()
            await asyncio.gather(first, third)

        asyncio.run(main())
        assert calls == ["/1", "/3"]


def reading(read: Callable[[Any], Any]) -> tuple[Any, Callable[..., Any]]:
    found: list[Any] = []

    def application(environ: Any, start_response: Any) -> Any:
        found.append(read(environ["wsgi.input"]))
        start_response("200 OK", [])
        return []

    return found, application


class TestBody:
    @pytest.mark.parametrize(
        ("read", "result"),
        [
            (lambda file: file.read(), b"one\ntwo\n\nthree"),
            (lambda file: [file.read(5), file.read(0), file.read(None)], [b"one\nt", b"", b"wo\n\nthree"]),
            (lambda file: [file.readline(), file.readline(2)], [b"one\n", b"tw"]),
            (lambda file: file.readline(65536), b"one\n"),
            (lambda file: file.readlines(), [b"one\n", b"two\n", b"\n", b"three"]),
            (lambda file: file.readlines(5), [b"one\n", b"two\n"]),
            (list, [b"one\n", b"two\n", b"\n", b"three"]),
            (lambda file: [file.read(), file.read(), file.readline(), file.read(9)][1:], [b"", b"", b""]),
        ],
    )
    def test_it_is_read_as_a_file(self, read: Any, result: Any) -> None:
        """In pieces that end anywhere."""
        found, application = reading(read)
        run(application, b"o", b"ne\ntw", b"", b"o\n\nth", b"ree")
        assert found == [result]

    def test_half_a_body_is_no_whole_one(self) -> None:
        """A client that left is an error to whoever reads, of the kind frameworks expect."""

        def read(file: Any) -> Any:
            with pytest.raises(OSError, match="the client left"):
                file.read()
            return file.closed

        found, application = reading(read)
        run(application, b"half", leaves=True)
        assert found == [False]

    def test_a_piece_is_fetched_when_it_is_read(self) -> None:
        """Until then the server takes no more of the client."""
        pieces = [b"x" * 65536] * 8
        left = []

        def application(environ: Any, start_response: Any) -> Any:
            left.append(len(client.messages))
            while environ["wsgi.input"].read(65536):
                left.append(len(client.messages))
            start_response("200 OK", [])
            return []

        client: Any = None

        async def main() -> None:
            nonlocal client
            client = Client(*pieces)
            await Wsgi(application, 1)(scope(), client.receive, client.send)

        asyncio.run(main())
        assert left == [9, 8, 7, 6, 5, 4, 3, 2, 1]


class TestEnviron:
    def test_what_pep_3333_asks_for(self) -> None:
        """And nothing of how it came here."""
        found = environ_of(
            method="PUT",
            scheme="https",
            query_string=b"a=%20",
            headers=[(b"host", b"a.test"), (b"content-type", b"text/a"), (b"content-length", b"0")],
        )
        plain = {key: value for key, value in found.items() if isinstance(value, str)}
        assert plain == {
            "REQUEST_METHOD": "PUT",
            "SCRIPT_NAME": "",
            "PATH_INFO": "/",
            "QUERY_STRING": "a=%20",
            "CONTENT_TYPE": "text/a",
            "CONTENT_LENGTH": "0",
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "8000",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "192.0.2.1",
            "REMOTE_PORT": "5000",
            "HTTP_HOST": "a.test",
            "wsgi.url_scheme": "https",
        }
        assert found["wsgi.version"] == (1, 0)
        assert found["wsgi.errors"] is sys.stderr
        assert found["wsgi.multithread"] is True
        assert found["wsgi.run_once"] is False
        assert "wsgi.input_terminated" not in found
        assert "srvctl.exchange" not in found["asgi.scope"]

    def test_one_thread_is_not_many(self) -> None:
        """An application that is not called twice at a time may rely on that."""
        assert environ_of(threads=1)["wsgi.multithread"] is False

    def test_a_body_without_a_length_has_an_end(self) -> None:
        """Werkzeug takes it for none where nobody says so."""
        assert environ_of(headers=[(b"transfer-encoding", b"chunked")])["wsgi.input_terminated"] is True

    @pytest.mark.parametrize(
        ("root_path", "raw_path", "script_name", "path_info"),
        [
            ("", b"/a%20b/%C3%A4", "", "/a b/\xc3\xa4"),
            ("", b"/%ff%2F", "", "/\xff/"),
            ("/api", b"/api/x", "/api", "/x"),
            ("/api", b"/api/api", "/api", "/api"),
            ("/\xe4", "/\xe4/x".encode(), "/\xc3\xa4", "/x"),
        ],
    )
    def test_paths_are_bytes(self, root_path: str, raw_path: bytes, script_name: str, path_info: str) -> None:
        """As characters of Latin-1, whatever they mean."""
        path = raw_path.decode("latin-1")
        found = environ_of(root_path=root_path, raw_path=raw_path, path=path)
        assert (found["SCRIPT_NAME"], found["PATH_INFO"]) == (script_name, path_info)

    @pytest.mark.parametrize("server", [None, ("/run/a.sock", None)])
    def test_a_unix_socket_has_no_addresses(self, server: Any) -> None:
        """But RFC 3875 wants some."""
        found = environ_of(server=server, client=None, scheme="https")
        assert (found["SERVER_NAME"], found["SERVER_PORT"]) == ("localhost", "443")
        assert found["REMOTE_ADDR"] == ""
        assert "REMOTE_PORT" not in found

    def test_a_client_may_have_no_port(self) -> None:
        """A proxy need not say it."""
        found = environ_of(client=("192.0.2.1", None))
        assert found["REMOTE_ADDR"] == "192.0.2.1"
        assert "REMOTE_PORT" not in found

    def test_fields_are_joined(self) -> None:
        """Cookies with what separates cookies."""
        found = environ_of(
            headers=[(b"cookie", b"a=1"), (b"x-a", b"1"), (b"cookie", b"b=2"), (b"x-a", b"\xe4")]
        )
        assert (found["HTTP_COOKIE"], found["HTTP_X_A"]) == ("a=1; b=2", "1,\xe4")

    def test_a_field_cannot_pass_for_another(self) -> None:
        """Both would be HTTP_X_USER."""
        found = environ_of(headers=[(b"x_user", b"root"), (b"content_length", b"9")])
        assert not {"HTTP_X_USER", "HTTP_CONTENT_LENGTH", "CONTENT_LENGTH"} & found.keys()


def test_a_websocket_is_refused() -> None:
    """WSGI has none."""
    assert run(Pieces().application, type="websocket").sent == [{"type": "websocket.close"}]


def test_threads_wait_for_the_first_request() -> None:
    """None may be there when workers are forked."""
    before = threading.active_count()
    wsgi = Wsgi(Pieces().application, 2)
    assert threading.active_count() == before
    assert wsgi._middleware is None
