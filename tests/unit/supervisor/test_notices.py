"""What the service manager is told beside milestones, and when: through a whole fleet and its clock."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from srvctl.settings.groups import ProgramSettings
from srvctl.supervisor.actions import Announce, Describe, Extend, Feed, Log, Look, Milestone, Upgrade
from srvctl.supervisor.events import (
    BootFailed,
    Examined,
    Looked,
    MoldFailed,
    ProgramExited,
    ProgramForked,
    ScaleAsked,
    SettingsRefused,
    Started,
    TimePassed,
    UpgradeAsked,
    Upgraded,
    UpgradeRefused,
    WorkerExited,
    WorkerReady,
)
from srvctl.supervisor.fleet import Fleet, Phase
from srvctl.supervisor.notices import Manager
from srvctl.supervisor.policy import HealthPolicy, RecyclePolicy
from srvctl.supervisor.pulse import SHORTEST
from srvctl.worker import server
from tests.support.scene import (
    POLICY,
    RELOAD,
    START,
    TERM,
    Scene,
    booting,
    died,
    exited,
    forked,
    mold_forked,
    reading,
    serving,
    up,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from srvctl.supervisor.actions import Action
    from srvctl.supervisor.policy import FleetPolicy

PERIOD = 8.0
WATCHED = Manager(listens=True, watchdog=PERIOD)
LISTENING = Manager(listens=True)
HANG = replace(POLICY, health=HealthPolicy(hang_timeout=30.0))
UPGRADE = UpgradeAsked("SIGUSR2")


def guarded(count: int = 2, policy: FleetPolicy = POLICY, manager: Manager = WATCHED) -> Scene:
    return serving(count, policy=policy, manager=manager)


def live(
    scene: Scene, seconds: float, beats: Mapping[int, float] | None = None, **cells: float
) -> list[tuple[float, Action]]:
    """Let time pass from deadline to deadline, with boards that are read when that is asked for.

    Returns:
        What was done, and how many seconds after the beginning.
    """
    begin, until = scene.now, scene.now + seconds
    done: list[tuple[float, Action]] = []
    while True:
        tell(scene, TimePassed(), done, begin)
        while Look() in scene.done:
            workers = scene.fleet.state.roster
            last = {worker.number: scene.now for worker in workers} | dict(beats or {})
            looked = Looked({number: reading(beat, **cells) for number, beat in last.items()})
            tell(scene, looked, done, begin)
        if scene.now >= until:
            return done
        due = scene.fleet.next_deadline()
        assert due is None or due > scene.now, "it wakes up for nothing"
        scene.now = until if due is None else min(due, until)


def tell(scene: Scene, event: TimePassed | Looked, done: list[tuple[float, Action]], begin: float) -> None:
    scene.tell(event)
    done += [(scene.now - begin, action) for action in scene.done]


def times(done: list[tuple[float, Action]], kind: type[Action]) -> list[float]:
    return [moment for moment, action in done if isinstance(action, kind)]


def fed(scene: Scene, seconds: float, beats: Mapping[int, float] | None = None) -> list[float]:
    return times(live(scene, seconds, beats), Feed)


def gaps(moments: list[float], end: float) -> float:
    """The longest time without one, the beginning and the end included."""
    marks = [0.0, *moments, end]
    return max(later - earlier for earlier, later in pairwise(marks))


def said(scene: Scene) -> list[str]:
    return [action.text for action in scene.all(Describe)]


def lines(done: list[tuple[float, Action]]) -> list[tuple[float, str]]:
    return [(moment, action.text) for moment, action in done if isinstance(action, Describe)]


# -- nobody, and somebody ------------------------------------------------------------------------------------


def test_nobody_is_told_nothing() -> None:
    """And nobody wakes up for that."""
    scene = serving()
    assert scene.due() is None
    scene.tell(RELOAD)
    assert not scene.all(Extend)
    assert not scene.all(Describe)
    assert serving(manager=Manager(listens=False, watchdog=5.0)).due() is None


def test_an_idle_service_that_is_listened_to_sleeps() -> None:
    assert serving(manager=LISTENING).due() is None


# -- the watchdog --------------------------------------------------------------------------------------------


def test_the_watchdog_is_fed_from_ready_on() -> None:
    """The first time in the datagram that says READY: systemd counts from there."""
    scene = booting(manager=WATCHED)
    done = live(scene, 20.0)
    assert not times(done, Feed)
    scene.tell(WorkerReady(1), WorkerReady(2))
    assert Announce(Milestone.READY) in scene.done
    assert not scene.all(Feed)
    assert gaps(fed(scene, 100.0), 100.0) <= PERIOD / 2


def test_boards_are_looked_at_four_times_in_a_period() -> None:
    """Also where nobody else wants that, and no less often than others want it."""
    looks = times(live(guarded(), 100.0), Look)
    assert gaps(looks, 100.0) == PERIOD / 4
    assert gaps(times(live(guarded(policy=HANG), 100.0), Look), 100.0) == PERIOD / 4
    seldom = Manager(listens=True, watchdog=600.0)
    assert gaps(times(live(guarded(policy=HANG, manager=seldom), 100.0), Look), 100.0) == 5.0


@pytest.mark.parametrize(
    ("count", "silent", "is_fed"),
    [(1, 1, False), (2, 1, False), (2, 2, False), (3, 1, True), (3, 2, False), (4, 1, True), (4, 2, False)],
)
def test_more_than_half_must_beat(count: int, silent: int, is_fed: bool) -> None:
    scene = guarded(count)
    beats = dict.fromkeys(range(1, silent + 1), scene.now)
    moments = fed(scene, 100.0, beats)
    if is_fed:
        assert gaps(moments, 100.0) <= PERIOD / 2
    else:
        assert PERIOD / 2 <= max(moments) <= PERIOD


def test_one_line_says_that_the_watchdog_is_not_fed_and_one_that_it_is() -> None:
    scene = guarded(4)
    beats = dict.fromkeys((1, 2, 3), scene.now)
    done = live(scene, 60.0, beats)
    scene.done = [action for _, action in done]
    [text] = scene.texts
    assert text == (
        "The watchdog is not fed: 1 of 4 workers beats, more than half must; in 5.0 s the service manager "
        "takes the service for dead (WatchdogSec=8)."
    )
    assert lines(done)[-1][1].endswith("; too few workers beat, so the watchdog is not fed")
    scene.look()
    assert Feed() in scene.done
    assert scene.texts == ["The watchdog is fed again: 4 of 4 workers beat."]
    assert gaps(fed(scene, 50.0), 50.0) <= PERIOD / 2


def test_the_line_is_right_about_when() -> None:
    scene = guarded(1)
    done = live(scene, 30.0, {1: scene.now})
    last = max(times(done, Feed))
    logged = [(at, action.text) for at, action in done if isinstance(action, Log)]
    [(told, text)] = [(at, text) for at, text in logged if "not fed" in text]
    assert f"1 worker beats, more than half must; in {last + PERIOD - told:.1f} s" in text
    assert "0 of 1 worker beats" in text


def test_a_board_of_nonsense_shows_no_life() -> None:
    scene = guarded(1)
    scene.tell(Looked({1: None}))
    assert max(fed(scene, 30.0, {1: scene.now})) <= PERIOD


def test_a_worker_that_is_replaced_in_time_costs_nothing() -> None:
    """Of one worker, too: it dies, and another one is ready before the period is over."""
    scene = guarded(1)
    live(scene, 20.0)
    scene.tell(died(1), *forked(2))
    moments = fed(scene, PERIOD - 1.0)
    scene.tell(WorkerReady(2))
    assert gaps(moments, PERIOD - 1.0) <= PERIOD / 2
    assert gaps(fed(scene, 30.0), 30.0) <= PERIOD / 2


def test_a_recycled_worker_costs_nothing() -> None:
    scene = guarded(1, replace(POLICY, recycle=RecyclePolicy(lifetime=10.0)))
    moments = fed(scene, 25.0)
    assert 2 in scene.fleet.state.roster.workers
    assert gaps(moments, 25.0) <= PERIOD / 2


def test_a_slot_that_stays_empty_costs_the_quorum_of_one() -> None:
    """Its only worker died, and its successor boots for ever, or waits for its turn: nobody serves."""
    scene = guarded(1)
    scene.tell(died(1), *forked(2))
    moments = fed(scene, 29.0)
    assert max(moments) <= PERIOD
    scene.tell(WorkerReady(2))
    assert Feed() in scene.done


def test_slots_that_are_new_do_not_count_before_they_are_served() -> None:
    scene = guarded(2)
    scene.tell(ScaleAsked("SIGTTIN", +6), *forked(*range(3, 9)))
    assert gaps(fed(scene, 29.0), 29.0) <= PERIOD / 2
    scene.tell(*map(WorkerReady, range(3, 9)))
    beats = dict.fromkeys((1, 2, 3), scene.now)
    assert gaps(fed(scene, 50.0, beats), 50.0) <= PERIOD / 2
    scene.tell(ScaleAsked("SIGTTOU", -4), *exited(5, 6, 7, 8))
    assert max(fed(scene, 50.0, beats), default=0.0) <= PERIOD


def test_a_machine_that_slept_is_not_taken_for_workers_that_hang() -> None:
    scene = guarded(2)
    live(scene, 20.0)
    scene.now += 3600.0
    scene.tell(TimePassed())
    assert Feed() in scene.done
    assert scene.texts == []
    assert gaps(fed(scene, 20.0), 20.0) <= PERIOD / 2


def test_workers_that_sleep_on_are_noticed_after_it() -> None:
    scene = guarded(2)
    live(scene, 20.0)
    beats = dict.fromkeys((1, 2), scene.now)
    scene.now += 3600.0
    assert max(fed(scene, 60.0, beats)) <= PERIOD


def test_a_busy_machine_raises_no_alarm_before_the_boards_are_read() -> None:
    """The master woke late, and the last beats that it knows of are old."""
    scene = guarded(2)
    live(scene, 6.0)
    scene.now += PERIOD + 0.5
    done = live(scene, 1.0)
    assert times(done, Feed)
    assert not [text for text in scene.texts if "watchdog" in text]


@pytest.mark.parametrize("delay", [0.0, 20.0])
def test_the_master_feeds_while_it_stops(delay: float) -> None:
    """Nobody looks at workers that drain; their deadlines are enough."""
    scene = guarded(2, replace(POLICY, drain_delay=delay, drain=60.0))
    scene.tell(TERM)
    done = live(scene, 59.0)
    assert gaps(times(done, Feed), 59.0) <= PERIOD / 2
    assert not times(done, Look)


def test_a_stop_feeds_again_where_nobody_has_beaten() -> None:
    scene = guarded(1)
    live(scene, 30.0, {1: scene.now})
    scene.tell(TERM)
    assert Feed() in scene.done
    assert "The watchdog is fed again: the service is stopping." in scene.texts


def test_a_stop_before_ready_feeds_nobody() -> None:
    """systemd does not count yet, and would begin to."""
    scene = booting(manager=WATCHED)
    scene.tell(TERM)
    assert not times(live(scene, 4.0), Feed)


def test_the_watchdog_is_fed_in_a_reload_and_a_rehearsal() -> None:
    scene = guarded(2, replace(POLICY, boot=60.0))
    scene.tell(RELOAD, *forked(3))
    assert gaps(fed(scene, 50.0), 50.0) <= PERIOD / 2
    scene = guarded(2)
    scene.tell(UPGRADE)
    assert Upgrade() in scene.done
    assert gaps(fed(scene, 50.0), 50.0) <= PERIOD / 2


def test_a_watchdog_that_nobody_can_satisfy_is_told_and_fed() -> None:
    """Workers beat every half second; what is asked for is less than a few of these."""
    scene = Scene(2, manager=Manager(listens=True, watchdog=0.5))
    scene.tell(Started())
    [text] = scene.texts
    assert text == (
        "A watchdog of 0.5 s is shorter than it takes to see whether workers live; it is fed all the same. "
        "Set WatchdogSec=2 or more."
    )
    scene.tell(*up(1, 2))
    beats = {1: scene.now, 2: scene.now}
    moments = fed(scene, 1.9, beats)
    assert gaps(moments, 1.9) <= 0.25
    assert SHORTEST >= 4 * server._TICK


def test_the_shortest_watchdog_keeps_nobody_busy() -> None:
    scene = guarded(2, manager=Manager(listens=True, watchdog=0.000001))
    assert len(fed(scene, 5.0)) <= 5.0 / 0.05 + 1


def moved(scene: Scene, manager: Manager = WATCHED) -> Scene:
    """The same service, of another program."""
    values = json.loads(json.dumps(scene.fleet.export()))
    scene.fleet = Fleet.restore(values, scene.policy, lambda: 0.0, manager)
    return scene


def test_an_upgrade_changes_nothing_for_the_watchdog() -> None:
    scene = guarded(2)
    beats = {1: scene.now, 2: scene.now}
    live(scene, 5.0, beats)
    scene.tell(UPGRADE)
    moved(scene).now += 1.0
    scene.tell(Upgraded("1", "2", ()))
    assert max(fed(scene, 30.0, beats)) <= PERIOD - 6.0 + PERIOD / 8
    scene.tell(UPGRADE)
    moved(scene)
    scene.look()
    assert "The watchdog is fed again: 2 of 2 workers beat." in scene.texts


def test_a_state_without_notices_is_gone_on_with() -> None:
    scene = guarded(2)
    values = json.loads(json.dumps(scene.fleet.export()))
    versions: list[dict[str, object]] = [{}, {"pulse": {}}]
    for notices in versions:
        scene.fleet = Fleet.restore(values | {"notices": notices}, scene.policy, lambda: 0.0, WATCHED)
        assert gaps(fed(scene, 30.0), 30.0) <= PERIOD / 2


# -- an upgrade looks like a reload --------------------------------------------------------------------------


def test_an_upgrade_is_announced_and_its_end_is() -> None:
    scene = guarded(2, manager=LISTENING)
    scene.tell(UPGRADE)
    assert Announce(Milestone.UPGRADING) in scene.done
    assert scene.all(Extend)
    moved(scene, LISTENING).tell(Upgraded("1", "2", ()))
    assert Announce(Milestone.UPGRADED, "") in scene.done


def test_an_upgrade_that_fails_says_why() -> None:
    scene = guarded(2, manager=LISTENING)
    scene.tell(UPGRADE, UpgradeRefused("it is broken"))
    why = "Upgrade failed: it is broken. This srvctl goes on."
    assert Announce(Milestone.UPGRADED, why) in scene.done
    assert said(scene)[-1] == f"2 of 2 workers serve, generation 1; {why.rstrip('.')}"
    scene.tell(UPGRADE)
    assert "it is broken" not in said(scene)[-1]


def test_a_reload_that_has_waited_for_an_upgrade_is_not_said_to_be_over() -> None:
    scene = guarded(2, manager=LISTENING)
    scene.tell(UPGRADE, RELOAD)
    scene.tell(UpgradeRefused("it is broken"))
    assert [action.milestone for action in scene.all(Announce)] == [Milestone.RELOADING]


def test_a_stop_in_an_upgrade_is_not_followed_by_ready() -> None:
    scene = guarded(2, manager=LISTENING)
    scene.tell(UPGRADE)
    scene.tell(TERM)
    assert [action.milestone for action in scene.all(Announce)] == [Milestone.STOPPING]


# -- more time -----------------------------------------------------------------------------------------------


def asked(scene: Scene, seconds: float) -> list[float]:
    """When more time was asked for, between now and then; the last event is taken in, too."""
    first = [0.0] if scene.all(Extend) else []
    done = live(scene, seconds)
    assert {action.seconds for _, action in done if isinstance(action, Extend)} <= {15.0}
    return first + times(done, Extend)


def test_a_start_asks_for_time_until_it_is_over() -> None:
    scene = Scene(2, manager=LISTENING)
    scene.tell(Started(), *forked(1, 2))
    assert asked(scene, 22.0) == [0.0, 5.0, 10.0, 15.0, 20.0]
    scene.tell(WorkerReady(1), WorkerReady(2))
    assert asked(scene, 50.0) == []


def test_the_import_of_a_mold_is_waited_for() -> None:
    scene = Scene(2, policy=replace(POLICY, preload=True), manager=LISTENING)
    scene.tell(Started(), mold_forked(1))
    assert asked(scene, 11.0) == [0.0, 5.0, 10.0]


def test_a_start_that_is_tried_again_and_again_is_not_waited_for() -> None:
    """Its end is the service manager's to decide: TimeoutStartSec=."""
    scene = booting(2, manager=LISTENING)
    scene.tell(WorkerReady(1), died(1))
    assert scene.fleet.state.phase is Phase.BOOTING
    scene.tell(WorkerReady(2), died(2))
    assert asked(scene, 20.0) == []


