"""Scenarios in which the server is told to stop: what was taken on is answered."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING, Final

from benchmarks.lifecycle.code import Code
from benchmarks.lifecycle.outcome import NEVER, Figure, Outcome, Value, books, remarks
from benchmarks.lifecycle.scenario import UNDER_LOAD, UNDER_SOME_LOAD, Scenario, lasting
from benchmarks.lifecycle.servers import Ability
from benchmarks.lifecycle.service import until

if TYPE_CHECKING:
    from benchmarks.lifecycle.scenario import Stage

_ROUNDS: Final = 5
_IMPORT_SECONDS: Final = 3.0
_INTO_RELOAD: Final = 0.5
_EXIT_SECONDS: Final = 45.0


def stop(stage: Stage) -> Outcome:
    """SIGTERM under load."""
    load = stage.load
    stage.load_until(stage.pace.requests // _ROUNDS)
    return _stopped(stage, load.look().due)


def stop_in_reload(stage: Stage) -> Outcome:
    """SIGTERM while new code is being imported."""
    load, service = stage.load, stage.service
    service.code.write(Code(sleep=_IMPORT_SECONDS))
    service.signal(signal.SIGHUP)
    time.sleep(_INTO_RELOAD)
    return _stopped(stage, load.look().due)


def _stopped(stage: Stage, before: int) -> Outcome:
    load, service = stage.load, stage.service
    load.mark()
    time.sleep(0.02)  # until it is marked
    since = service.signal(signal.SIGTERM)
    has = until(service.has_exited, _EXIT_SECONDS)
    gone = time.monotonic() - since if has else NEVER
    tally = load.stop()
    first = tally.first_goodbye
    values = {
        **books(tally, may_refuse=True),
        # A reload may have begun to send clients away on its own.
        "drain": Value(NEVER if first is None else max(0.0, first - since) * 1000),
        "exit": Value(gone),
    }
    # Requests after it was gone tell nothing, so they are not among those that could have been lost.
    values["lost"] = Value(values["lost"].amount, max(before, tally.due - tally.refused))
    return Outcome(values, tally.is_valid, remarks(tally))


_DRAINING: Final = Figure("drain", "until it begins to drain", "ms", 100)
_EXIT: Final = lasting("until it has exited", "exit")

SCENARIOS: Final = (
    Scenario("stop", (*UNDER_LOAD, _DRAINING, _EXIT), stop, rounds=_ROUNDS, is_about_end=True),
    Scenario(
        "stop-in-reload",
        (*UNDER_SOME_LOAD, _DRAINING, _EXIT),
        stop_in_reload,
        needs={Ability.RELOAD: ""},
        rounds=2,
        is_about_end=True,
    ),
)
