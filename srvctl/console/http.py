"""A request and an answer of the console, between its routes and ASGI.

Knows ASGI, not what is served. Called by `app`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping

    from srvctl.worker.http.response import Message

    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]

MOST_BODY: Final = 16 * 1024
#: On everything: nothing that is shown here may be taken for something else, framed, kept or told elsewhere.
_ALWAYS: Final = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


class RefusedError(Exception):
    """A request is not carried out.

    Args:
        status: Of the answer.
        message: A full sentence.
        headers: Further fields of the answer.
    """

    def __init__(self, status: HTTPStatus, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers


@dataclass(frozen=True, slots=True)
class Request:
    """A request, its body not yet read.

    Attributes:
        method: ``HEAD`` counts as ``GET``; the server leaves out the body of the answer.
        path: Decoded.
        query: The first value of each name.
        fields: Of the head, names in small letters; of repeated ones the last.
        receive: Of ASGI.
    """

    method: str
    path: str
    query: Mapping[str, str]
    fields: Mapping[str, str]
    receive: Receive

    @classmethod
    def of(cls, scope: Mapping[str, Any], receive: Receive) -> Request:
        """Return the request of a scope."""
        query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True, max_num_fields=20)
        fields = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        return cls(
            method, scope["path"], {name: values[0] for name, values in query.items()}, fields, receive
        )

    @property
    def wants_events(self) -> bool:
        """Whether the answer is to be a stream of events."""
        return "text/event-stream" in self.fields.get("accept", "")

    def number(self, name: str, default: int, most: int) -> int:
        """Return a number of the query.

        Raises:
            RefusedError: It is none.
        """
        text = self.query.get(name, str(default))
        if not (text.isascii() and text.isdecimal() and len(text) < 10 and int(text) <= most):  # noqa: PLR2004
            raise RefusedError(HTTPStatus.BAD_REQUEST, f"{name} is not a number from 0 to {most}.")
        return int(text)

    async def json(self) -> dict[str, Any]:
        """Return the object that the body is; an empty body is an empty one.

        Raises:
            RefusedError: It is none, or too large.
        """
        body = b""
        while True:
            message = await self.receive()
            body += message.get("body", b"")
            if len(body) > MOST_BODY:
                raise RefusedError(
                    HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The body is larger than {MOST_BODY} bytes."
                )
            if not message.get("more_body"):
                break
        try:
            values = json.loads(body.decode() or "{}")
        except (ValueError, RecursionError):
            values = None
        if not isinstance(values, dict):
            raise RefusedError(HTTPStatus.BAD_REQUEST, "The body is not a JSON object.")
        return values


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer.

    Attributes:
        status: Its status.
        body: Its content, or what yields it piece by piece.
        fields: Of its head, beside those that all have.
    """

    status: int = HTTPStatus.OK
    body: bytes | AsyncGenerator[bytes] = b""
    fields: Mapping[str, str] = field(default_factory=dict)


def json_answer(values: Any, status: int = HTTPStatus.OK, **fields: str) -> Answer:
    """Return an answer with JSON."""
    body = json.dumps(values, separators=(",", ":")).encode() + b"\n"
    return Answer(status, body, {"content-type": "application/json", **fields})


def event_stream(parts: AsyncGenerator[bytes]) -> Answer:
    """Return an answer that goes on as long as there are parts and a client."""
    # The second is for nginx, which would keep the parts back.
    return Answer(HTTPStatus.OK, parts, {"content-type": "text/event-stream", "x-accel-buffering": "no"})


async def respond(answer: Answer, send: Send, *, has_body: bool) -> None:
    """Send an answer.

    Args:
        answer: What to send.
        send: Of ASGI.
        has_body: False for HEAD: a stream would go on for nothing.
    """
    fields = {**_ALWAYS, **answer.fields}
    body = answer.body
    if isinstance(body, bytes):
        fields.setdefault("content-length", str(len(body)))
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields.items()]
    await send({"type": "http.response.start", "status": int(answer.status), "headers": headers})
    if not isinstance(body, bytes):
        if has_body:
            async with contextlib.aclosing(body):
                async for part in body:
                    await send({"type": "http.response.body", "body": part, "more_body": True})
        body = b""
    await send({"type": "http.response.body", "body": body})


async def while_connected(receive: Receive, work: Coroutine[Any, Any, None]) -> None:
    """Do something until it is done or the client has gone; the body must have been read, or be none."""
    doing, leaving = asyncio.create_task(work), asyncio.create_task(_wait_gone(receive))
    try:
        await asyncio.wait([doing, leaving], return_when=asyncio.FIRST_COMPLETED)
    finally:
        leaving.cancel()
        if not doing.done():
            doing.cancel()
        await asyncio.wait([doing, leaving])
    if not doing.cancelled():
        doing.result()


async def _wait_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