def test_a_reload_asks_for_time_until_it_is_over() -> None:
    scene = guarded(2, replace(POLICY, boot=60.0), LISTENING)
    scene.settings = None  # they are being read
    scene.tell(RELOAD)
    assert asked(scene, 12.0) == [0.0, 5.0, 10.0]
    scene.tell(SettingsRefused(2, "no such key"))
    assert asked(scene, 50.0) == []


def test_a_reload_gives_no_time_to_workers_that_hang() -> None:
    """What extends a reload extends the watchdog, too."""
    scene = guarded(1, replace(POLICY, boot=60.0))
    beats = {1: scene.now}
    live(scene, 20.0, beats)
    scene.settings = None
    scene.tell(RELOAD)
    assert not times(live(scene, 20.0, beats), Extend)


@pytest.mark.parametrize("delay", [0.0, 12.0])
def test_a_drain_asks_for_time_until_it_is_over(delay: float) -> None:
    """From its first moment on, which may be all that TimeoutStopSec= leaves."""
    scene = guarded(2, replace(POLICY, drain=21.0, drain_delay=delay), LISTENING)
    scene.tell(TERM)
    first = [0.0, 5.0, 10.0] if delay else []
    assert asked(scene, delay + 20.9) == [*first, *(delay + at for at in (0.0, 5.0, 10.0, 15.0, 20.0))]


