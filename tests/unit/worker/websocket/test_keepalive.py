"""When a client is pinged, and when it is given up."""

from __future__ import annotations

from srvctl.worker.timers import NEVER
from srvctl.worker.websocket.keepalive import KeepAlive, Step


def look(alive: KeepAlive, now: float, *, can_ask: bool = True, can_hear: bool = True) -> Step:
    return alive.look(now, can_ask=can_ask, can_hear=can_hear)


def test_without_an_interval_there_is_nothing_to_do() -> None:
    """Ever."""
    alive = KeepAlive(0, 5, 100)
    assert alive.due == NEVER
    assert look(alive, 1e9) is Step.NOTHING


def test_a_silent_client_is_given_up() -> None:
    """When it has sent nothing for the timeout after a ping."""
    alive = KeepAlive(10, 5, 100)
    assert [alive.due, look(alive, 109.9), look(alive, 110)] == [110, Step.NOTHING, Step.PING]
    assert [alive.due, look(alive, 114.9), look(alive, 115)] == [115, Step.NOTHING, Step.GIVE_UP]


def test_whatever_it_sends_shows_that_it_is_there() -> None:
    """Then the next ping has its time."""
    alive = KeepAlive(10, 5, 100)
    for begin in (110, 120, 130):
        assert look(alive, begin) is Step.PING
        alive.has_heard = True
        assert look(alive, begin + 5) is Step.NOTHING
        assert alive.due == begin + 10


def test_what_it_sent_before_the_ping_does_not_count() -> None:
    """It may have left since."""
    alive = KeepAlive(10, 5, 100)
    alive.has_heard = True
    assert look(alive, 110) is Step.PING
    assert look(alive, 115) is Step.GIVE_UP


def test_pings_go_on_while_an_answer_is_due() -> None:
    """And do not put off the end."""
    alive = KeepAlive(10, 25, 100)
    assert [look(alive, now) for now in (110, 120, 130, 135)] == [Step.PING] * 3 + [Step.GIVE_UP]


def test_without_a_timeout_nobody_is_given_up() -> None:
    """But pinged."""
    alive = KeepAlive(10, 0, 100)
    assert {look(alive, now) for now in range(110, 200, 10)} == {Step.PING}


def test_a_client_that_is_busy_is_not_asked() -> None:
    """Nor given up for what it was not asked, or could not answer."""
    alive = KeepAlive(10, 5, 100)
    assert look(alive, 110, can_ask=False) is Step.NOTHING
    assert alive.due == 120
    assert look(alive, 120) is Step.PING
    assert look(alive, 125, can_ask=False) is Step.NOTHING
    assert look(alive, 130) is Step.PING
    assert look(alive, 135) is Step.GIVE_UP


def test_a_client_that_is_not_heard_is_asked_but_not_given_up() -> None:
    """Proxies in between want to see something."""
    alive = KeepAlive(10, 5, 100)
    assert look(alive, 110, can_hear=False) is Step.PING
    assert look(alive, 115, can_hear=False) is Step.NOTHING
    assert look(alive, 120, can_hear=False) is Step.PING
