"""Carries out what the fleet decided: the hands of the master.

Results come back as events, at once where they are known at once, so the fleet never waits for one. Must not
decide anything. Only its helpers fork (`births`, `programs`, `rereading`, `upgrading`); only it signals and
writes to children, but programs, whom `programs` signals.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import time
from typing import TYPE_CHECKING, Final

from srvctl.ipc.channel import DrainAsked, ProbeAsked, encode
from srvctl.ipc.memory import pss
from srvctl.ipc.scoreboard import DUMP_SIGNAL
from srvctl.logs.announcing import announce
from srvctl.supervisor.actions import (
    Announce,
    Apologize,
    CloseListeners,
    Commit,
    Describe,
    Discard,
    Drain,
    Dump,
    EndMold,
    Examine,
    Exit,
    Extend,
    Feed,
    Kill,
    Log,
    Look,
    MakeMold,
    Milestone,
    Probe,
    Progress,
    ReadSettings,
    Record,
    Reply,
    Report,
    Severity,
    ShowDump,
    SignalProgram,
    Spawn,
    StartProgram,
    Upgrade,
)
from srvctl.supervisor.events import Examined, Looked
from srvctl.supervisor.status import completed
from srvctl.supervisor.vitals import clear_dump, examine, read_dump

if TYPE_CHECKING:
    from collections.abc import Callable

    from srvctl.ipc.channel import Message
    from srvctl.ipc.deaths import Death
    from srvctl.ipc.scoreboard import Reading
    from srvctl.supervisor.actions import Action
    from srvctl.supervisor.admin import Admin
    from srvctl.supervisor.births import Births
    from srvctl.supervisor.children import Staff
    from srvctl.supervisor.events import Event
    from srvctl.supervisor.generations import Generation, Generations
    from srvctl.supervisor.memory_use import MemoryUse
    from srvctl.supervisor.obituaries import Obituaries
    from srvctl.supervisor.programs.hands import ProgramHands
    from srvctl.supervisor.rereading import Rereading
    from srvctl.supervisor.tally import Tally
    from srvctl.systemd import Notifier

_LEVELS: Final = {severity: getattr(logging, severity.value) for severity in Severity}
_SIGNALS: Final = {"TERM": signal.SIGTERM, "KILL": signal.SIGKILL}


class Effects:
    """The hands of the master.

    Args:
        staff: The children.
        births: Makes children.
        programs: Has the processes beside the workers.
        generations: Settings and sockets of each.
        rereading: Reads settings anew.
        obituaries: Tells of deaths.
        tally: Counts them, and reloads.
        memory: Tells how much is used.
        lost_lines: Returns how many lines of the log nobody took in time.
        notifier: The service manager.
        logger: Where the master writes its lines.
        admin: The control socket, where there is one.
        on_commit: Is told which generation was accepted.
        on_death: Is told of each worker's death.
        upgrade: Has the installed srvctl take over.
    """

    def __init__(
        self,
        *,
        staff: Staff,
        births: Births,
        programs: ProgramHands,
        generations: Generations,
        rereading: Rereading,
        obituaries: Obituaries,
        tally: Tally,
        memory: MemoryUse,
        lost_lines: Callable[[], int],
        notifier: Notifier,
        logger: logging.Logger,
        admin: Admin | None,
        on_commit: Callable[[Generation], None],
        on_death: Callable[[Death], None],
        upgrade: Callable[[], Event | None],
    ) -> None:
        self._staff = staff
        self._births = births
        self._programs = programs
        self._generations = generations
        self._rereading = rereading
        self._obituaries = obituaries
        self._tally = tally
        self._memory = memory
        self._lost_lines = lost_lines
        self._notifier = notifier
        self._logger = logger
        self._admin = admin
        self._on_commit = on_commit
        self._on_death = on_death
        self._upgrade = upgrade

    def perform(self, action: Action) -> Event | None:
        """Do one thing; return what came of it where that is known at once."""
        match action:
            case Spawn() | MakeMold() | StartProgram() | ReadSettings() | Upgrade():
                return self._bring_about(action)
            case Look(with_memory=with_memory):
                return self._look(with_memory=with_memory)
            case Examine(worker=worker):
                return self._examine(worker)
            case SignalProgram():
                self._programs.signal(action)
            case Drain() | Kill() | Dump() | Probe() | Apologize() | EndMold():
                self._tell_child(action)
            case Commit() | Discard() | CloseListeners():
                self._change_generation(action)
            case Exit():
                pass  # the loop ends itself
            case _:
                self._tell_others(action)
        return None

    def _bring_about(self, action: Spawn | MakeMold | StartProgram | ReadSettings | Upgrade) -> Event | None:
        """Start a process, whose news come later."""
        match action:
            case Spawn():
                return self._births.spawn(action)
            case MakeMold():
                return self._births.make_mold(action)
            case StartProgram():
                return self._programs.start(action)
            case ReadSettings(generation=generation, anew=True):
                return self._rereading.begin(generation)
            case ReadSettings(generation=generation):
                return self._rereading.reuse(generation)
            case Upgrade():
                return self._upgrade()

    # -- children --------------------------------------------------------------------------------------

    def _tell_child(self, action: Drain | Kill | Dump | Probe | Apologize | EndMold) -> None:
        match action:
            case Drain(worker=worker, last=last):
                self._drain(worker, last=last)
            case Kill(worker=worker, signal=name):
                self._signal(self._staff.workers[worker].pid, _SIGNALS[name])
            case Dump(worker=worker, anew=anew):
                self._dump(worker, anew=anew)
            case Probe(worker=worker, probe=probe, path=path, timeout=timeout):
                with contextlib.suppress(OSError):  # it will be late with its answer
                    self._send(worker, ProbeAsked(probe, path, float(timeout)))
            case Apologize(worker=worker, apology=apology):
                with contextlib.suppress(OSError):  # it goes on with what it shows
                    self._send(worker, apology)
            case EndMold(generation=generation):
                mold = self._staff.molds.get(generation)
                self._signal(mold.pid if mold else None, signal.SIGKILL)

    def _signal(self, pid: int | None, number: int) -> None:
        """Send a signal to a child; it is not reaped yet, so the pid is its own."""
        if pid is not None:
            os.kill(pid, number)

    def _drain(self, worker: int, *, last: bool) -> None:
        """Ask through the channel; by signal when the application closed it or does not read it."""
        handle = self._staff.workers[worker]
        is_last = last or not self._generations.takes_over(handle.generation)
        try:
            self._send(worker, DrainAsked(last=is_last))
        except OSError:
            self._signal(handle.pid, signal.SIGTERM)

    def _send(self, worker: int, message: Message) -> None:
        """Write to a worker without waiting.

        Raises:
            OSError: It closed its end, or does not read.
        """
        line = self._staff.workers[worker].channel
        if line is None:
            raise BrokenPipeError
        line.send(encode(message))

    def _dump(self, worker: int, *, anew: bool) -> None:
        handle = self._staff.workers[worker]
        reading = handle.board.read()
        if anew:
            clear_dump(handle.board.fd)
        if reading is not None and reading.takes_dumps:  # anybody else would die of the signal
            self._signal(handle.pid, DUMP_SIGNAL)

    def _look(self, *, with_memory: bool) -> Event:
        self._obituaries.note_kills()
        return Looked(self._readings(), self._memory.read() if with_memory else None)

    def _readings(self, *, with_durations: bool = False) -> dict[int, Reading | None]:
        return {
            worker: handle.board.read(with_durations=with_durations)
            for worker, handle in self._staff.workers.items()
        }

    def _examine(self, worker: int) -> Event | None:
        pid = self._staff.workers[worker].pid
        if pid is None:
            return None
        found = examine(pid)
        return Examined(
            worker,
            waited=found.waited,
            on_cpu=found.on_cpu,
            is_runnable=found.is_runnable,
            is_traced=found.is_traced,
            pss=pss(pid),
        )

    # -- settings and sockets --------------------------------------------------------------------------

    def _change_generation(self, action: Commit | Discard | CloseListeners) -> None:
        match action:
            case Commit(generation=generation):
                self._commit(generation)
            case Discard(generation=generation):
                self._rereading.cancel()
                self._generations.discard(generation)
            case CloseListeners():
                self._rereading.cancel()  # its child would outlive us if it waits for something
                self._generations.end_service()

    def _commit(self, generation: int) -> None:
        before = list(self._generations.accepted)
        gone = self._generations.commit(generation)
        self._on_commit(self._generations.accepted)
        for listener in self._generations:
            if listener not in before:
                self._logger.info("Listening on %s, too.", listener.url)
        for listener in gone:
            self._logger.info("Not listening on %s any more.", listener.url)

    # -- everybody else --------------------------------------------------------------------------------

    def _tell_others(
        self,
        action: Record | Progress | Reply | Report | ShowDump | Announce | Feed | Extend | Describe | Log,
    ) -> None:
        match action:
            case Record():
                self._record(action)
            case Progress() | Reply() | Report() | ShowDump():
                if self._admin is not None:
                    self._answer(self._admin, action)
            case Announce(milestone=milestone, status=status):
                self._announce(milestone, status)
            case Feed():
                self._notifier.feed()
            case Extend(seconds=seconds):
                self._notifier.extend(seconds)
            case Describe(text=text):
                self._notifier.status(text)
            case Log(severity=severity, text=text, details=details):
                self._logger.log(_LEVELS[severity], "%s\n%s" if details else "%s%s", text, details.rstrip())

    def _record(self, action: Record) -> None:
        worker = self._staff.workers[action.worker]
        death = self._obituaries.write(action, worker.board, worker.last_lines)
        self._tally.died(death, worker.board.read(with_durations=True))
        self._staff.dismiss(action.worker)
        self._on_death(death)

    def _answer(self, admin: Admin, action: Progress | Reply | Report | ShowDump) -> None:
        match action:
            case Progress(client=client, text=text, data=data):
                admin.progress(client, text, data)
            case Reply(client=client, is_ok=is_ok, message=message, details=details, data=data):
                admin.reply(client, is_ok, message, details, data)
            case Report(client=client, status=status, has_all_figures=has_all):
                lost = self._lost_lines()
                readings = self._readings(with_durations=has_all)
                found = completed(status, readings, self._tally, lost_lines=lost, has_all_figures=has_all)
                found["at"] = round(time.time(), 3)
                admin.reply(client, ok=True, message=found["state"], data=found)
            case ShowDump(client=client, worker=worker):
                handle = self._staff.workers[worker]
                stacks = read_dump(handle.board.fd)
                text = (
                    f"Stacks of worker [{handle.pid}]."
                    if stacks
                    else f"Worker [{handle.pid}] wrote no stacks."
                )
                admin.reply(client, bool(stacks), text, data={"pid": handle.pid, "stacks": stacks})

    def _announce(self, milestone: Milestone, status: str) -> None:
        match milestone:
            case Milestone.READY:
                for listener in self._generations.accepted.listeners:
                    announce(self._logger, listener.url)
                self._notifier.ready("Serving.", feeds=True)
            case Milestone.RELOADING | Milestone.UPGRADING:
                self._notifier.reloading(time.monotonic_ns() // 1000)
            case Milestone.RELOADED:
                self._tally.reloaded(is_ok=True)
                self._notifier.ready("Serving.")
            case Milestone.RELOAD_FAILED:
                self._tally.reloaded(is_ok=False)
                self._notifier.ready(status)
            case Milestone.UPGRADED:
                self._notifier.ready(status or "Serving.")
            case Milestone.STOPPING:
                self._notifier.stopping("Stopping.")
