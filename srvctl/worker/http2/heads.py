"""Field blocks to requests, and what was read before is not read again. Pure.

Clients repeat themselves: once their table is filled, the same request is the same few bytes. Such a block
means the same as long as no block in between has changed the table. The memory is that of one connection, so
nobody can find out what others say.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from srvctl.worker.http.protocol import ProtocolError
from srvctl.worker.http2.hpack import Decoder
from srvctl.worker.http2.request import check_trailers, read_request

if TYPE_CHECKING:
    from srvctl.settings.groups import LimitSettings
    from srvctl.worker.http.protocol import RequestHead
    from srvctl.worker.http2.hpack import Fields

_MOST_REMEMBERED: Final = 32  #: blocks
_LONGEST_REMEMBERED: Final = 1024  #: bytes


class HeadReader:
    """Reads the field blocks of one connection.

    Args:
        limits: How large the fields may be.
        connects: A request may ask for another protocol on its stream.
    """

    __slots__ = ("_connects", "_decoder", "_generation", "_known", "_most_fields")

    def __init__(self, limits: LimitSettings, *, connects: bool) -> None:
        self._decoder = Decoder(limits.request_head_size)
        self._most_fields = limits.request_fields
        self._connects = connects
        self._generation = 0
        #: By whether the request ends with them: a body that does not come has length 0.
        self._known: tuple[dict[bytes, RequestHead], dict[bytes, RequestHead]] = ({}, {})

    def read(self, block: bytes, *, ends: bool) -> RequestHead:
        """Return the head of a request.

        Raises:
            ConnectionFault: The block cannot be decoded, so no later one could be.
            MalformedError: The fields are no request.
            ProtocolError: They are too many, or ask for what is not done here.
        """
        known = self._known[ends]
        head = known.get(block)
        if head is not None:
            return head
        before = self._generation
        fields = self._decode(block)
        if fields is None:
            raise ProtocolError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "request head too large")
        if sum(name[:1] != b":" or name == b":authority" for name, _ in fields) > self._most_fields:
            raise ProtocolError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "too many header fields")
        head = read_request(fields, ends=ends, connects=self._connects)
        if self._generation == before and len(block) <= _LONGEST_REMEMBERED:
            if len(known) >= _MOST_REMEMBERED:
                known.clear()
            known[block] = head
        return head

    def read_trailers(self, block: bytes) -> None:
        """Read the fields behind a body, and forget them: no application is told.

        Raises:
            ConnectionFault: The block cannot be decoded.
            MalformedError: These are no trailers.
            ProtocolError: They are too many.
        """
        fields = self._decode(block)
        if fields is None or len(fields) > self._most_fields:
            raise ProtocolError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "trailers too large")
        check_trailers(fields)

    def skip(self, block: bytes) -> None:
        """Read a block that nobody cares for: the table must not miss what it says.

        Raises:
            ConnectionFault: It cannot be decoded.
        """
        self._decode(block)

    def _decode(self, block: bytes) -> Fields | None:
        """Decode a block; what was known by its bytes means something else once the table has changed."""
        fields = self._decoder.decode(block)
        if self._decoder.generation != self._generation:
            self._generation = self._decoder.generation
            for known in self._known:
                known.clear()
        return fields
