"""How much memory workers have, as far as there is time for it, and only of the processes meant."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from srvctl.cli.instances import Master
from srvctl.cli.weighing import Scales, is_near, weighed

if TYPE_CHECKING:
    from srvctl.ipc.control_client import Connection

ME = os.getpid()
NOBODY = 2**22 + 7  #: no process has this pid, as Linux has no more than 2**22


def master(peer: int, said: object) -> Master:
    return Master(cast("Connection", SimpleNamespace(peer=peer)), {"pid": said})


@pytest.mark.parametrize(
    ("peer", "said", "near"),
    [
        (ME, ME, True),
        (4100, 1, False),  # it is in a container, and we are not
        (0, 1, False),  # we are in a container, and it is not, or in another one
        (0, 0, False),
        (ME, None, False),
    ],
    ids=["the same", "theirs", "ours", "nobody", "not said"],
)
def test_pids_of_another_namespace_are_not_looked_up(peer: int, said: object, near: bool) -> None:
    assert is_near(master(peer, said)) is near
    found = weighed({"workers": [{"pid": ME}]}, master(peer, said), Scales(), 10)
    assert (found["workers"][0]["pss"] is not None) is near


def test_what_is_gone_has_no_weight() -> None:
    workers = [{"pid": ME, "slot": 0}, {"pid": NOBODY}, {"pid": None}, {"pid": True}, "nonsense"]
    found = weighed({"workers": workers, "name": "web"}, master(ME, ME), Scales(), 10)
    assert found["name"] == "web"
    mine, *others, nonsense = found["workers"]
    assert mine["slot"] == 0
    assert 2**20 < mine["pss"] < 2**34
    assert [other["pss"] for other in others] == [None, None, None]
    assert nonsense == "nonsense"


@pytest.mark.parametrize("values", [{}, {"workers": None}, {"workers": 3}])
def test_a_master_that_says_other_things(values: dict[str, Any]) -> None:
    assert weighed(values, master(ME, ME), Scales(), 10) == values


def test_without_time_the_weight_of_before_is_kept_and_the_dead_are_forgotten() -> None:
    scales = Scales()
    assert scales.weigh({ME}, 0) == {}
    before = scales.weigh({ME, NOBODY}, 10)
    assert before[NOBODY] is None
    assert scales.weigh({ME}, 0) == {ME: before[ME]}
