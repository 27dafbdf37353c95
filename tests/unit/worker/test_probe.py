"""A probe: whatever an application does, there is an answer, and in time."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest

from srvctl.worker.probe import Answer, probe

START = {"type": "http.response.start", "status": 200, "headers": []}
BODY = {"type": "http.response.body", "body": b"ok"}
PATIENCE = 20.0  #: seconds; only a failure takes so long


def ask(
    application: Any,
    path: str = "/health",
    *,
    limit: float = PATIENCE,
    state: dict[str, Any] | None = None,
    root_path: str = "",
) -> Answer:
    """Probe, and see that nothing of it goes on."""
    complaints: list[object] = []

    async def main() -> Answer:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        answer = await probe(application, state, path, limit, root_path)
        async with asyncio.timeout(PATIENCE):
            while others := asyncio.all_tasks() - {asyncio.current_task()}:
                await asyncio.wait(others)
        return answer

    answer = asyncio.run(main())
    assert complaints == []
    return answer


def responding(*messages: dict[str, Any]) -> Any:
    async def application(_scope: Any, _receive: Any, send: Any) -> None:
        for message in messages:
            await send(message)

    return application


@pytest.mark.parametrize("status", [200, 204, 404, 503])
def test_the_status_is_told(status: int) -> None:
    assert ask(responding(START | {"status": status}, BODY)) == Answer(status)


def test_what_the_application_sees() -> None:
    """A request like all others, but from nobody."""
    seen: list[Any] = []
    state = {"pool": object()}

    async def application(scope: Any, receive: Any, send: Any) -> None:
        seen.extend([scope, await receive()])
        scope["state"]["mine"] = True
        await send(START)
        await send(BODY)
        seen.append(await receive())

    assert ask(application, "/a%20b?x=1", state=state, root_path="/root").status == 200
    scope, first, second = seen
    assert first == {"type": "http.request", "body": b"", "more_body": False}
    assert second == {"type": "http.disconnect"}
    assert scope == {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.5"},
        "http_version": "1.1",
        "server": None,
        "client": None,
        "scheme": "http",
        "method": "GET",
        "root_path": "/root",
        "path": "/root/a b",
        "raw_path": b"/root/a%20b",
        "query_string": b"x=1",
        "headers": [(b"host", b"localhost"), (b"user-agent", b"srvctl-health")],
        "extensions": {},
        "state": {"pool": state["pool"], "mine": True},
    }
    assert "mine" not in state


def test_without_a_lifespan_there_is_no_state() -> None:
    async def application(scope: Any, _receive: Any, send: Any) -> None:
        assert "state" not in scope
        await send(START)
        await send(BODY)

    assert ask(application) == Answer(200)


def test_a_long_body_is_let_go() -> None:
    assert ask(responding(START, *[BODY | {"more_body": True}] * 50, BODY)) == Answer(200)


@pytest.mark.parametrize(
    ("messages", "details"),
    [
        ((), "The application returned without starting its response."),
        ((START,), "The application returned without completing its response."),
        ((START, BODY | {"more_body": True}), "The application returned without completing its response."),
        ((BODY,), "RuntimeError: Unexpected ASGI message 'http.response.body' sent."),
        ((START, START), "RuntimeError: Unexpected ASGI message 'http.response.start' sent."),
        (({"type": "websocket.accept"},), "RuntimeError: Unexpected ASGI message 'websocket.accept' sent."),
        (({},), "KeyError: 'type'"),
        (({"type": "http.response.start", "status": "no"},), "ValueError: invalid literal for int()"),
    ],
)
def test_half_a_response_is_none(messages: tuple[dict[str, Any], ...], details: str) -> None:
    answer = ask(responding(*messages))
    assert answer.status == 0
    assert details in answer.details


class StrangeError(Exception):
    """Says much, and has no words."""

    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("error", "details"),
    [
        (ValueError("no database"), "The application raised ValueError: no database"),
        (SystemExit(3), "The application raised SystemExit: 3"),
        (asyncio.CancelledError(), "CancelledError"),
        (StrangeError(), "StrangeError"),
        (ExceptionGroup("several", [ValueError("a")]), "ExceptionGroup: several"),
    ],
)
def test_an_exception_is_told(error: BaseException, details: str) -> None:
    async def application(_scope: Any, _receive: Any, _send: Any) -> None:
        raise error

    answer = ask(application)
    assert answer.status == 0
    assert details in answer.details


def test_a_long_exception_is_cut() -> None:
    async def application(_scope: Any, _receive: Any, _send: Any) -> None:
        raise ValueError("x" * 100_000)

    assert len(ask(application).details) <= 500


def test_an_exception_behind_the_response_is_another_matter() -> None:
    async def application(_scope: Any, _receive: Any, send: Any) -> None:
        await send(START)
        await send(BODY)
        raise ValueError

    assert ask(application) == Answer(200)


def test_an_application_that_takes_too_long_is_cancelled() -> None:
    cancelled = []

    async def application(_scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await receive()
        try:
            await receive()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    assert ask(application, limit=0.01) == Answer(0, "The application took longer than 0.01 s.")
    assert cancelled == [True]


def test_one_that_does_not_let_itself_be_cancelled_is_not_waited_for() -> None:
    async def main() -> None:
        release = asyncio.Event()

        async def application(_scope: Any, _receive: Any, _send: Any) -> None:
            try:
                await release.wait()
            except asyncio.CancelledError:
                await release.wait()

        async with asyncio.timeout(PATIENCE):
            answer = await probe(application, None, "/", 0.01, "")
            others = asyncio.all_tasks() - {asyncio.current_task()}
            assert len(others) == 1
            release.set()
            await asyncio.wait(others)
        assert answer.status == 0

    asyncio.run(main())


def test_work_behind_the_response_does_not_make_it_ill() -> None:
    async def application(_scope: Any, _receive: Any, send: Any) -> None:
        await send(START)
        await send(BODY)
        await asyncio.Event().wait()

    assert ask(application, limit=0.01) == Answer(200)


def test_a_worker_that_ends_ends_the_probe() -> None:
    async def main() -> None:
        ended = asyncio.Event()

        async def application(_scope: Any, _receive: Any, _send: Any) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

        asking = asyncio.create_task(probe(application, None, "/", PATIENCE, ""))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        asking.cancel()
        async with asyncio.timeout(PATIENCE):
            await ended.wait()
        with pytest.raises(asyncio.CancelledError):
            await asking

    asyncio.run(main())


@pytest.mark.parametrize("path", ["", "health", "*", "http://h/", "/\u00e4", "/#part", "/\ud800#"])
def test_what_is_no_path_is_said(path: str) -> None:
    """The settings should not let it come so far."""

    async def application(*_: Any) -> None:
        sys.exit("it was called")

    answer = ask(application, path)
    assert answer.status == 0
    assert "is no path" in answer.details
