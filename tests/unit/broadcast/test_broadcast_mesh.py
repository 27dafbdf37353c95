# ruff: noqa: ASYNC240 - directories are looked at in between, nothing else has to run then
"""The mesh between hubs that stand for workers: all in one loop, through real sockets in a real directory."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from srvctl.broadcast import incoming, mesh
from srvctl.broadcast.codec import GREETING, encode
from srvctl.broadcast.hub import BURST, Hub
from srvctl.broadcast.mesh import Mesh
from srvctl.broadcast.place import Place, PlaceError
from srvctl.broadcast.subscription import Subscription
from srvctl.settings.groups import BroadcastSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine
    from pathlib import Path


def run(main: Callable[[], Coroutine[None, None, None]]) -> None:
    asyncio.run(asyncio.wait_for(main(), 20))


async def until(is_so: Callable[[], bool]) -> None:
    while not is_so():  # noqa: ASYNC110
        await asyncio.sleep(0.001)


@asynccontextmanager
async def workers(
    path: Path, count: int, settings: BroadcastSettings | None = None
) -> AsyncIterator[list[Hub]]:
    async with AsyncExitStack() as stack:
        hubs = []
        for _ in range(count):
            hub = Hub(settings or BroadcastSettings())
            hub.link = Mesh(hub, str(path))
            stack.push_async_callback(hub.close)
            hubs.append(hub)
        yield hubs


def of(hub: Hub, channel: str = "a") -> Subscription:
    return aiter(Subscription(channel, lambda: hub))


def files(path: Path) -> list[str]:
    return sorted(file.name for file in path.iterdir()) if path.exists() else []


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "place"


class TestReach:
    def test_everyone_who_subscribes_gets_everything_in_order(self, path: Path) -> None:
        async def main() -> None:
            async with workers(path, 3) as hubs:
                subscribed = [of(hub) for hub in hubs]
                for number in range(100):
                    hubs[0].publish("a", str(number))
                for messages in subscribed:
                    assert [await anext(messages) for _ in range(100)] == [str(n) for n in range(100)]
                assert [hub.stats().received for hub in hubs] == [0, 100, 100]
                assert hubs[0].stats().peers == 2

        run(main)

    def test_a_subscription_is_reached_by_what_is_published_next(self, path: Path) -> None:
        """Though the publisher has looked at the directory only just before, and its clock ticks slowly."""

        async def main() -> None:
            async with workers(path, 40) as hubs:
                publisher, *others = hubs
                held = []
                for number, hub in enumerate(others):
                    publisher.publish("a", "before")
                    await asyncio.sleep(0)
                    held.append(of(hub))
                    publisher.publish("a", f"to {number}")
                    while await anext(held[-1]) != f"to {number}":
                        raise AssertionError("something else came first")

        run(main)

    def test_nobody_makes_the_directory_who_only_publishes(self, path: Path) -> None:
        async def main() -> None:
            async with workers(path, 2) as hubs:
                hubs[0].publish("a", "x")
                await asyncio.sleep(0)
                assert not path.exists()
                held = of(hubs[1])
                assert path.stat().st_mode & 0o777 == 0o700
                hubs[0].publish("a", "y")
                assert await anext(held) == "y"

        run(main)

    def test_a_large_message_arrives_whole(self, path: Path) -> None:
        async def main() -> None:
            async with workers(path, 2, BroadcastSettings(buffer=65536)) as hubs:
                held = of(hubs[1])
                hubs[0].publish("a", b"x" * 1_000_000)
                assert await anext(held) == b"x" * 1_000_000

        run(main)

    def test_a_burst_overflows_nobody(self, path: Path) -> None:
        """Many small messages in one read are passed on in pieces, between which subscribers run."""

        async def main() -> None:
            async with workers(path, 4) as hubs:
                held = of(hubs[0])
                for hub in hubs[1:]:
                    for _ in range(3 * BURST):
                        hub.publish("a", "x")
                for _ in range(9 * BURST):
                    await anext(held)
                assert held.dropped == 0

        run(main)

    def test_messages_published_at_the_end_leave(self, path: Path) -> None:
        async def main() -> None:
            async with workers(path, 2) as hubs:
                held = of(hubs[1])
                hubs[0].publish("a", "goodbye")
                await hubs[0].close()
                assert await anext(held) == "goodbye"

        run(main)


class TestComingAndGoing:
    def test_who_leaves_takes_its_file_along(self, path: Path) -> None:
        async def main() -> None:
            async with workers(path, 3) as hubs:
                held = [of(hub) for hub in hubs]
                hubs[0].publish("a", "x")
                await asyncio.sleep(0)
                assert hubs[0].stats().peers == 2
                assert len(files(path)) == 3
                await hubs[2].close()
                assert len(files(path)) == 2
                await until(lambda: hubs[0].stats().peers == 1)
                assert await anext(held[1]) == "x"
            assert files(path) == []

        run(main)

    def test_the_file_of_one_that_crashed_is_removed(self, path: Path) -> None:
        async def main() -> None:
            async with workers(path, 2) as hubs:
                held = of(hubs[1])
                with socket.socket(socket.AF_UNIX) as dead:
                    dead.bind(str(path / "1-dead.sock"))
                hubs[0].publish("a", "x")
                assert await anext(held) == "x"
                assert len(files(path)) == 1
                assert hubs[0].stats().unsent == 0

        run(main)

    def test_a_connection_that_breaks_tells_of_a_crash(self, path: Path) -> None:
        """Without a further look at the directory, which has not changed."""

        async def main() -> None:
            async with workers(path, 1) as [hub]:
                path.mkdir(0o700)
                with socket.socket(socket.AF_UNIX) as crashing:
                    crashing.bind(str(path / "1-crashing.sock"))
                    crashing.listen()
                    hub.publish("a", "x")
                    await until(lambda: hub.stats().peers == 1)
                await until(lambda: hub.stats().peers == 0)
                assert files(path) == []

        run(main)

    def test_one_that_hangs_up_on_us_is_left_alone_for_a_while(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(mesh, "_REST", 600.0)

        async def main() -> None:
            async with workers(path, 1) as [hub]:
                path.mkdir(0o700)
                with socket.socket(socket.AF_UNIX) as refusing:
                    refusing.bind(str(path / "1-refusing.sock"))
                    refusing.listen()
                    hub.publish("a", "x")
                    await until(lambda: hub.stats().peers == 1)
                    refusing.accept()[0].close()
                    await until(lambda: hub.stats().peers == 0)
                    for _ in range(10):
                        hub.publish("a", "y")
                        await asyncio.sleep(0)
                    assert hub.stats().peers == 0
                assert files(path) == ["1-refusing.sock"]

        run(main)

    def test_a_directory_that_was_removed_is_made_again(self, path: Path) -> None:
        """As by the next master, which takes it for one that was left behind."""

        async def main() -> None:
            async with workers(path, 2) as hubs:
                path.mkdir(0o700)
                path.rmdir()
                held = of(hubs[1])
                hubs[0].publish("a", "x")
                assert await anext(held) == "x"

        run(main)


class TestLimits:
    def test_who_does_not_read_loses_messages_and_blocks_nobody(
        self, path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def main() -> None:
            async with workers(path, 2, BroadcastSettings(buffer=65536)) as hubs:
                held = of(hubs[1], "b")
                with socket.socket(socket.AF_UNIX) as stuck:
                    stuck.bind(str(path / "1-stuck.sock"))
                    stuck.listen()
                    while hubs[0].stats().unsent < 10:
                        hubs[0].publish("a", "x" * 10_000)
                        await asyncio.sleep(0)
                    hubs[0].publish("b", "to others")
                    assert await anext(held) == "to others"

        with caplog.at_level(logging.WARNING, "srvctl.error"):
            run(main)
        texts = [record.getMessage() for record in caplog.records]
        assert all(
            "for other workers were dropped, too many wait (broadcast.buffer)" in text for text in texts
        )
        assert texts[0].endswith("channels: 'a'.")

    def test_a_short_queue_still_gets_a_burst(self, path: Path) -> None:
        async def main() -> None:
            async with workers(path, 2, BroadcastSettings(queue=2)) as hubs:
                held = of(hubs[1])
                for number in range(500):
                    hubs[0].publish("a", str(number))
                assert [await anext(held) for _ in range(500)] == [str(number) for number in range(500)]

        run(main)


class TestDistrust:
    @pytest.mark.parametrize(
        "garbage", [b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", GREETING + b"\xff" * 100, GREETING + b"\x01" * 100]
    )
    def test_garbage_ends_its_connection_only(
        self, path: Path, garbage: bytes, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def main() -> None:
            async with workers(path, 2) as hubs:
                held = of(hubs[1])
                [name] = files(path)
                with socket.socket(socket.AF_UNIX) as stranger:
                    stranger.connect(str(path / name))
                    stranger.send(garbage)
                    stranger.setblocking(False)
                    with suppress(ConnectionResetError):
                        assert await asyncio.get_running_loop().sock_recv(stranger, 1) == b""
                hubs[0].publish("a", "x")
                assert await anext(held) == "x"

        with caplog.at_level(logging.WARNING, "srvctl.error"):
            run(main)
        [record] = caplog.records
        assert record.getMessage().startswith("Broadcast: closed a connection that does not bring messages: ")

    def test_half_a_frame_and_nothing_at_all_are_nothing(
        self, path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A writer that was killed, and one that only looked whether anybody is there."""

        async def main() -> None:
            async with workers(path, 1) as [hub]:
                held = of(hub)
                [name] = files(path)
                for data in (b"", GREETING + encode(b"a", b"whole", is_text=True) + b"\x01\x00"):
                    with socket.socket(socket.AF_UNIX) as stranger:
                        stranger.connect(str(path / name))
                        stranger.sendall(data)
                assert await anext(held) == "whole"
                assert isinstance(hub.link, Mesh)
                link = hub.link
                await until(lambda: not link._incoming)

        run(main)
        assert not caplog.records

    def test_other_users_are_refused(
        self, path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(mesh, "is_trusted", lambda _: False)

        async def main() -> None:
            async with workers(path, 2) as hubs:
                held = of(hubs[1])
                hubs[0].publish("a", "x")
                await until(lambda: hubs[0].stats().peers == 0 and bool(caplog.records))
                assert hubs[1].stats().received == 0
                del held

        with caplog.at_level(logging.WARNING, "srvctl.error"):
            run(main)
        assert caplog.records[0].getMessage() == f"Broadcast: refused a connection of user {os.geteuid()}."

    def test_the_kernel_says_who_connects(self, monkeypatch: pytest.MonkeyPatch) -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            assert incoming.user_of(ours) == os.geteuid()
            assert incoming.is_trusted(ours)
            monkeypatch.setattr(os, "geteuid", lambda: 4711)
            assert not incoming.is_trusted(ours)

    def test_a_directory_of_somebody_else_is_not_used(
        self, path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The subscription works in its worker all the same, and it is said once."""
        path.mkdir()
        path.chmod(0o755)

        async def main() -> None:
            async with workers(path, 1) as [hub]:
                held = [of(hub) for _ in range(3)]
                hub.publish("a", "x")
                assert await anext(held[2]) == "x"

        run(main)
        [record] = caplog.records
        assert "other workers are not heard" in record.getMessage()
        assert "it is not private to user" in record.getMessage()

    def test_a_link_is_not_followed(self, path: Path, tmp_path: Path) -> None:
        (tmp_path / "elsewhere").mkdir(0o700)
        path.symlink_to(tmp_path / "elsewhere")
        with pytest.raises(PlaceError):
            Place(str(path)).listen()
