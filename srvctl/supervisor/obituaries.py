"""Writes down why a worker died: joins what the fleet knows with the evidence, for the log and the ledger.

Called by `effects`. The evidence is what the worker wrote onto its board and to its stderr, and what the
kernel counted; all of that outlives the process.
"""

from __future__ import annotations

import logging
import os
import time
from typing import TYPE_CHECKING

from srvctl.ipc.deaths import Death
from srvctl.ipc.verdicts import is_expected, log_line
from srvctl.supervisor.oom import OomClaims
from srvctl.supervisor.vitals import read_dump

if TYPE_CHECKING:
    from collections.abc import Sequence

    from srvctl.supervisor.actions import Record
    from srvctl.supervisor.children import Board
    from srvctl.supervisor.ledger import Ledger
    from srvctl.supervisor.oom import OomWatch


class Obituaries:
    """Tells of deaths.

    Args:
        ledger: Keeps them.
        oom: Counts what the kernel killed.
        logger: Is given one line each.
        are_for_people: Somebody looks on, who is told enough by other lines; these are at level debug then.
    """

    def __init__(
        self, ledger: Ledger, oom: OomWatch, logger: logging.Logger, *, are_for_people: bool = False
    ) -> None:
        self._ledger = ledger
        self._oom = oom
        self._claims = OomClaims()
        self._logger = logger
        self._are_for_people = are_for_people

    def note_kills(self) -> None:
        """Look what the kernel has killed, so that it explains no death of later."""
        self._claims.note(self._oom.delta(), time.monotonic())

    def write(self, record: Record, board: Board, last_lines: Sequence[str]) -> Death:
        """Write down one death, and return what was written.

        Args:
            record: What the fleet knows.
            board: What the worker left.
            last_lines: Of its stderr.
        """
        self.note_kills()
        reading = board.read()
        stacks = read_dump(board.fd)
        is_own_kill = record.asked_by != "" and record.state == "dying"
        death = Death(
            at=time.time(),
            master=os.getpid(),
            worker=record.worker,
            slot=record.slot,
            generation=record.generation,
            pid=record.pid,
            state=record.state,
            cause=record.cause,
            asked_by=record.asked_by,
            uptime=record.uptime,
            oom=self._claims.claim(record.cause, is_own_kill=is_own_kill),
            is_measured=reading is not None,
            rss=reading.rss if reading else 0,
            rss_trend=reading.rss_trend if reading else (),
            lag=reading.lag if reading else 0.0,
            lag_max=reading.lag_max if reading else 0.0,
            served=reading.finished if reading else 0,
            in_flight=reading.in_flight if reading else 0,
            cut=reading.cut if reading else 0,
            stderr=tuple(last_lines),
            stack=self._ledger.save_stack(record.pid, stacks) if stacks else "",
        )
        self._ledger.add(death)
        level = logging.INFO if is_expected(death) else logging.WARNING
        self._logger.log(logging.DEBUG if self._are_for_people else level, "%s", log_line(death))
        while error := self._ledger.take_error():
            self._logger.warning("%s", error)
        return death
