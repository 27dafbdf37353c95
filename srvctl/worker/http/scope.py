"""The ASGI scope of a request (spec: HTTP connection scope)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import unquote_to_bytes

from srvctl.logs.access.record import client_text
from srvctl.worker.http.extensions import usable
from srvctl.worker.http.protocol import bad_request
from srvctl.worker.http.request_head import VALID_HOST
from srvctl.worker.proxy.forwarding import without_imitations

if TYPE_CHECKING:
    from srvctl.worker.http.extensions import Extensions
    from srvctl.worker.http.protocol import Headers, RequestHead
    from srvctl.worker.http.surroundings import Address, Surroundings

Scope = dict[str, Any]
_Paths = tuple[str, bytes, bytes]  #: path and raw path, both behind the root path, and query

SPEC_VERSION: Final = "2.5"
# As numbers: CPython looks for a byte several times faster than for a bytes object of length one.
_SLASH: Final = ord("/")
_NUMBER_SIGN: Final = ord("#")
_PERCENT: Final = ord("%")


class Seen(NamedTuple):
    """What the access log needs to know of a request beside its head.

    Attributes:
        client_text: The client, as the log shows it.
        log_target: Path and query.
        scheme: That of the scope.
    """

    client_text: str
    log_target: bytes
    scheme: str


class ScopeMaker:
    """Makes the scopes of one connection.

    The scope of the last head is kept as a template, whose copy is cheaper than a new dictionary: clients
    that keep a connection often ask for the same again, and codecs then hand over the same head. Where only
    the target or the extensions are the same again, these are kept.
    """

    __slots__ = (
        "_around",
        "_client",
        "_client_text",
        "_extensions",
        "_extensions_for",
        "_head",
        "_headers",
        "_paths",
        "_state",
        "_target",
        "_template",
    )

    _headers: Headers
    _extensions: Extensions
    _paths: _Paths

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._state = around.state
        self._client: Address | None = None
        self._client_text: str | None = None  #: of that client
        self._head: RequestHead | None = None
        self._target = b""  #: that `_paths` are of; only of those that mean the same in every request
        self._extensions_for: tuple[str, bool] | None = None  #: version, and whether trailers are read
        # Every key a scope can have: a copied dictionary that gets a new key is rebuilt.
        self._template: Scope = {
            "type": "http",
            "asgi": None,
            "http_version": None,
            "server": around.server,
            "client": around.client,
            "scheme": around.scheme,
            "method": None,
            "root_path": around.root_path,
            "path": None,
            "raw_path": None,
            "query_string": None,
            "headers": None,
            "extensions": None,
        }
        if around.state is not None:
            self._template["state"] = None

    def make(self, head: RequestHead) -> Scope:
        """Return the scope of one request; what it holds is the application's, to change as it likes.

        Raises:
            ProtocolError: The request target cannot be understood.
        """
        if head is not self._head:
            self._prepare(head)
        scope = self._template.copy()
        scope["asgi"] = {"version": "3.0", "spec_version": SPEC_VERSION}
        scope["headers"] = self._headers.copy()
        scope["extensions"] = self._extensions.copy()
        if self._state is not None:
            scope["state"] = self._state.copy()
        return scope

    @property
    def client_text(self) -> str:
        """The client of the last scope, as the access log shows it."""
        client = self._template["client"]
        if self._client_text is None or client is not self._client:
            self._client, self._client_text = client, client_text(client)
        return self._client_text

    @property
    def scheme(self) -> str:
        """The scheme of the last scope."""
        scheme: str = self._template["scheme"]
        return scheme

    @property
    def log_target(self) -> bytes:
        """The path and query of the last scope, as the access log shows them."""
        path: bytes = self._template["raw_path"]
        query: bytes = self._template["query_string"]
        return path + b"?" + query if query else path

    def seen(self) -> Seen:
        """Return what the access log needs of the last scope: another may be made before it is logged."""
        return Seen(self.client_text, self.log_target, self.scheme)

    def _prepare(self, head: RequestHead) -> None:
        """Make the template for a head."""
        around, headers = self._around, [*head.headers]
        self._head = None
        if head.target == self._target:
            paths = self._paths
        else:
            paths = _paths(head, headers, around.root_path)
            if head.target[0] == _SLASH:
                self._target, self._paths = head.target, paths
        template = self._template
        template["http_version"] = head.version
        template["method"] = head.method
        template["path"], template["raw_path"], template["query_string"] = paths
        template["headers"] = without_imitations(headers)
        if around.forwarding is not None:
            template["client"], template["server"] = around.client, around.server
            template["scheme"], template["root_path"] = around.scheme, around.root_path
            around.forwarding.apply(template)
        self._headers = template["headers"]
        kind = (head.version, head.takes_trailers)
        if kind != self._extensions_for:
            self._extensions, self._extensions_for = usable(around.extensions, head), kind
        self._head = head


def _paths(head: RequestHead, headers: Headers, root_path: str) -> _Paths:
    """Return the paths of a request target; may put its authority into the headers."""
    target = head.target
    if not target.isascii() or _NUMBER_SIGN in target:
        raise bad_request("invalid request target")  # RFC 9112 section 3.2.1
    path_and_query = target if target[0] == _SLASH else _origin_form(head.method, target, headers)
    raw_path, _, query = path_and_query.partition(b"?")
    path = (
        unquote_to_bytes(raw_path).decode("utf-8", "replace") if _PERCENT in raw_path else raw_path.decode()
    )
    return root_path + path, root_path.encode() + raw_path, query


def _origin_form(method: str, target: bytes, headers: Headers) -> bytes:
    """Turn the other forms of a request target into path and query."""
    if target == b"*" and method == "OPTIONS":
        return target
    scheme, separator, rest = target.partition(b"://")
    if not separator or scheme.lower() not in {b"http", b"https"}:
        raise bad_request("invalid request target")
    end = min((index for index in (rest.find(b"/"), rest.find(b"?")) if index >= 0), default=len(rest))
    authority, path = rest[:end], rest[end:]
    if not authority or not VALID_HOST.fullmatch(authority):  # nor may it carry a user name
        raise bad_request("invalid authority in the request target")
    # RFC 9112 section 3.2.2: the authority of an absolute-form target replaces the Host sent beside it.
    headers[:] = [(b"host", authority), *(field for field in headers if field[0] != b"host")]
    return path if path[:1] == b"/" else b"/" + path
