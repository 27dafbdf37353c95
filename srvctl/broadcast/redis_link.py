"""The link through a Redis server, between workers of any number of machines.

Each worker has one connection on which everything under the prefix arrives, and one on which it publishes.
When either is lost both are opened anew, with growing pauses in between, while what is published waits. Redis
keeps nothing for those who are not connected, so after an interruption the others get time to come back
before what has waited is sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from srvctl.broadcast.backlog import Backlog
from srvctl.broadcast.envelope import ORIGIN_SIZE, PREFIX, Opener, seal

if TYPE_CHECKING:
    from redis.asyncio.client import PubSub

    from srvctl.broadcast.hub import Hub

logger = logging.getLogger("srvctl.error")

_BOOT: Final = 3.0  #: seconds a worker's start waits for the server
_PATIENCE: Final = 5.0  #: seconds until a server that does not answer counts as lost
_QUIET: Final = 15.0  #: seconds of silence after which it is asked whether it is there
_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 1.0
_GRACE: Final = 1.5  #: seconds others have to come back before what has waited is sent: their longest pause
_BATCH: Final = 256  #: messages of one round trip
_LAST_WORDS: Final = 1.0  #: seconds to send what waits when this worker ends
_GLANCE: Final = 0.01


class RedisLink:
    """Carries messages to other workers through Redis, and theirs to the hub.

    Args:
        hub: Whose link it is.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._url = hub.settings.url
        self._origin = os.urandom(ORIGIN_SIZE)
        self._opener = Opener(self._origin)
        self._number = 0
        self._backlog = Backlog(hub.settings.buffer)
        self._has_waiting = asyncio.Event()
        self._is_up = asyncio.Event()
        self._is_said_lost = False
        self._needs_grace = False  #: the others may not be back yet
        self._unsent = 0  #: since then
        self._task: asyncio.Task[None] | None = None

    @property
    def peers(self) -> int:
        """1 while the server is there."""
        return int(self._is_up.is_set())

    async def start(self) -> None:
        """Connect; without a server the worker starts all the same, a few seconds later."""
        self._task = asyncio.create_task(self._run(), name="broadcast")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._is_up.wait(), _BOOT)

    def listen(self) -> None:
        """Everything arrives already."""

    def send(self, channel: bytes, body: bytes, *, is_text: bool) -> bool:
        """Take a message for the other workers."""
        self._number += 1
        payload = seal(self._origin, self._number, body, is_text=is_text)
        if not self._backlog.add((PREFIX + channel, payload)):
            self._unsent += 1
            self._hub.not_sent(channel.decode())
        return False

    def flush(self) -> None:
        """Have what was taken sent."""
        self._has_waiting.set()

    async def close(self) -> None:
        """Send what waits, as far as that takes no longer than a second, and end."""
        if self._task is None:
            return
        self.flush()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wait_until_sent(), _LAST_WORDS)
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _wait_until_sent(self) -> None:
        while len(self._backlog) and self._is_up.is_set():  # noqa: ASYNC110 - once, at the end
            await asyncio.sleep(_GLANCE)

    # -- the connections -------------------------------------------------------------------------------

    async def _run(self) -> None:
        """Keep the connections; nothing a server does may end this."""
        pause = _FIRST_PAUSE
        while True:
            try:
                await self._session()
            except (RedisError, OSError, TimeoutError) as error:
                failure: Exception = error
            except Exception as error:  # the client's own mistakes, of which it has had some
                if not self._is_said_lost:
                    logger.exception("Broadcast: the connection to Redis failed.")
                failure = error
            if self._is_up.is_set():
                pause = _FIRST_PAUSE
            self._is_up.clear()
            self._say_lost(failure)
            await asyncio.sleep(pause * (1 + random.random() / 4))  # noqa: S311 - not all at once
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _session(self) -> None:
        """Serve until a connection is lost.

        Raises:
            RedisError: It is.
            OSError: It is.
        """
        client: Redis = Redis.from_url(
            self._url,
            decode_responses=False,
            socket_connect_timeout=_PATIENCE,
            retry=Retry(NoBackoff(), 0),  # connections that come back by themselves would hide a loss
        )
        async with client, client.pubsub() as subscribed:
            await asyncio.wait_for(self._subscribe(subscribed), _PATIENCE)
            self._is_up.set()
            self._say_back()
            tasks = [
                asyncio.create_task(self._receive(subscribed)),
                asyncio.create_task(self._publish(client)),
            ]
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in tasks:
                    task.cancel()
                results = await asyncio.gather(*tasks, return_exceptions=True)
            for result in results:
                if isinstance(result, Exception):
                    raise result

    async def _subscribe(self, subscribed: PubSub) -> None:
        await subscribed.psubscribe(PREFIX + b"*")
        while (said := await subscribed.get_message(timeout=_PATIENCE)) is None or said[
            "type"
        ] != "psubscribe":
            pass

    async def _receive(self, subscribed: PubSub) -> None:
        """Pass on what arrives; ask a server that is silent whether it is there."""
        is_asked, in_a_row = False, 0
        while True:
            said: dict[str, Any] | None = await subscribed.get_message(
                timeout=_PATIENCE if is_asked else _QUIET
            )
            if said is None:
                if is_asked:
                    raise RedisConnectionError("it does not answer")
                is_asked = True
                await subscribed.ping()
                continue
            is_asked = False
            if said["type"] == "pmessage":
                self._pass_on(said["channel"], said["data"])
            in_a_row += 1
            if in_a_row >= self._hub.burst:  # the client reads on without a pause while it has bytes
                in_a_row = 0
                await asyncio.sleep(0)

    def _pass_on(self, channel: bytes, payload: bytes) -> None:
        message = self._opener.open(payload)
        if message is not None:
            self._hub.receive([(channel[len(PREFIX) :].decode("utf-8", "replace"), message)])

    async def _publish(self, client: Redis) -> None:
        """Send what waits; what a lost connection leaves in doubt is sent again, and recognised there."""
        if self._needs_grace:
            await asyncio.sleep(_GRACE)
            self._needs_grace = False
        while True:
            await self._has_waiting.wait()
            batch = self._backlog.first(_BATCH)
            if not batch:
                self._has_waiting.clear()
                continue
            pipeline = client.pipeline(transaction=False)
            for channel, payload in batch:
                pipeline.publish(channel, payload)
            results = await asyncio.wait_for(pipeline.execute(raise_on_error=False), _PATIENCE)
            for result in results:
                if isinstance(result, RedisConnectionError):
                    raise result
            self._backlog.done(len(batch))
            for (channel, _), result in zip(batch, results, strict=True):
                if isinstance(result, Exception):  # refused: it would be again
                    self._hub.not_sent(channel[len(PREFIX) :].decode())

    # -- the log ---------------------------------------------------------------------------------------

    def _say_lost(self, error: Exception) -> None:
        self._needs_grace = True
        if self._is_said_lost:
            return
        self._is_said_lost, self._unsent = True, 0
        reason = str(error).rstrip(".") or type(error).__name__
        logger.warning(
            "Broadcast: no connection to %s: %s. Trying again; messages wait (broadcast.buffer).",
            _shown(self._url),
            reason,
        )

    def _say_back(self) -> None:
        if self._is_said_lost:
            self._is_said_lost = False
            logger.info(
                "Broadcast: connected to %s again; %d messages have waited, %d were dropped.",
                _shown(self._url),
                len(self._backlog),
                self._unsent,
            )


def _shown(url: str) -> str:
    """Return the URL without what is secret in it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
