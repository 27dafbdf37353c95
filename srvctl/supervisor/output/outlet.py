"""Writes lines to where the log goes, in the form it has there. Called by `output`, in the master only."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from srvctl.supervisor.output import shapes
from srvctl.supervisor.output.entry import STREAMS
from srvctl.supervisor.output.lane import Lane

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from srvctl.supervisor.output.destinations import Way
    from srvctl.supervisor.output.entry import Entry
    from srvctl.supervisor.poller import Poller


class Outlet:
    """All ways of one destination.

    Args:
        ways: By stream; two of one sink are one.
        limit: Bytes that each keeps while nobody takes them.
        is_json: Lines become objects of JSON.
        on_lost: As `Lane`.
        on_trouble: As `Lane`.
    """

    def __init__(
        self,
        ways: Mapping[str, Way],
        limit: int,
        on_lost: Callable[[int], None],
        on_trouble: Callable[[str], None],
        *,
        is_json: bool,
    ) -> None:
        self._ways = ways
        self._is_json = is_json
        sinks = {id(way.sink): way.sink for way in ways.values()}
        lanes = {key: Lane(sink, limit, on_lost, on_trouble) for key, sink in sinks.items()}
        self._lanes = list(lanes.values())
        self._lane_of = {name: lanes[id(way.sink)] for name, way in ways.items()}

    @property
    def lost(self) -> int:
        """How many lines were lost, ever."""
        return sum(lane.lost for lane in self._lanes)

    def write(self, entries: Iterable[Entry]) -> None:
        """Write lines, or keep them, or lose them; never waits."""
        lines: dict[str, list[bytes]] = {}
        for entry in entries:
            shaped = replace(entry, line=shapes.as_json(entry), program="") if self._is_json else entry
            lines.setdefault(entry.stream, []).append(self._ways[entry.stream].encode(shaped))
        for stream, encoded in lines.items():
            self._lane_of[stream].put(encoded)

    def is_behind(self, now: float) -> bool:
        """Return whether a moment without new lines may save some from being lost (monotonic seconds)."""
        return any(lane.is_behind(now) for lane in self._lanes)

    def attach(self, poller: Poller | None) -> None:
        """Be told by this poller when something is taken again."""
        for lane in self._lanes:
            lane.attach(poller)

    def next_deadline(self) -> float | None:
        """Return when `expire` is to be called at the latest; None for never."""
        moments = [lane.next_deadline() for lane in self._lanes]
        return min((moment for moment in moments if moment is not None), default=None)

    def expire(self, now: float) -> None:
        """Do what is due."""
        for lane in self._lanes:
            lane.expire(now)

    def reopen(self) -> None:
        """Go on with what has the names now.

        Raises:
            OSError: Something cannot be opened.
        """
        for lane in self._lanes:
            lane.reopen()

    def drain(self, seconds: float) -> None:
        """Write everything, waiting no longer than this; what is left is lost."""
        deadline = time.monotonic() + seconds
        for lane in self._lanes:
            lane.drain(deadline)

    def close(self) -> None:
        """Close what was opened."""
        for lane in self._lanes:
            lane.close()

    def abandon(self) -> None:
        """Close a forked child's copies."""
        for lane in self._lanes:
            lane.abandon()

    def export(self) -> dict[str, list[str]]:
        """Return what waits, as JSON, for `inherit`."""
        lanes = {id(lane): (name, lane) for name, lane in reversed(self._lane_of.items())}
        return {
            name: [piece.decode("latin-1") for piece in lane.backlog.pieces] for name, lane in lanes.values()
        }

    def inherit(self, waiting: Mapping[str, list[str]]) -> None:
        """Write what waited in the program that this process ran before."""
        for name in STREAMS:
            self._lane_of[name].put(piece.encode("latin-1") for piece in waiting.get(name, []))
