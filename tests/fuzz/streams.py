"""One try of the fuzzer: a stream of requests that every reader must read alike. And what it starts from."""

from __future__ import annotations

import random
import zlib

from tests.fuzz.agreement import agreed
from tests.props.http_strategies import FIELD_LINES, LINES, OTHERS, pieces_of
from tests.support.http_requests import RECORDED, TYPICAL
from tests.unit.worker.test_http_codec import STREAMS

LONGEST = 4096

SEEDS = [*RECORDED.values(), *TYPICAL.values(), *STREAMS.values()]

#: Words to put in.
WORDS = sorted(
    {*LINES, *FIELD_LINES, *OTHERS, b"Host: ", b"TE: trailers\r\n", b";a=b", b" HTTP/1.1\r\nHost: h\r\n\r\n"}
)


def read_alike(stream: bytes) -> None:
    """Cut it in a way that only depends on its bytes; what is read must depend on nothing else."""
    dice = random.Random(zlib.crc32(stream))
    cuts = [dice.randrange(LONGEST) for _ in range(dice.randrange(6))]
    pieces = pieces_of(stream, cuts)
    whole = agreed([stream], size=1 << 20, fields=2 * LONGEST)
    assert agreed(pieces, size=1 << 20, fields=2 * LONGEST) == whole, pieces
    size, line_size, fields = dice.randrange(256, 1024), dice.randrange(64, 256), dice.randrange(1, 20)
    agreed(pieces, size=size, line_size=line_size, fields=fields)
