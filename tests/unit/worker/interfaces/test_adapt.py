"""Whatever is handed over becomes an ASGI 3 application, or one line says why it cannot."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import flask
import pytest

from srvctl.errors import AppError
from srvctl.settings.groups import AppSettings
from srvctl.worker.interfaces import adapt
from srvctl.worker.lifespan import Lifespan

ASGI2_SCOPES: list[Any] = []


async def asgi3(scope: Any, receive: Any, send: Any) -> None: ...


class Asgi2:
    def __init__(self, scope: Any) -> None:
        if scope["type"] == "lifespan":
            raise ValueError("only requests")
        ASGI2_SCOPES.append(scope)

    async def __call__(self, receive: Any, send: Any) -> Any:
        assert await receive() == {"type": "a"}
        await send({"type": "b"})
        return "c"


def make() -> Any:
    return asgi3


async def make_async() -> Any:
    return asgi3


def make_nothing() -> Any:
    return None


def make_mistake() -> Any:
    raise KeyError("DATABASE_URL")


def make_exit() -> Any:
    raise SystemExit(4)


def refusal(application: object, settings: AppSettings) -> AppError:
    with pytest.raises(AppError) as raised:
        adapt(application, settings)
    assert "\n" not in str(raised.value)
    return raised.value


def test_an_asgi3_application_stays_what_it_is(caplog: pytest.LogCaptureFixture) -> None:
    """Without a word."""
    with caplog.at_level(logging.INFO):
        assert adapt(asgi3, AppSettings()) is asgi3
    assert not caplog.records


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_an_asgi2_application_is_called_twice(caplog: pytest.LogCaptureFixture, kind: str) -> None:
    """First with the scope, which says so; the log says once that it was found out."""
    sent = []

    async def receive() -> Any:
        return {"type": "a"}

    async def send(message: Any) -> None:
        sent.append(message)

    with caplog.at_level(logging.INFO):
        application = adapt(Asgi2, AppSettings(target="site:App"))
    call: Any = application({"type": kind, "asgi": {"version": "3.0", "spec_version": "2.5"}}, receive, send)
    assert asyncio.run(call) == "c"
    assert sent == [{"type": "b"}]
    assert ASGI2_SCOPES[-1]["asgi"] == {"version": "2.0", "spec_version": "2.5"}
    assert [record.getMessage() for record in caplog.records] == [
        '"site:App" looks like an ASGI 2 application, and is called as app(scope) (app.interface).'
    ]


def test_what_is_said_is_not_said_again(caplog: pytest.LogCaptureFixture) -> None:
    """A user who knows needs no line."""
    with caplog.at_level(logging.INFO):
        adapt(Asgi2, AppSettings(interface="asgi2"))
        adapt(flask.Flask("site"), AppSettings(interface="wsgi"))
    assert not caplog.records


@pytest.mark.parametrize("application", [Asgi2, flask.Flask("site")], ids=["asgi2", "wsgi"])
@pytest.mark.parametrize("mode", ["auto", "on"])
def test_what_knows_no_lifespan_starts_without(application: Any, mode: Any) -> None:
    """WSGI has none whatever the settings want; of ASGI 2 it may be wanted."""

    async def main() -> None:
        lifespan = Lifespan(adapt(application, AppSettings()), mode)
        await lifespan.startup()
        assert lifespan.state is None
        await lifespan.shutdown()

    if application is Asgi2 and mode == "on":
        with pytest.raises(AppError):
            asyncio.run(main())
    else:
        asyncio.run(main())


def test_a_factory_is_called(caplog: pytest.LogCaptureFixture) -> None:
    """In silence when the settings say so, and with a warning when it shows."""
    assert adapt(make, AppSettings(factory=True)) is asgi3
    assert not caplog.records
    assert adapt(make, AppSettings(target="site:make")) is asgi3
    assert [record.getMessage() for record in caplog.records] == [
        '"site:make" takes no arguments, so it is a factory: serving what it returns. Say so with --factory.'
    ]


@pytest.mark.parametrize("is_declared", [False, True])
@pytest.mark.parametrize("interface", ["auto", "wsgi"])
def test_a_factory_may_return_a_wsgi_application(is_declared: bool, interface: Any) -> None:
    """What is looked at is what it returns."""

    def create_app(config: Any = None) -> Any:
        return flask.Flask("site")

    settings = AppSettings(factory=is_declared, interface=interface)
    assert type(adapt(create_app, settings)).__name__ == "Wsgi"


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        (make_nothing, '"site:make" is a NoneType, not an application.'),
        (make_mistake, 'Factory "site:make" raised KeyError.'),
        (make_exit, 'Factory "site:make" raised sys.exit(4).'),
    ],
)
@pytest.mark.parametrize("is_declared", [False, True])
def test_a_factory_that_fails(factory: Any, message: str, is_declared: bool) -> None:
    """Whether it was called one or not."""
    error = refusal(factory, AppSettings(target="site:make", factory=is_declared))
    assert str(error) == f"Error loading ASGI app. {message}"
    assert "srvctl" not in error.details


def test_a_factory_that_is_async() -> None:
    """Nobody could await it there; without the flag it is taken for an application."""
    error = refusal(make_async, AppSettings(target="site:make", factory=True))
    assert str(error).endswith('Factory "site:make" is async; it has to return the application at once.')
    error = refusal(make_async, AppSettings(target="site:make"))
    assert str(error).endswith(
        '"site:make" takes (); an application is called as app(scope, receive, send) or app(scope) '
        "or app(environ, start_response)."
    )


def test_an_interface_that_is_wrong() -> None:
    """What was said, what it takes, and what it should."""
    error = refusal(flask.Flask("site"), AppSettings(target="site:app", interface="asgi3"))
    assert str(error) == (
        'Error loading ASGI app. app.interface is asgi3, but "site:app" takes (environ, start_response), '
        "and is to be called as app(scope, receive, send)."
    )


def test_an_object_without_a_name_is_called_by_its_own() -> None:
    """Embedders hand over objects."""
    assert f'"{__name__}:make_mistake" raised' in str(refusal(make_mistake, AppSettings(factory=True)))
    assert '"builtins:int" is a int' in str(refusal(1, AppSettings()))


def test_a2wsgi_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line with what to install."""
    monkeypatch.setattr("srvctl.worker.interfaces.is_installed", lambda: False)
    error = refusal(flask.Flask("site"), AppSettings(target="site:app"))
    assert str(error) == (
        'Error loading ASGI app. "site:app" is a WSGI application, which takes a2wsgi: '
        "pip install 'srvctl[wsgi]'."
    )
