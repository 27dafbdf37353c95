"""Has the number of workers follow the load: says what was seen of them, and wants what comes of it. Pure.

Part of `fleet`, which tells it of each look. It wants a number and nothing else: `succession` brings that
about, as it does when somebody asks for it. The highest slots go first, so that the others keep theirs, with
their CPUs and their figures; a worker that goes drains, so none has to be chosen for having nothing to do.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from srvctl.supervisor.autoscale import Autoscale, Scaling, Sight
from srvctl.supervisor.load import Beat, Meter, in_flight
from srvctl.supervisor.portable import unpacked
from srvctl.supervisor.state import Phase, workers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from srvctl.ipc.scoreboard import Reading
    from srvctl.supervisor.autoscale import Verdict
    from srvctl.supervisor.load import Load
    from srvctl.supervisor.state import State
    from srvctl.supervisor.watermark import Watermark

#: Seconds between two warnings that the load needs more workers than there may be.
_TELL_EVERY: Final = 60.0
#: Seconds in which requests are counted that come, at least: a look that follows another sees chance only.
_COUNT_OVER: Final = 0.2


class Autoscaling:
    """What is wanted for the load.

    Args:
        state: The fleet's.
        watermark: Knows whether there is memory for more.
    """

    def __init__(self, state: State, watermark: Watermark) -> None:
        self._state = state
        self._watermark = watermark
        self.is_idle = False  #: the last look found nothing that anybody has to do
        self._autoscale = Autoscale()
        self._meters: dict[int, Meter] = {}
        self._told_at = float("-inf")
        self._counted_at = float("-inf")  #: when requests were counted that came
        self._rate = 0.0  #: how many had come each second

    def export(self) -> dict[str, Any]:
        """Return what `restore` needs, as JSON."""
        return {
            "autoscale": asdict(self._autoscale),
            "scaling": asdict(self._state.scaling),
            "meters": [[number, asdict(meter)] for number, meter in self._meters.items()],
            "is_idle": self.is_idle,
            "told_at": self._told_at,
            "counted_at": self._counted_at,
            "rate": self._rate,
        }

    def restore(self, values: Mapping[str, Any]) -> None:
        """Go on as another fleet's."""
        self._autoscale = unpacked(Autoscale, values["autoscale"])
        self._meters = {number: _meter_of(meter) for number, meter in values["meters"]}
        self.is_idle = values["is_idle"]
        self._told_at, self._counted_at = values["told_at"], values["counted_at"]
        self._rate = values["rate"]
        before = unpacked(Scaling, values["scaling"])
        before.changes = self._state.scaling.changes | before.changes
        self._state.scaling = before

    def looked(self, readings: Mapping[int, Reading | None]) -> None:
        """Take in what the boards say; want more or fewer workers."""
        state, policy = self._state, self._state.policy.scale
        if not policy.is_wanted or state.phase is not Phase.RUNNING:
            self._meters.clear()
            self.is_idle = False
            return
        sight = self._sight(readings)
        self.is_idle = sight.in_flight == 0 and sight.rate == 0 and not sight.blind
        verdict = self._autoscale.judge(
            sight,
            state.target,
            state.now,
            policy,
            may_shrink=self._may_shrink(),
            may_grow=not self._watermark.is_reached and not self._is_failing(),
        )
        state.scaling.busy, state.scaling.in_flight = sight.share, sight.in_flight
        if verdict.count != state.target:
            self._scale(verdict)
        self._tell_what_is_lacking(verdict)

    # -- what is seen ----------------------------------------------------------------------------------

    def _sight(self, readings: Mapping[int, Reading | None]) -> Sight:
        """Return what those that serve have to do; whoever boots, hangs or leaves takes nothing on."""
        loads: list[Load] = []
        fresh = blind = flights = came = 0
        passed = self._state.now - self._counted_at
        is_time = passed >= _COUNT_OVER
        meters, self._meters = self._meters, {}
        for worker in self._state.roster:
            if not worker.is_ready or worker.number not in readings:
                continue
            reading = readings[worker.number]
            if reading is None:
                blind += 1
                continue
            meter = meters.get(worker.number) or Meter(worker.ready_at or 0.0)
            self._meters[worker.number] = meter
            load = meter.take(reading, self._state.now)
            flights += in_flight(reading)
            came += meter.came(reading) if is_time else 0
            if load is None:
                fresh += 1
            else:
                loads.append(load)
        if is_time:
            self._rate, self._counted_at = came / passed, self._state.now
        return Sight(loads, fresh, blind, flights, self._rate)

    def _may_shrink(self) -> bool:
        """Return whether what was seen is all there is: every slot is served, nothing changes or leaves."""
        state = self._state
        is_whole = state.served() == state.target
        has_surplus = any(worker.slot >= state.target for worker in state.roster)
        return is_whole and not has_surplus and state.reload is None and not state.is_upgrading

    def _is_failing(self) -> bool:
        """Return whether a worker that should be there does not come up: more of them would not either."""
        roster = self._state.roster
        return any(roster.slot(slot).failures and not roster.is_served(slot) for slot in self._state.slots)

    # -- what comes of it ------------------------------------------------------------------------------

    def _scale(self, verdict: Verdict) -> None:
        state = self._state
        before, state.target = state.target, verdict.count
        state.scaling.why = verdict.why
        direction = "up" if verdict.count > before else "down"
        state.scaling.changes[f"{direction} {verdict.signal}"] += 1
        state.orders.info(f"Scaled from {before} to {workers(verdict.count)}: {verdict.why}.")

    def _tell_what_is_lacking(self, verdict: Verdict) -> None:
        """Say once, until that is over, that the load needs workers which there cannot be."""
        state = self._state
        before, state.scaling.held = state.scaling.held, self._what_holds() if verdict.lacks else ""
        if state.scaling.held and not before and state.now >= self._told_at + _TELL_EVERY:
            self._told_at = state.now
            needed, there = workers(verdict.count + verdict.lacks), verdict.count
            state.orders.warning(
                f"The load needs {needed}, and there are {there} ({state.scaling.held}): {verdict.why}."
            )

    def _what_holds(self) -> str:
        if self._watermark.is_reached:
            return "workers.memory_watermark"
        return "new workers do not come up" if self._is_failing() else "workers.max"


def _meter_of(values: Mapping[str, Any]) -> Meter:
    meter = unpacked(Meter, {**values, "since": None, "last": None})
    meter.since, meter.last = (
        unpacked(Beat, values[name]) if values[name] is not None else None for name in ("since", "last")
    )
    return meter
