"""The fields X-Forwarded-*, for which there is no standard but what proxies do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from srvctl.worker.proxy.claims import host_of, port_of, prefix_of, scheme_of
from srvctl.worker.proxy.node import read_node
from srvctl.worker.proxy.view import View
from srvctl.worker.proxy.walk import split_from_right, walk

if TYPE_CHECKING:
    from collections.abc import Iterable

    from srvctl.settings.trusted import ForwardedField
    from srvctl.worker.http.protocol import Headers
    from srvctl.worker.proxy.node import Node
    from srvctl.worker.proxy.trust import Trust

FAMILY: Final = b"x-forwarded-"
_FOR: Final = FAMILY + b"for"
_PROTO: Final = FAMILY + b"proto"
_HOST: Final = FAMILY + b"host"
_PORT: Final = FAMILY + b"port"
_PREFIX: Final = FAMILY + b"prefix"


class XForwarded:
    """Reads X-Forwarded-For and its companions.

    A field that came several times is one list (RFC 9110 section 5.3). Where proxies append to the others
    as they do to X-Forwarded-For, the value of the hop that the walk reached counts.

    Args:
        trust: Which hops are believed.
        fields: Which of the fields are.
    """

    __slots__ = ("_has_more", "_trust", "names")

    def __init__(self, trust: Trust, fields: Iterable[ForwardedField]) -> None:
        self._trust = trust
        self.names = frozenset(FAMILY + field.encode() for field in fields)
        self._has_more = not self.names <= {_FOR, _PROTO}

    def read(self, found: Headers, steps: list[str] | None = None) -> View:
        """Return what a trusted peer says."""
        values: dict[bytes, bytes] = {}
        for name, value in found:
            values[name] = values[name] + b"," + value if name in values else value
        client, depth = None, 0
        if _FOR in values:
            client, depth = walk(
                split_from_right(values[_FOR].decode("latin-1")), _read_entry, self._trust, steps
            )
        scheme = None
        if _PROTO in values:
            scheme = scheme_of(_value_at(values[_PROTO], depth), "X-Forwarded-Proto", steps)
        if not self._has_more:
            return View(client, scheme)
        host, port, prefix = values.get(_HOST), values.get(_PORT), values.get(_PREFIX)
        return View(
            client,
            scheme,
            None if host is None else host_of(_value_at(host, depth), "X-Forwarded-Host", steps),
            None if port is None else port_of(_value_at(port, depth), "X-Forwarded-Port", steps),
            None if prefix is None else prefix_of(_values_to(prefix, depth), "X-Forwarded-Prefix", steps),
        )


def _read_entry(entry: str) -> Node | None:
    """Return the hop of an entry of X-Forwarded-For, which some proxies put in quotes."""
    if entry[:1] == '"' and entry[-1:] == '"' and len(entry) > 1:
        entry = entry[1:-1]
    return read_node(entry)


def _values_to(value: bytes, depth: int) -> list[str]:
    """Return the values written by the hops down to a depth, left to right; never none."""
    return [text.strip(" \t") for text in value.decode("latin-1").split(",")[-1 - depth :]]


def _value_at(value: bytes, depth: int) -> str:
    """Return the value that belongs to a hop: with fewer values than hops, the left-most.

    Most proxies replace these fields, so that there is one value, which the outermost wrote.
    """
    return _values_to(value, depth)[0] if b"," in value else value.decode("latin-1").strip(" \t")
