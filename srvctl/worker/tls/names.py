"""Server names: the entries of ``tls.sni``, and which of them answers a client that asks for a name.

Pure. A name is the one the entry has, or lies directly below that of an entry ``*.NAME`` (RFC 6125 section
6.4.3: a wildcard is one whole label). Everybody else gets the default certificate.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

_T = TypeVar("_T")

_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME: Final = re.compile(rf"(?:\*\.)?{_LABEL}(?:\.{_LABEL})*")
_MAX_NAME: Final = 253  #: characters, RFC 1035 section 2.3.4


@dataclass(frozen=True, slots=True)
class Entry:
    """One item of ``tls.sni``.

    Attributes:
        name: In lower case, as it is on the wire; may begin with ``*.``.
        certfile: The certificate and its chain.
        keyfile: Its private key; None when it is in the same file.
    """

    name: str
    certfile: str
    keyfile: str | None


def parse_entry(text: str) -> Entry:
    """Read ``NAME=CERTFILE[:KEYFILE]``.

    Raises:
        ValueError: It has another form, or the name is none; the text of the error follows the entry's own.
    """
    given, found, files = text.partition("=")
    certfile, _, keyfile = files.partition(":")
    if not found or not certfile:
        raise ValueError("is not of the form NAME=CERTFILE[:KEYFILE]")
    name = normalized(given.strip())
    if len(name) > _MAX_NAME or not _NAME.fullmatch(name):
        raise ValueError(
            f"begins with {given!r}, which is no server name; write example.com or *.example.com"
        )
    return Entry(name, certfile, keyfile or None)


def normalized(name: str) -> str:
    """Return a name as it is compared: lower case, no final dot, letters beyond ASCII as on the wire.

    What cannot be on the wire is returned as it is, and then matches nothing.
    """
    name = name.lower().removesuffix(".")
    if not name.isascii():
        try:
            return name.encode("idna").decode("ascii")
        except UnicodeError:
            return name
    return name


class Names(Generic[_T]):
    """What belongs to each name; exact names come before wildcards.

    Args:
        by_name: Keys as `Entry.name` has them.
    """

    __slots__ = ("_by_name",)

    def __init__(self, by_name: Mapping[str, _T]) -> None:
        self._by_name = dict(by_name)

    def __repr__(self) -> str:
        return f"Names({', '.join(self._by_name)})"

    def find(self, asked: str) -> _T | None:
        """Return what belongs to the name a client asks for, or None."""
        name = normalized(asked)
        found = self._by_name.get(name)
        if found is None:
            found = self._by_name.get("*." + name.partition(".")[2])
        return found
