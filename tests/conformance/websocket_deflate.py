"""A client of permessage-deflate that takes an answer by its words; RFC 7692 section 7.1."""

from __future__ import annotations

import contextlib
import re
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.conformance.websocket_wire import WebSocket

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.server import ServerProcess

AGREED: Final = "permessage-deflate"
_BITS: Final = re.compile(r"(8|9|1[0-5])")


@dataclass(frozen=True, slots=True)
class Terms:
    """What a server answered.

    Attributes:
        server_bits: The largest window of what it sends.
        client_bits: And of what it takes.
        server_resets: It begins each message with an empty window.
        client_resets: And so must the client.
        answer: Its words.
    """

    server_bits: int
    client_bits: int
    server_resets: bool
    client_resets: bool
    answer: str

    def check_is_within(self, offer: str) -> None:
        """The answer says nothing that the offer does not allow, and all that it demands."""
        bits = re.search(r'server_max_window_bits="?(\d+)', offer)
        assert self.server_bits <= int(bits[1] if bits else 15)
        bits = re.search(r"client_max_window_bits=(\d+)", offer)
        assert "client_max_window_bits" in offer or "client_max_window_bits" not in self.answer
        if bits and "client_max_window_bits" in self.answer:
            assert self.client_bits <= int(bits[1])
        assert self.server_resets or "server_no_context_takeover" not in offer

    def new_packer(self) -> zlib._Compress:
        """Return what compresses within the terms; zlib knows no window as small as 8."""
        return zlib.compressobj(wbits=-max(9, self.client_bits))

    @staticmethod
    def packed(packer: zlib._Compress, payload: bytes) -> bytes:
        """Return the payload of a compressed message."""
        return (packer.compress(payload) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]


def terms_of(answer: str) -> Terms:
    """Read an answer strictly."""
    name, *words = [word.strip() for word in answer.split(";")]
    assert name == "permessage-deflate"
    said = dict(word.partition("=")[::2] for word in words)
    assert len(said) == len(words), "a parameter is repeated"
    bits = {}
    for side in ("server", "client"):
        value = said.pop(f"{side}_max_window_bits", "15")
        assert _BITS.fullmatch(value), answer
        bits[side] = int(value)
    resets = {side: said.pop(f"{side}_no_context_takeover", None) for side in ("server", "client")}
    assert set(resets.values()) <= {None, ""}, answer
    assert said == {}, "unknown parameters"
    return Terms(
        bits["server"], bits["client"], resets["server"] is not None, resets["client"] is not None, answer
    )


@contextlib.contextmanager
def ask(server: ServerProcess, *offers: str) -> Iterator[tuple[WebSocket, Terms | None]]:
    """Open a WebSocket with these offers, each in its line; give it and what the server answered."""
    fields = [f"Sec-WebSocket-Extensions: {offer}" for offer in offers]
    with WebSocket(server, "/", *fields) as ws:
        answers = ws.opened.all("sec-websocket-extensions")
        assert len(answers) <= 1
        terms = terms_of(answers[0]) if answers else None
        if terms is not None:
            ws.inflater = zlib.decompressobj(-terms.server_bits)
        yield ws, terms
