"""Which acts are tried, and which cannot be."""

from __future__ import annotations

import pytest

from srvctl.errors import UsageError
from srvctl.rehearse.acts import SENTENCES, Act, obstacle, plan
from srvctl.settings.groups import HealthSettings, Settings


def test_acts_come_in_their_order_whatever_was_typed() -> None:
    assert plan([], []) == tuple(Act)
    assert plan(["stop", "reload"], []) == (Act.RELOAD, Act.STOP)
    assert Act.STOP not in plan([], ["stop"])
    assert set(SENTENCES) == set(Act)
    assert plan([], [])[-1] is Act.STOP


@pytest.mark.parametrize(("chosen", "skipped"), [(["crash"], []), ([], ["crash"]), (["stop"], ["stop"])])
def test_there_must_be_an_act(chosen: list[str], skipped: list[str]) -> None:
    with pytest.raises(UsageError):
        plan(chosen, skipped)


def test_what_the_user_turned_off_is_not_tried() -> None:
    usual = Settings()
    never_hangs = Settings(health=HealthSettings(hang_timeout=0.0))
    assert all(not obstacle(act, usual, has_signals=True, has_proc=True) for act in Act)
    assert "hang_timeout" in obstacle(Act.HANG, never_hangs, has_signals=True, has_proc=True)
    assert "signals" in obstacle(Act.HANG, usual, has_signals=False, has_proc=True)
    assert "memory" in obstacle(Act.MEMORY, usual, has_signals=True, has_proc=False)
    assert not obstacle(Act.KILL, never_hangs, has_signals=False, has_proc=False)
