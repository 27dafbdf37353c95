"""Applications on a real loop: each request is alone, and nothing of it outlives its connection."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import logging
import signal
import weakref
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import anyio
import pytest
import uvloop

from srvctl.settings.groups import Settings, TimeoutSettings
from srvctl.worker.server import Server
from tests.support.server_waits import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    Application = Callable[..., Awaitable[object]]

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"

variable: contextvars.ContextVar[Any] = contextvars.ContextVar("variable")


class Client:
    """One connection; it reads whole responses."""

    def __init__(self, server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.server = server
        self.reader = reader
        self.writer = writer

    async def read(self) -> bytes:
        """Return the body of the next response, which has a length."""
        fields = await self.reader.readuntil(b"\r\n\r\n")
        size = int(fields.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        return await self.reader.readexactly(size)

    async def get(self, target: bytes = b"/") -> bytes:
        """Return the body of the response to a GET request."""
        self.writer.write(GET.replace(b" / ", b" " + target + b" "))
        return await self.read()


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop run until something has happened; the caller has a timeout."""
    while not condition():  # noqa: ASYNC110 - what is waited for is no coroutine's
        await asyncio.sleep(0.001)


@pytest.fixture(params=LOOPS)
def run(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Serve an application while a scenario talks to it; afterwards nothing of it may be left."""
    complaints: list[dict[str, Any]] = []

    def serve(
        application: Application, scenario: Callable[[Client], Coroutine[Any, Any, None]], **timeouts: float
    ) -> None:
        async def main() -> None:
            loop = asyncio.get_running_loop()
            loop.set_exception_handler(lambda _, context: complaints.append(context))
            server = Server(
                application,
                Settings(timeouts=TimeoutSettings(**timeouts)),
                state=None,
                context=contextvars.copy_context(),
            )
            listener = await loop.create_server(server._connect, "127.0.0.1", 0)
            port = listener.sockets[0].getsockname()[1]
            client = Client(server, *await asyncio.open_connection("127.0.0.1", port))
            try:
                async with asyncio.timeout(PATIENCE):
                    await scenario(client)
            except BaseException:
                for connection in list(server.connections):
                    connection.abort()
                raise
            finally:
                client.writer.close()
                with contextlib.suppress(ConnectionError):
                    await client.writer.wait_closed()
                listener.close()
                async with asyncio.timeout(PATIENCE):
                    await until(lambda: len(asyncio.all_tasks()) == 1 and not server.connections)
                server._ticker.cancel()
            assert not server._orphans

        with asyncio.Runner(loop_factory=LOOPS[request.param]) as runner:
            runner.run(main())
        gc.collect()  # a task that failed complains when it is forgotten
        assert complaints == []

    return serve


async def answer(send: Any, body: bytes) -> None:
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": body})


# -- each request alone -------------------------------------------------------------------------------


async def telling(scope: dict[str, Any], _receive: Any, send: Any) -> None:
    """Answer with the variable as it was, after setting it."""
    before = variable.get("unset")
    variable.set(scope["path"])
    await asyncio.sleep(0)
    assert variable.get() == scope["path"]
    await answer(send, str(before).encode())


def test_a_variable_does_not_reach_the_next_request(run: Callable[..., None]) -> None:
    """On a connection that is kept alive."""

    async def scenario(client: Client) -> None:
        assert [await client.get(b"/%d" % number) for number in range(5)] == [b"unset"] * 5

    run(telling, scenario)


@pytest.mark.parametrize("count", [2, 40])
def test_a_variable_does_not_reach_a_pipelined_request(run: Callable[..., None], count: int) -> None:
    """Which waits while the first runs."""

    async def scenario(client: Client) -> None:
        client.writer.write(GET * count)
        assert [await client.read() for _ in range(count)] == [b"unset"] * count

    run(telling, scenario)


def test_an_idle_connection_keeps_nothing_of_its_last_request(run: Callable[..., None]) -> None:
    """Ten thousand of them idle at a time."""
    kept: list[weakref.ref[Thing]] = []

    async def app(scope: dict[str, Any], _receive: Any, send: Any) -> None:
        scope["thing"] = thing = Thing()
        kept.append(weakref.ref(thing))
        await answer(send, b"")

    async def scenario(client: Client) -> None:
        for number in range(2):
            await client.get(b"/%d" % number)
            gc.collect()
            assert [thing() for thing in kept] == [None] * (number + 1)

    run(app, scenario)


class Thing:
    """Can be referred to weakly."""


def test_what_the_lifespan_left_is_there_for_every_request(run: Callable[..., None]) -> None:
    """The context that the server got, however a request changes its own."""

    async def scenario(client: Client) -> None:
        assert [await client.get() for _ in range(3)] == [b"lifespan"] * 3

    token = variable.set("lifespan")
    try:
        run(telling, scenario)
    finally:
        variable.reset(token)


@pytest.mark.parametrize("path", [b"/set", b"/reset", b"/raise"])
def test_however_a_request_ends_its_context_ends(run: Callable[..., None], path: bytes) -> None:
    """Also one that puts the variable back, or fails."""

    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        before = variable.get("unset")
        token = variable.set("set")
        if scope["path"] == "/reset":
            variable.reset(token)
        await answer(send, before.encode())
        if scope["path"] == "/raise":
            raise ValueError

    async def scenario(client: Client) -> None:
        assert [await client.get(path) for _ in range(3)] == [b"unset"] * 3

    run(application, scenario)


def test_a_variable_set_after_the_response_does_not_reach_the_next_request(run: Callable[..., None]) -> None:
    """Which may have begun already."""

    async def application(_scope: dict[str, Any], _receive: Any, send: Any) -> None:
        await answer(send, variable.get("unset").encode())
        await asyncio.sleep(0.001)
        variable.set("set")

    async def scenario(client: Client) -> None:
        for pause in (0, 0.01, 0, 0.01):
            assert await client.get() == b"unset"
            await asyncio.sleep(pause)

    run(application, scenario)


def test_an_equal_value_is_not_the_same(run: Callable[..., None]) -> None:
    """An empty list that a request put there is that request's."""

    async def application(_scope: dict[str, Any], _receive: Any, send: Any) -> None:
        seen = variable.get()
        variable.set([])
        await answer(send, b"%d" % len(seen))
        mine = variable.get()
        asyncio.get_running_loop().call_soon(mine.append, 1)

    async def scenario(client: Client) -> None:
        for _ in range(3):
            assert await client.get() == b"0"
            await asyncio.sleep(0.01)

    token = variable.set([])
    try:
        run(application, scenario)
    finally:
        variable.reset(token)


class Incomparable:
    """As arrays are: comparing two does not say whether they are equal."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        raise ValueError


def test_a_value_that_cannot_be_compared(run: Callable[..., None]) -> None:
    """It is never asked to be."""

    async def application(_scope: dict[str, Any], _receive: Any, send: Any) -> None:
        variable.set(Incomparable())
        await answer(send, b"fine")

    async def scenario(client: Client) -> None:
        assert [await client.get() for _ in range(3)] == [b"fine"] * 3

    token = variable.set(Incomparable())
    try:
        run(application, scenario)
    finally:
        variable.reset(token)


# -- what applications do with their task -------------------------------------------------------------


def test_there_is_a_current_task(run: Callable[..., None]) -> None:
    """Libraries ask for it, inside every request and on both sides of a wait."""

    async def application(_scope: dict[str, Any], _receive: Any, send: Any) -> None:
        task = asyncio.current_task()
        assert task is not None
        await asyncio.sleep(0)
        assert asyncio.current_task() is task
        await answer(send, b"task")

    async def scenario(client: Client) -> None:
        client.writer.write(GET * 3)
        for _ in range(3):
            assert await client.read() == b"task"
        assert [await client.get() for _ in range(3)] == [b"task"] * 3

    run(application, scenario)


async def with_timeout() -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.001):
            await asyncio.Event().wait()


async def with_wait_for() -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(asyncio.Event().wait(), 0.001)


async def with_group() -> None:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(asyncio.sleep(0.001, number)) for number in range(3)]
    assert [task.result() for task in tasks] == [0, 1, 2]


async def with_failing_group() -> None:
    async def fail() -> None:
        raise ValueError

    with contextlib.suppress(ExceptionGroup):
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())
            group.create_task(asyncio.sleep(3600))


async def with_scope() -> None:
    with anyio.move_on_after(0.001) as scope:
        await anyio.sleep_forever()
    assert scope.cancelled_caught


async def with_anyio_group() -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(anyio.sleep_forever)
        await anyio.sleep(0.001)
        group.cancel_scope.cancel()


async def with_thread() -> None:
    assert await asyncio.to_thread(lambda: 1) == 1
    assert await anyio.to_thread.run_sync(lambda: 2) == 2


async def with_cancelled_child() -> None:
    child = asyncio.ensure_future(asyncio.sleep(3600))
    await asyncio.sleep(0)
    child.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await child


async def with_own_cancellation() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.sleep(0)
    task.uncancel()


@pytest.mark.parametrize(
    "way",
    [
        with_timeout,
        with_wait_for,
        with_group,
        with_failing_group,
        with_scope,
        with_anyio_group,
        with_thread,
        with_cancelled_child,
        with_own_cancellation,
    ],
)
@pytest.mark.parametrize("is_pipelined", [False, True])
def test_structured_concurrency(
    run: Callable[..., None], way: Callable[[], Awaitable[None]], is_pipelined: bool
) -> None:
    """What cancels a task, or waits with it, works in every request on a connection."""

    async def application(_scope: dict[str, Any], _receive: Any, send: Any) -> None:
        await way()
        await answer(send, b"done")
        await way()

    async def scenario(client: Client) -> None:
        if is_pipelined:
            client.writer.write(GET * 3)
            assert [await client.read() for _ in range(3)] == [b"done"] * 3
        else:
            assert [await client.get() for _ in range(3)] == [b"done"] * 3

    run(application, scenario)


def test_starlette_answers(run: Callable[..., None]) -> None:
    """Streams and background tasks of a real framework."""
    from starlette.applications import Starlette
    from starlette.background import BackgroundTask
    from starlette.middleware import Middleware
    from starlette.middleware.base import BaseHTTPMiddleware
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    ran: list[int] = []

    async def endpoint(request: Any) -> Any:
        return PlainTextResponse(await request.body() + b"!", background=BackgroundTask(ran.append, 1))

    async def dispatch(request: Any, call_next: Any) -> Any:
        return await call_next(request)

    middleware = Middleware(BaseHTTPMiddleware, dispatch=dispatch)
    application = Starlette(routes=[Route("/", endpoint, methods=["POST", "GET"])], middleware=[middleware])

    async def scenario(client: Client) -> None:
        for _ in range(3):
            client.writer.write(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab")
            assert await client.read() == b"ab!"
        await until(lambda: len(ran) == 3)

    run(application, scenario)


# -- after the response -------------------------------------------------------------------------------


@pytest.mark.parametrize("is_pipelined", [False, True])
def test_work_after_the_response_delays_no_other_request(
    run: Callable[..., None], is_pipelined: bool
) -> None:
    """Background tasks run in the application's own call."""
    release: list[asyncio.Event] = []
    ended: list[int] = []

    async def application(_scope: dict[str, Any], _receive: Any, send: Any) -> None:
        event = asyncio.Event()
        release.append(event)
        await answer(send, b"%d" % len(release))
        await event.wait()
        ended.append(len(ended))

    async def scenario(client: Client) -> None:
        if is_pipelined:
            client.writer.write(GET * 4)
            assert [await client.read() for _ in range(4)] == [b"1", b"2", b"3", b"4"]
        else:
            assert [await client.get() for _ in range(4)] == [b"1", b"2", b"3", b"4"]
        assert ended == []
        for event in release:
            event.set()
        await until(lambda: len(ended) == 4)

    run(application, scenario)


def test_work_after_the_response_survives_the_connection(run: Callable[..., None]) -> None:
    """It is not the client's to cancel."""
    release = asyncio.Event()
    ended = []

    async def application(_scope: dict[str, Any], _receive: Any, send: Any) -> None:
        await answer(send, b"a")
        await release.wait()
        ended.append(1)

    async def scenario(client: Client) -> None:
        assert await client.get() == b"a"
        client.writer.close()
        await until(lambda: not client.server.connections)
        assert len(client.server._orphans) == 1
        release.set()
        await until(lambda: bool(ended))

    run(application, scenario)


def test_a_slow_application_keeps_the_order_of_responses(run: Callable[..., None]) -> None:
    """Pipelined requests are answered one after the other (RFC 9112 section 9.3.2)."""
    running = []

    async def application(scope: dict[str, Any], _receive: Any, send: Any) -> None:
        running.append(scope["path"])
        assert len(running) == 1
        await asyncio.sleep(0.005 if scope["path"] == "/0" else 0)
        running.clear()
        await answer(send, scope["path"].encode())

    async def scenario(client: Client) -> None:
        client.writer.write(b"".join(GET.replace(b" / ", b" /%d " % number) for number in range(5)))
        assert [await client.read() for _ in range(5)] == [b"/%d" % number for number in range(5)]

    run(application, scenario)


def test_many_pipelined_requests_let_others_have_their_turn(run: Callable[..., None]) -> None:
    """A client that sends a thousand requests at once does not own the worker."""
    turns: list[None] = []

    async def application(_scope: dict[str, Any], _receive: Any, send: Any) -> None:
        turns.append(None)
        await answer(send, b"a")

    async def scenario(client: Client) -> None:
        loop = asyncio.get_running_loop()
        seen = []

        def look() -> None:
            seen.append(len(turns))
            if len(turns) < 1000:
                loop.call_soon(look)

        client.writer.write(GET * 1000)
        loop.call_soon(look)
        for _ in range(1000):
            await client.read()
        assert max(later - earlier for earlier, later in pairwise(seen)) <= 64

    run(application, scenario)


# -- cancellation -------------------------------------------------------------------------------------


def test_a_client_that_leaves_cancels_nothing(run: Callable[..., None]) -> None:
    """ASGI: the application is told, and decides itself."""
    seen: list[object] = []

    async def application(_scope: dict[str, Any], receive: Any, _send: Any) -> None:
        try:
            while (message := await receive())["type"] != "http.disconnect":
                pass
            await asyncio.sleep(0.005)
            seen.append(message)
        except BaseException as error:
            seen.append(error)
            raise

    async def scenario(client: Client) -> None:
        client.writer.write(GET)
        await asyncio.sleep(0.01)
        client.writer.close()
        await until(lambda: bool(seen))
        assert seen == [{"type": "http.disconnect"}]

    run(application, scenario)


def test_a_request_that_is_cancelled_is_answered_and_the_next_as_well(run: Callable[..., None]) -> None:
    """500; the connection goes on with a task of its own."""
    tasks = []

    async def application(scope: dict[str, Any], _receive: Any, send: Any) -> None:
        task = asyncio.current_task()
        assert task is not None
        assert not task.cancelling()
        tasks.append(task)
        if scope["path"] == "/cancel":
            task.cancel()
            await asyncio.sleep(3600)
        await answer(send, b"fine")

    async def scenario(client: Client) -> None:
        assert await client.get() == b"fine"
        assert await client.get(b"/cancel") == b"Internal Server Error"
        assert await client.get() == b"fine"
        client.writer.write(GET.replace(b" / ", b" /cancel ") + GET)
        assert [await client.read(), await client.read()] == [b"Internal Server Error", b"fine"]

    run(application, scenario)


def test_a_cancellation_that_is_swallowed_does_not_reach_the_next_request(run: Callable[..., None]) -> None:
    """Its request number is still counted on the task (asyncio.Task.cancelling)."""

    async def application(scope: dict[str, Any], _receive: Any, send: Any) -> None:
        task = asyncio.current_task()
        assert task is not None
        body = b"%d" % task.cancelling()
        if scope["path"] == "/cancel":
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(3600)
        await answer(send, body)

    async def scenario(client: Client) -> None:
        for path in (b"/", b"/cancel", b"/", b"/cancel", b"/"):
            assert await client.get(path) == b"0"

    run(application, scenario)


def test_a_cancellation_after_the_response_does_not_reach_the_next_request(run: Callable[..., None]) -> None:
    """Even one that is on its way when the application returns."""

    async def application(_scope: dict[str, Any], _receive: Any, send: Any) -> None:
        await answer(send, b"fine")
        task = asyncio.current_task()
        assert task is not None
        task.cancel()

    async def scenario(client: Client) -> None:
        assert [await client.get() for _ in range(3)] == [b"fine"] * 3
        client.writer.write(GET * 3)
        assert [await client.read() for _ in range(3)] == [b"fine"] * 3

    run(application, scenario)


def test_an_idle_task_that_is_cancelled_is_replaced(run: Callable[..., None]) -> None:
    """As libraries do that cancel all tasks they can find."""

    async def application(_scope: dict[str, Any], _receive: Any, send: Any) -> None:
        await answer(send, b"fine")

    async def scenario(client: Client) -> None:
        assert await client.get() == b"fine"
        (connection,) = client.server.connections
        runner = next(iter(connection.runners), None)
        assert runner is not None
        asyncio.get_running_loop().call_soon(connection.data_received, GET)
        runner.task.cancel()
        assert await client.read() == b"fine"

    run(application, scenario)


@pytest.mark.parametrize("error", [ValueError, SystemExit, asyncio.CancelledError])
def test_an_application_that_raises(
    run: Callable[..., None], error: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    """500, a line in the log, and the connection goes on."""

    async def application(scope: dict[str, Any], _receive: Any, send: Any) -> None:
        if scope["path"] == "/raise":
            raise error
        await answer(send, b"fine")

    async def scenario(client: Client) -> None:
        for path, body in ((b"/", b"fine"), (b"/raise", b"Internal Server Error"), (b"/", b"fine")):
            assert await client.get(path) == body

    with caplog.at_level(logging.ERROR, "srvctl.error"):
        run(application, scenario)
    assert [record.message for record in caplog.records] == ["Exception in ASGI application"]


@pytest.mark.parametrize("size", [10, 100_000])
def test_an_application_that_raises_in_its_stream_breaks_the_connection(
    run: Callable[..., None], size: int, caplog: pytest.LogCaptureFixture
) -> None:
    """The client must not take what it got for the whole."""

    async def application(_scope: dict[str, Any], _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"a" * size, "more_body": True})
        raise ValueError

    async def scenario(client: Client) -> None:
        client.writer.write(GET)
        with contextlib.suppress(ConnectionResetError):
            assert not (await client.reader.read()).endswith(b"0\r\n\r\n")

    run(application, scenario)
    assert "Exception in ASGI application" in caplog.text


def test_a_stream_whose_client_left_ends_without_a_word(
    run: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    """ASGI HTTP spec 2.4: send raises an OSError, which an application may let pass."""
    ended = []

    async def application(_scope: dict[str, Any], _receive: Any, send: Any) -> None:
        try:
            await send({"type": "http.response.start", "status": 200})
            while True:
                await send({"type": "http.response.body", "body": b"a" * 1000, "more_body": True})
                await asyncio.sleep(0)
        except OSError as error:
            ended.append(error)
            raise

    async def scenario(client: Client) -> None:
        client.writer.write(GET)
        await client.reader.readexactly(5000)
        client.writer.transport.abort()
        await until(lambda: bool(ended))

    run(application, scenario)
    assert not caplog.records


def test_a_stream_of_starlette_whose_client_left_ends_without_a_word(
    run: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    """A client that leaves is no failure of anyone."""
    from starlette.responses import StreamingResponse

    async def pieces() -> Any:
        while True:
            yield b"a" * 1000
            await asyncio.sleep(0)

    async def scenario(client: Client) -> None:
        client.writer.write(GET)
        await client.reader.readexactly(5000)
        client.writer.transport.abort()
        await until(lambda: not client.server.connections)

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await StreamingResponse(pieces())(scope, receive, send)

    run(application, scenario)
    assert not caplog.records


# -- tasks --------------------------------------------------------------------------------------------


def test_a_connection_that_ends_leaves_no_task(run: Callable[..., None]) -> None:
    """Idle, never used, or in the middle of a head."""

    async def application(_scope: dict[str, Any], _receive: Any, send: Any) -> None:
        await answer(send, b"fine")

    async def idle(client: Client) -> None:
        assert await client.get() == b"fine"

    async def unused(_client: Client) -> None:
        await asyncio.sleep(0)

    async def in_head(client: Client) -> None:
        assert await client.get() == b"fine"
        client.writer.write(GET[:20])

    for scenario in (idle, unused, in_head):
        run(application, scenario)


def test_simple_requests_share_a_task(run: Callable[..., None]) -> None:
    """That is what it is for."""
    tasks = set()

    async def application(_scope: dict[str, Any], _receive: Any, send: Any) -> None:
        tasks.add(asyncio.current_task())
        await answer(send, b"fine")

    async def scenario(client: Client) -> None:
        for _ in range(5):
            assert await client.get() == b"fine"
        assert len(tasks) == 1

    run(application, scenario)


def test_a_group_of_tasks_whose_client_left_ends_without_a_word(
    run: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    """Its ExceptionGroup holds nothing but ours."""

    async def stream(send: Any) -> None:
        while True:
            await send({"type": "http.response.body", "body": b"a" * 1000, "more_body": True})
            await asyncio.sleep(0)

    async def application(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})
        async with asyncio.TaskGroup() as group:
            group.create_task(stream(send))

    async def scenario(client: Client) -> None:
        client.writer.write(GET)
        await client.reader.readexactly(5000)
        client.writer.transport.abort()
        await until(lambda: not client.server.connections)

    run(application, scenario)
    assert not caplog.records


def test_an_exception_that_is_its_own_cause() -> None:
    """``raise error from error`` is no reason to stop a worker."""
    from srvctl.worker.http import runner

    def too_late(*_: object) -> None:
        raise TimeoutError

    error = ValueError()
    error.__cause__ = error
    before = signal.signal(signal.SIGVTALRM, too_late)
    signal.setitimer(signal.ITIMER_VIRTUAL, 0.2)  # of this process's own time, however busy the machine is
    try:
        assert not runner._comes_from_disconnect(error)
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
