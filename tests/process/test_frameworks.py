"""The example of each framework under the real srvctl; what is particular about one is in a table."""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Final

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from tests.support.server import ServerProcess
from tests.support.server_waits import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NO_LIFESPAN: Final = "ASGI 'lifespan' protocol appears unsupported"


@dataclass(frozen=True, slots=True)
class Example:
    """An example, and what is particular about its framework.

    Attributes:
        target: What srvctl serves.
        name: What it calls itself in `x-framework`.
        wrong_item: The status for an item that is not a number.
        slash: The name that `%2F` in the path makes; none where the path is split there, and not found.
        has_lifespan: It is told when a worker starts and ends.
        has_stream: It can send events without end.
        takes_chunks: It sees a body that comes without its length.
        refusal: The status for a WebSocket, where there is none at /ws.
        head: The status of HEAD for what has GET.
        knows_prefix: It finds its routes where a proxy has removed a prefix from the path.
    """

    target: str
    name: str
    wrong_item: int = 404
    slash: str | None = None
    has_lifespan: bool = True
    has_stream: bool = True
    takes_chunks: bool = True
    refusal: int = 0
    head: int = 200
    knows_prefix: bool = True


EXAMPLES: Final = [
    Example("fastapi_app:app", "fastapi", wrong_item=422, head=405),
    Example("starlette_app:app", "starlette"),
    Example("litestar_app:app", "litestar", head=405),
    Example("quart_app:app", "quart"),
    Example("falcon_app:app", "falcon", head=405, knows_prefix=False),
    Example("blacksheep_app:app", "blacksheep", slash="a/b", head=404),
    Example("sanic_app:app", "sanic", slash="a/b", head=405, knows_prefix=False),
    Example("django_app.asgi:application", "django", has_lifespan=False, refusal=500),
    Example("channels_app.asgi:application", "django", has_lifespan=False),
    Example("flask_app:app", "flask", has_lifespan=False, refusal=403),
    Example(
        "django_app.wsgi:application",
        "django",
        has_lifespan=False,
        has_stream=False,
        takes_chunks=False,
        refusal=403,
    ),
]


@dataclass(frozen=True, slots=True)
class Site:
    """An example that is served.

    Attributes:
        example: Which.
        server: By what.
    """

    example: Example
    server: ServerProcess


def name_of(example: Example) -> str:
    """Return what pytest calls the example."""
    return re.sub(r"_app|:.*", "", example.target)


def only(is_wanted: Callable[[Example], bool]) -> pytest.MarkDecorator:
    """Have a test with these examples and no others."""
    wanted = [example for example in EXAMPLES if is_wanted(example)]
    return pytest.mark.parametrize("site", wanted, ids=name_of, indirect=True)


@pytest.fixture(scope="module", params=EXAMPLES, ids=name_of)
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """A server of one worker, which believes a proxy's prefix and closes no connection that idles.

    The application is told of its start and its stop; it is imported once, for all workers.
    """
    example: Example = request.param
    flags = ("--forwarded-fields", "prefix", "--timeout-keep-alive", "600")
    with ServerProcess(f"examples.{example.target}", *flags) as server:
        assert bool(server.lines(NO_LIFESPAN)) != example.has_lifespan
        assert len(server.molds()) == 1
        assert not server.lines("preload is not possible")
        if example.has_lifespan:
            server.stdout.wait(r"^Starting up\.$")
        yield Site(example, server)
        assert not server.stdout.matches("Shutting down")
        assert server.stop() == 0
        told = [match[0] for _, match in server.stdout.matches(r"^(Starting up|Shutting down)\.$")]
        assert told == ["Starting up.", "Shutting down."] * example.has_lifespan
        assert len(server.lines("Started worker process")) == 1


@pytest.fixture
def http(site: Site) -> Iterator[httpx.Client]:
    """A client, which remembers cookies and keeps its connection."""
    with httpx.Client(base_url=site.server.url, timeout=PATIENCE) as client:
        yield client


def test_json(http: httpx.Client) -> None:
    """Status, type and body."""
    answer = http.get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"].partition(";")[0] == "application/json"
    assert answer.json() == {"hello": "world"}


def test_path_and_query(site: Site, http: httpx.Client) -> None:
    """Any text of UTF-8 arrives, whether as a name or a value; a header field of the answer, too."""
    answer = http.get("/hello/Zoë 花%25?greeting=Grüß+dich%26%3D")
    assert answer.json() == {"greeting": "Grüß dich&=", "name": "Zoë 花%"}
    assert answer.headers["x-framework"] == site.example.name
    slash = http.get("/hello/a%2Fb")
    assert (slash.json()["name"] if slash.is_success else None) == site.example.slash


