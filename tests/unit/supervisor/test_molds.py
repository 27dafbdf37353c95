"""The processes that workers are forked from: when they are made, what is done when they do not do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from srvctl.errors import ExitCode
from srvctl.supervisor.actions import Drain, EndMold, Exit, Kill, Log, MakeMold, Severity, Spawn
from srvctl.supervisor.backoff import Backoff
from srvctl.supervisor.events import (
    Event,
    MoldExited,
    MoldFailed,
    MoldForked,
    MoldReady,
    MoldRefused,
    SpawnFailed,
    Started,
    TimePassed,
    WorkerReady,
)
from srvctl.supervisor.fleet import Phase
from srvctl.supervisor.molds import Molds, MoldState
from srvctl.supervisor.orders import Orders
from tests.support.scene import (
    POLICY,
    QUIT,
    READY,
    START,
    STOPPING,
    TERM,
    Scene,
    booting,
    died,
    exited,
    forked,
    mold_forked,
    molded,
    serving,
    up,
)

MOLDED = replace(POLICY, preload=True)
DEAD = MoldExited(1, "killed by SIGKILL")


# -- the first boot ----------------------------------------------------------------------------------------


def test_the_mold_comes_first_and_forks_the_workers() -> None:
    """No worker is asked for before the application is imported."""
    scene = Scene(policy=MOLDED)
    assert scene.tell(Started()) == [MakeMold(1)]
    assert scene.tell(mold_forked(1)) == []
    assert scene.due() == 30.0
    assert scene.after(3.0, MoldReady(1)) == [Spawn(1, 0, 1, from_mold=True), Spawn(2, 1, 1, from_mold=True)]
    assert scene.tell(*forked(1, 2), WorkerReady(1)) == []
    assert scene.tell(WorkerReady(2)) == [READY]
    assert scene.due() is None


def test_an_unsuitable_mold_is_done_without() -> None:
    """It is ended, the reason is a warning, and each worker imports the application itself."""
    scene = Scene(policy=MOLDED)
    scene.tell(Started())
    done = scene.tell(*molded(1, "the import opened a socket"))
    assert done == [EndMold(1), Spawn(1, 0, 1), Spawn(2, 1, 1)]
    assert scene.lines == [Log(Severity.WARNING, "preload is not possible: the import opened a socket")]
    assert scene.tell(*up(1, 2), MoldExited(1, "killed by SIGKILL")) == [READY]
    assert scene.errors == []
    assert scene.tell(died(1)) == [Spawn(3, 0, 1)]


@pytest.mark.parametrize(
    ("seconds", "end", "error", "orders"),
    [
        pytest.param(
            0.0, MoldFailed(1, "No module.", "Traceback"), "No module.", [EndMold(1)], id="explained"
        ),
        pytest.param(
            0.0,
            DEAD,
            "Importing the application ended the process: killed by SIGKILL.",
            [],
            id="silent",
        ),
        pytest.param(
            30.0,
            TimePassed(),
            "The application was not imported within 30 s (timeouts.boot).",
            [EndMold(1)],
            id="stuck",
        ),
    ],
)
def test_a_first_mold_that_fails_ends_the_service(
    seconds: float, end: Event, error: str, orders: list[EndMold]
) -> None:
    """One error, and the exit code that says that nothing ever came up, once the process is gone."""
    scene = Scene(policy=MOLDED)
    scene.tell(Started(), mold_forked(1))
    done = scene.after(seconds, end)
    assert done[:4] == [*STOPPING, *orders, *[Exit(ExitCode.NEVER_UP)] * (not orders)]
    assert scene.errors == [error]
    if orders:
        assert scene.tell(MoldExited(1, "killed by SIGKILL")) == [Exit(ExitCode.NEVER_UP)]


def test_a_first_mold_that_the_kernel_refuses_ends_the_service() -> None:
    """There is no process to wait for."""
    scene = Scene(policy=MOLDED)
    scene.tell(Started())
    assert scene.tell(MoldRefused(1, "no memory")) == [*STOPPING, Exit(ExitCode.NEVER_UP)]
    assert scene.errors == ["Could not start the process that workers are forked from: no memory."]


@pytest.mark.parametrize(
    "news",
    [[SpawnFailed(1, "its mold ended"), DEAD], [DEAD, SpawnFailed(1, "its mold ended")]],
    ids=["fork first", "mold first"],
)
def test_a_mold_that_dies_while_it_forks_the_first_workers_ends_the_service(news: list[Event]) -> None:
    """Those that were forked already are ended with it."""
    scene = Scene(policy=MOLDED)
    scene.tell(Started(), *molded(1), *forked(2))
    done = scene.tell(*news)
    assert done[:2] == STOPPING
    assert Kill(2, "TERM") in done
    assert len(scene.errors) == 1
    assert scene.tell(*exited(2)) == [Exit(ExitCode.NEVER_UP)]


def test_a_first_mold_that_never_forks_ends_the_service() -> None:
    """It is the mold that is late, and that once, however many workers wait for it."""
    scene = Scene(policy=MOLDED)
    scene.tell(Started(), *molded(1))
    assert scene.due() == 30.0
    assert scene.after(30.0) == [*STOPPING, EndMold(1)]
    assert scene.errors == ["No worker was forked within 30 s (timeouts.boot)."]
    assert scene.tell(SpawnFailed(1, "its mold ended"), DEAD) == []
    assert scene.tell(SpawnFailed(2, "its mold ended")) == [Exit(ExitCode.NEVER_UP)]


# -- a service that works ----------------------------------------------------------------------------------


def test_a_mold_that_dies_idle_is_made_anew() -> None:
    """Workers that serve go on; a slot that needs one meanwhile waits for the import."""
    scene = serving(policy=MOLDED)
    assert scene.tell(DEAD) == [MakeMold(1)]
    assert scene.errors == [
        "The process that workers of generation 1 are forked from ended: killed by SIGKILL."
    ]
    assert scene.texts[-1] == "The code of generation 1 is imported anew now, as it is on disk by then."
    assert scene.tell(mold_forked(1), died(1)) == []
    assert scene.tell(MoldReady(1)) == [Spawn(3, 0, 1, from_mold=True)]


def test_a_mold_that_dies_while_it_forks_is_made_anew() -> None:
    """The worker that came to nothing is a failure of its slot like any other."""
    scene = serving(policy=MOLDED)
    assert scene.tell(died(1)) == [Spawn(3, 0, 1, from_mold=True)]
    assert scene.tell(SpawnFailed(3, "its mold ended"), DEAD) == [MakeMold(1)]
    assert scene.tell(*molded(1)) == []
    assert scene.after(0.5) == [Spawn(4, 0, 1, from_mold=True)]


def test_a_fork_that_happened_before_its_mold_died_counts() -> None:
    """The news may come in this order, too."""
    scene = serving(policy=MOLDED)
    scene.tell(died(1))
    assert scene.tell(DEAD, *up(3)) == [MakeMold(1)]
    assert scene.serving == [(0, 1), (1, 1)]


def test_a_mold_that_does_not_fork_is_made_anew() -> None:
    """It is killed; the fork it owed comes to nothing; then it is made, not sooner."""
    scene = serving(policy=MOLDED)
    scene.tell(died(1))
    assert scene.due() == 30.0
    assert scene.after(30.0) == [EndMold(1)]
    assert scene.errors == ["No worker was forked within 30 s (timeouts.boot)."]
    assert scene.due() is None
    assert scene.tell(SpawnFailed(3, "its mold ended")) == []
    assert scene.tell(DEAD) == [MakeMold(1)]


def test_a_mold_that_keeps_failing_waits_longer_each_time() -> None:
    """0, 0.5, 1 … seconds; people are told when; the service goes on."""
    scene = serving(policy=MOLDED)
    scene.tell(DEAD)
    for wait in (0.5, 1.0, 2.0):
        assert scene.tell(mold_forked(1), MoldFailed(1, "No module.")) == [EndMold(1)]
        assert f"imported anew in {wait:.1f} s" in scene.texts[-1]
        assert scene.tell(DEAD) == []
        assert scene.due() == wait
        assert scene.after(wait) == [MakeMold(1)]
    assert scene.fleet.state.phase is Phase.RUNNING


def test_a_mold_that_cannot_be_forked_waits_too() -> None:
    """The kernel may have room later."""
    scene = serving(policy=MOLDED)
    scene.tell(DEAD)
    assert scene.tell(MoldRefused(1, "no memory")) == []
    assert scene.due() == 0.5
    assert scene.after(0.5) == [MakeMold(1)]


@pytest.mark.parametrize(("lasted", "wait"), [(0.0, 0.5), (9.9, 0.5), (10.0, None), (3600.0, None)])
def test_a_mold_that_dies_soon_after_its_import_has_failed(lasted: float, wait: float | None) -> None:
    """What is killed for its memory as soon as it is imported would be imported in a loop."""
    scene = serving(policy=MOLDED)
    scene.tell(DEAD, *molded(1))
    done = scene.after(lasted, DEAD)
    assert done == ([] if wait else [MakeMold(1)])
    if wait:
        assert scene.due() == wait


@pytest.mark.parametrize("word", [MoldReady(1), MoldFailed(1, "?"), MoldRefused(1, "?")], ids=repr)
def test_the_last_words_of_a_mold_that_was_given_up_are_ignored(word: Event) -> None:
    """It was killed for being late; what it says then does not count twice."""
    scene = serving(policy=MOLDED)
    scene.tell(DEAD, mold_forked(1))
    assert scene.after(30.0) == [EndMold(1)]
    assert scene.tell(word) == []
    assert scene.lines == []
    assert scene.tell(DEAD) == []
    assert scene.after(0.5) == [MakeMold(1)]


@pytest.mark.parametrize(
    "word", [MoldReady(9), MoldFailed(9, "?"), MoldRefused(9, "?"), MoldExited(9, "?")], ids=repr
)
def test_news_of_a_mold_that_nobody_knows_is_ignored(word: Event) -> None:
    """Whoever is not wanted cannot change anything."""
    scene = serving(policy=MOLDED)
    assert scene.tell(word) == []
    assert scene.lines == []


def test_a_mold_that_is_forked_after_it_was_given_up_is_ended() -> None:
    """It cannot be killed before."""
    scene = serving(policy=MOLDED)
    assert scene.tell(MoldForked(9, 2009)) == [EndMold(9)]


# -- the end -----------------------------------------------------------------------------------------------


def test_a_stop_waits_for_the_end_of_the_mold() -> None:
    """No process is left behind."""
    scene = serving(policy=MOLDED)
    assert scene.tell(TERM) == [*STOPPING, EndMold(1), Drain(1, last=True), Drain(2, last=True)]
    assert scene.tell(*exited(1, 2)) == []
    assert scene.tell(DEAD) == [Exit(ExitCode.OK)]


def test_a_stop_while_the_application_is_imported() -> None:
    """Nobody asked for workers yet."""
    scene = Scene(policy=MOLDED)
    scene.tell(Started(), mold_forked(1))
    assert scene.tell(TERM) == [*STOPPING, EndMold(1)]
    assert scene.tell(DEAD) == [Exit(ExitCode.OK)]


def test_a_stop_while_workers_are_forked() -> None:
    """They are waited for: each comes to be and is ended, or does not."""
    scene = Scene(policy=MOLDED)
    scene.tell(Started(), *molded(1))
    assert scene.tell(QUIT) == [*STOPPING, EndMold(1)]
    assert scene.tell(DEAD, SpawnFailed(1, "its mold ended")) == []
    assert scene.tell(*forked(2)) == [Kill(2, "TERM")]
    assert scene.tell(*exited(2)) == [Exit(ExitCode.OK)]


def test_a_mold_that_dies_in_a_stop_is_no_news() -> None:
    """It was to end."""
    scene = serving(policy=MOLDED)
    scene.tell(TERM, DEAD)
    assert scene.errors == []
    assert scene.tell(*exited(1, 2)) == [Exit(ExitCode.OK)]


def test_a_mold_that_dies_while_the_end_is_announced_is_made_anew() -> None:
    """Slots are kept filled until then."""
    scene = serving(policy=replace(MOLDED, drain_delay=10.0))
    scene.tell(TERM)
    assert scene.tell(DEAD, *molded(1)) == [MakeMold(1)]
    assert scene.tell(died(1)) == [Spawn(3, 0, 1, from_mold=True)]


def test_a_late_boot_is_a_matter_of_the_worker() -> None:
    """Its mold did what it was asked for."""
    scene = booting(policy=MOLDED)
    scene.tell(WorkerReady(1))
    assert scene.after(30.0) == [Kill(2, "KILL"), Spawn(3, 1, 1, from_mold=True)]


# -- the parts ---------------------------------------------------------------------------------------------


def test_what_is_asked_of_molds() -> None:
    """At each point of a life."""
    molds = Molds(Orders())
    assert not molds.can_fork(1)
    assert not molds.has_mold(1)
    molds.want(1, preload=False)
    assert molds.can_fork(1)
    assert not molds.has_mold(1)
    are_gone = [molds.are_gone]
    molds.want(2, preload=True)
    assert not molds.can_fork(2)
    molds.make(START, lambda generation: 10.0 * generation)
    assert list(molds.deadlines()) == [START + 20.0]
    assert molds.is_importing(2)
    molds.forked(2, 77)
    are_gone.append(molds.are_gone)
    molds.ready(2, START + 1.0)
    assert molds.can_fork(2)
    assert molds.has_mold(2)
    assert [(mold.generation, mold.state, mold.pid) for mold in molds] == [
        (1, MoldState.NONE, None),
        (2, MoldState.READY, 77),
    ]
    molds.end_all()
    assert not molds.can_fork(2)
    assert not molds.exited(2)
    are_gone.append(molds.are_gone)
    assert are_gone == [True, False, True]


def test_a_mold_is_not_made_beside_the_one_that_ends() -> None:
    """There is one of a generation at a time."""
    orders = Orders()
    molds = Molds(orders)
    molds.want(1, preload=True)
    molds.make(START, lambda _: 30.0)
    molds.forked(1, 77)
    assert molds.lost(1, START, Backoff(), 0.0) == 0.0
    molds.make(START, lambda _: 30.0)
    assert orders.take() == [MakeMold(1), EndMold(1)]
    assert list(molds.deadlines()) == []
    assert not molds.exited(1)
    molds.make(START, lambda _: 30.0)
    assert orders.take() == [MakeMold(1)]
