"""The body of a request between the client and the application."""

from __future__ import annotations

import asyncio

import pytest

from srvctl.worker.http.inbox import Inbox


def open_inbox() -> Inbox:
    return Inbox(is_complete=False)


def has_news(inbox: Inbox) -> bool:
    return inbox.has_news


def test_a_request_without_a_body_has_one_news() -> None:
    """That nothing will come."""
    inbox = Inbox(is_complete=True)
    assert has_news(inbox)
    assert inbox.take() == b""
    assert not has_news(inbox)


def test_pieces_are_taken_together() -> None:
    """In order; then there is no news until more comes."""
    inbox = open_inbox()
    assert not has_news(inbox)
    for piece in (b"ab", b"c", b"def"):
        inbox.put(piece)
    assert has_news(inbox)
    assert (inbox.size, inbox.total) == (6, 6)
    assert inbox.take() == b"abcdef"
    assert (inbox.size, inbox.total) == (0, 6)
    assert not has_news(inbox)
    inbox.put(b"g")
    assert (inbox.size, inbox.total) == (1, 7)
    assert inbox.take() == b"g"


def test_a_piece_is_not_copied() -> None:
    """Large bodies mostly come in one piece for each take."""
    inbox, piece = open_inbox(), b"x" * 1000
    inbox.put(piece)
    assert inbox.take() is piece


def test_the_end_is_told_once() -> None:
    """With the last bytes, or alone when they were taken before."""
    together, alone = open_inbox(), open_inbox()
    together.put(b"a")
    together.end()
    assert together.take() == b"a"
    assert not has_news(together)
    alone.put(b"a")
    alone.take()
    alone.end()
    assert has_news(alone)
    assert alone.take() == b""
    assert not has_news(alone)
    assert together.is_complete
    assert alone.is_complete


@pytest.mark.parametrize("how", ["put", "end"])
def test_a_client_that_sends_waits_for_no_100_continue(how: str) -> None:
    """RFC 9110 section 10.1.1: then none is sent."""
    inbox = Inbox(is_complete=False, expects_continue=True)
    assert inbox.expects_continue
    inbox.put(b"a") if how == "put" else inbox.end()
    assert not inbox.expects_continue


def test_what_is_held_is_forgotten_when_nobody_will_take_it() -> None:
    """What was received of it is still known."""
    inbox = open_inbox()
    inbox.put(b"abc")
    inbox.close()
    assert (inbox.size, inbox.total, inbox.has_news) == (0, 3, False)
    assert inbox.take() == b""


@pytest.mark.parametrize("how", ["put", "end", "wake", "close"])
def test_everyone_who_waits_is_woken(how: str) -> None:
    """An application may call receive in several tasks."""

    async def scenario() -> None:
        inbox = open_inbox()
        waiting = [asyncio.ensure_future(inbox.wait()) for _ in range(3)]
        await asyncio.sleep(0)
        assert not any(task.done() for task in waiting)
        inbox.put(b"a") if how == "put" else getattr(inbox, how)()
        async with asyncio.timeout(10):
            await asyncio.gather(*waiting)
        assert not inbox._waiters

    asyncio.run(scenario())


def test_one_who_is_cancelled_does_not_keep_others_from_being_woken() -> None:
    """Also when both happens at once."""

    async def scenario() -> None:
        inbox = open_inbox()
        first, second, third = (asyncio.ensure_future(inbox.wait()) for _ in range(3))
        await asyncio.sleep(0)
        second.cancel()
        inbox.wake()
        first.cancel()
        async with asyncio.timeout(10):
            await asyncio.wait([first, second, third])
        assert (first.cancelled(), second.cancelled(), third.cancelled()) == (True, True, False)

    asyncio.run(scenario())


def test_who_looks_now_and_then_leaves_nothing_behind() -> None:
    """As applications do that look for a disconnect between the events of a stream."""

    async def scenario() -> None:
        inbox = open_inbox()
        for _ in range(100):
            waiting = asyncio.ensure_future(inbox.wait())
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.wait([waiting])
        assert not inbox._waiters

    asyncio.run(scenario())
