"""What an application has not taken yet, and when it is too much."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from srvctl.worker.websocket.inbox import MessageInbox
from tests.support.wire import StillLoop


def text(content: str) -> dict[str, Any]:
    return {"type": "websocket.receive", "text": content}


@pytest.mark.parametrize("key", ["text", "bytes"])
def test_it_is_full_of_many_or_of_much(key: str) -> None:
    """And says once that it is not any more."""
    rooms: list[int] = []
    for contents in (["a"] * 3, ["a" * 10]):
        inbox = MessageInbox(StillLoop(), 3, 10)
        inbox.on_room = lambda: rooms.append(1)
        fullness: list[bool] = []
        for content in contents:
            fullness.append(inbox.is_full)
            inbox.put({"type": "websocket.receive", key: content if key == "text" else content.encode()})
        fullness.append(inbox.is_full)
        for _ in contents:
            inbox.take()
        fullness.append(inbox.is_full)
        assert fullness == [*[False] * len(contents), True, False]
        inbox._loop.close()
    assert rooms == [1, 1]


def test_messages_are_taken_in_their_order() -> None:
    """Whatever they hold."""
    loop = StillLoop()
    inbox = MessageInbox(loop, 10, 100)
    for number in range(3):
        inbox.put(text(str(number)))
    assert [inbox.take()["text"] for _ in range(3)] == ["0", "1", "2"]
    assert not inbox.messages
    loop.close()


@pytest.mark.parametrize("count", [1, 2, 4])
def test_each_message_reaches_one_of_those_who_wait(count: int) -> None:
    """Those who are cancelled take nothing with them."""
    loop = StillLoop()
    inbox = MessageInbox(loop, 10, 100)
    got: list[str] = []

    async def receive() -> None:
        while not inbox.messages:
            await inbox.arrival()
        got.append(inbox.take()["text"])

    tasks = [loop.create_task(receive()) for _ in range(count + 1)]
    loop.turn()
    tasks[0].cancel()
    for number in range(count):
        loop.call_soon(inbox.put, text(str(number)))
    loop.turn()
    assert got == [str(number) for number in range(count)]
    assert [task.cancelled() for task in tasks] == [True, *[False] * count]
    assert all(task.done() for task in tasks)
    loop.close()


def test_within_a_task_others_go_on_when_it_waits() -> None:
    """Two tasks cannot be at work at once."""
    loop = StillLoop()
    inbox = MessageInbox(loop, 10, 100)
    notes: list[str] = []

    async def wait() -> None:
        await inbox.arrival()
        notes.append("on")

    async def wake() -> None:
        inbox.wake()
        notes.append("told")
        await asyncio.sleep(0)

    loop.create_task(wait())
    loop.create_task(wait())
    loop.turn()
    loop.create_task(wake())
    loop.turn()
    assert notes == ["told", "on", "on"]
    assert loop.complaints == []
    loop.close()
