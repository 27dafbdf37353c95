"""The servers that WebSocket tests talk to: with both who read frames, and with both who read requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from tests.support.server import ServerProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ECHO: Final = "tests.support.apps.websocket_echo:app"
RULED: Final = "tests.support.apps.websocket_rules:app"
BACKENDS: Final = ("websockets", "wsproto")
CODECS: Final = ("native", "h11")
#: Pings of the server would only be in the way.
FLAGS: Final = ("--no-access-log", "--ws-ping-interval", "0", "--timeout-graceful-shutdown", "1")


def serving(target: str, *flags: str, codecs: tuple[str, ...] = CODECS[:1]) -> Callable[..., object]:
    """Return the fixture ``server`` of a module: this application, behind each of the implementations."""
    params = [(backend, codec) for codec in codecs for backend in BACKENDS]
    names = [backend if len(codecs) == 1 else f"{backend}-{codec}" for backend, codec in params]

    @pytest.fixture(scope="module", params=params, ids=names)
    def server(request: pytest.FixtureRequest) -> Iterator[ServerProcess]:
        backend, codec = request.param
        with ServerProcess(target, "--ws", backend, "--http", codec, *FLAGS, *flags) as running:
            yield running

    return server


def fails_with_wsproto(request: pytest.FixtureRequest, reason: str) -> bool:
    """Expect the test that asks for it to fail with wsproto, where the library leaves no other way.

    Returns:
        Whether that is so here.
    """
    is_so: bool = request.node.callspec.params["server"][0] == "wsproto"
    if is_so:
        request.applymarker(pytest.mark.xfail(reason=reason, strict=True))
    return is_so
