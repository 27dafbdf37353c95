"""The stand-in's answer: for people, for terminals, for programs."""

from __future__ import annotations

import asyncio
import json
import re
import traceback
from typing import TYPE_CHECKING, Any

import pytest

from srvctl.dev.error_page import ErrorPage

if TYPE_CHECKING:
    from srvctl.dev.asgi import Message

EVIL = "<script>alert('$title & more')</script></pre>"
DETAILS = f"""Traceback (most recent call last):
  File "/srv/shop/main.py", line 3, in <module>
    import orders
  File "/srv/lib/site-packages/orders.py", line 9, in <module>
    raise ValueError("{EVIL}")
    ^^^^^^^^^^^^^^^^
ValueError: {EVIL}
"""


def ask(page: ErrorPage, kind: str = "http", *received: str, **scope: Any) -> list[Message]:
    messages: list[Message] = []
    events = iter(received)

    async def receive() -> Message:
        return {"type": next(events)}

    async def send(message: Message) -> None:
        messages.append(message)

    asyncio.run(page({"type": kind, **scope}, receive, send))
    return messages


def get(page: ErrorPage, accept: str = "", method: str = "GET") -> tuple[dict[bytes, bytes], str]:
    headers = [(b"accept", accept.encode())] if accept else []
    start, body = ask(page, method=method, headers=headers)
    assert start["status"] == 500
    return dict(start["headers"]), body["body"].decode()


def text_of(html: str) -> str:
    import html as escapes

    return escapes.unescape(re.sub("<[^>]*>", "", html))


def test_browsers_get_a_page_in_which_nothing_is_mark_up() -> None:
    page = ErrorPage(f"Importing failed: {EVIL}", DETAILS)
    headers, body = get(page, "text/html,application/xhtml+xml,*/*;q=0.8")
    assert headers[b"content-type"] == b"text/html; charset=utf-8"
    assert headers[b"content-length"] == str(len(body.encode())).encode()
    assert headers[b"cache-control"] == b"no-store"
    assert "<script>" not in body
    pre = re.search(r"<pre[^>]*>(.*)</pre>", body, re.DOTALL)
    assert pre
    assert text_of(pre[1]) == DETAILS.rstrip()
    assert f"Importing failed: {EVIL}" in text_of(body)
    assert '<span class="place">  File &quot;/srv/shop/main.py' in body
    assert '<span class="library">  File &quot;/srv/lib/site-packages/' in body


@pytest.mark.parametrize("accept", ["", "*/*", "text/plain", "application/jsonp"])
def test_terminals_get_text(accept: str) -> None:
    headers, body = get(ErrorPage("Importing failed.", DETAILS), accept)
    assert headers[b"content-type"] == b"text/plain; charset=utf-8"
    assert body == f"Importing failed.\n\n{DETAILS}"
    assert get(ErrorPage("Importing failed.", ""), accept)[1] == "Importing failed.\n"


@pytest.mark.parametrize(
    "accept", ["application/json", "application/json, text/plain, */*", "application/hal+json"]
)
def test_programs_get_json(accept: str) -> None:
    headers, body = get(ErrorPage("Importing failed.", DETAILS), accept)
    assert headers[b"content-type"] == b"application/json"
    assert json.loads(body) == {"error": "Importing failed.", "details": DETAILS}


def test_head_gets_no_body() -> None:
    headers, body = get(ErrorPage("Importing failed.", DETAILS), method="HEAD")
    assert body == ""
    assert int(headers[b"content-length"]) > 100


def test_something_else_can_be_shown() -> None:
    page = ErrorPage("one", DETAILS)
    page.show("two", "what else \udcff")
    assert get(page)[1] == "two\n\nwhat else ?\n"
    assert page.edition.number == 1


def test_websockets_are_denied() -> None:
    page = ErrorPage("one", "")
    start, body = ask(
        page, "websocket", "websocket.connect", headers=[], extensions={"websocket.http.response": {}}
    )
    assert (start["type"], start["status"]) == ("websocket.http.response.start", 500)
    assert body["body"] == b"one\n"
    (closed,) = ask(page, "websocket", "websocket.connect", headers=[], extensions=None)
    assert closed["type"] == "websocket.close"


def test_lifespan_is_supported() -> None:
    messages = ask(ErrorPage("one", ""), "lifespan", "lifespan.startup", "lifespan.shutdown")
    assert [message["type"] for message in messages] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]


def of_group() -> None:
    try:
        raise KeyError("inner")
    except KeyError as error:
        raise ExceptionGroup("both", [error, ValueError("last of all")]) from None


def of_notes() -> None:
    error = ValueError("many lines:\nfirst\n  second")
    error.add_note("and a note")
    raise error


def of_syntax() -> None:
    compile("def broken(:", "main.py", "exec")


def of_chain() -> None:
    try:
        raise KeyError("inner")
    except KeyError as error:
        raise ValueError("outer") from error


@pytest.mark.parametrize(
    ("fail", "error"),
    [
        (of_group, "ValueError: last of all"),
        (of_notes, "ValueError: many lines:\nfirst\n  second\nand a note"),
        (of_syntax, "SyntaxError: invalid syntax"),
        (of_chain, "ValueError: outer"),
    ],
)
def test_the_error_stands_above_the_traceback(fail: Any, error: str) -> None:
    """However Python writes it."""
    try:
        fail()
    except Exception:
        details = traceback.format_exc()
    body = get(ErrorPage("failed", details), "text/html")[1]
    found = re.search(r'<p class="error">(.*?)</p>', body, re.DOTALL)
    assert found
    assert text_of(found[1]) == error
