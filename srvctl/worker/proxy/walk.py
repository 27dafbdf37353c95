"""The walk along the hops a request took, from our peer to its client. Pure, and the same for every style.

Each proxy adds the address it was called from on the right. So the right-most entry was written by our
peer, and each further one by the hop to its right: it is worth as much as the trust in that hop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from srvctl.worker.proxy.claims import quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from srvctl.worker.proxy.node import Node
    from srvctl.worker.proxy.trust import Trust


#: Host and port of the client, None when not even the right-most entry could be read; and the depth of the
#: last entry looked at, from the right, which is 0. The hop to its right is trusted, and wrote what else is
#: said about this step.
Walk: TypeAlias = tuple[tuple[str, int] | None, int]


def walk(
    entries: Iterable[str], read: Callable[[str], Node | None], trust: Trust, steps: list[str] | None = None
) -> Walk:
    """Return the client: the first hop from the right that is not trusted, or the left-most if all are.

    An entry that cannot be read ends the walk at the hop that passed it on; nothing left of it counts.

    Args:
        entries: From right to left; taken only as far as the walk goes.
        read: Makes a node of an entry.
        trust: Which hops are believed.
        steps: Takes the reasons, in words.
    """
    client: tuple[str, int] | None = None
    depth = 0
    for depth, entry in enumerate(entries):
        node = read(entry)
        if node is None:
            if steps is not None:
                steps.append(_unreadable(entry, client))
            return client, depth
        client, packed = node
        matched = trust.match(client[0], packed)
        if steps is not None:
            steps.append(_judged(client[0], matched))
        if matched is None:
            return client, depth
    if steps is not None and client is not None:
        steps.append(f"no hop is left, all are trusted: {client[0]} is the client")
    return client, depth


def split_from_right(text: str) -> Iterable[str]:
    """Return the elements of a list without quoted strings, from right to left, without blanks.

    They are split as they are taken, and each byte is looked at once, however long the list is: whoever
    sends the request writes most of it.
    """
    return _split(text) if "," in text else (text.strip(" \t"),)


def _split(text: str) -> Iterator[str]:
    end = len(text)
    while end >= 0:
        comma = text.rfind(",", 0, end)
        yield text[comma + 1 : end].strip(" \t")
        end = comma


def _judged(host: str, matched: str | None) -> str:
    if matched is None:
        return f"{host} is not trusted: this is the client"
    return f"{host} is trusted: matches {matched}"


def _unreadable(entry: str, client: tuple[str, int] | None) -> str:
    known = "the peer" if client is None else client[0]
    return (
        f"{quoted(entry)} names no address: neither it nor what is left of it counts, the client is {known}"
    )
