"""What is served in development instead of an application that cannot be: a page that says why.

Must not know why there is nothing better to serve. Made by `srvctl.worker.main`, in a worker that touches
nothing of the application's own.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Final

from srvctl.dev.edition import Edition
from srvctl.dev.traceback_html import paragraphs, title_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from srvctl.dev.asgi import Receive, Scope, Send

#: What a client that speaks JSON accepts first.
_JSON: Final = re.compile(r"\s*application/([\w.-]+\+)?json\b")
_DENIAL: Final = "websocket.http.response"
#: Nothing in a traceback is ever run; the script of `srvctl.dev.browser` is.
_POLICY: Final = b"default-src 'none'; style-src 'unsafe-inline'; script-src 'self'; connect-src 'self'"


class ErrorPage:
    """An application that answers each request with what is wrong.

    Args:
        message: One sentence that says it.
        details: The traceback; empty where there is none.

    Attributes:
        edition: Changes with what is shown.
    """

    def __init__(self, message: str, details: str) -> None:
        self.edition = Edition()
        self._message = message
        self._details = details
        self._template = Template(Path(__file__).with_name("error_page.html").read_text("utf-8"))

    def show(self, message: str, details: str) -> None:
        """Answer with this from now on."""
        self._message, self._details = message, details
        self.edition.renew()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] == "websocket":
            await receive()
            if _DENIAL in (scope.get("extensions") or {}):
                await self._answer("websocket.http.response", scope, send)
            else:
                await send({"type": "websocket.close", "code": 1011, "reason": "the application failed"})
        else:
            await self._answer("http.response", scope, send)

    async def _answer(self, kind: str, scope: Scope, send: Send) -> None:
        form, body = self._body(_accepted(scope["headers"]))
        headers = [
            (b"content-type", form),
            (b"content-length", b"%d" % len(body)),
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
            (b"content-security-policy", _POLICY),
        ]
        await send({"type": f"{kind}.start", "status": 500, "headers": headers})
        sent = b"" if scope.get("method") == "HEAD" else body
        await send({"type": f"{kind}.body", "body": sent})

    def _body(self, accepted: str) -> tuple[bytes, bytes]:
        """Return media type and text."""
        if "text/html" in accepted:
            text = self._template.substitute(
                title=title_of(self._message),
                message=title_of(self._message),
                details=paragraphs(self._details),
            )
            return b"text/html; charset=utf-8", _encoded(text)
        if _JSON.match(accepted):
            told = {"error": self._message, "details": self._details}
            return b"application/json", _encoded(json.dumps(told))
        text = f"{self._message}\n" + (f"\n{self._details.rstrip()}\n" if self._details else "")
        return b"text/plain; charset=utf-8", _encoded(text)


def _accepted(headers: Iterable[tuple[bytes, bytes]]) -> str:
    return ",".join(value.decode("latin-1").lower() for name, value in headers if name == b"accept")


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "replace")  # a traceback may quote what is no text


async def _live(receive: Receive, send: Send) -> None:
    while True:
        kind = (await receive())["type"]
        await send({"type": f"{kind}.complete"})
        if kind == "lifespan.shutdown":
            return