def test_who_was_killed_is_not_waited_for() -> None:
    """It has no deadline any more; if even that does not end it, the service manager is to know."""
    scene = guarded(1, replace(POLICY, drain=3.0), LISTENING)
    scene.tell(TERM)
    assert asked(scene, 60.0) == [0.0]


# -- the line ------------------------------------------------------------------------------------------------


def test_the_line_tells_how_a_service_starts_serves_and_stops() -> None:
    scene = Scene(2, policy=replace(POLICY, drain_delay=5.0), manager=LISTENING)
    scene.tell(Started(), *forked(1, 2))
    assert said(scene) == ["Starting: 0 of 2 workers serve, generation 1"]
    scene.tell(WorkerReady(1))
    assert said(scene) == []  # not more often than once a second
    assert lines(live(scene, 2.0)) == [(1.0, "Starting: 1 of 2 workers serves, generation 1")]
    scene.tell(WorkerReady(2))
    assert said(scene) == ["2 of 2 workers serve, generation 1"]
    scene.look()
    scene.after(10.0)
    scene.tell(TERM)
    assert said(scene) == ["Stopping soon: 2 of 2 workers serve, 0 requests in flight, generation 1"]
    scene.after(5.0)
    assert said(scene) == ["Stopping: 2 workers left"]
    scene.after(1.0, WorkerExited(1, "exit code 0"))
    assert said(scene) == ["Stopping: 1 worker left"]


