"""A whole rehearsal: the instance comes up, the load begins, the acts follow each other, everything ends.

Called by the command line, which is told how far it is and prints what came of it.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from srvctl.rehearse.acts import DEADLY, Act, obstacle
from srvctl.rehearse.inside import HAS_SIGNALS
from srvctl.rehearse.instance import Instance
from srvctl.rehearse.judging import Result, Verdict, failing, judge
from srvctl.rehearse.load import Load
from srvctl.rehearse.performing import perform, preparation
from srvctl.rehearse.stage import OtherwiseError, Outcome, Stage

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from srvctl.rehearse.tally import Tally
    from srvctl.rehearse.wishes import Wishes
    from srvctl.settings.groups import Settings

#: Seconds for what surrounds the boot of the workers.
_SLACK: Final = 15.0
#: Share of an act's time that passes before anything is done.
_PRELUDE: Final = 0.2
#: Seconds that the load goes on at least when everything is done: what is broken by then shows.
_AFTERWARDS: Final = 0.3
#: They need settings that the user does not have, and so a reload of their own.
_PREPARED: Final = (Act.HANG, Act.MEMORY)


class Watcher(Protocol):
    """Who is told how far it is."""

    def coming_up(self) -> None:
        """Take in that the instance is started; its workers boot."""

    def up(self, workers: int, notes: list[str]) -> None:
        """Take in that it serves, and what is otherwise than the user has it."""

    def begin(self, act: Act) -> None:
        """Take in that an act begins."""

    def tick(self) -> None:
        """Take in that time passes."""

    def end(self, result: Result) -> None:
        """Take in what an act has shown."""


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a rehearsal.

    Attributes:
        results: One for each act.
        verdict: What to think of it.
        workers: How many there were.
        asked: What the load asked for, in words.
        notes: What was otherwise than the user has it.
        log: The end of the instance's log.
    """

    results: tuple[Result, ...]
    verdict: Verdict
    workers: int
    asked: str
    notes: tuple[str, ...]
    log: str


def rehearse(settings: Settings, environ: Mapping[str, str], wishes: Wishes, watcher: Watcher) -> Report:
    """Rehearse, and leave nothing behind, whatever happens.

    Raises:
        NeverUpError: The application did not come up.
        LoadError: The process that makes the load is gone.
    """
    with Instance(settings, environ) as instance:
        watcher.coming_up()
        port = instance.wait_up(settings.timeouts.boot + _SLACK, watcher.tick)
        load = Load(wishes.load(port))
        try:
            load.wait_begun(watcher.tick)
            stage = Stage(instance, load, settings, port, watcher.tick)
            workers = len(stage.ready())
            watcher.up(workers, instance.notes)
            results = _Rehearsal(stage, wishes, watcher).run()
        finally:
            load.end()
        steady = next((result.tally for result in results if result.act is Act.STEADY), None)
        verdict = judge(results, wishes.limits, failing(steady))
        notes = tuple(instance.notes)
        return Report(tuple(results), verdict, workers, wishes.asked, notes, instance.log_tail())


class _Rehearsal:
    """One act after the other; the load does not pause between them."""

    def __init__(self, stage: Stage, wishes: Wishes, watcher: Watcher) -> None:
        self._stage = stage
        self._wishes = wishes
        self._watcher = watcher
        self._prepared: dict[str, Any] = {}
        self._number = stage.load.begin_act()
        self._began = time.monotonic()

    def run(self) -> list[Result]:
        """Go through the acts; one that leaves no instance is the last."""
        results: list[Result] = []
        has_ended = False
        for act in self._wishes.acts:
            why = "the instance has ended" if has_ended else self._obstacle(act)
            self._watcher.begin(act)
            result = Result(act, obstacle=why) if why else self._act(act)
            has_ended = has_ended or self._stage.instance.exit_code is not None
            self._watcher.end(result)
            results.append(result)
        return results

    def _obstacle(self, act: Act) -> str:
        is_linux = sys.platform.startswith("linux")
        return obstacle(act, self._stage.settings, has_signals=HAS_SIGNALS, has_proc=is_linux)

    def _act(self, act: Act) -> Result:
        stage = self._stage
        outcome = self._perform(act)
        number, began = self._number, self._began
        if stage.instance.exit_code is None:
            stage.rest(max(began + self._wishes.duration - time.monotonic(), _AFTERWARDS))
        # What is due from now on belongs to the next act: each request counts in one of them.
        self._number, self._began = stage.load.begin_act(), time.monotonic()
        if stage.instance.exit_code is not None:
            stage.load.halt()
        tally = stage.load.tally(number, stage.tick)
        return _result(act, self._began - began, outcome, tally)

    def _perform(self, act: Act) -> Outcome:
        stage = self._stage
        try:
            if act in _PREPARED and not self._prepared:
                acts = tuple(each for each in _PREPARED if each in self._wishes.acts)
                self._prepared = preparation(acts, stage)
                stage.adjust(self._prepared)
        except OtherwiseError as error:
            return Outcome(problem=str(error))
        stage.rest(self._wishes.duration * _PRELUDE)
        return perform(act, stage, self._prepared)


def _result(act: Act, seconds: float, outcome: Outcome, tally: Tally) -> Result:
    excused = tally.lost_at(outcome.ports) if act in DEADLY else 0
    notes = list(outcome.notes)
    if excused:
        notes.insert(0, f"{excused} excused: they were at that worker")
    if tally.turned_away:
        notes.append(f"{tally.turned_away} turned away afterwards")
    return Result(act, seconds, tally, outcome.back, excused, outcome.problem, tuple(notes))
