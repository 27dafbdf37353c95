"""What an application does to the handlers of others when it sets up its own log."""

from __future__ import annotations

import errno
import logging
import os
from typing import TYPE_CHECKING

import pytest

from srvctl.logs.access.formats import compile_format
from srvctl.logs.access.handler import AccessHandler
from srvctl.logs.access.sinks import DescriptorSink, stream_sink

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO


@pytest.fixture
def pipe() -> Iterator[tuple[int, TextIO]]:
    """The end one reads from, and a stream into it."""
    reader, writer = os.pipe()
    with open(writer, "w", encoding="utf-8") as stream:  # noqa: PTH123 - a descriptor, no path
        yield reader, stream
    os.close(reader)


def test_a_handler_that_was_closed_writes_on(pipe: tuple[int, TextIO]) -> None:
    """`logging.config.dictConfig`, which Django and Sanic call, closes all; a descriptor that is closed
    has its number taken by the next socket, and lines would go there."""
    reader, stream = pipe
    sink = stream_sink(stream)
    assert isinstance(sink, DescriptorSink)
    handler = AccessHandler(
        compile_format("uvicorn", use_colors=False), sink, logging.Formatter("%(message)s")
    )
    handler.close()
    handler.emit(logging.makeLogRecord({"msg": "still here", "levelno": logging.INFO}))
    assert os.read(reader, 100) == b"still here\n"

    handler.dispose()
    with pytest.raises(OSError, match=os.strerror(errno.EBADF)):
        os.fstat(sink.fd)
    os.fstat(stream.fileno())  # what it was made from is not its own