def test_the_line_has_numbers_that_are_counted_over_some_seconds() -> None:
    scene = guarded(2, HANG, LISTENING)
    scene.look(5.0, begun=10, finished=9)
    assert said(scene) == ["2 of 2 workers serve, 2 requests in flight, generation 1"]
    scene.look(1.0, begun=50, finished=50)
    assert said(scene) == []
    scene.look(4.0, begun=110, finished=109)
    assert said(scene) == ["2 of 2 workers serve, 2 requests in flight, 40 requests/s, generation 1"]
    scene.look(5.0, begun=110, finished=110)
    assert said(scene) == ["2 of 2 workers serve, 0 requests in flight, 0.4 requests/s, generation 1"]
    scene.look(5.0, begun=111, finished=110)
    assert said(scene) == ["2 of 2 workers serve, 2 requests in flight, 0 requests/s, generation 1"]
    scene.look(5.0, begun=111, finished=110)
    assert said(scene) == []


def test_one_worker_and_one_request_are_singular() -> None:
    scene = guarded(1, HANG, LISTENING)
    scene.look(5.0, begun=1, finished=0)
    assert said(scene) == ["1 of 1 worker serves, 1 request in flight, generation 1"]


def test_a_new_worker_does_not_count_backwards() -> None:
    scene = guarded(1, HANG, LISTENING)
    scene.look(5.0, begun=1000, finished=1000)
    scene.tell(died(1), *up(2))
    scene.look(5.0, begun=5, finished=5)
    assert said(scene) == ["1 of 1 worker serves, 0 requests in flight, 1.0 requests/s, generation 1"]