def test_typed_path(site: Site, http: httpx.Client) -> None:
    """The framework's own routes and refusals."""
    assert http.get("/items/7").json() == {"item_id": 7}
    assert http.get("/items/seven").status_code == site.example.wrong_item
    assert http.get("/nowhere").status_code == 404
    assert http.put("/items/7").status_code in {404, 405}


def test_prefix(site: Site, http: httpx.Client) -> None:
    """What the proxy removed is in front of `path` and in `root_path`, as ASGI has it."""
    answer = http.get("/items/7", headers={"x-forwarded-prefix": "/api"})
    assert answer.status_code == (200 if site.example.knows_prefix else 404)


@pytest.mark.parametrize("is_chunked", [False, True], ids=["length", "chunked"])
def test_a_large_body_comes_back(site: Site, http: httpx.Client, is_chunked: bool) -> None:
    """All of it, in order."""
    body = bytes(range(256)) * 4096
    pieces = (body[at : at + 50_000] for at in range(0, len(body), 50_000))
    answer = http.post(
        "/echo", content=pieces if is_chunked else body, headers={"content-type": "application/x-any"}
    )
    assert answer.status_code == 200
    assert answer.headers["content-type"].partition(";")[0] == "application/x-any"
    assert answer.content == (body if site.example.takes_chunks or not is_chunked else b"")


def test_cookies(http: httpx.Client) -> None:
    """They are set and come back."""
    assert [http.get("/visits").json()["visits"] for _ in range(3)] == [1, 2, 3]


def test_head_and_keep_alive(site: Site) -> None:
    """Nothing but a head comes for HEAD, so the same connection has the next answer."""
    with contextlib.closing(HTTPConnection("127.0.0.1", site.server.port, timeout=PATIENCE)) as client:
        seen = []
        for method, path in (("GET", "/"), ("HEAD", "/"), ("GET", "/items/1")):
            client.request(method, path)
            answer = client.getresponse()
            seen.append((answer.status, answer.read(), client.sock))
        (status, page, sock), (head_status, nothing, same), (_, item, still_same) = seen
        assert (status, head_status, nothing) == (200, site.example.head, b"")
        assert json.loads(page) == {"hello": "world"}
        assert json.loads(item) == {"item_id": 1}
        assert sock is same is still_same is not None


def test_an_error_is_answered_and_logged(site: Site, http: httpx.Client) -> None:
    """With a traceback; the worker goes on."""
    (worker,) = site.server.workers()
    since = site.server.mark()
    assert http.get("/error").status_code == 500
    site.server.wait_line("^Traceback", since=since)
    site.server.wait_line("^RuntimeError: This example fails on purpose", since=since)
    assert http.get("/").status_code == 200
    assert site.server.workers() == [worker]


@only(lambda example: example.has_stream)
def test_events_come_one_at_a_time_and_end_with_the_listener(site: Site, http: httpx.Client) -> None:
    """The stream has no end, so what is read was sent before it; and the generator is closed."""
    with http.stream("GET", "/ticks") as answer:
        assert answer.headers["content-type"].partition(";")[0] == "text/event-stream"
        events = (line.partition(":")[2].strip() for line in answer.iter_lines() if line.startswith("data"))
        assert [next(events), next(events)] == ["1", "2"]
    site.server.stdout.wait(r"^The listener has left\.$")


@only(lambda example: not example.refusal)
def test_websocket(site: Site) -> None:
    """Messages come back, and the application is told of the end."""
    origin = Origin(site.server.url)  # Channels looks at it
    with connect(websocket_url(site), origin=origin, open_timeout=PATIENCE) as socket:
        for text in ("one", "Zoë 花", "x" * 100_000):
            socket.send(text)
            assert socket.recv(PATIENCE) == text
    site.server.stdout.wait(r"^The WebSocket is closed")


@only(lambda example: bool(example.refusal))
def test_no_websocket(site: Site) -> None:
    """Where the framework has none, the client is told so."""
    with pytest.raises(InvalidStatus) as refused, connect(websocket_url(site), open_timeout=PATIENCE):
        pass
    assert refused.value.response.status_code == site.example.refusal


def websocket_url(site: Site) -> str:
    return f"ws://127.0.0.1:{site.server.port}/ws"
