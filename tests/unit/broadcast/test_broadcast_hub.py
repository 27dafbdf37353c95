"""Subscriptions and the hub inside one process, where there is no server."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
from typing import TYPE_CHECKING

import pytest

from srvctl.broadcast import hubs, publish, stats, subscribe
from srvctl.broadcast.hub import BURST, Hub
from srvctl.broadcast.subscription import Subscription
from srvctl.settings.groups import BroadcastSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


def run(main: Callable[[], Coroutine[None, None, None]]) -> None:
    asyncio.run(asyncio.wait_for(main(), 20))


async def turns(count: int = 3) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def of(hub: Hub, channel: str) -> Subscription:
    return Subscription(channel, lambda: hub)


class TestMessages:
    def test_every_subscriber_of_the_channel_gets_them_in_order(self) -> None:
        async def main() -> None:
            async with subscribe("a") as first, subscribe("a") as second, subscribe("b") as other:
                for number in range(5):
                    await publish("a", str(number))
                await publish("b", b"\x00\xff")
                for messages in (first, second):
                    assert [await anext(messages) for _ in range(5)] == ["0", "1", "2", "3", "4"]
                assert await anext(other) == b"\x00\xff"

        run(main)

    @pytest.mark.parametrize("data", ["", "text", "ü€😀", b"", b"bytes"])
    def test_they_keep_their_type(self, data: str | bytes) -> None:
        async def main() -> None:
            async with subscribe("a") as messages:
                await publish("a", data)
                got = await anext(messages)
                assert (type(got), got) == (type(data), data)

        run(main)

    def test_what_was_published_before_does_not_arrive(self) -> None:
        async def main() -> None:
            await publish("a", "early")
            subscription = subscribe("a")
            await publish("a", "not yet entered")
            async with subscription as messages:
                await publish("a", "in time")
                assert await anext(messages) == "in time"

        run(main)

    def test_iteration_alone_registers_when_it_begins(self) -> None:
        async def main() -> None:
            async def say() -> None:
                await publish("a", "1")
                await publish("a", "2")

            found = []
            saying = asyncio.create_task(say())
            async for message in subscribe("a"):
                found.append(message)
                if message == "2":
                    break
            await saying
            assert found == ["1", "2"]

        run(main)

    @pytest.mark.parametrize(
        ("channel", "data", "error"),
        [
            ("", "x", ValueError),
            ("x" * 1025, "x", ValueError),
            ("\ud800", "x", ValueError),
            ("a", "\ud800", ValueError),
            ("a", "x" * 1048577, ValueError),
            ("a", 5, TypeError),
            ("a", bytearray(b"x"), TypeError),
        ],
    )
    def test_what_cannot_be_sent_is_refused(self, channel: str, data: str, error: type[Exception]) -> None:
        async def main() -> None:
            with pytest.raises(error):
                await publish(channel, data)
            assert stats().published == 0

        run(main)

    @pytest.mark.parametrize("channel", ["", "x" * 1025])
    def test_a_name_no_channel_can_have_is_not_subscribed(self, channel: str) -> None:
        async def main() -> None:
            with pytest.raises(ValueError, match="a channel's name has 1 to 1024 bytes"):
                async with subscribe(channel):
                    pass

        run(main)

    def test_a_task_that_only_publishes_lets_others_run(self) -> None:
        """Without that a subscriber would lose whatever is beyond its queue."""

        async def main() -> None:
            count = 20 * BURST

            async def take() -> int:
                async with subscribe("a") as messages:
                    for number in range(count):
                        assert await anext(messages) == str(number)
                return messages.dropped

            taking = asyncio.create_task(take())
            await turns()
            for number in range(count):
                await publish("a", str(number))
            assert await taking == 0

        run(main)


class TestEnds:
    def test_leaving_unregisters(self) -> None:
        async def main() -> None:
            async with subscribe("a"), subscribe("a"), subscribe("b"):
                assert (stats().subscriptions, stats().channels) == (3, 2)
            assert (stats().subscriptions, stats().channels) == (0, 0)

        run(main)

    def test_an_exception_unregisters_too(self) -> None:
        async def main() -> None:
            with pytest.raises(ZeroDivisionError):
                async with subscribe("a"):
                    raise ZeroDivisionError
            assert stats().subscriptions == 0

        run(main)

    def test_close_ends_an_iteration_that_waits(self) -> None:
        async def main() -> None:
            async with subscribe("a") as messages:

                async def take() -> list[str | bytes]:
                    return [message async for message in messages]

                taking = asyncio.create_task(take())
                await publish("a", "1")
                await turns()
                messages.close()
                messages.close()
                assert await taking == ["1"]
            assert stats().subscriptions == 0

        run(main)

    def test_close_discards_what_was_not_taken(self) -> None:
        async def main() -> None:
            async with subscribe("a") as messages:
                await publish("a", "1")
                messages.close()
                with pytest.raises(StopAsyncIteration):
                    await anext(messages)

        run(main)

    def test_it_serves_once(self) -> None:
        async def main() -> None:
            async with subscribe("a") as messages:
                pass
            with pytest.raises(RuntimeError, match="subscribe again"):
                await messages.__aenter__()
            with pytest.raises(RuntimeError, match="subscribe again"):
                aiter(messages)

        run(main)

    def test_closing_what_never_began_is_nothing(self) -> None:
        subscribe("a").close()

    def test_what_nobody_holds_is_forgotten(self) -> None:
        async def main() -> None:
            kept = aiter(subscribe("a"))
            lost: Subscription | None = aiter(subscribe("a"))
            assert stats().subscriptions == 2
            assert lost is not None
            lost = None
            gc.collect()
            assert stats().subscriptions == 1
            await publish("a", "1")
            assert await anext(kept) == "1"
            assert stats().delivered == 1

        run(main)

    def test_breaking_off_an_iteration_unregisters(self) -> None:
        async def main() -> None:
            async def say() -> None:
                await publish("a", "1")

            saying = asyncio.create_task(say())
            async for _ in subscribe("a"):
                break
            await saying
            gc.collect()
            assert stats().subscriptions == 0

        run(main)

    def test_the_collector_may_run_in_another_thread(self) -> None:
        async def main() -> None:
            held = [aiter(subscribe("a")) for _ in range(100)]
            thread = threading.Thread(target=held.clear)
            thread.start()
            while held:
                await publish("a", "1")
            thread.join()
            gc.collect()
            assert stats().subscriptions == 0

        run(main)

    def test_a_task_that_waits_is_kept_though_nobody_else_holds_it(self) -> None:
        async def main() -> None:
            found: list[str | bytes] = []

            async def take() -> None:
                async for message in subscribe("a"):
                    found.append(message)  # noqa: PERF401 - looked at while it runs

            asyncio.create_task(take())  # noqa: RUF006 - on purpose
            await turns()
            gc.collect()
            await publish("a", "1")
            await turns()
            assert found == ["1"]
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()

        run(main)

    def test_a_cancelled_wait_loses_nothing(self) -> None:
        async def main() -> None:
            async with subscribe("a") as messages:
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(anext(messages), 0.001)
                await publish("a", "1")
                assert await anext(messages) == "1"

        run(main)

    def test_two_tasks_cannot_share_one(self) -> None:
        async def main() -> None:
            async with subscribe("a") as messages:
                taking = asyncio.ensure_future(anext(messages))
                await turns()
                with pytest.raises(RuntimeError, match="subscribe once for each task"):
                    await anext(messages)
                await publish("a", "1")
                assert await taking == "1"

        run(main)

    def test_the_end_of_the_hub_ends_them(self) -> None:
        async def main() -> None:
            hub = Hub(BroadcastSettings())
            async with of(hub, "a") as messages:
                taking = asyncio.ensure_future(anext(messages))
                await turns()
                await hub.close()
                with pytest.raises(StopAsyncIteration):
                    await taking

        run(main)


class TestLimits:
    def test_a_full_queue_loses_the_newest(self, caplog: pytest.LogCaptureFixture) -> None:
        """It is counted, and said once, with the number and the channel."""

        async def main() -> None:
            hub = Hub(BroadcastSettings(queue=3))
            async with of(hub, "slow") as slow, of(hub, "slow") as fast:
                for number in range(10):
                    hub.publish("slow", str(number))
                    assert await anext(fast) == str(number)
                assert [await anext(slow) for _ in range(3)] == ["0", "1", "2"]
                assert (slow.dropped, fast.dropped) == (7, 0)
                await turns()
                for _ in range(20):
                    hub.publish("slow", "more")
                await turns()
                counted = hub.stats()
                assert (counted.published, counted.delivered, counted.dropped) == (30, 13 + 6, 7 + 34)
                await hub.close()

        with caplog.at_level(logging.WARNING, "srvctl.error"):
            run(main)
        text = (
            "Broadcast: {} messages for subscribers that were too slow were dropped (broadcast.queue); "
            "channels: 'slow'."
        )
        assert [record.getMessage() for record in caplog.records] == [text.format(7), text.format(34)]

    def test_the_warning_names_the_worst_channels(self, caplog: pytest.LogCaptureFixture) -> None:
        async def main() -> None:
            hub = Hub(BroadcastSettings(queue=1))
            held = [aiter(of(hub, channel)) for channel in "abcde"]
            for count, channel in enumerate("abcde", 2):
                for _ in range(count):
                    hub.publish(channel, "x")
            await hub.close()
            assert len(held) == 5

        with caplog.at_level(logging.WARNING, "srvctl.error"):
            run(main)
        [record] = caplog.records
        assert record.getMessage().endswith("; channels: 'e', 'd', 'c' and 2 more.")
        assert "15 messages" in record.getMessage()


class TestLoops:
    def test_each_loop_has_its_own_channels(self) -> None:
        """Tests do not hear each other."""

        async def main() -> None:
            assert stats().published == 0
            await publish("a", "1")
            assert stats().published == 1

        run(main)
        run(main)

    def test_threads_with_loops_do_not_disturb_each_other(self) -> None:
        failures: list[BaseException] = []

        async def talk() -> None:
            async with subscribe("a") as messages:
                for number in range(200):
                    await publish("a", str(number))
                    assert await anext(messages) == str(number)
                assert stats().delivered == 200

        def work() -> None:
            try:
                run(talk)
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures

    def test_a_worker_refuses_other_loops(self) -> None:
        async def main() -> None:
            hub = Hub(BroadcastSettings())
            hubs.serve(hub)
            try:
                assert hubs.current() is hub
                with pytest.raises(RuntimeError, match="run_coroutine_threadsafe"):
                    await asyncio.to_thread(asyncio.run, publish("a", "1"))
            finally:
                hubs.serve(None)
            assert hubs.current() is not hub

        run(main)

    def test_without_a_loop_it_says_so(self) -> None:
        with pytest.raises(RuntimeError, match="no running event loop"):
            stats()
