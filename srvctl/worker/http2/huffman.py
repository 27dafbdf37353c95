"""The Huffman code of HPACK (RFC 7541 section 5.2 and appendix B): both ways, strict. Pure.

The code is canonical: codes of one length are numbers in the order of their symbols, and those of the next
length go on from there. So the lengths say it all.
"""

from __future__ import annotations

from typing import Final

_LENGTHS: Final = """
    13 23 28 28 28 28 28 28 28 24 30 28 28 30 28 28 28 28 28 28 28 28 30 28 28 28 28 28 28 28 28 28
    6 10 10 12 13 6 8 11 10 10 8 11 8 6 6 6 5 5 5 6 6 6 6 6 6 6 7 8 15 6 12 10
    13 6 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 8 7 8 13 19 13 14 6
    15 5 6 5 6 5 6 6 6 5 7 7 6 6 6 5 6 7 6 5 5 6 7 7 7 7 7 15 11 14 13 28
    20 22 20 20 22 22 22 23 22 23 23 23 23 23 24 23 24 24 22 23 24 23 23 23 23 21 22 23 22 23 23 24
    22 21 20 22 22 23 23 21 23 22 22 24 21 22 23 23 21 21 22 21 23 22 23 23 20 22 22 22 23 22 22 23
    26 26 20 19 22 23 22 25 26 26 26 27 27 26 24 25 19 21 26 27 27 26 27 24 21 21 26 26 28 27 27 27
    20 24 20 21 22 21 21 23 22 22 25 25 24 24 26 23 26 27 26 26 27 27 27 27 27 28 27 27 27 27 27 26
"""  #: bits of the code of each byte
_END_LENGTH: Final = 30  #: of the code that ends a string, and must never come (section 5.2)
_END: Final = 256
_LONGEST_PADDING: Final = 7  #: bits
_NOTHING: Final = -1
_FAILS: Final = -2
_NIBBLES: Final = 16


def _codes() -> list[tuple[int, int]]:
    """Return code and length of each symbol."""
    lengths = [*map(int, _LENGTHS.split()), _END_LENGTH]
    codes = [(0, 0)] * len(lengths)
    code = last = 0
    for symbol in sorted(range(len(lengths)), key=lambda symbol: (lengths[symbol], symbol)):
        code <<= lengths[symbol] - last
        last = lengths[symbol]
        codes[symbol] = code, last
        code += 1
    return codes


CODES: Final = _codes()


def _automaton() -> tuple[bytes, list[int], frozenset[int]]:
    """Return the machine that reads four bits in a step.

    Its states are the inner nodes of the tree, number 0 the root.

    Returns:
        The next state by state and bits; the symbol that these complete, of which there is at most one, as no
        code is shorter; and the states in which a string may end: those that only padding leads to.
    """
    children: list[list[int | None]] = [[None, None]]  #: a node, or a symbol as its complement
    endings = {0}
    for symbol, (code, length) in enumerate(CODES):
        node = 0
        for depth in range(length - 1, 0, -1):
            bit = code >> depth & 1
            found = children[node][bit]
            if found is None:
                children.append([None, None])
                found = children[node][bit] = len(children) - 1
            node = found
            if symbol == _END and length - depth <= _LONGEST_PADDING:  # a prefix of it: all ones
                endings.add(node)
        children[node][code & 1] = ~symbol
    following, symbols = bytearray(), []
    for start in range(len(children)):
        for nibble in range(_NIBBLES):
            node, symbol = start, _NOTHING
            for depth in (3, 2, 1, 0):
                found = children[node][nibble >> depth & 1]
                assert found is not None  # noqa: S101 - the code is complete
                if found < 0:
                    symbol = ~found if ~found != _END else _FAILS
                    found = 0
                node = found
                if symbol == _FAILS:
                    break
            following.append(node)
            symbols.append(symbol)
    return bytes(following), symbols, frozenset(endings)


_FOLLOWING, _SYMBOLS, _ENDINGS = _automaton()


def decode(data: bytes) -> bytes | None:
    """Return what a Huffman-coded string says; None if it is none (RFC 7541 section 5.2)."""
    following, symbols, state = _FOLLOWING, _SYMBOLS, 0
    decoded = bytearray()
    for byte in data:
        index = state << 4 | byte >> 4
        symbol = symbols[index]
        if symbol >= 0:
            decoded.append(symbol)
        elif symbol == _FAILS:
            return None
        index = following[index] << 4 | byte & 15
        symbol = symbols[index]
        if symbol >= 0:
            decoded.append(symbol)
        elif symbol == _FAILS:
            return None
        state = following[index]
    return bytes(decoded) if state in _ENDINGS else None


def encode(data: bytes) -> bytes:
    """Return the Huffman code of a string, which may be longer than the string."""
    bits, size = 0, 0
    for byte in data:
        code, length = CODES[byte]
        bits = bits << length | code
        size += length
    padding = -size % 8
    return ((bits << padding) | (1 << padding) - 1).to_bytes((size + padding) // 8)
