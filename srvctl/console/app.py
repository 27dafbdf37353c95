"""The console as an ASGI application: which path answers what.

Owns the routes and who may use them. What they tell comes from `watching` and `live`; what they do goes to
the master through `upstream`. Served by `main` on the project's own server.
"""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from srvctl.console import acting
from srvctl.console.dashboard import page
from srvctl.console.exposition import exposition
from srvctl.console.guarding import has_token, is_json, is_known_host
from srvctl.console.health import liveness, readiness
from srvctl.console.http import (
    Answer,
    RefusedError,
    Request,
    event_stream,
    json_answer,
    respond,
    while_connected,
)
from srvctl.console.live import MOST_EVENTS, FullError
from srvctl.console.upstream import UnreachableError
from srvctl.console.watching import PATIENCE
from srvctl.ipc.control import Command

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping

    from srvctl.console.http import Receive, Send
    from srvctl.console.live import Live
    from srvctl.console.upstream import Upstream
    from srvctl.console.watching import Watching
    from srvctl.settings.groups import ConsoleSettings

    Route = Callable[[Request], Awaitable[Answer]]

#: Part of its patience that the console has for a scrape: then it is answered before Prometheus gives up.
_OF_SCRAPE: Final = 0.6
_SOME: Final = 100  #: events and lines of the log, unless another number is asked for
_MOST_LINES: Final = 1000
#: Asked by those who know the console by whatever name, and telling nothing that is worth knowing.
_FOR_ANYBODY: Final = frozenset({"/livez", "/readyz", "/healthz"})


