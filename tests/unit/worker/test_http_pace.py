"""How slow a client may be."""

from __future__ import annotations

import pytest

from srvctl.worker.http.pace import BodyPace, SendPace

# -- request bodies -----------------------------------------------------------------------------------


def body_pace() -> BodyPace:
    return BodyPace(10.0, 100, 50.0)


def test_nobody_is_too_slow_before_the_end_of_a_window() -> None:
    """Asking sooner changes nothing."""
    pace = body_pace()
    assert pace.due == 60.0
    assert not pace.is_too_slow(59.9)
    assert pace.due == 60.0
    pace.received(400)
    assert not pace.is_too_slow(55.0)
    pace.received(600)
    assert not pace.is_too_slow(60.0), "what came before the question counts"


@pytest.mark.parametrize(("size", "is_too_slow"), [(0, True), (999, True), (1000, False), (5000, False)])
def test_a_window_needs_so_many_bytes(size: int, is_too_slow: bool) -> None:
    """Ten seconds of a hundred bytes each."""
    pace = body_pace()
    pace.received(size)
    assert pace.is_too_slow(60.0) is is_too_slow


def test_each_window_is_judged_by_itself() -> None:
    """Who was fast once may not be slow for ever."""
    pace = body_pace()
    pace.received(100_000)
    assert not pace.is_too_slow(60.0)
    assert pace.due == 70.0
    pace.received(999)
    assert pace.is_too_slow(70.0)


def test_a_window_begins_when_the_last_one_was_judged() -> None:
    """However late that was."""
    pace = body_pace()
    pace.received(1000)
    assert not pace.is_too_slow(63.0)
    assert pace.due == 73.0


def test_a_window_is_excused_and_the_next_is_not() -> None:
    """In which we were the slow ones."""
    pace = body_pace()
    pace.excuse()
    assert not pace.is_too_slow(60.0)
    assert pace.is_too_slow(70.0)


def test_an_excuse_holds_until_the_end_of_its_window() -> None:
    """A question before it does not use it up."""
    pace = body_pace()
    pace.excuse()
    assert not pace.is_too_slow(55.0)
    assert not pace.is_too_slow(60.0)


# -- responses ----------------------------------------------------------------------------------------


def send_pace() -> SendPace:
    """One that was looked at for the first time."""
    pace = SendPace(10.0, 50.0)
    assert not pace.is_stalled(-500, 50.0)
    return pace


def test_nothing_is_known_before_the_first_look() -> None:
    """So whoever was looked at only once cannot have stalled."""
    pace = SendPace(10.0, 50.0)
    assert pace.due == 50.0
    assert not pace.is_stalled(-500, 49.9)
    assert not pace.is_stalled(-500, 55.0)
    assert pace.due == 65.0


def test_nobody_has_stalled_before_their_time_is_over() -> None:
    """Asking sooner changes nothing."""
    pace = send_pace()
    assert pace.due == 60.0
    assert not pace.is_stalled(-500, 59.9)
    assert not pace.is_stalled(-400, 59.9)
    assert pace.is_stalled(-500, 60.0), "what counts is what was so at the beginning"


@pytest.mark.parametrize("progress", [-501, -499, 0, 500])
def test_any_change_is_progress(progress: int) -> None:
    """The application may have written more than the client took."""
    pace = send_pace()
    assert not pace.is_stalled(progress, 60.0)
    assert pace.due == 70.0
    assert not pace.is_stalled(progress, 69.9)
    assert pace.is_stalled(progress, 70.0)


def test_a_stalled_client_stays_stalled() -> None:
    """Until somebody ends it."""
    pace = send_pace()
    assert pace.is_stalled(-500, 60.0)
    assert pace.is_stalled(-500, 61.0)


def test_time_is_counted_from_the_last_look() -> None:
    """However late that was."""
    pace = send_pace()
    assert not pace.is_stalled(-400, 63.0)
    assert pace.due == 73.0
