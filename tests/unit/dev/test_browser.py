"""Which responses get the script, what becomes of their fields, and what the script and its stream are."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

import pytest

from srvctl.dev.browser import refreshing
from srvctl.dev.error_page import ErrorPage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from srvctl.dev.asgi import Application, Message, Scope

HTML = (b"content-type", b"text/html; charset=utf-8")
SCRIPT = rb'<script src="(?P<src>/__srvctl__/reload\.js\?\d+\.7\.0)" async></script>'


class Client:
    """Sends one request to an application, as a server would, and keeps what comes back."""

    def __init__(self, application: Application, path: str = "/", method: str = "GET", **scope: Any) -> None:
        headers = [
            (name.replace("_", "-").encode(), value) for name, value in scope.pop("fields", {}).items()
        ]
        self.scope: Scope = {"type": "http", "method": method, "path": path, "headers": headers, **scope}
        self.application = application
        self.messages: list[Message] = []
        self.said = asyncio.Queue[bytes]()
        self.has_left = asyncio.Event()

    async def receive(self) -> Message:
        if not self.messages:
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.has_left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        self.messages.append(message)
        self.said.put_nowait(message.get("body", b""))

    def run(self) -> Client:
        asyncio.run(asyncio.wait_for(self.call(), 10))
        return self

    async def call(self) -> None:
        await self.application(self.scope, self.receive, self.send)

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.messages[0]["headers"])

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.messages[1:])


class Answering:
    """An application that answers so, and keeps what it was asked."""

    def __init__(
        self, *pieces: bytes, status: int = 200, headers: Sequence[tuple[bytes, bytes]] = (HTML,)
    ) -> None:
        self.pieces, self.status, self.headers = pieces, status, headers
        self.scope: Scope = {}

    async def __call__(self, scope: Scope, _receive: Any, send: Any) -> None:
        self.scope = scope
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        for number, piece in enumerate(self.pieces, 1):
            is_last = number == len(self.pieces)
            await send({"type": "http.response.body", "body": piece, "more_body": not is_last})


PAGE = (b"<body>text</bo", b"dy></html>")


@pytest.mark.parametrize("status", [200, 404, 500])
def test_pages_get_the_script(status: int) -> None:
    length = str(len(b"".join(PAGE))).encode()
    application = Answering(
        *PAGE, status=status, headers=[HTML, (b"Content-Length", length), (b"etag", b'"x"')]
    )
    client = Client(refreshing(application, 7)).run()
    found = re.fullmatch(rb"<body>text%b</body></html>" % SCRIPT, client.body)
    assert found
    assert client.headers == {HTML[0]: HTML[1], b"content-length": str(len(client.body)).encode()}
    script = Client(refreshing(application, 7), found["src"].decode().partition("?")[0]).run()
    assert b"EventSource" in script.body
    assert script.headers[b"content-length"] == str(len(script.body)).encode()
    assert script.headers[b"content-type"].startswith(b"text/javascript")


@pytest.mark.parametrize(
    ("status", "headers", "method", "fields"),
    [
        (200, [(b"content-type", b"application/json")], "GET", {}),
        (200, [], "GET", {}),
        (200, [HTML, (b"content-encoding", b"br")], "GET", {}),
        (200, [HTML, (b"content-length", b"many")], "GET", {}),
        (206, [HTML, (b"content-range", b"bytes 0-3/9")], "GET", {}),
        (304, [HTML, (b"etag", b'"x"')], "GET", {}),
        (200, [(b"content-type", b"text/html; charset=utf-16")], "GET", {}),
        (200, [HTML, (b"content-length", b"99")], "HEAD", {}),
        (200, [HTML], "POST", {}),
        (200, [HTML], "GET", {"sec_fetch_dest": b"empty"}),
        (200, [HTML], "GET", {"hx_request": b"true"}),
    ],
)
def test_everything_else_is_left_alone(
    status: int, headers: list[tuple[bytes, bytes]], method: str, fields: dict[str, bytes]
) -> None:
    """What is no page, is only a piece of one, cannot be added to, or must not be asked for again."""
    application = Answering(*PAGE, status=status, headers=headers)
    client = Client(refreshing(application, 7), method=method, fields=fields).run()
    assert client.body == b"".join(PAGE)
    assert client.messages[0]["headers"] == headers


def test_the_application_makes_what_can_be_added_to() -> None:
    """Nothing compressed, nothing that the browser may have without the script, no file sent unseen."""
    application = Answering(*PAGE)
    fields = {"accept": b"text/html,*/*", "accept_encoding": b"gzip", "if_none_match": b'"x"', "x": b"y"}
    extensions: dict[str, Any] = {"http.response.pathsend": {}, "http.response.zerocopysend": {}, "tls": {}}
    client = Client(refreshing(application, 7), fields=fields, extensions=extensions).run()
    assert application.scope["headers"] == [(b"accept", b"text/html,*/*"), (b"x", b"y")]
    assert application.scope["extensions"] == {"tls": {}}
    assert len(client.scope["headers"]) == 4
    assert len(client.scope["extensions"]) == 3
    Client(refreshing(application, 7), fields={"accept": b"image/*", "if_none_match": b'"x"'}).run()
    assert dict(application.scope["headers"])[b"if-none-match"] == b'"x"'


def test_the_script_is_below_the_root_path_and_has_the_nonce() -> None:
    policy = (b"content-security-policy", b"script-src 'nonce-r4nd0m+/=' 'strict-dynamic'")
    application = Answering(*PAGE, headers=[HTML, policy])
    client = Client(refreshing(application, 7), "/a/b/x", root_path='/a/b"').run()
    assert b'src="/a/b%22/__srvctl__/reload.js' in client.body
    assert b' nonce="r4nd0m+/=" async>' in client.body
    for path in ("/a/a/__srvctl__/reload.js", "/a/__srvctl__/reload.js", "/__srvctl__/reload.js"):
        assert b"EventSource" in Client(refreshing(application, 7), path, root_path="/a").run().body


def test_other_scopes_pass() -> None:
    seen = []

    async def application(scope: Scope, _receive: Any, _send: Any) -> None:
        seen.append(scope)

    async def main() -> None:
        for kind in ("lifespan", "websocket"):
            client = Client(refreshing(application, 7))
            client.scope = {"type": kind}
            await client.call()

    asyncio.run(main())
    assert seen == [{"type": "lifespan"}, {"type": "websocket"}]


def test_the_stream_tells_the_edition_until_the_browser_leaves() -> None:
    """At first, and when another page is shown."""
    page = ErrorPage("one", "")

    async def main() -> None:
        client = Client(refreshing(page, 7), "/__srvctl__/reload")
        async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
            stream = tasks.create_task(client.call())
            assert await client.said.get() == b""
            assert client.headers[b"content-type"] == b"text/event-stream"
            first = await client.said.get()
            assert re.fullmatch(rb"retry: \d+\ndata: \d+\.7\.0\n\n", first)
            page.show("two", "")
            assert re.fullmatch(rb"data: \d+\.7\.1\n\n", await client.said.get())
            page.show("three", "")
            assert re.fullmatch(rb"data: \d+\.7\.2\n\n", await client.said.get())
            client.has_left.set()
            await stream
        assert client.messages[-1] == {"type": "http.response.body", "body": b""}

    asyncio.run(main())


def test_a_page_names_its_edition() -> None:
    page = ErrorPage("one", "")
    application = refreshing(page, 7)
    page.show("two", "")
    client = Client(application, fields={"accept": b"text/html"}).run()
    assert re.search(rb"reload\.js\?\d+\.7\.1\"", client.body)
