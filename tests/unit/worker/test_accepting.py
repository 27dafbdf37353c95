"""Accepting with a balance, on real loops: whose patience it is, and what a balance that fails leads to."""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import TYPE_CHECKING

import pytest

from srvctl.worker.accepting import Accepting
from srvctl.worker.balance import Balance
from srvctl.worker.courtesy import Wait

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Sequence

    Test = Callable[[], Coroutine[None, None, None]]
    Run = Callable[[Test], None]

WAIT = Wait(0.0, {})


class Scripted(Balance):
    """A balance that answers what it is told to, one look after the other, and then that it is our turn."""

    def __init__(self, *answers: tuple[int, Wait | None] | Exception, breaks_at_rest: bool = False) -> None:
        self.answers = list(answers)
        self.waits: list[Wait | None] = []  #: that it was asked with
        self.rests = 0
        self.breaks_at_rest = breaks_at_rest

    def look(self, listener: socket.socket, wait: Wait | None) -> tuple[int, Wait | None]:
        self.waits.append(wait)
        answer = self.answers.pop(0) if self.answers else (1, None)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def note(self) -> None:
        pass

    def rest(self) -> None:
        self.rests += 1
        if self.breaks_at_rest:
            raise ValueError("operation forbidden on released memoryview object")


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock


async def serve(listener: socket.socket, balance: Balance, connections: int) -> None:
    """Have so many clients come, each when the one before was accepted."""
    accepted: list[socket.socket] = []
    accepting = Accepting(lambda listener: accepted.append(listener.accept()[0]), is_alone=False)
    accepting.start(listener, balance)
    for number in range(1, connections + 1):
        with socket.create_connection(listener.getsockname()):
            while len(accepted) < number:  # noqa: ASYNC110 - what is waited for is no coroutine's
                await asyncio.sleep(0.001)
    accepting.stop()
    for sock in accepted:
        sock.close()


@pytest.mark.parametrize("breaks_at_rest", [False, True])
@pytest.mark.parametrize("before", [[], [(0, WAIT)], [(0, WAIT), (0, WAIT)]])
def test_a_balance_that_fails_is_done_without(
    run: Run,
    listener: socket.socket,
    before: Sequence[tuple[int, Wait]],
    breaks_at_rest: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """At the first look or while others are waited for: a worker that accepts nothing more looks well."""
    balance = Scripted(*before, IndexError("a bug"), IndexError("again"), breaks_at_rest=breaks_at_rest)
    run(lambda: serve(listener, balance, 3))
    assert len(balance.waits) == len(before) + 1
    assert balance.rests == 1, "others must leave nothing to it"
    [record] = caplog.records
    assert (record.name, record.levelno) == ("srvctl.error", logging.ERROR)
    assert "IndexError: a bug" in caplog.text
    assert "in look" in caplog.text


def test_patience_is_not_for_the_connection_that_comes_next(run: Run, listener: socket.socket) -> None:
    """Whoever had it with one, off the listener or on it, leaves the next to others again."""
    turn = (1, WAIT)
    balance = Scripted((0, WAIT), (0, WAIT), turn, turn)
    run(lambda: serve(listener, balance, 3))
    assert balance.waits == [None, WAIT, WAIT, None, None]