class App:
    """The application.

    Args:
        settings: Under which names it is known, and how many workers must serve.
        token: Who has it may act; None if nobody may.
        upstream: The master.
        watching: Its figures.
        live: What happens.
        patience: Seconds for what the master answers at once.
    """

    def __init__(
        self,
        settings: ConsoleSettings,
        token: str | None,
        upstream: Upstream,
        watching: Watching,
        live: Live,
        *,
        patience: float = PATIENCE,
    ) -> None:
        self._patience = patience
        self._settings = settings
        self._token = token
        self._upstream = upstream
        self._watching = watching
        self._live = live
        self._scrape_duration: float | None = None
        self._reading: Mapping[str, Route] = {
            "/": self._dashboard,
            "/livez": self._livez,
            "/readyz": self._readyz,
            "/healthz": self._readyz,
            "/metrics": self._metrics,
            "/api/status": self._status,
            "/api/metrics": self._figures,
            "/api/workers": self._workers,
            "/api/events": self._events,
            "/api/live": self._happenings,
            "/api/logs": self._logs,
            "/api/settings": self._in_force,
            "/api/session": self._session,
        }

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer a request, as ASGI has it."""
        if scope["type"] != "http":
            raise NotImplementedError(f"the console has no {scope['type']}")
        has_body = scope["method"] != "HEAD"
        try:
            answer = await self._answer(Request.of(scope, receive))
        except RefusedError as refused:
            answer = json_answer(_refusal(str(refused)), refused.status, **refused.headers)
        except UnreachableError as error:
            answer = json_answer(_refusal(str(error)), HTTPStatus.SERVICE_UNAVAILABLE)
        except FullError as error:
            fields = {"retry-after": "10"}
            answer = json_answer(_refusal(str(error)), HTTPStatus.SERVICE_UNAVAILABLE, **fields)
        if isinstance(answer.body, bytes):
            await respond(answer, send, has_body=has_body)
        else:
            await while_connected(receive, respond(answer, send, has_body=has_body))

    async def _answer(self, request: Request) -> Answer:
        host = request.fields.get("host", "")
        if request.path not in _FOR_ANYBODY and not is_known_host(host, self._settings.hosts):
            raise RefusedError(
                HTTPStatus.MISDIRECTED_REQUEST,
                f"This is not {host[:200]!r}; add that name to console.hosts (--console-host) if it is.",
            )
        route, order = self._reading.get(request.path), acting.order_of(request.path)
        if route is not None:
            _allow_only("GET", "GET, HEAD", request)
            return await route(request)
        if order is not None:
            _allow_only("POST", "POST", request)
            return await self._act(request, order)
        raise RefusedError(HTTPStatus.NOT_FOUND, "There is nothing here.")

    # -- who may -------------------------------------------------------------------------------------------

    def _authorize(self, request: Request) -> None:
        """Let only those pass who have the token.

        Raises:
            RefusedError: This one has not.
        """
        if self._token is None:
            raise RefusedError(
                HTTPStatus.FORBIDDEN,
                "This console only shows; set console.token or console.token_file to allow more.",
            )
        if not has_token(request.fields.get("authorization", ""), self._token):
            challenge = {"www-authenticate": 'Bearer realm="srvctl"'}
            raise RefusedError(
                HTTPStatus.UNAUTHORIZED,
                "This needs the console's token, as Authorization: Bearer TOKEN.",
                **challenge,
            )

    # -- health and figures --------------------------------------------------------------------------------

    async def _livez(self, _request: Request) -> Answer:
        reason = liveness(await self._watching.answer(self._patience))
        return _healthy() if not reason else _unhealthy(reason, {})

    async def _readyz(self, _request: Request) -> Answer:
        answer = await self._watching.answer(self._patience)
        reason, told = readiness(answer, self._settings.quorum)
        return _healthy(told) if not reason else _unhealthy(reason, told)

    async def _metrics(self, request: Request) -> Answer:
        began = time.perf_counter()
        answer = dict(await self._watching.answer(self._patience * _OF_SCRAPE) or {})
        if self._scrape_duration is not None:
            answer["scrape_duration"] = self._scrape_duration
        body, content_type = exposition(answer, request.fields.get("accept", ""))
        self._scrape_duration = time.perf_counter() - began
        return Answer(HTTPStatus.OK, body, {"content-type": content_type})

    # -- the API: reading ----------------------------------------------------------------------------------

    async def _dashboard(self, _request: Request) -> Answer:
        body, fields = page()
        return Answer(HTTPStatus.OK, body, fields)

    async def _status(self, _request: Request) -> Answer:
        return json_answer((await self._upstream.ask(Command.STATUS, patience=self._patience)).data)

    async def _figures(self, _request: Request) -> Answer:
        return json_answer(await self._known())

    async def _workers(self, _request: Request) -> Answer:
        return json_answer({"workers": (await self._known()).get("workers", [])})

    async def _known(self) -> Mapping[str, Any]:
        """Return what the master says.

        Raises:
            UnreachableError: It says nothing.
        """
        answer = await self._watching.answer(self._patience)
        if answer is None:
            raise UnreachableError("The master does not answer: it is stopped or blocked.")
        return answer

    async def _events(self, request: Request) -> Answer:
        last = request.number("last", _SOME, MOST_EVENTS)
        if "follow" in request.query or request.wants_events:
            return await self._stream(last, wants_figures=False)
        return json_answer({"events": await self._live.last(last)})

    async def _happenings(self, request: Request) -> Answer:
        return await self._stream(request.number("last", _SOME, MOST_EVENTS), wants_figures=True)

    async def _stream(self, last: int, *, wants_figures: bool) -> Answer:
        self._live.refuse_too_many()
        return event_stream(self._parts(last, wants_figures=wants_figures))

    async def _parts(self, last: int, *, wants_figures: bool) -> AsyncGenerator[bytes]:
        async with self._live.watched(wants_figures=wants_figures, last=last) as watcher:
            async for part in watcher.parts():
                yield part

    async def _logs(self, request: Request) -> Answer:
        self._authorize(request)
        lines = request.number("last", _SOME, _MOST_LINES)
        slot = request.number("slot", 0, 10**6) if "slot" in request.query else -1
        wanted = {"lines": lines, "follow": False, "slot": slot}
        return json_answer(
            {"lines": await self._upstream.collect(Command.LOGS, patience=self._patience, **wanted)}
        )

    async def _in_force(self, request: Request) -> Answer:
        self._authorize(request)
        done = await self._upstream.ask(Command.SETTINGS, patience=self._patience)
        return acting.answer_of(done)

    async def _session(self, request: Request) -> Answer:
        """Tell whether there is a token, and whether this is it; for the page, before it offers to act."""
        given = request.fields.get("authorization", "")
        is_authorized = self._token is not None and has_token(given, self._token)
        return json_answer({"can_act": self._token is not None, "authorized": is_authorized})

    # -- the API: acting -----------------------------------------------------------------------------------

    async def _act(self, request: Request, order: acting.Order) -> Answer:
        self._authorize(request)
        if not is_json(request.fields.get("content-type", "")):
            raise RefusedError(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "The request needs Content-Type: application/json."
            )
        args = order.arguments(await request.json())
        if request.wants_events:
            return event_stream(acting.progress(self._upstream, order.command, args))
        return await acting.carried_out(request.receive, self._upstream, order.command, args)


def _allow_only(method: str, allowed: str, request: Request) -> None:
    if request.method != method:
        raise RefusedError(HTTPStatus.METHOD_NOT_ALLOWED, f"Only {allowed} is allowed here.", allow=allowed)


def _healthy(told: Mapping[str, Any] | None = None) -> Answer:
    return json_answer({"ok": True, **(told or {})})


def _unhealthy(reason: str, told: Mapping[str, Any]) -> Answer:
    return json_answer({"ok": False, "reason": reason, **told}, HTTPStatus.SERVICE_UNAVAILABLE)


def _refusal(message: str) -> dict[str, Any]:
    return {"ok": False, "message": message, "details": "", "data": {}}
