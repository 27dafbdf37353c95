"""The client that times batches, against a server of a few lines."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import pytest

from benchmarks.probe import BatchProbe
from benchmarks.workloads import Workload

if TYPE_CHECKING:
    from collections.abc import Iterator

WORKLOAD = Workload("any", "", app="a:b", answer=b"<answer>", pipeline=4)


@pytest.fixture
def port() -> Iterator[int]:
    """Answer each request on one connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            client, _ = listener.accept()
            with client:
                while data := client.recv(65536):
                    client.sendall(b"<answer>" * data.count(b"GET / HTTP/1.1"))

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def test_batches_are_timed_one_by_one(port: int) -> None:
    seen = threading.Event()
    with BatchProbe(WORKLOAD, port) as probe:
        while len(probe.seconds) < 3:
            seen.wait(0.001)
    assert probe.requests == 4 * len(probe.seconds)
    assert probe.percentile_ms(99) == max(probe.seconds) * 1000


def test_without_a_batch_there_is_no_percentile() -> None:
    assert BatchProbe(WORKLOAD, 1).percentile_ms(99) is None
