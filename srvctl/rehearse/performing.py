"""Each act, carried out on a stage: what is done, what is waited for, and what must come of it.

Everything that must happen and does not is an `OtherwiseError`. What became of requests is counted elsewhere.
"""

from __future__ import annotations

import contextlib
import signal
import time
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import psutil

from srvctl.ipc.control import Command
from srvctl.ipc.memory import pss
from srvctl.ipc.verdicts import size_text
from srvctl.rehearse.acts import Act
from srvctl.rehearse.inside import BLOCK, HOLD, PIECE
from srvctl.rehearse.private import REFUSE
from srvctl.rehearse.stage import LOOK, OtherwiseError, Outcome, send

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from srvctl.rehearse.stage import Stage

#: Seconds a loop may be blocked while that is rehearsed: nobody wants to wait for the usual half minute.
_HANG_TIMEOUT: Final = 2.0
#: What a worker is allowed beyond half as much again as it has, while its growth is rehearsed.
_ROOM: Final = 64 * 1024 * 1024
#: Seconds in which three measurements of a worker's memory are taken (`supervisor.watch`).
_WEIGHING: Final = 30.0
#: Seconds from the blocked loop to SIGKILL, beyond the time it may be blocked (`supervisor.crew`).
_KILLING: Final = 10.0


def preparation(acts: tuple[Act, ...], stage: Stage) -> dict[str, Any]:
    """Return settings for the acts that need others than the user's; all at once, so one reload does."""
    values: dict[str, Any] = {}
    settings = stage.settings
    if Act.HANG in acts:
        values["health.hang_timeout"] = min(settings.health.hang_timeout, _HANG_TIMEOUT)
    if Act.MEMORY in acts:
        heaviest = max((pss(pid) or 0 for pid in stage.ready()), default=0)
        own = settings.workers.max_memory
        limit = heaviest * 3 // 2 + _ROOM
        values["workers.max_memory"] = min(own, limit) if own else limit
    return values


def perform(act: Act, stage: Stage, prepared: Mapping[str, Any]) -> Outcome:
    """Carry out an act.

    Args:
        act: Which.
        stage: Where.
        prepared: Settings that are in force although the user has others.
    """
    try:
        return _PERFORM[act](stage, prepared)
    except OtherwiseError as error:
        return Outcome(problem=str(error))


def _steady(_stage: Stage, _prepared: Mapping[str, Any]) -> Outcome:
    return Outcome()


def _reload(stage: Stage, _prepared: Mapping[str, Any]) -> Outcome:
    return _all_anew(stage, Command.RELOAD)


def _recycle(stage: Stage, _prepared: Mapping[str, Any]) -> Outcome:
    return _all_anew(stage, Command.RECYCLE, target="all")


def _all_anew(stage: Stage, command: Command, **arguments: Any) -> Outcome:
    """Have every worker replaced; the instance is back when none of the old ones is needed any more."""
    old = stage.ready()
    patience = stage.patience(len(old))
    began = time.monotonic()
    asked = stage.instance.ask(command, patience, **arguments)

    def are_new_ones_ready() -> bool:
        if asked.done is not None and not asked.done.ok:
            raise OtherwiseError(f"the {command} failed: {asked.done.message}")
        return sum(pid not in old for pid in stage.ready()) >= len(old)

    stage.wait(are_new_ones_ready, patience, "not every worker was replaced")
    back = time.monotonic() - began
    stage.wait(lambda: asked.done is not None, patience, f"the {command} did not end")
    are_new_ones_ready()  # it may have ended badly even now
    stage.wait_settled(len(old), patience)
    return Outcome(back)


def _bad_reload(stage: Stage, prepared: Mapping[str, Any]) -> Outcome:
    old = stage.ready()
    patience = stage.patience(len(old))
    stage.instance.change({**prepared, "hooks.on_boot": REFUSE})
    try:
        done, seconds = stage.finish(Command.RELOAD, patience)
    finally:
        stage.instance.change(prepared)
    if done.ok:
        raise OtherwiseError("code that does not come up was accepted")
    stage.wait_settled(len(old), patience)
    replaced = set(old) - set(stage.ready())
    notes = [f"refused after {seconds:.1f} s, the old workers serve on"]
    if replaced:
        notes = [f"{len(replaced)} of the old workers were replaced"]
    return Outcome(notes=notes)


