"""Whom the console answers: which names it may be called by, and who may act. Pure.

A website in a browser inside the operator's network can have its own name lead to the console's address (DNS
rebinding), and then read what it serves. It cannot change the ``Host`` that the browser sends, so only names
that are the console's are answered. It cannot know the token either, nor send JSON elsewhere without being
asked by the browser whether it may (CORS), so it cannot act.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection

ANY: Final = "*"
_LOCAL: Final = "localhost"
#: RFC 9110 7.2, without what no browser sends.
_HOST: Final = re.compile(r"(?:\[(?P<address>[0-9a-f:.]+)\]|(?P<name>[a-z0-9_.-]+))(?::[0-9]*)?")


def is_known_host(host: str, names: Collection[str]) -> bool:
    """Return whether the console may be called so.

    Args:
        host: The field ``Host``; who sends none is no browser.
        names: Of ``console.hosts``.
    """
    if not host or ANY in names:
        return True
    match = _HOST.fullmatch(host.lower())
    if match is None:
        return False
    name = (match["address"] or match["name"]).rstrip(".")
    if name == _LOCAL or name.endswith(f".{_LOCAL}"):
        return True
    return name in {own.lower().rstrip(".") for own in names} or _is_address(name)


def has_token(authorization: str, token: str) -> bool:
    """Return whether a field ``Authorization`` carries the token (RFC 6750 2.1)."""
    scheme, _, given = authorization.partition(" ")
    if scheme.lower() != "bearer":
        return False
    # As bytes: of texts, only ASCII can be compared so. In constant time, so that it tells nothing.
    return hmac.compare_digest(given.strip().encode(), token.encode())


def is_json(content_type: str) -> bool:
    """Return whether a field ``Content-Type`` says JSON."""
    return content_type.partition(";")[0].strip().lower() == "application/json"


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
