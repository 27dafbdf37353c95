"""HPACK (RFC 7541): field blocks to fields, and fields to blocks. Pure.

The decoder keeps the table that the client fills. The encoder keeps nothing: it refers to the static table
and spells everything else out, so a block depends on no block before it, can be remembered whole, and tells
nobody who guesses at secrets by sizes anything (section 7.1).
"""

from __future__ import annotations

from typing import Final

from srvctl.worker.http2 import huffman
from srvctl.worker.http2.frames import Code, ConnectionFault
from srvctl.worker.http2.static_table import FIELD_NUMBERS, NAME_NUMBERS, STATIC

Fields = list[tuple[bytes, bytes]]

TABLE_SIZE: Final = 4096  #: of the client's table, in bytes as section 4.1 counts them; the value by default
OVERHEAD: Final = 32  #: bytes that each field counts beside its own
_STATICS: Final = len(STATIC)
_MOST_SHIFT: Final = 28  #: bits; larger numbers mean nothing here
_BOMB: Final = 4  #: times the limit: fields that unpack to more are no mistake
#: Values of these are never to be remembered by anyone on the way (section 7.1.3).
_NEVER_INDEXED: Final = frozenset({b"set-cookie", b"authorization", b"www-authenticate"})


def _fault(reason: str) -> ConnectionFault:
    return ConnectionFault(Code.COMPRESSION_ERROR, reason)


class Decoder:
    """Reads the field blocks of one connection, all of them and in their order.

    Args:
        most: Bytes that the fields of a block may have, counted as the table counts them.

    Attributes:
        generation: Another number whenever the table has changed: a block that was read before means the same
            as long as it is the same.
    """

    __slots__ = ("_limit", "_most", "_size", "_table", "generation")

    def __init__(self, most: int) -> None:
        self._most = most
        self._table: Fields = []  #: newest last
        self._size = 0
        self._limit = TABLE_SIZE  #: as the client has set it
        self.generation = 0

    def decode(self, block: bytes) -> Fields | None:
        """Return the fields of a block; None if they are more than is allowed.

        Raises:
            ConnectionFault: It is not HPACK, or unpacks to far too much.
        """
        fields: Fields = []
        end, position, total = len(block), 0, 0
        while position < end:
            byte = block[position]
            if byte & 0x80:  # section 6.1: a field of a table
                number, position = _integer(block, position, 0x7F)
                field = self._field(number)
            elif byte & 0x40:  # section 6.2.1: one that joins the table
                field, position = self._literal(block, position, 0x3F)
                self._add(field)
            elif byte & 0x20:  # section 6.3: a new size of the table
                if fields or total:
                    raise _fault("a table size behind a field")
                limit, position = _integer(block, position, 0x1F)
                self._resize(limit)
                continue
            else:  # sections 6.2.2 and 6.2.3: one that does not
                field, position = self._literal(block, position, 0x0F)
            total += len(field[0]) + len(field[1]) + OVERHEAD
            fields.append(field)
            if total > self._most * _BOMB:
                raise ConnectionFault(Code.ENHANCE_YOUR_CALM, "header fields unpack to far too much")
        return None if total > self._most else fields

    def _field(self, number: int) -> tuple[bytes, bytes]:
        if 0 < number <= _STATICS:
            return STATIC[number - 1]
        if number == 0 or number > _STATICS + len(self._table):
            raise _fault("a field number that no table has")
        return self._table[_STATICS - number]

    def _literal(self, block: bytes, position: int, mask: int) -> tuple[tuple[bytes, bytes], int]:
        number, position = _integer(block, position, mask)
        if number:
            name = self._field(number)[0]
        else:
            name, position = _string(block, position)
        value, position = _string(block, position)
        return (name, value), position

    def _add(self, field: tuple[bytes, bytes]) -> None:
        self.generation += 1
        self._size += len(field[0]) + len(field[1]) + OVERHEAD
        self._table.append(field)
        self._evict()

    def _resize(self, limit: int) -> None:
        if limit > TABLE_SIZE:
            raise _fault("a table larger than it may be")
        self.generation += 1
        self._limit = limit
        self._evict()

    def _evict(self) -> None:
        """Forget the oldest fields (section 4.4); one that is too large by itself leaves an empty table."""
        table, gone = self._table, 0
        while self._size > self._limit:
            name, value = table[gone]
            self._size -= len(name) + len(value) + OVERHEAD
            gone += 1
        if gone:
            del table[:gone]


def _integer(block: bytes, position: int, mask: int) -> tuple[int, int]:
    """Return a number (section 5.1) and where what follows begins."""
    value = block[position] & mask
    position += 1
    if value < mask:
        return value, position
    shift = 0
    while shift <= _MOST_SHIFT:
        if position == len(block):
            raise _fault("a field block ends inside a number")
        byte = block[position]
        position += 1
        value += (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004 - the bit that says that more follows
            return value, position
        shift += 7
    raise _fault("a number that is too large")


def _string(block: bytes, position: int) -> tuple[bytes, int]:
    """Return a string (section 5.2) and where what follows begins."""
    if position == len(block):
        raise _fault("a field block ends before a string")
    is_coded = block[position] & 0x80
    size, position = _integer(block, position, 0x7F)
    end = position + size
    if end > len(block):
        raise _fault("a field block ends inside a string")
    data = block[position:end]
    if is_coded:
        decoded = huffman.decode(data)
        if decoded is None:
            raise _fault("invalid Huffman code")
        return decoded, end
    return data, end


def encode_field(name: bytes, value: bytes) -> bytes:
    """Return a field, its name in lower case, in a form that leaves every table as it is."""
    number = FIELD_NUMBERS.get((name, value))
    if number is not None:
        return _number(number, 0x7F, 0x80)
    first = 0x10 if name in _NEVER_INDEXED else 0
    number = NAME_NUMBERS.get(name)
    head = bytes((first,)) + _text(name) if number is None else _number(number, 0x0F, first)
    return head + _text(value)


def _number(value: int, mask: int, first: int) -> bytes:
    if value < mask:
        return bytes((first | value,))
    coded = bytearray((first | mask,))
    value -= mask
    while value >= 0x80:  # noqa: PLR2004 - as much as a byte holds beside the bit that says that more follows
        coded.append(value & 0x7F | 0x80)
        value >>= 7
    coded.append(value)
    return bytes(coded)


def _text(value: bytes) -> bytes:
    return _number(len(value), 0x7F, 0) + value


SIZE_NOTHING: Final = _number(0, 0x1F, 0x20)  #: says that the encoder's table is empty (section 4.2)
