"""One response on its way to a browser: HTML gets the script, everything else is left alone.

Used by `browser`, for GET only: a page that a form has made would send the form again if it loaded itself.
"""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from srvctl.dev.injection import Injector

if TYPE_CHECKING:
    from collections.abc import Iterable

    from srvctl.dev.asgi import Message, Scope, Send

    Header = tuple[bytes, bytes]

#: What describes the body that the application has made, which is not the one that is sent.
_OF_THE_BODY: Final = frozenset(
    {
        b"etag",
        b"last-modified",
        b"accept-ranges",
        b"content-md5",
        b"digest",
        b"content-digest",
        b"repr-digest",
    }
)
#: What may have a page answered by one that the browser keeps, or compressed: neither could be added to.
_SHORTCUTS: Final = frozenset({b"accept-encoding", b"if-none-match", b"if-modified-since", b"if-range"})
#: Files that the server would send by itself, unseen.
_UNSEEN: Final = frozenset({"http.response.pathsend", "http.response.zerocopysend"})
_WITHOUT_PAGE: Final = frozenset({204, 205, 206, 304})
_NONCE: Final = re.compile(rb"'nonce-([A-Za-z0-9+/_-]+=*)'")
#: Where Fetch metadata says that a page is loaded; a script of the page that fetches HTML wants only that.
_DOCUMENTS: Final = frozenset({b"document", b"iframe", b"frame", b"object", b"embed"})


class Page:
    """One response.

    Args:
        scope: Of its request.
        send: What takes its messages.
        source: Address of the script.
    """

    def __init__(self, scope: Scope, send: Send, source: str) -> None:
        self._send = send
        self._source = source
        self._is_fragment = _is_fragment(scope["headers"])
        self._injector: Injector | None = None

    async def send(self, message: Message) -> None:
        """Send a message of the application's, with what is added to it."""
        if message["type"] == "http.response.start":
            message = self._begun(message)
        elif message["type"] == "http.response.body" and self._injector is not None:
            body = self._injector.feed(message.get("body", b""))
            if not message.get("more_body", False):
                body += self._injector.end()
                self._injector = None
            message = {**message, "body": body}
        await self._send(message)

    def _begun(self, message: Message) -> Message:
        given = list(message.get("headers", ()))  # it can be iterated over once, perhaps
        message = {**message, "headers": given}
        headers = [(bytes(name).lower(), bytes(value)) for name, value in given]
        if self._is_fragment or not _is_page(message["status"], headers):
            return message
        nonce = next((found[1] for name, value in headers if (found := _nonce_of(name, value))), b"")
        script = _script(self._source, nonce)
        try:
            headers = [_with_more(header, len(script)) for header in headers if header[0] not in _OF_THE_BODY]
        except ValueError:  # the length is none: the server will complain
            return message
        self._injector = Injector(script)
        return {**message, "headers": headers}


def without_shortcuts(scope: Scope) -> Scope:
    """Return a scope for which an application makes responses that can be added to."""
    changed = {**scope}
    extensions = scope.get("extensions")
    if extensions is not None:
        changed["extensions"] = {name: value for name, value in extensions.items() if name not in _UNSEEN}
    if any(name == b"accept" and b"text/html" in value for name, value in scope["headers"]):
        changed["headers"] = [header for header in scope["headers"] if header[0] not in _SHORTCUTS]
    return changed


def _is_fragment(headers: Iterable[Header]) -> bool:
    """Say whether a script asks for HTML to put it into a page that is there."""
    for name, value in headers:
        if name == b"sec-fetch-dest" and value not in _DOCUMENTS:
            return True
        if name in {b"hx-request", b"x-requested-with"}:
            return True
    return False


def _is_page(status: int, headers: list[Header]) -> bool:
    fields = dict(headers)
    kind = fields.get(b"content-type", b"").lower()
    if status in _WITHOUT_PAGE or not kind.startswith(b"text/html") or b"utf-16" in kind:
        return False
    return b"content-range" not in fields and fields.get(b"content-encoding", b"identity") == b"identity"


def _nonce_of(name: bytes, value: bytes) -> re.Match[bytes] | None:
    """Return the nonce that a policy wants scripts to have (CSP 3, 2.3.1)."""
    return _NONCE.search(value) if name == b"content-security-policy" else None


def _with_more(header: Header, more: int) -> Header:
    return (header[0], b"%d" % (int(header[1]) + more)) if header[0] == b"content-length" else header


def _script(source: str, nonce: bytes) -> bytes:
    address = html.escape(quote(source, safe="/?:@!$&'()*+,;=-._~%"))
    attribute = b' nonce="%b"' % nonce if nonce else b""
    return b'<script src="%b"%b async></script>' % (address.encode(), attribute)
