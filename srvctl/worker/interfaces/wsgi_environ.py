"""What a WSGI application is told about its request (PEP 3333, RFC 3875), where a2wsgi says something else.

Pure but for the stream of errors; `srvctl.worker.interfaces.wsgi` calls it for each request.
"""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote_to_bytes

from srvctl.worker.interfaces.wsgi_body import RequestBody

if TYPE_CHECKING:
    from collections.abc import Callable

    from srvctl.worker.http.protocol import Headers
    from srvctl.worker.http.response import Message
    from srvctl.worker.http.scope import Scope

_COOKIE: Final = b"cookie"
_PORTS: Final = {"http": "80", "https": "443"}
_BODY_BUFFER: Final = 65536  #: bytes; what an application reads in small pieces is fetched in larger ones


def without_ambiguity(headers: Headers) -> Headers:
    """Return the headers without those that an environ could not tell from others.

    ``X_User`` and ``X-User`` are both HTTP_X_USER there, and a proxy that takes care of the one lets the
    other pass: so names with ``_`` are left out, as most servers do. Several Cookie fields become one,
    joined as RFC 9113 section 8.2.3 says.

    Args:
        headers: Names in lower case; not changed.
    """
    cookies = [value for name, value in headers if name == _COOKIE]
    if len(cookies) > 1:
        joined = (_COOKIE, b"; ".join(cookies))
        headers = [*(field for field in headers if field[0] != _COOKIE), joined]
    return [field for field in headers if b"_" not in field[0]]


def complete(
    environ: dict[str, Any], scope: Scope, wait_message: Callable[[], Message], *, is_threaded: bool
) -> None:
    """Put right what an environ of a2wsgi's says.

    Args:
        environ: Is changed.
        scope: What it was made of.
        wait_message: Returns the next message of the request.
        is_threaded: The application may be called again while it is called.
    """
    root_path = scope["root_path"].encode()
    # The bytes of the path, not what they mean in UTF-8: they need not mean anything there.
    path = unquote_to_bytes(scope["raw_path"].removeprefix(root_path))
    environ["PATH_INFO"] = path.decode("latin-1")
    environ["wsgi.errors"] = sys.stderr
    environ["wsgi.multithread"] = is_threaded
    environ["wsgi.input"] = io.BufferedReader(RequestBody(wait_message), _BODY_BUFFER)
    if "CONTENT_LENGTH" not in environ:
        environ["wsgi.input_terminated"] = True  # werkzeug's word for: read to the end, there is one
    server, client = scope.get("server"), scope.get("client")
    if server is None or server[1] is None:  # a Unix socket
        environ["SERVER_NAME"] = "localhost"
        environ["SERVER_PORT"] = _PORTS.get(scope["scheme"], "80")
    environ.setdefault("REMOTE_ADDR", "")
    if client is not None and client[1] is None:
        del environ["REMOTE_PORT"]
