"""What an application speaks, by its shape: those of real frameworks, and those that tell little or lie."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any
from unittest.mock import AsyncMock, MagicMock, Mock

import blacksheep
import django.core.handlers.asgi
import django.core.handlers.wsgi
import falcon
import falcon.asgi
import fastapi
import flask
import litestar
import pytest
import quart
import sanic
import starlette.applications
from asgiref.wsgi import WsgiToAsgi
from channels.routing import ProtocolTypeRouter, URLRouter
from starlette.endpoints import HTTPEndpoint
from werkzeug.middleware.proxy_fix import ProxyFix

from srvctl.worker.interfaces.detect import Interface, Shape, detect, is_factory, objection

if TYPE_CHECKING:
    from collections.abc import Callable


async def asgi3(scope: Any, receive: Any, send: Any) -> None: ...


def asgi2(scope: Any) -> Any: ...


def wsgi(environ: Any, start_response: Any) -> Any: ...


class Asgi3:
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...

    async def method(self, scope: Any, receive: Any, send: Any) -> None: ...

    def returns_awaitable(self, scope: Any, receive: Any, send: Any) -> Any: ...


class Asgi2:
    def __init__(self, scope: Any) -> None: ...

    async def __call__(self, receive: Any, send: Any) -> None: ...


class Asgi2Router:
    def __call__(self, scope: Any) -> Any: ...

    def method(self, scope: Any) -> Any: ...


class Wsgi:
    def __call__(self, environ: Any, start_response: Any) -> Any: ...

    def method(self, environ: Any, start_response: Any) -> Any: ...


class WsgiPerRequest:
    """PEP 3333's own example of a class: calling it makes the iterator."""

    def __init__(self, environ: Any, start_response: Any) -> None: ...

    def __iter__(self) -> Any: ...


def configured(scope: Any, receive: Any, send: Any, config: Any) -> Any: ...


def wrapped(application: Any) -> Any:
    @functools.wraps(application)
    def wrapper(*args: Any, **kwargs: Any) -> Any: ...

    return wrapper


def async_wrapped(application: Any) -> Any:
    @functools.wraps(application)
    async def wrapper(scope: Any, receive: Any, send: Any) -> Any: ...

    return wrapper


def hides_everything(*args: Any, **kwargs: Any) -> Any: ...


async def async_hides_everything(*args: Any) -> Any: ...


class Unwilling:
    """Like a proxy of an object that is not there yet: every question about it fails."""

    def __call__(self, *args: Any) -> Any: ...

    @property
    def __signature__(self) -> Any:
        raise RuntimeError("working outside of application context")


@functools.cache
def bare(kind: type[Any]) -> Any:
    """Make an object without what its initialisation would need, such as Django's settings."""
    return object.__new__(kind)


