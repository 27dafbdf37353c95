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


def scope_template(
    scheme: str, client: Address | None, server: Address | None, root_path: str, state: dict[str, Any] | None
) -> Scope:
    """Return what all scopes of a connection have in common; copying it is cheaper than building each.

    Args:
        scheme: ``http`` or ``https``.
        client: Host and port of the client, if it has any.
        server: Our own side of the connection.
        root_path: Where the application is mounted.
        state: What the lifespan left for requests, each of which gets its own shallow copy.
    """
    template: Scope = {
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
        template["state"] = state
    return template


def fill_scope(template: Scope, method: str, target: bytes, version: str, headers: Headers) -> Scope:
    """Return the scope of one request.

    Raises:
        ProtocolError: The request target cannot be understood.
    """
    if target[0] != _SLASH:
        target = _origin_form(method, target, headers)
    if not target.isascii() or _NUMBER_SIGN in target:
        raise ProtocolError(_BAD_REQUEST, "invalid request target")  # RFC 9112 section 3.2.1
    raw_path, _, query = target.partition(b"?")
    path = (
        unquote_to_bytes(raw_path).decode("utf-8", "replace") if _PERCENT in raw_path else raw_path.decode()
    )
    scope = template.copy()
    root_path = scope["root_path"]
    if root_path:
        path = root_path + path
        raw_path = root_path.encode() + raw_path
    scope["asgi"] = {"version": "3.0", "spec_version": SPEC_VERSION}
    if version != "1.1":
        scope["http_version"] = version
    if "state" in scope:
        scope["state"] = scope["state"].copy()
    scope["method"] = method
    scope["path"] = path
    scope["raw_path"] = raw_path
    scope["query_string"] = query
    scope["headers"] = headers
    return scope


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
