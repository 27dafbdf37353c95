"""WebSockets by path: what an application may do, may not do, and is told. `/notes` says what came of it."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import parse_qsl

from tests.support.apps.websocket_echo import Message, Receive, Send
from tests.support.apps.websocket_echo import app as echo

notes: list[str] = []  #: what happened; /notes tells and forgets them


async def _accept(receive: Receive, send: Send, **more: Any) -> None:
    assert await receive() == {"type": "websocket.connect"}
    await send({"type": "websocket.accept", **more})


async def _note_end(receive: Receive) -> None:
    """Receive until the end, and note how it was."""
    while (message := await receive())["type"] == "websocket.receive":
        pass
    assert message["type"] == "websocket.disconnect"
    notes.append(f"disconnect {message['code']} {message.get('reason')}")


async def _attempt(send: Send, message: Message) -> None:
    """Send what should be refused, and note what became of it."""
    try:
        await send(message)
    except OSError:
        notes.append("OSError")
    except Exception as error:
        notes.append(type(error).__name__)
    else:
        notes.append("accepted")


# -- open WebSockets ----------------------------------------------------------------------------------


async def _echo(scope: Message, receive: Receive, send: Send) -> None:
    """Echo, and note how it ended."""

    async def noting_receive() -> Message:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            notes.append(f"disconnect {message['code']} {message.get('reason')}")
        return message

    await echo(scope, noting_receive, send)


async def _close(query: Message, receive: Receive, send: Send) -> None:
    """Accept and close; note the end three times."""
    await _accept(receive, send)
    message: Message = {"type": "websocket.close"}
    if "code" in query:
        message["code"] = int(query["code"])
    if "reason" in query:
        message["reason"] = query["reason"]
    await send(message)
    for _ in range(3):
        await _note_end(receive)


async def _tell(scope: Message, receive: Receive, send: Send) -> None:
    """Tell the scope."""
    await _accept(receive, send)
    seen = {name: value for name, value in scope.items() if name != "state"}
    seen["raw_path"] = scope["raw_path"].decode("latin-1")
    seen["query_string"] = scope["query_string"].decode("latin-1")
    seen["headers"] = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
    seen["state"] = sorted(scope.get("state", {}))
    seen["extensions"] = sorted(scope["extensions"])
    await send({"type": "websocket.send", "text": json.dumps(seen)})
    await _note_end(receive)


async def _state(scope: Message, receive: Receive, send: Send) -> None:
    """Tell what the state has, and add to it."""
    await _accept(receive, send)
    seen = [scope["state"].get("mine"), len(scope["state"]["pool"])]
    scope["state"]["mine"] = "set"
    scope["state"]["pool"].append(1)
    await send({"type": "websocket.send", "text": json.dumps(seen)})
    await _note_end(receive)


async def _headers(query: Message, receive: Receive, send: Send) -> None:
    """Accept with headers."""
    fields = [(b"X-One", b"1"), (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]
    if "name" in query:
        fields.append((query["name"].encode("latin-1"), query.get("value", "").encode("latin-1")))
    await _accept(receive, send, headers=fields)
    await _note_end(receive)


async def _subprotocol(query: Message, receive: Receive, send: Send) -> None:
    """Accept with a subprotocol."""
    await _accept(receive, send, subprotocol=query.get("name"))
    await _note_end(receive)


async def _send_after_end(_query: Message, receive: Receive, send: Send) -> None:
    """Send once the client has left; receive goes on to say so."""
    await _accept(receive, send)
    await _note_end(receive)
    for _ in range(2):
        await _attempt(send, {"type": "websocket.send", "text": "too late"})
    await _attempt(send, {"type": "websocket.close"})
    await _note_end(receive)


async def _send_for_ever(_query: Message, receive: Receive, send: Send) -> None:
    """Send, and never look whether somebody is there."""
    await _accept(receive, send)
    try:
        while True:
            await send({"type": "websocket.send", "bytes": b"x" * 10_000})
            await asyncio.sleep(0)
    except OSError:
        notes.append("OSError")


async def _send_after_close(_query: Message, receive: Receive, send: Send) -> None:
    """Send what comes too late."""
    await _accept(receive, send)
    await send({"type": "websocket.close"})
    for kind in ("send", "close", "accept"):
        await _attempt(send, {"type": f"websocket.{kind}", "text": "too late"})


async def _wrong_first(_query: Message, receive: Receive, send: Send) -> None:
    """Send what must not come before accept, and then accept."""
    await receive()
    for message in (
        {"type": "websocket.send", "text": "too early"},
        {"type": "websocket.receive", "text": "the other way"},
        {"type": "websocket.http.response.body", "body": b"too early"},
        {"type": "http.response.start", "status": 200, "headers": []},
        {"type": "nonsense"},
    ):
        await _attempt(send, message)
    await send({"type": "websocket.accept"})
    await _note_end(receive)


async def _wrong_later(_query: Message, receive: Receive, send: Send) -> None:
    """Send what must not come on an open WebSocket, and then something that may."""
    await _accept(receive, send)
    for message in (
        {"type": "websocket.accept"},
        {"type": "websocket.http.response.start", "status": 403, "headers": []},
        {"type": "websocket.ping"},
        {"type": "nonsense"},
        {"type": "websocket.send"},
        {"type": "websocket.send", "text": None, "bytes": None},
        {"type": "websocket.close", "code": 1005},
        {"type": "websocket.close", "code": 99},
    ):
        await _attempt(send, message)
    await send({"type": "websocket.send", "text": "unharmed", "bytes": None})
    await _note_end(receive)


async def _kinds(_query: Message, receive: Receive, send: Send) -> None:
    """Note which keys messages have, and send the empty ones."""
    await _accept(receive, send)
    for _ in range(2):
        message = await receive()
        notes.append("text" if message.get("text") is not None else "bytes")
        assert (message.get("text") is None) != (message.get("bytes") is None)
    await send({"type": "websocket.send", "text": ""})
    await send({"type": "websocket.send", "bytes": b""})
    await send({"type": "websocket.send", "text": None, "bytes": bytearray(b"array")})
    await send({"type": "websocket.send", "bytes": memoryview(b"view")})
    await _note_end(receive)


async def _returns(_query: Message, receive: Receive, send: Send) -> None:
    await _accept(receive, send)
    await send({"type": "websocket.send", "text": "last"})


async def _raises(_query: Message, receive: Receive, send: Send) -> None:
    await _returns(_query, receive, send)
    raise ValueError


async def _wait(_query: Message, receive: Receive, send: Send) -> None:
    """Neither accept nor deny until the client has left."""
    await receive()
    await _note_end(receive)
    await _attempt(send, {"type": "websocket.accept"})


# -- WebSockets that are not accepted -----------------------------------------------------------------


async def _returns_first(_query: Message, receive: Receive, _send: Send) -> None:
    await receive()


async def _raises_first(_query: Message, receive: Receive, _send: Send) -> None:
    await receive()
    raise ValueError


async def _close_first(_query: Message, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.close", "code": 4000, "reason": "not you"})
    await _after_denial(receive, send)


async def _after_denial(receive: Receive, send: Send) -> None:
    for _ in range(2):
        message = await receive()
        notes.append(message["type"])
    for kind in ("accept", "send", "close", "http.response.start", "http.response.body"):
        await _attempt(send, {"type": f"websocket.{kind}"})


async def _deny(query: Message, receive: Receive, send: Send) -> None:
    """Deny with a response of several pieces."""
    await receive()
    headers = [(b"x-why", b"because"), (b"www-authenticate", b"Basic")]
    pieces = [b"den", b"", b"ied"]
    if "length" in query:
        headers.append((b"content-length", query["length"].encode()))
    if "name" in query:
        headers.append((query["name"].encode("latin-1"), query.get("value", "").encode("latin-1")))
    status = int(query.get("status", "401"))
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    if "raises" in query:
        raise ValueError
    if "returns" in query:
        return
    if "accepts" in query:
        await _attempt(send, {"type": "websocket.accept"})
    for piece in pieces:
        await send({"type": "websocket.http.response.body", "body": piece, "more_body": True})
    await send({"type": "websocket.http.response.body"})
    await _after_denial(receive, send)


# -- HTTP ---------------------------------------------------------------------------------------------


async def _http(scope: Message, receive: Receive, send: Send) -> None:
    """Say what the request was; `/notes` tells the notes, `/tasks` how many tasks there are."""
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message["body"], message["more_body"]
    if scope["path"] == "/notes":
        answer = json.dumps(notes).encode()
        notes.clear()
    elif scope["path"] == "/tasks":
        answer = b"%d" % len(asyncio.all_tasks())
    else:
        answer = b"ok"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": answer})


_BY_QUERY: dict[str, Any] = {
    "/close": _close,
    "/headers": _headers,
    "/subprotocol": _subprotocol,
    "/send-after-end": _send_after_end,
    "/send-for-ever": _send_for_ever,
    "/send-after-close": _send_after_close,
    "/wrong-first": _wrong_first,
    "/wrong-later": _wrong_later,
    "/kinds": _kinds,
    "/returns": _returns,
    "/raises": _raises,
    "/wait": _wait,
    "/returns-first": _returns_first,
    "/raises-first": _raises_first,
    "/close-first": _close_first,
    "/deny": _deny,
}
_BY_SCOPE: dict[str, Any] = {"/echo": _echo, "/state": _state}


async def app(scope: Message, receive: Receive, send: Send) -> None:
    """Serve by path; any other WebSocket is told its scope."""
    if scope["type"] == "lifespan":
        await receive()
        scope["state"]["pool"] = []
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
    elif scope["type"] == "http":
        await _http(scope, receive, send)
    elif route := _BY_QUERY.get(scope["path"]):
        query = dict(parse_qsl(scope["query_string"].decode(), keep_blank_values=True))
        await route(query, receive, send)
    else:
        await _BY_SCOPE.get(scope["path"], _tell)(scope, receive, send)
