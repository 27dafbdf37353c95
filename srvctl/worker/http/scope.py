"""The ASGI scope of a request (spec: HTTP connection scope)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote_to_bytes

from srvctl.worker.http.protocol import VALID_HOST, ProtocolError

if TYPE_CHECKING:
    from srvctl.worker.http.protocol import Headers

Address = tuple[str, int | None]
Scope = dict[str, Any]

SPEC_VERSION: Final = "2.5"
_BAD_REQUEST: Final = 400
# As numbers: CPython looks for a byte several times faster than for a bytes object of length one.
_SLASH: Final = ord("/")
_NUMBER_SIGN: Final = ord("#")
_PERCENT: Final = ord("%")


class ScopeMaker:
    """Makes the scopes of one connection.

    What they have in common is kept in a template, whose copy is cheaper than a new dictionary; so are the
    paths of the last target, because clients that keep a connection often ask for the same again.

    Args:
        scheme: ``http`` or ``https``.
        client: Host and port of the client, if it has any.
        server: Our own side of the connection.
        root_path: Where the application is mounted.
        state: What the lifespan left for requests, each of which gets its own shallow copy; None for nothing.
    """

    __slots__ = ("_root_path", "_state", "_target", "_template")

    def __init__(
        self,
        scheme: str,
        client: Address | None,
        server: Address | None,
        root_path: str,
        state: dict[str, Any] | None,
    ) -> None:
        self._root_path = root_path
        self._state = state
        self._target = b""
        self._template: Scope = {
            "type": "http",
            "asgi": None,
            "http_version": "1.1",
            "server": server,
            "client": client,
            "scheme": scheme,
            "method": "",
            "root_path": root_path,
            "path": "",
            "raw_path": b"",
            "query_string": b"",
            "headers": [],
        }
        if state is not None:
            self._template["state"] = state

    def make(self, method: str, target: bytes, version: str, headers: Headers) -> Scope:
        """Return the scope of one request.

        Raises:
            ProtocolError: The request target cannot be understood.
        """
        if target != self._target:
            self._take_target(method, target, headers)
        scope = self._template.copy()
        scope["asgi"] = {"version": "3.0", "spec_version": SPEC_VERSION}
        scope["method"] = method
        scope["headers"] = headers
        if version != "1.1":
            scope["http_version"] = version
        if self._state is not None:
            scope["state"] = self._state.copy()
        return scope

    def _take_target(self, method: str, target: bytes, headers: Headers) -> None:
        """Put the paths of a request target into the template."""
        self._target = b""
        path_and_query = target if target[0] == _SLASH else _origin_form(method, target, headers)
        if not target.isascii() or _NUMBER_SIGN in target:
            raise ProtocolError(_BAD_REQUEST, "invalid request target")  # RFC 9112 section 3.2.1
        raw_path, _, query = path_and_query.partition(b"?")
        path = (
            unquote_to_bytes(raw_path).decode("utf-8", "replace")
            if _PERCENT in raw_path
            else raw_path.decode()
        )
        self._template["path"] = self._root_path + path
        self._template["raw_path"] = self._root_path.encode() + raw_path
        self._template["query_string"] = query
        if target[0] == _SLASH:  # the other forms also depend on the method or change the headers
            self._target = target


def _origin_form(method: str, target: bytes, headers: Headers) -> bytes:
    """Turn the other forms of a request target into path and query."""
    if target == b"*" and method == "OPTIONS":
        return target
    scheme, separator, rest = target.partition(b"://")
    if not separator or scheme.lower() not in {b"http", b"https"}:
        raise ProtocolError(_BAD_REQUEST, "invalid request target")
    end = min((index for index in (rest.find(b"/"), rest.find(b"?")) if index >= 0), default=len(rest))
    authority, path = rest[:end], rest[end:]
    if not authority or not VALID_HOST.fullmatch(authority):  # nor may it carry a user name
        raise ProtocolError(_BAD_REQUEST, "invalid authority in the request target")
    # RFC 9112 section 3.2.2: the authority of an absolute-form target replaces the Host sent beside it.
    headers[:] = [(b"host", authority), *(field for field in headers if field[0] != b"host")]
    return path if path[:1] == b"/" else b"/" + path
