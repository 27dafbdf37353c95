"""What may stand in the lists of the group ``proxy``: trusted peers, and the fields that are believed.

Beside the settings, so that a mistake is told when they are read; `srvctl.worker.proxy` makes its decisions
from what is parsed here.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TYPE_CHECKING, Final, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ForwardedField = Literal["for", "proto", "host", "port", "prefix"]

EVERYONE: Final = "*"
UNIX: Final = "unix"
FIELDS: Final[tuple[ForwardedField, ...]] = get_args(ForwardedField)
#: RFC 7239 section 6.3: the name under which a proxy hides an address.
OBFUSCATED: Final = re.compile(r"_[A-Za-z0-9._-]+")
_MAPPED: Final = IPv6Network("::ffff:0:0/96")
_ALLOWED: Final = "an IP address, a network such as 10.0.0.0/8, unix, * or a name such as _edge (RFC 7239)"

#: ``*``, ``unix`` and obfuscated identifiers are themselves; an address is a network of one.
Peer = str | IPv4Network | IPv6Network


def parse_peer(text: str) -> Peer:
    """Return what an entry of ``proxy.forwarded_allow_ips`` names.

    IPv4 addresses written as IPv6 (``::ffff:10.0.0.1``) are what they stand for.

    Raises:
        ValueError: It names no one; the message begins behind the entry.
    """
    if text in {EVERYONE, UNIX} or OBFUSCATED.fullmatch(text):
        return text
    if "%" in text:  # RFC 4007: the zone of a link-local address, which is no part of the address
        raise ValueError(
            f"has a zone, which cannot be compared; write {text.partition('%')[0] or 'fe80::/10'}"
        )
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        raise ValueError(f"is not {_ALLOWED}") from None
    if "/" in text and ip_network(text.partition("/")[0]).network_address != network.network_address:
        # Whoever writes this means one host or one network; the guess would trust too many or too few.
        raise ValueError(f"is a host of a network, not a network; write {network}")
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        mapped = network.network_address.ipv4_mapped
        return IPv4Network((int(mapped or 0), network.prefixlen - _MAPPED.prefixlen))
    return network


def parse_field(text: str) -> ForwardedField:
    """Return a name of ``proxy.fields``, in lower case.

    Raises:
        ValueError: There is no such field; the message begins behind the name.
    """
    for field in FIELDS:
        if text.lower() == field:
            return field
    raise ValueError(f"is not one of {', '.join(FIELDS)}")


def items_of(values: Iterable[str]) -> Iterator[str]:
    """Yield the items of a setting whose values are, or hold, lists with commas; empty ones are none."""
    for value in values:
        yield from (item for part in value.split(",") if (item := part.strip()))


def check_peers(value: str) -> None:
    """Check one value of ``proxy.forwarded_allow_ips``.

    Raises:
        ValueError: An entry names no one.
    """
    for item in items_of([value]):
        try:
            parse_peer(item)
        except ValueError as error:
            raise ValueError(_told(item, value, error)) from None


def check_fields(value: str) -> None:
    """Check one value of ``proxy.fields``.

    Raises:
        ValueError: It holds a name that is none.
    """
    for item in items_of([value]):
        try:
            parse_field(item)
        except ValueError as error:
            raise ValueError(_told(item, value, error)) from None


def _told(item: str, value: str, error: ValueError) -> str:
    """Return what is wrong with a value, which the reader has seen, or with an item of it."""
    return str(error) if item == value else f'holds "{item}", which {error}'
