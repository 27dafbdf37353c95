"""Whether the peer of a connection is believed, decided once, and what its requests become by its headers.

What `HttpConnection` calls: `ProxyPolicy` lives as long as the server, `Forwarding` as long as a connection.
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Final, Self

from srvctl.settings.trusted import items_of, parse_field
from srvctl.worker.http import request_id
from srvctl.worker.proxy import forwarded, xforwarded
from srvctl.worker.proxy.trust import Trust
from srvctl.worker.proxy.view import View, apply

if TYPE_CHECKING:
    from srvctl.settings.groups.proxy import ProxySettings
    from srvctl.worker.http.protocol import Headers
    from srvctl.worker.http.scope import Scope
    from srvctl.worker.proxy.view import Style

_NAME: Final = itemgetter(0)  #: of a field
_UNDERSCORE: Final = ord("_")
#: Names that only a proxy should write. CGI and WSGI cannot tell ``_`` from ``-`` in a name.
_FORWARDING_NAMES: Final = frozenset({forwarded.NAME, b"x-real-ip", request_id.NAME})


class ProxyPolicy:
    """What the settings say about proxies, ready to be asked.

    Attributes:
        trust: Who is trusted.
        style: Reads the headers of trusted peers; None when no header is believed.
        fields: What is taken from them.
        style_name: Which family they are of, as the settings call it.
        is_protocol_expected: Every connection begins with a PROXY protocol header.

    Raises:
        ValueError: The settings were not checked.
    """

    __slots__ = ("fields", "is_protocol_expected", "style", "style_name", "trust")

    def __init__(self, settings: ProxySettings) -> None:
        self.trust = Trust.from_settings(settings.forwarded_allow_ips)
        self.fields = frozenset(parse_field(name) for name in items_of(settings.fields))
        self.style_name = settings.style
        kind = forwarded.Forwarded if settings.style == "forwarded" else xforwarded.XForwarded
        style: Style = kind(self.trust, self.fields)
        self.style = style if settings.headers and style.names else None
        self.is_protocol_expected = settings.protocol == "on"


class Forwarding:
    """Applies the headers of one trusted peer to its requests.

    Proxies that keep a connection for one client, and health checks, repeat what they said last; what that
    means is kept.
    """

    __slots__ = ("_found", "_names", "_style", "_view")

    def __init__(self, style: Style) -> None:
        self._style = style
        self._names = style.names
        self._found: Headers = []
        self._view = View()

    @classmethod
    def for_peer(cls, policy: ProxyPolicy, host: str | None, *, is_unix: bool) -> Self | None:
        """Return what changes the scopes of a connection, or None when its headers change nothing.

        Args:
            policy: What the settings say.
            host: Address of the peer; None when it has none. Behind the PROXY protocol, the source it names.
            is_unix: The peer connected to a Unix socket. Tell by the listening socket: a TCP client that has
                left already has no address either.
        """
        if policy.style is None or policy.trust.match_peer(host, is_unix=is_unix) is None:
            return None
        return cls(policy.style)

    def apply(self, scope: Scope, steps: list[str] | None = None) -> None:
        """Make a scope what the request was for its client.

        Args:
            scope: Complete, of HTTP or WebSocket; changed in place. Its headers, with names in lower case,
                are not: where Host changes, the scope gets another list.
            steps: Takes the reasons, in words; for people, who ask once.
        """
        names = self._names
        found = [field for field in scope["headers"] if field[0] in names]
        if not found:
            return
        if found != self._found or steps is not None:
            self._view = self._style.read(found, steps)
            self._found = found
        apply(self._view, scope)


def without_imitations(headers: Headers) -> Headers:
    """Return the headers without those that imitate a forwarding field with ``_`` in the name.

    ``X_Forwarded_For`` is not what a proxy replaces, but is the same to an application that sees names as
    CGI has them, in capitals and with ``_`` for ``-``. Other names with ``_`` stay.

    Args:
        headers: Names in lower case; not changed.

    Returns:
        The very same list when there are none.
    """
    names = [*map(_NAME, headers)]
    if _UNDERSCORE not in b"".join(names) or not any(map(is_imitation, names)):
        return headers
    return [field for field in headers if not is_imitation(field[0])]


def is_imitation(name: bytes) -> bool:
    """Return whether a name, in lower case, is a forwarding field's only once ``_`` is read as ``-``."""
    meant = name.replace(b"_", b"-")
    return meant != name and (meant in _FORWARDING_NAMES or meant.startswith(xforwarded.FAMILY))
