"""Who is trusted: the one answer for peers of connections and for the hops they name. Pure."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network
from typing import TYPE_CHECKING, Final, Self

from srvctl.settings.trusted import EVERYONE, UNIX, items_of, parse_peer
from srvctl.worker.proxy import node
from srvctl.worker.proxy.node import pack

if TYPE_CHECKING:
    from collections.abc import Iterable

#: By the number of bits behind the prefix, fewest first: from the number of a network to its entry.
_Networks = list[tuple[int, dict[int, str]]]
_REMEMBERED: Final = 1024  #: addresses of peers


class Trust:
    """The set of those who are trusted.

    Args:
        entries: IP addresses, networks, ``unix``, ``*`` and obfuscated identifiers of RFC 7239.

    Raises:
        ValueError: An entry is none of these; the message names it.
    """

    __slots__ = ("_is_everyone", "_match_address", "_names", "_networks")

    def __init__(self, entries: Iterable[str]) -> None:
        self._is_everyone = False
        self._names: dict[str, str] = {}
        by_size: dict[int, dict[int, dict[int, str]]] = {4: {}, 16: {}}
        for entry in entries:
            try:
                peer = parse_peer(entry)
            except ValueError as error:
                raise ValueError(f'"{entry}" {error}') from None
            if isinstance(peer, (IPv4Network, IPv6Network)):
                shift = peer.max_prefixlen - peer.prefixlen
                of_length = by_size[peer.max_prefixlen // 8].setdefault(shift, {})
                of_length.setdefault(int(peer.network_address) >> shift, entry)
            else:
                self._names[peer] = entry
        self._is_everyone = EVERYONE in self._names
        if UNIX in self._names:
            self._names[node.UNIX] = UNIX
        self._networks: dict[int, _Networks] = {size: sorted(of.items()) for size, of in by_size.items()}
        #: Proxies, and most clients, connect again and again.
        self._match_address = lru_cache(_REMEMBERED)(self._find_address)

    @classmethod
    def from_settings(cls, values: Iterable[str]) -> Self:
        """Return the trust that ``proxy.forwarded_allow_ips`` declares.

        Args:
            values: Each an entry, or several with commas between them.

        Raises:
            ValueError: An entry is wrong; the message names it and says what is allowed.
        """
        return cls(items_of(values))

    def match(self, host: str, packed: bytes) -> str | None:
        """Return the entry by which a hop is trusted, or None.

        Args:
            host: What the hop is called.
            packed: Its address, from `srvctl.worker.proxy.node.pack`; none for an identifier.
        """
        if self._is_everyone:
            return EVERYONE
        if not packed:
            return self._names.get(host)
        number = int.from_bytes(packed)
        for shift, networks in self._networks[len(packed)]:
            entry = networks.get(number >> shift)
            if entry is not None:
                return entry
        return None

    def match_peer(self, host: str | None, *, is_unix: bool) -> str | None:
        """Return the entry by which the peer of a connection is trusted, or None.

        Args:
            host: Its address; None when it has none.
            is_unix: It connected to a Unix socket. Not to be concluded from a missing address: a TCP client
                that has left by the time it is asked for has none either.
        """
        if is_unix:
            return self.match(UNIX, b"")
        if host is None:
            return EVERYONE if self._is_everyone else None
        return self._match_address(host)

    def _find_address(self, host: str) -> str | None:
        packed = pack(host.partition("%")[0])  # RFC 4007: a link-local peer comes with its zone
        return self.match(host, packed) if packed or self._is_everyone else None
