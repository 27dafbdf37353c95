"""Scenarios in which the new code is bad: the old one must go on as if nothing had been asked."""

from __future__ import annotations

import signal
import time
from functools import partial
from typing import TYPE_CHECKING, Final

from benchmarks.lifecycle.code import IMPORT_FAULT, STARTUP_FAULT, Code
from benchmarks.lifecycle.outcome import Outcome, Value, books, remarks
from benchmarks.lifecycle.scenario import LOST, UNDER_LOAD, Scenario, lasting
from benchmarks.lifecycle.servers import Ability

if TYPE_CHECKING:
    from benchmarks.lifecycle.scenario import Stage

_BOOT: Final = 3.0
_WATCH_SECONDS: Final = 6.0
_LAST_SECONDS: Final = 2.0
_COMMAND_SECONDS: Final = 20.0
#: What a server may take beyond the time it was given.
_SLACK: Final = 1.0


def broken(stage: Stage, *, code: Code, fault: str, seconds: float) -> Outcome:
    """Reload bad code, and watch for some seconds; then once more by a command, where there is one."""
    load, service = stage.load, stage.service
    before, members = set(service.ready()), service.members()
    service.code.write(code)
    since = last_stranger = service.signal(signal.SIGHUP)
    while time.monotonic() < since + seconds:
        if service.members() - members:
            last_stranger = time.monotonic()
        time.sleep(0.1)  # reading all of /proc costs CPU that the servers need
    serving = load.look().serving(time.monotonic() - _LAST_SECONDS)
    stage.load_until(stage.pace.requests)
    told = service.reload_by_command(seconds + _COMMAND_SECONDS)
    is_shown = service.shows(fault)
    tally = load.stop()
    values = {
        **books(tally),
        "gone": Value(len(before - serving), len(before)),
        "silent": Value(0 if is_shown else 1),
        "time": Value(last_stranger - since),
    }
    if told is not None:
        code_of_exit, output = told
        values["untold"] = Value(0 if code_of_exit and fault in output else 1)
    return Outcome(values, tally.is_valid, remarks(tally))


_FIGURES: Final = (*UNDER_LOAD, LOST.named("gone", "old workers that do not serve any more"))
_SILENT: Final = (
    LOST.named("silent", "traceback not logged (1) or logged (0)"),
    LOST.named("untold", "srvctl reload: exit 0 or no traceback (1), both right (0)"),
)
_NEEDS: Final = {Ability.RELOAD: ""}

SCENARIOS: Final = (
    Scenario(
        "no-import",
        (*_FIGURES, *_SILENT),
        partial(broken, code=Code(is_broken=True), fault=IMPORT_FAULT, seconds=_WATCH_SECONDS),
        needs=_NEEDS,
    ),
    Scenario(
        "startup-raises",
        (*_FIGURES, *_SILENT),
        partial(broken, code=Code(startup="raise"), fault=STARTUP_FAULT, seconds=_WATCH_SECONDS),
        needs=_NEEDS,
    ),
    Scenario(
        "startup-hangs",
        (*_FIGURES, lasting("startup without end: until given up", "time", _BOOT + _SLACK)),
        partial(broken, code=Code(startup="hang"), fault="", seconds=_BOOT + _WATCH_SECONDS),
        needs=_NEEDS,
        told={Ability.BOOT: f"{_BOOT:g}", Ability.HANG: f"{_BOOT:g}"},
    ),
)