def test_numbers_are_sent_every_few_seconds_and_never_wake_anybody() -> None:
    scene = guarded(2, HANG, WATCHED)
    done: list[tuple[float, str]] = []
    for number in range(1, 31):
        done += [(scene.now - START, text) for _, text in lines(live(scene, 1.0, None, begun=number))]
    moments = [moment for moment, _ in done]
    assert len(moments) >= 4
    assert min(later - earlier for earlier, later in pairwise(moments)) >= 4.0
    scene = guarded(2, HANG, LISTENING)
    scene.look(5.0)
    scene.look(1.0, begun=1)
    assert said(scene) == []
    due = scene.due()
    assert due is not None
    assert due > 1.0


def test_a_reload_is_on_the_line_and_its_failure_stays() -> None:
    """Until the next change of what is told, not until the next numbers."""
    scene = guarded(2, HANG, LISTENING)
    scene.settings = None
    scene.tell(RELOAD)
    assert said(scene) == [
        "2 of 2 workers serve, generation 1; generation 2 is on its way: reading the settings"
    ]
    scene.tell(SettingsRefused(2, "no such key"))
    why = "Reload failed: the settings cannot be used. The old workers go on"
    assert Announce(Milestone.RELOAD_FAILED, f"{why}.") in scene.done
    assert said(scene) == [f"2 of 2 workers serve, generation 1; {why}"]
    for number in range(10):
        scene.look(5.0, begun=number)
        assert all(text.endswith(f"generation 1; {why}") for text in said(scene))
    scene.settings = scene.policy
    scene.tell(RELOAD)
    assert "generation 1; generation 3 is on its way: " in said(scene)[-1]
    assert why not in said(scene)[-1]
    told: list[str] = []
    for new in (3, 4):
        scene.tell(*up(new))
        told += said(scene)
        told += [text for _, text in lines(live(scene, 1.0))]
    assert told[-1].startswith("2 of 2 workers serve, ")
    assert told[-1].endswith(", generation 3")


