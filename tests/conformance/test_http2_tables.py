"""HTTP/2 as it is on the wire: exact frames to a real server, and exactly what has to come of them.

Each case names the clause (of RFC 9113, where no other is named) it holds the server to. Behind what harms
one stream only, the connection goes on and serves the next request; behind what harms the connection, it
says why (GOAWAY) and ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.conformance import http2_compression_cases as compression
from tests.conformance import http2_frame_cases as frames
from tests.conformance import http2_message_cases as messages
from tests.conformance import http2_stream_cases as streams
from tests.conformance.http2_cases import Case, parameters
from tests.conformance.http2_served import address_of

if TYPE_CHECKING:
    from tests.support.server import ServerProcess


@parameters(*frames.ALL)
def test_frames(served: ServerProcess, case: Case) -> None:
    """Sections 3.4, 4, 5.5 and 6."""
    case.run(address_of(served))


@parameters(*streams.ALL)
def test_streams(served: ServerProcess, case: Case) -> None:
    """Section 5.1."""
    case.run(address_of(served))


@parameters(*messages.ALL)
def test_messages(served: ServerProcess, case: Case) -> None:
    """Section 8."""
    case.run(address_of(served))


@parameters(*compression.ALL)
def test_compression(served: ServerProcess, case: Case) -> None:
    """RFC 7541."""
    case.run(address_of(served))
