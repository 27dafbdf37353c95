"""The ASGI scope of a request (spec: HTTP connection scope)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote_to_bytes

from srvctl.worker.http.protocol import ProtocolError

if TYPE_CHECKING:
    from srvctl.worker.http.protocol import RequestHead

Address = tuple[str, int | None]

SPEC_VERSION: Final = "2.5"
_BAD_REQUEST: Final = 400
_SLASH: Final = ord("/")


def build_scope(
    head: RequestHead,
    scheme: str,
    client: Address | None,
    server: Address | None,
    root_path: str,
    state: dict[str, Any] | None,
) -> dict[str, Any]:
    """Return the scope.

    Raises:
        ProtocolError: The request target cannot be understood.
    """
    target = head.target
    if target[0] != _SLASH:
        target = _origin_form(head)
    if not target.isascii() or b"#" in target:
        raise ProtocolError(_BAD_REQUEST, "invalid request target")  # RFC 9112 section 3.2.1
    raw_path, _, query = target.partition(b"?")
    path = unquote_to_bytes(raw_path).decode("utf-8", "replace") if b"%" in raw_path else raw_path.decode()
    if root_path:
        path = root_path + path
        raw_path = root_path.encode() + raw_path
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": SPEC_VERSION},
        "http_version": head.version,
        "server": server,
        "client": client,
        "scheme": scheme,
        "method": head.method,
        "root_path": root_path,
        "path": path,
        "raw_path": raw_path,
        "query_string": query,
        "headers": head.headers,
    }
    if state is not None:
        scope["state"] = state.copy()
    return scope


def _origin_form(head: RequestHead) -> bytes:
    """Turn the other forms of a request target into path and query."""
    if head.target == b"*" and head.method == "OPTIONS":
        return b"*"
    scheme, separator, rest = head.target.partition(b"://")
    if not separator or scheme.lower() not in {b"http", b"https"}:
        raise ProtocolError(_BAD_REQUEST, "invalid request target")
    end = min((index for index in (rest.find(b"/"), rest.find(b"?")) if index >= 0), default=len(rest))
    authority, path = rest[:end], rest[end:]
    if not authority or b"@" in authority:
        raise ProtocolError(_BAD_REQUEST, "invalid authority in the request target")
    # RFC 9112 section 3.2.2: the authority of an absolute-form target replaces the Host sent beside it.
    head.headers[:] = [field for field in head.headers if field[0] != b"host"]
    head.headers.insert(0, (b"host", authority))
    return path if path[:1] == b"/" else b"/" + path