def _scale(stage: Stage, _prepared: Mapping[str, Any]) -> Outcome:
    count = len(stage.ready())
    patience = stage.patience(count)
    began = time.monotonic()
    back = 0.0
    for change in (1, -1):
        done, _ = stage.finish(Command.SCALE, patience, change=change)
        if not done.ok:
            raise OtherwiseError(f"the scaling by {change:+d} failed: {done.message}")
        stage.wait_settled(count + max(change, 0), patience)
        back = back or time.monotonic() - began
    return Outcome(back, notes=[f"{count} workers, {count + 1}, {count}"])


def _kill(stage: Stage, _prepared: Mapping[str, Any]) -> Outcome:
    ready = stage.ready()
    victim = _first(ready)
    # Stopped, it accepts no connection more, so those that it has now are all that can be lost with it.
    send(victim, signal.SIGSTOP)
    ports = stage.ports_of(victim)
    send(victim, signal.SIGKILL)
    outcome = Outcome(ports=ports)
    outcome.back = stage.wait_ready(len(ready), lambda pid: pid == victim, stage.patience(1))
    stage.wait_settled(len(ready), stage.patience(1))
    return outcome


def _hang(stage: Stage, prepared: Mapping[str, Any]) -> Outcome:
    ready = stage.ready()
    victim = _first(ready)
    timeout = float(prepared["health.hang_timeout"])
    outcome = Outcome(notes=[f"with health.hang_timeout {timeout:g} s"])
    send(victim, BLOCK)

    def is_gone() -> bool:
        outcome.ports.update(stage.ports_of(victim))
        others = [pid for pid in stage.ready() if pid != victim]
        if outcome.back is None and len(others) >= len(ready):
            outcome.back = time.monotonic() - began
        return not psutil.pid_exists(victim)

    began = time.monotonic()
    stage.wait(is_gone, timeout + _KILLING + stage.patience(1), "the blocked worker was not ended")
    back = stage.wait_ready(len(ready), lambda pid: pid == victim, stage.patience(1))
    outcome.back = outcome.back or time.monotonic() - began + back
    stage.wait_settled(len(ready), stage.patience(1))
    return outcome


def _memory(stage: Stage, prepared: Mapping[str, Any]) -> Outcome:
    ready = stage.ready()
    victim = _first(ready)
    limit = int(prepared["workers.max_memory"])
    _grow(stage, victim, limit)
    outcome = Outcome(notes=[f"with workers.max_memory {size_text(limit)}"])
    began = time.monotonic()
    patience = _WEIGHING + stage.patience(1)
    stage.wait(lambda: victim not in stage.ready(), patience, "the worker that is too heavy was not replaced")
    stage.wait_ready(len(ready), lambda pid: pid == victim, patience)
    outcome.back = time.monotonic() - began
    stage.wait_settled(len(ready), patience)
    return outcome


def _grow(stage: Stage, pid: int, limit: int) -> None:
    """Have a worker hold memory until it has more than so many bytes."""
    if psutil.virtual_memory().available < 2 * limit:
        raise OtherwiseError(f"there is not memory enough to have a worker grow beyond {size_text(limit)}")
    for _ in range(4 * (limit // PIECE + 1)):
        before = pss(pid) or 0
        if before > limit + PIECE:
            return
        send(pid, HOLD)
        with contextlib.suppress(OtherwiseError):  # once more, then: signals of one kind are not counted
            stage.wait(lambda: (pss(pid) or 0) > before + PIECE // 2, 5.0, "it does not grow")  # noqa: B023
    raise OtherwiseError(f"the worker could not be made to have more than {size_text(limit)}")


def _stop(stage: Stage, _prepared: Mapping[str, Any]) -> Outcome:
    patience = stage.patience(1)
    stage.load.let_leave()
    began = time.monotonic()
    stage.instance.stop()
    while stage.instance.exit_code is None:
        if time.monotonic() > began + patience:
            raise OtherwiseError(f"it did not end within {patience:.0f} s")
        stage.rest(LOOK)
    outcome = Outcome(time.monotonic() - began)
    stage.load.halt()
    if stage.instance.exit_code:
        outcome.problem = f"srvctl run ended with code {stage.instance.exit_code}"
    return outcome


def _first(ready: Mapping[int, object]) -> int:
    if not ready:
        raise OtherwiseError("no worker was ready")
    return next(iter(ready))


_PERFORM: Final[Mapping[Act, Callable[[Stage, Mapping[str, Any]], Outcome]]] = MappingProxyType(
    {
        Act.STEADY: _steady,
        Act.RELOAD: _reload,
        Act.BAD_RELOAD: _bad_reload,
        Act.RECYCLE: _recycle,
        Act.SCALE: _scale,
        Act.KILL: _kill,
        Act.HANG: _hang,
        Act.MEMORY: _memory,
        Act.STOP: _stop,
    }
)
