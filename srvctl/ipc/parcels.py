"""Python values with descriptors over a Unix stream socket (Linux): from the master to a child of its own.

A value is pickled into memory whose descriptor goes first, so it may be of any size while its line is short
(`srvctl.ipc.descriptors`). Pickle is safe here: the writer is the very program that forked the reader.
"""

from __future__ import annotations

import os
import pickle
from typing import TYPE_CHECKING, Any, Final

from srvctl.ipc.channel import ChannelError
from srvctl.ipc.descriptors import MAX_DESCRIPTORS, LineReader, send_line

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence


_CHUNK: Final = 65536


def send_parcel(channel: socket.socket, value: object, descriptors: Sequence[int] = ()) -> None:
    """Send a value and descriptors; the caller's descriptors stay open.

    Raises:
        ChannelFullError: The channel is non-blocking, and the other side does not read.
        OSError: The other side is gone, or there is no room for another descriptor.
    """
    content = os.memfd_create("parcel")
    try:
        with os.fdopen(content, "wb", closefd=False) as file:
            pickle.dump(value, file)
        everything = [content, *descriptors]
        for start in range(0, len(everything), MAX_DESCRIPTORS):
            line = b"%d\n" % (len(everything) - start)
            send_line(channel, line, everything[start : start + MAX_DESCRIPTORS])
    finally:
        os.close(content)


def wait_parcel(channel: socket.socket) -> tuple[Any, list[int]] | None:
    """Return the next value and its descriptors, waiting for them; None when the other side has closed.

    Nothing that was sent behind it is read: every line of a parcel has descriptors, at which a read ends.

    Args:
        channel: Blocking.

    Raises:
        ChannelError: A descriptor did not arrive.
        OSError: The channel is broken.
    """
    reader = LineReader(channel)
    received: list[int] = []
    try:
        while (line := reader.wait_line()) is not None:
            received += line.descriptors
            missing = int(line.text) - len(line.descriptors)
            if len(line.descriptors) < min(int(line.text), MAX_DESCRIPTORS):
                raise ChannelError("no room for the descriptors that came")  # noqa: TRY301
            if not missing:
                break
        else:
            _close(received)
            return None
        with os.fdopen(received.pop(0), "rb") as content:
            content.seek(0)
            return pickle.load(content), received  # noqa: S301 - written by the program that forked us
    except BaseException:
        _close(received)
        raise


def _close(descriptors: list[int]) -> None:
    while descriptors:
        os.close(descriptors.pop())