SHAPES: dict[str, tuple[Interface, Any]] = {
    "FastAPI": ("asgi3", fastapi.FastAPI()),
    "Starlette": ("asgi3", starlette.applications.Starlette()),
    "Starlette endpoint": ("asgi3", HTTPEndpoint),
    "Django ASGI": ("asgi3", bare(django.core.handlers.asgi.ASGIHandler)),
    "Django WSGI": ("wsgi", bare(django.core.handlers.wsgi.WSGIHandler)),
    "Channels": ("asgi3", ProtocolTypeRouter({})),
    "Channels URLs": ("asgi3", URLRouter([])),
    "Quart": ("asgi3", quart.Quart("site")),
    "Litestar": ("asgi3", litestar.Litestar([])),
    "Falcon ASGI": ("asgi3", falcon.asgi.App()),
    "Falcon WSGI": ("wsgi", falcon.App()),
    "BlackSheep": ("asgi3", blacksheep.Application(router=blacksheep.Router())),
    "Sanic": ("asgi3", sanic.Sanic("site")),
    "Flask": ("wsgi", flask.Flask("site")),
    "Flask's method": ("wsgi", flask.Flask("site").wsgi_app),
    "werkzeug middleware": ("wsgi", ProxyFix(flask.Flask("site"))),
    "asgiref adapter": ("asgi3", WsgiToAsgi(flask.Flask("site"))),  # type: ignore[no-untyped-call]
    "coroutine function": ("asgi3", asgi3),
    "object": ("asgi3", Asgi3()),
    "bound coroutine method": ("asgi3", Asgi3().method),
    "returns an awaitable": ("asgi3", Asgi3().returns_awaitable),
    "lambda of three": ("asgi3", lambda s, r, t: asgi3(s, t, r)),
    "partial, by keyword": ("asgi3", functools.partial(configured, config=1)),
    "partial, async": ("asgi3", functools.partial(async_hides_everything, 1)),
    "ASGI 2 function": ("asgi2", asgi2),
    "ASGI 2 class": ("asgi2", Asgi2),
    "ASGI 2 partial class": ("asgi2", functools.partial(Asgi2)),
    "ASGI 2 object": ("asgi2", Asgi2Router()),
    "ASGI 2 bound method": ("asgi2", Asgi2Router().method),
    "lambda of one": ("asgi2", lambda _: asgi3),
    "WSGI function": ("wsgi", wsgi),
    "WSGI object": ("wsgi", Wsgi()),
    "WSGI bound method": ("wsgi", Wsgi().method),
    "WSGI class": ("wsgi", WsgiPerRequest),
    "WSGI with an extra": ("wsgi", lambda environ, start_response, debug=False: None),
    "lambda of two": ("wsgi", lambda a, b: []),
    "decorated ASGI 3": ("asgi3", wrapped(asgi3)),
    "decorated ASGI 2": ("asgi2", wrapped(asgi2)),
    "decorated WSGI": ("wsgi", wrapped(wsgi)),
    "an adapter that is decorated": ("asgi3", async_wrapped(wsgi)),
    "the scope and two that may be left away": ("asgi3", lambda scope, receive=None, send=None: None),
    "the scope alone, which may be left away": ("asgi2", lambda scope=None: None),
    "any arguments": ("asgi3", hides_everything),
    "any arguments, async": ("asgi3", async_hides_everything),
    "mock": ("asgi3", Mock()),
    "magic mock": ("asgi3", MagicMock()),
    "async mock": ("asgi3", AsyncMock()),
    "built in without a signature": ("asgi2", dict),
    "built in": ("asgi3", print),
    "unwilling": ("asgi3", Unwilling()),
}


@pytest.mark.parametrize("name", SHAPES)
def test_a_shape_says_what_is_spoken(name: str) -> None:
    """And nobody objects to that, or takes it for a factory."""
    interface, application = SHAPES[name]
    assert detect(application) == interface
    assert objection(application, interface) == ""
    assert not is_factory(Shape.of(application))


def async_factory() -> Callable[[], Any]:
    async def make() -> Any: ...

    return make


@pytest.mark.parametrize(
    "factory",
    [
        lambda: asgi3,
        lambda config=None: asgi3,
        lambda *, debug=False: asgi3,
        functools.partial(lambda config: asgi3, 1),
        Asgi3,
        fastapi.FastAPI,
    ],
)
def test_what_needs_no_arguments_is_a_factory(factory: Any) -> None:
    """Also a class whose objects are applications, and Flask's usual ``create_app(config=None)``."""
    assert is_factory(Shape.of(factory))


@pytest.mark.parametrize("other", [async_factory(), lambda *, config: asgi3, lambda scope=None: None, Mock()])
def test_what_may_be_something_else_is_no_factory(other: Any) -> None:
    """It is not called to find out."""
    assert not is_factory(Shape.of(other))


@pytest.mark.parametrize(
    ("application", "interface", "reason"),
    [
        (wsgi, "asgi3", "takes (environ, start_response)"),
        (wsgi, "asgi2", "takes (environ, start_response)"),
        (asgi2, "wsgi", "takes (scope)"),
        (Asgi2, "asgi3", "takes (scope)"),
        (asgi3, "wsgi", "is async, as only asgi3 is"),
        (fastapi.FastAPI(), "asgi2", "is async, as only asgi3 is"),
        (async_factory(), "asgi3", "takes ()"),
        (configured, "asgi3", "takes (scope, receive, send, config)"),
        (lambda scope, *rest, config: None, "asgi3", "takes (scope, *args)"),
    ],
)
def test_what_cannot_be_called_like_that_is_objected_to(
    application: Any, interface: Interface, reason: str
) -> None:
    """By what it takes."""
    assert objection(application, interface) == reason


@pytest.mark.parametrize("interface", ["asgi3", "asgi2", "wsgi"])
@pytest.mark.parametrize(
    "application", [hides_everything, wrapped(wsgi), Mock(), dict], ids=["hidden", "wrapped", "mock", "dict"]
)
def test_what_tells_nothing_is_not_objected_to(application: Any, interface: Interface) -> None:
    """A user who says what it speaks knows better, even than the name of what it wraps."""
    assert objection(application, interface) == ""
