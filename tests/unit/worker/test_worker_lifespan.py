"""The lifespan protocol: every way an application may behave, in both modes."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Literal

import pytest

from srvctl.errors import AppError
from srvctl.worker.lifespan import Lifespan
from tests.support.server_waits import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

Mode = Literal["auto", "on"]
MODES: list[Mode] = ["auto", "on"]


def complete(step: str) -> dict[str, str]:
    return {"type": f"lifespan.{step}.complete"}


async def good(_scope: Any, receive: Any, send: Any) -> None:
    assert (await receive()) == {"type": "lifespan.startup"}
    await send(complete("startup"))
    assert (await receive()) == {"type": "lifespan.shutdown"}
    await send(complete("shutdown"))


async def unaware(_scope: Any, _receive: Any, _send: Any) -> None:
    raise NotImplementedError("only http")


async def exits(_scope: Any, _receive: Any, _send: Any) -> None:
    raise SystemExit(3)


async def returns(_scope: Any, _receive: Any, _send: Any) -> None:
    return


async def returns_after_receive(_scope: Any, receive: Any, _send: Any) -> None:
    await receive()


async def raises_in_startup(_scope: Any, receive: Any, _send: Any) -> None:
    await receive()
    raise ValueError("no database")


async def fails(_scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no database"})


async def fails_without_a_message(_scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "lifespan.startup.failed"})


async def fails_and_raises(_scope: Any, receive: Any, send: Any) -> None:
    await fails(_scope, receive, send)
    raise ValueError("no database")


async def ends_after_startup(_scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(complete("startup"))


async def raises_after_startup(_scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(complete("startup"))
    raise ValueError("lost the database")


async def says_nonsense(_scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "http.response.start"})


async def fails_in_shutdown(_scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(complete("startup"))
    await receive()
    await send({"type": "lifespan.shutdown.failed", "message": "cannot flush"})


async def raises_in_shutdown(_scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(complete("startup"))
    await receive()
    raise ValueError("cannot flush")


async def returns_in_shutdown(_scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(complete("startup"))
    await receive()


async def completes_twice(_scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(complete("startup"))
    await send(complete("startup"))


async def live(lifespan: Lifespan, between: Callable[[], Awaitable[None]] | None = None) -> None:
    """Start and shut down."""
    async with asyncio.timeout(PATIENCE):
        await lifespan.startup()
        await asyncio.sleep(0)
        if between is not None:
            await between()
        await lifespan.shutdown()
        await asyncio.sleep(0)


def run(application: Any, mode: Mode) -> Lifespan:
    async def main() -> Lifespan:
        lifespan = Lifespan(application, mode)
        await live(lifespan)
        return lifespan

    return asyncio.run(main())


@pytest.fixture(autouse=True)
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "srvctl.error")
    return caplog


@pytest.mark.parametrize("mode", MODES)
def test_startup_and_shutdown(mode: Mode, log: pytest.LogCaptureFixture) -> None:
    """Each once, each told."""
    assert run(good, mode).state == {}
    assert [record.message for record in log.records] == [
        "Waiting for application startup.",
        "Application startup complete.",
        "Waiting for application shutdown.",
        "Application shutdown complete.",
    ]


@pytest.mark.parametrize("mode", MODES)
def test_the_scope(mode: Mode) -> None:
    """ASGI lifespan scope; what the application puts into the state is there afterwards."""
    seen = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        seen.append({**scope, "state": dict(scope["state"])})
        scope["state"]["pool"] = 1
        await good(scope, receive, send)

    assert run(application, mode).state == {"pool": 1}
    assert seen == [{"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": {}}]


@pytest.mark.parametrize("application", [unaware, exits, returns])
def test_auto_allows_what_does_not_know_lifespan(application: Any, log: pytest.LogCaptureFixture) -> None:
    """It goes on, says so in uvicorn's lines, for the last of which tools wait, and asks for no shutdown."""
    lifespan = run(application, "auto")
    assert [record.message for record in log.records if record.levelno >= logging.INFO] == [
        "Waiting for application startup.",
        "ASGI 'lifespan' protocol appears unsupported.",
        "Application startup complete.",
    ]
    assert "shutdown" not in log.text
    assert lifespan.state is None, "requests get no state"


def test_auto_tells_why_it_takes_lifespan_for_unsupported(log: pytest.LogCaptureFixture) -> None:
    """It could be a mistake; whoever looks for one has the level debug."""
    log.set_level(logging.DEBUG, "srvctl.error")
    run(unaware, "auto")
    assert "It ended with NotImplementedError: only http" in log.text


@pytest.mark.parametrize("application", [unaware, exits])
def test_on_allows_no_exception(application: Any) -> None:
    """With the traceback."""
    with pytest.raises(AppError, match=r"^Application startup failed\. Exiting\.$") as failed:
        run(application, "on")
    assert application.__name__ in failed.value.details


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("application", "details"),
    [
        (raises_in_startup, "ValueError: no database"),
        (says_nonsense, "RuntimeError: Unexpected ASGI message 'http.response.start'"),
        (fails, "no database"),
        (fails_and_raises, "no database"),
        (fails_without_a_message, ""),
    ],
)
def test_a_startup_that_fails(
    application: Any, details: str, mode: Mode, log: pytest.LogCaptureFixture
) -> None:
    """In either mode: the application knew what it was asked."""
    with pytest.raises(AppError) as failed:
        run(application, mode)
    assert details in failed.value.details
    assert bool(failed.value.details) == bool(details)
    assert "complete" not in log.text
    assert "ended early" not in log.text, "one explanation is enough"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("application", [ends_after_startup, raises_after_startup, completes_twice])
def test_a_lifespan_that_ends_early(application: Any, mode: Mode, log: pytest.LogCaptureFixture) -> None:
    """Requests are served all the same; an error is told."""
    run(application, mode)
    assert "shutdown" not in log.text
    assert ("ended early" in log.text) == (application is not ends_after_startup)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("application", "failure"),
    [
        (fails_in_shutdown, "cannot flush"),
        (raises_in_shutdown, "ValueError: cannot flush"),
        (returns_in_shutdown, ""),
    ],
)
def test_a_shutdown_that_fails(
    application: Any, failure: str, mode: Mode, log: pytest.LogCaptureFixture
) -> None:
    """It is told, and nothing waits for what will not come."""
    run(application, mode)
    assert log.records[-1].levelno == (logging.ERROR if failure else logging.INFO)
    assert failure in log.records[-1].message


@pytest.mark.parametrize("mode", MODES)
def test_on_or_auto_an_application_that_received_and_returned_goes_on(mode: Mode) -> None:
    """It raised nothing, so nothing has failed."""
    run(returns_after_receive, mode)


def test_a_startup_can_be_cancelled() -> None:
    """When the worker is told to stop meanwhile."""
    seen: list[object] = []
    begun = asyncio.Event()

    async def application(_scope: Any, receive: Any, _send: Any) -> None:
        await receive()
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    async def main() -> None:
        lifespan = Lifespan(application, "on")
        startup = asyncio.ensure_future(lifespan.startup())
        await begun.wait()
        assert not startup.done()
        await lifespan.cancel()
        startup.cancel()
        await asyncio.wait([startup])

    asyncio.run(main())
    assert seen == ["cancelled"]


def test_a_lifespan_that_was_never_started_ends_without_a_word(log: pytest.LogCaptureFixture) -> None:
    """Neither is there anything to cancel."""

    async def main() -> None:
        lifespan = Lifespan(good, "auto")
        await lifespan.shutdown()
        await lifespan.cancel()

    asyncio.run(main())
    assert not log.records
