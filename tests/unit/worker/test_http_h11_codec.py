"""What the codec does when h11 reads something else: test_http_codec.py has the rules both follow."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from srvctl.worker.http import h11_codec, raw_head
from srvctl.worker.http.chunked import ChunkedBody
from srvctl.worker.http.h11_codec import H11Codec
from tests.unit.worker.recording import Outcome, read

if TYPE_CHECKING:
    from srvctl.settings.groups import LimitSettings
    from srvctl.worker.http.protocol import RequestHead

GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "misread",
    [
        {"method": "PUT"},
        {"target": b"/other"},
        {"version": "1.0"},
        {"headers": [(b"host", b"other")]},
        {"headers": [(b"host", b"h"), (b"x", b"y")]},
        {"length": 3},
        {"length": None},
    ],
)
def test_a_head_read_in_two_ways_is_refused(monkeypatch: pytest.MonkeyPatch, misread: dict[str, Any]) -> None:
    """Before anybody learns of it."""

    def parse(raw: bytes, limits: LimitSettings) -> RequestHead:
        return replace(raw_head.parse_head(raw, limits), **misread)

    assert read(GET, codec_class=H11Codec).heads
    monkeypatch.setattr(h11_codec, "parse_head", parse)
    assert read(GET, codec_class=H11Codec) == Outcome([], 400)


class _Misreading(ChunkedBody):
    """Takes a chunk's line end for content."""

    def __init__(self, take: Any, *limits: int) -> None:
        super().__init__(lambda content: take(content + b"\r\n"), *limits)


def test_chunks_read_in_two_ways_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the request never ends."""
    stream = CHUNKED + b"1\r\na\r\n0\r\n\r\n"
    assert read(stream, codec_class=H11Codec).requests[0].body == b"a"
    monkeypatch.setattr(h11_codec, "ChunkedBody", _Misreading)
    outcome = read(stream, codec_class=H11Codec)
    assert outcome.error == 400
    assert not outcome.requests[0].is_complete
