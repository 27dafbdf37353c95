"""Subscriptions that come, go, and are forgotten, against a model that keeps a list for each."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from srvctl.broadcast.hub import Hub
from srvctl.broadcast.subscription import Subscription
from srvctl.settings.groups import BroadcastSettings

QUEUE = 3
channels = st.sampled_from("abc")


class Subscriber:
    """A subscription and what the model says is in it."""

    def __init__(self, hub: Hub, channel: str) -> None:
        self.channel = channel
        self.subscription: Subscription | None = aiter(Subscription(channel, lambda: hub))
        self.waiting: list[str | bytes] = []
        self.dropped = 0


class HubMachine(RuleBasedStateMachine):
    """One hub, one loop that runs only while a rule does."""

    subscribers = Bundle("subscribers")

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.hub = Hub(BroadcastSettings(queue=QUEUE))
        self.present: set[Subscriber] = set()
        self.published = self.delivered = self.dropped = 0

    def do(self, work: Any) -> Any:
        async def run() -> Any:
            result = work()
            return await result if asyncio.iscoroutine(result) else result

        return self.loop.run_until_complete(run())

    @rule(target=subscribers, channel=channels)
    def comes(self, channel: str) -> Subscriber:
        subscriber = self.do(lambda: Subscriber(self.hub, channel))
        self.present.add(subscriber)
        return subscriber  # type: ignore[no-any-return]

    @rule(channel=channels, data=st.text("xy", max_size=3) | st.binary(max_size=3))
    def publishes(self, channel: str, data: str | bytes) -> None:
        self.do(lambda: self.hub.publish(channel, data))
        self.published += 1
        for subscriber in self.present:
            if subscriber.channel != channel:
                continue
            if len(subscriber.waiting) < QUEUE:
                subscriber.waiting.append(data)
                self.delivered += 1
            else:
                subscriber.dropped += 1
                self.dropped += 1

    @rule(subscriber=subscribers)
    def takes(self, subscriber: Subscriber) -> None:
        assert subscriber.subscription is not None
        if subscriber.waiting:
            wanted, got = subscriber.waiting.pop(0), self.do(subscriber.subscription.__anext__)
            assert (type(got), got) == (type(wanted), wanted)

    @rule(subscriber=subscribers)
    def gives_up_waiting(self, subscriber: Subscriber) -> None:
        if subscriber.waiting:
            return

        async def wait() -> None:
            assert subscriber.subscription is not None
            with suppress(TimeoutError):
                await asyncio.wait_for(anext(subscriber.subscription), 0)
                raise AssertionError("there was something")

        self.do(wait)

    @rule(subscriber=consumes(subscribers))
    def closes(self, subscriber: Subscriber) -> None:
        assert subscriber.subscription is not None
        subscriber.subscription.close()
        self.present.discard(subscriber)

    @rule(subscriber=consumes(subscribers))
    def is_forgotten(self, subscriber: Subscriber) -> None:
        subscriber.subscription = None
        self.present.discard(subscriber)

    @invariant()
    def the_counts_agree(self) -> None:
        stats = self.hub.stats()
        assert (stats.published, stats.delivered, stats.dropped) == (
            self.published,
            self.delivered,
            self.dropped,
        )
        assert stats.subscriptions == len(self.present)
        assert stats.channels == len({subscriber.channel for subscriber in self.present})

    @invariant()
    def each_knows_its_losses(self) -> None:
        for subscriber in self.present:
            assert subscriber.subscription is not None
            assert subscriber.subscription.dropped == subscriber.dropped

    def teardown(self) -> None:
        self.do(self.hub.close)
        self.loop.close()


HubMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestHub = HubMachine.TestCase