def test_the_line_is_said_again_after_a_milestone_has_replaced_it() -> None:
    """Whatever is told with READY=1 at the end of a reload."""
    scene = guarded(2, manager=LISTENING)
    scene.settings = None
    scene.tell(RELOAD)
    scene.fleet.state.reload_error = ""
    scene.tell(SettingsRefused(2, "no such key"))
    [text] = said(scene)
    first, second = scene.done.index(Describe(text)), scene.all(Announce)[0]
    assert scene.done.index(second) < first


def test_workers_that_hang_are_on_the_line() -> None:
    scene = guarded(2, HANG, LISTENING)
    beat = scene.now
    live(scene, 30.0, {1: beat})
    scene.tell(Examined(1, waited=0.0, on_cpu=5.0))
    live(scene, 1.0, {1: beat})
    scene.tell(Examined(1, waited=0.0, on_cpu=5.0))
    assert any(
        "; 1 worker hangs" in text for text in said(scene) + [text for _, text in lines(live(scene, 1.5))]
    )


def test_programs_that_fail_are_on_the_line() -> None:
    programs = (
        ProgramSettings(name="mail", command=("x",), count=2, restart="always"),
        ProgramSettings(name="sums", command=("x",), restart="never"),
    )
    scene = Scene(1, policy=replace(POLICY, programs=programs), manager=LISTENING)
    scene.tell(Started(), *(ProgramForked(number, 3000 + number) for number in (1, 2, 3)), *up(1))
    assert said(scene)[-1] == "1 of 1 worker serves, generation 1"
    scene.tell(*(ProgramExited(number, "exit code 1", is_success=False) for number in (2, 3)))
    text = lines(live(scene, 1.0))[-1][1]
    assert "; program sums failed (exit code 1)" in text
    assert "; program mail:1 fails (exit code 1)" in text
    scene.tell(TERM)
    assert said(scene)[-1] == "Stopping: 1 worker and 2 programs left"


def test_many_programs_that_fail_are_counted() -> None:
    programs = (ProgramSettings(name="mail", command=("x",), count=5, restart="never"),)
    scene = Scene(1, policy=replace(POLICY, programs=programs), manager=LISTENING)
    scene.tell(Started(), *(ProgramForked(number, 3000 + number) for number in range(1, 6)), *up(1))
    scene.tell(*(ProgramExited(number, "exit code 1", is_success=False) for number in range(1, 6)))
    assert lines(live(scene, 1.0))[-1][1].endswith(
        "program mail:2 failed (exit code 1); 2 more programs fail"
    )


def test_why_it_could_not_start_is_the_last_word() -> None:
    scene = booting(1, manager=LISTENING)
    scene.tell(BootFailed(1, "there is no application"))
    assert said(scene) == ["Could not start: there is no application"]
    live(scene, 2.0)
    scene.tell(*exited(1))
    assert said(scene) == []
    assert scene.fleet.state.phase is Phase.ENDED
    scene = Scene(1, policy=replace(POLICY, preload=True), manager=LISTENING)
    scene.tell(Started(), mold_forked(1), MoldFailed(1, "no module named blog"))
    assert said(scene)[-1] == "Could not start: no module named blog"
