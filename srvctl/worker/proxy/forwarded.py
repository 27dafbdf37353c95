"""The field Forwarded (RFC 7239), read from the right, as far as it is trusted."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from srvctl.worker.proxy.claims import host_of, quoted, scheme_of
from srvctl.worker.proxy.node import read_node
from srvctl.worker.proxy.view import View
from srvctl.worker.proxy.walk import walk

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from srvctl.settings.trusted import ForwardedField
    from srvctl.worker.http.protocol import Headers
    from srvctl.worker.proxy.node import Node
    from srvctl.worker.proxy.trust import Trust

NAME: Final = b"forwarded"
_TOKEN: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - token as in RFC 9110
#: RFC 9110 section 5.6.4: what a quoted string may hold; controls it may not.
_ANY: Final = r"[^\x00-\x08\x0a-\x1f\x7f]"
_PLAIN: Final = r"[^\"\\\x00-\x08\x0a-\x1f\x7f]"
#: RFC 7239 section 4: forwarded-pair and what ends it. Blanks around a pair are not in the grammar, but
#: many write them and they mean nothing. Possessive, so that no input makes it try twice.
_PAIR: Final = re.compile(
    rf"""[ \t]*+(?:({_TOKEN})=(?:({_TOKEN})|"((?:{_PLAIN}|\\{_ANY})*+)"))?[ \t]*+(;|\Z)"""
)
_ESCAPED: Final = re.compile(r"\\(.)")


class Forwarded:
    """Reads ``for``, ``proto`` and ``host`` of the hop that the walk reached.

    Args:
        trust: Which hops are believed.
        fields: Which of the parameters are; ``port`` and ``prefix`` do not exist here.
    """

    __slots__ = ("_fields", "_trust", "names")

    def __init__(self, trust: Trust, fields: Iterable[ForwardedField]) -> None:
        self._trust = trust
        self._fields = frozenset(fields)
        self.names = frozenset({NAME} if self._fields & {"for", "proto", "host"} else ())

    def read(self, found: Headers, steps: list[str] | None = None) -> View:
        """Return what a trusted peer says."""
        text = b",".join(value for _, value in found).decode("latin-1")
        reached: dict[str, str] = {}

        def read_element(element: str) -> Node | None:
            nonlocal reached
            parameters = parse_element(element)
            reached = parameters or {}
            if parameters is None and steps is not None:
                steps.append(
                    f"{quoted(element)} is malformed: not name=value pairs with ; between (RFC 7239)"
                )
            # RFC 7239 section 6: an IPv6 address always has brackets.
            return read_node(reached["for"], takes_bare_ipv6=False) if "for" in reached else None

        client = None
        if "for" in self._fields:
            client, _ = walk(split_from_right(text), read_element, self._trust, steps)
        else:
            read_element(next(split_from_right(text), ""))
        scheme = host = None
        if "proto" in reached and "proto" in self._fields:
            scheme = scheme_of(reached["proto"], "Forwarded proto", steps)
        if "host" in reached and "host" in self._fields:
            host = host_of(reached["host"], "Forwarded host", steps)
        if steps is not None:
            unread = [
                name for name in ("for", "proto", "host") if name in reached and name not in self._fields
            ]
            steps.extend(f'Forwarded {name} is ignored: "{name}" is not in proxy.fields' for name in unread)
        return View(client, scheme, host)


def parse_element(text: str) -> dict[str, str] | None:
    """Return the parameters of one forwarded-element, names in lower case; None when it is malformed."""
    parameters: dict[str, str] = {}
    position = 0
    while True:
        pair = _PAIR.match(text, position)
        if pair is None:
            return None
        name, token, string, separator = pair.groups()
        if name is not None:
            name = name.lower()
            if name in parameters:  # section 4: once in an element
                return None
            parameters[name] = token if token is not None else _ESCAPED.sub(r"\1", string)
        if not separator:
            return parameters
        position = pair.end()


def split_from_right(text: str) -> Iterator[str]:
    r"""Yield the elements of a list that may hold quoted strings, from right to left; empty ones are none.

    From the right, because only the right end was written by someone trusted. Read from the left, a quote
    that a client sends and never closes would swallow what the proxy appends, and so hide the client. For
    what is well-formed both ways are the same: from a closing quote to the left, the first quote that has
    an even number of backslashes before it is the opening one.

    Looks at each byte a bounded number of times.
    """
    end = position = len(text)
    comma, quote = text.rfind(","), text.rfind('"')
    while True:
        if quote > comma:
            position = _opening(text, quote)
            if position < 0:  # malformed, as the parser of the element will find
                yield text[:end]
                return
            quote = text.rfind('"', 0, position)
            if comma > position:
                comma = text.rfind(",", 0, position)
            continue
        element = text[comma + 1 : end].strip(" \t")
        if element:
            yield element
        if comma < 0:
            return
        end = comma
        comma = text.rfind(",", 0, end)


def _opening(text: str, closing: int) -> int:
    """Return the index of the quote that opens the string which another closes, or -1."""
    quote = text.rfind('"', 0, closing)
    while quote >= 0:
        before = quote
        while before > 0 and text[before - 1] == "\\":
            before -= 1
        if (quote - before) % 2 == 0:
            return quote
        quote = text.rfind('"', 0, quote)
    return -1
