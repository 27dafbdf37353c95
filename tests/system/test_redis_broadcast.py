"""Messages through a real Redis: between workers of several srvctl, and through its restart."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
import redis

from tests.support.broadcasting import BROADCASTING, Events, Publisher, in_each, publishers
from tests.support.redis_server import PROGRAM, RedisServer
from tests.support.server import ServerProcess
from tests.support.supervised import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(PROGRAM is None, reason="redis-server is not installed"),
]


AGAIN = r"INFO: +Broadcast: connected to redis://\S+ again; "


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path) as running:
        yield running


def wait_connected(*publishers: Publisher) -> None:
    """Wait until their workers have connections to Redis: a boot waits for these a few seconds only."""
    for publisher in publishers:
        publisher.wait_stats(peers=1)


def serve(url: str, *flags: str, workers: int = 2) -> ServerProcess:
    flags = ("--workers", str(workers), "--timeout-stream-shutdown", "0", *flags)
    return ServerProcess(BROADCASTING, *flags, "--broadcast-url", url)


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_workers_of_two_instances_hear_each_other(server: RedisServer, kind: str) -> None:
    """Each message once, as what it was published, in the order of its publisher."""
    url = server.url if kind == "tcp" else f"unix://{server.path}?db=1"
    with serve(url) as one, serve(server.url) as two, ExitStack() as stack:
        streams, connections = [], []
        for instance in (one, two):
            pids = instance.wait_workers(2)
            streams += stack.enter_context(in_each(instance, "room", pids))
            connections += stack.enter_context(publishers(instance, pids))
        wait_connected(*connections)
        for publisher in connections:
            publisher.publish("room", f"text of {publisher.pid}: ü")
            publisher.publish("room", b"\x00\xff")
            publisher.publish_numbers("room", 1000)
            for stream in streams:
                assert stream.read() == f"text of {publisher.pid}: ü"
                assert stream.read() == b"\x00\xff"
                assert stream.read_many(1000) == [str(number) for number in range(1000)]
        for instance in (one, two):
            assert instance.stop() == 0
            assert not instance.lines("ERROR|WARNING|Traceback")


def test_what_other_programs_publish_arrives_as_bytes(server: RedisServer) -> None:
    """Under the prefix; so does what they subscribe to."""
    with serve(server.url, workers=1) as instance, instance.connect() as client:
        with instance.connect() as another:
            wait_connected(Publisher(another))
        stream = Events(client, "room")
        with redis.Redis(port=server.port) as other:
            other.publish("room", "not under the prefix")
            other.publish("srvctl:room", "hello")
            assert stream.read() == b"hello"


def test_a_restart_is_survived_and_what_was_published_meanwhile_arrives(server: RedisServer) -> None:
    """One warning when it is lost, one line when it is back; in one worker nothing is missed at all."""
    with serve(server.url) as instance:
        pids = instance.wait_workers(2)
        with in_each(instance, "room", pids) as streams, publishers(instance, pids) as [one, two]:
            wait_connected(one, two)
            one.publish_numbers("room", 10)
            for stream in streams:
                assert stream.read_many(10) == [str(number) for number in range(10)]
            server.stop()
            instance.wait_line(r"WARNING: +Broadcast: no connection to redis://127\.0\.0\.1:", count=2)
            one.publish_numbers("room", 500, first=10)
            assert [stream.read_many(500) for stream in streams if stream.pid == one.pid] == [
                [str(number) for number in range(10, 510)]
            ]
            # The others have a moment to come back; here they have as long as that takes.
            os.kill(one.pid, signal.SIGSTOP)
            server.start()
            instance.wait_line(AGAIN)
            os.kill(one.pid, signal.SIGCONT)
            instance.wait_line(AGAIN, count=2)
            for stream in streams:
                if stream.pid != one.pid:
                    assert stream.read_many(500) == [str(number) for number in range(10, 510)]
            assert one.stats()["unsent"] == 0
            assert len(instance.lines("no connection to redis")) == 2
        assert instance.stop() == 0
        assert not instance.lines("ERROR|Traceback")


def test_a_restart_under_traffic_repeats_and_reorders_nothing(server: RedisServer) -> None:
    """Messages that were on their way may be lost; none comes twice or out of order, and all flows again."""
    with serve(server.url) as instance:
        first, second = instance.wait_workers(2)
        with in_each(instance, "room", [second]) as [stream], publishers(instance, [first]) as [publisher]:
            ends = threading.Event()

            def publish() -> None:
                number = 0
                while not ends.wait(0.01):  # not more than Redis and one subscriber can take
                    publisher.publish_numbers("room", 5, first=number)
                    number += 5
                publisher.publish("room", "end")

            thread = threading.Thread(target=publish)
            thread.start()
            stream.read_many(100)
            for _ in range(2):
                mark = instance.mark()
                server.stop()
                time.sleep(0.3)
                server.start()
                instance.wait_line("again; ", count=2, since=mark)
                last = int(stream.read())
                for message in stream.read_many(100):
                    assert int(message) > last
                    last = int(message)
            ends.set()
            thread.join()
            while (message := stream.read()) != "end":
                assert int(message) > last
                last = int(message)
        assert instance.stop() == 0
        assert not instance.lines("ERROR|Traceback")


def test_a_buffer_has_its_limit(server: RedisServer) -> None:
    """What is published beyond it while Redis is away is dropped, counted and said; the rest is sent.

    But not at once: other workers, whose longest pause is a second, may not be back yet.
    """
    with serve(server.url, "--broadcast-buffer", "64K", workers=1) as instance, instance.connect() as client:
        publisher = Publisher(client)
        server.stop()
        instance.wait_line("no connection to redis")
        for _ in range(20):
            publisher.publish("room", "x" * 10_000)
        instance.wait_line(r"messages? for other workers were dropped, too many wait \(broadcast\.buffer\)")
        assert 12 <= publisher.stats()["unsent"] <= 15
        begun = time.monotonic()
        server.start()
        instance.wait_line(r"again; \d+ messages? have waited, \d+ were dropped\.")
        wait_connected(publisher)
        with redis.Redis(port=server.port) as other:
            wait_until(lambda: "cmdstat_publish" in other.info("commandstats"), "nothing was sent")
        assert time.monotonic() - begun > 1.0


def test_workers_start_without_it_and_connect_later(tmp_path: Path) -> None:
    """A boot waits a few seconds only, and stops are not held up."""
    server = RedisServer(tmp_path)
    with serve(server.url, workers=1) as instance:
        instance.wait_line("no connection to redis")
        with instance.connect() as client:
            stream = Events(client, "room")
            with server:
                instance.wait_line("connected to redis")
                with redis.Redis(port=server.port) as other:
                    other.publish("srvctl:room", "late")
                assert stream.read() == b"late"
            instance.wait_line("no connection to redis", count=2)
        instance.signal(signal.SIGTERM)
        assert instance.wait_exit() == 0


def test_a_password_is_used_and_never_shown(tmp_path: Path) -> None:
    with RedisServer(tmp_path, "--requirepass", "sesame") as server:
        right, wrong = (server.url.replace("//", f"//:{word}@") for word in ("sesame", "wrong"))
        with serve(right, workers=1) as instance, instance.connect() as client:
            wait_connected(Publisher(client))
        with serve(wrong, workers=1) as instance:
            instance.wait_line(r"WARNING: +Broadcast: no connection to redis://127")
            assert not instance.lines("wrong@|Traceback")
