"""The process that makes the load: so many requests a second, each at its time (`schedule`).

`load` starts it with a `LoadPlan` as JSON and gives it orders, one JSON object a line; it answers ``tell``
with a `Tally`. It ends when its input does, so it never outlives who started it. A process of its own,
because whoever watches workers and prints would be late for requests; how late it was itself, it tells.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import sys
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from srvctl.rehearse.clients import Client, Request
from srvctl.rehearse.schedule import LoadPlan, Schedule, kinds
from srvctl.rehearse.tally import Loss, Lost, Tally

if TYPE_CHECKING:
    from srvctl.rehearse.answer import Answer

#: Seconds after which a request that waits for a connection counts as held back.
_HELD_BACK: Final = 0.05
_CHUNK: Final = 65536
_NICE: Final = -5


class Generator:
    """Turns a plan into requests, and what becomes of them into tallies, one for each act."""

    def __init__(self, plan: LoadPlan) -> None:
        self._plan = plan
        self._loop = asyncio.get_running_loop()
        self._schedule = Schedule(plan.rate, time.monotonic())
        self._clients = [Client(self, plan.port, plan.head, is_kept=kept) for kept in kinds(plan.connections)]
        self._idle = deque(self._clients)
        self._waiting: deque[Request] = deque()
        self._tallies = [Tally()]
        self._asked: set[int] = set()  # acts whose tally is wanted
        self._is_leaving = False
        self._orders = b""
        self._over = asyncio.Event()

    async def run(self, orders: int) -> None:
        """Work until the descriptor with the orders ends."""
        os.set_blocking(orders, False)
        self._loop.add_reader(orders, self._read, orders)
        pace = asyncio.create_task(self._keep_pace())
        await self._over.wait()
        self._loop.remove_reader(orders)
        pace.cancel()
        for client in self._clients:
            client.close()

    async def _keep_pace(self) -> None:
        _say(begun=True)
        while not self._schedule.is_halted:
            now = time.monotonic()
            for number, due in self._schedule.take(now):
                self._put_out(number, due, now)
            self._hand_out()
            await asyncio.sleep(max(self._schedule.next_due - time.monotonic(), 0))

    def _put_out(self, number: int, due: float, now: float) -> None:
        tally = self._tallies[-1]
        tally.due += 1
        tally.lag.add(now - due)
        path = self._plan.paths[number % len(self._plan.paths)]
        request = Request(number, due, path, tally)
        request.alarm = self._loop.call_later(due + self._plan.patience - now, self._give_up, request)
        self._waiting.append(request)

    def _hand_out(self) -> None:
        while self._waiting and self._idle:
            request = self._waiting.popleft()
            request.tally.held_back += time.monotonic() - request.due > _HELD_BACK
            self._idle.popleft().take(request)

    def _give_up(self, request: Request) -> None:
        client = next((client for client in self._clients if client.request is request), None)
        if client is not None:
            client.give_up()
        elif request in self._waiting:
            self._waiting.remove(request)
            self.lost(request, Loss.TIMEOUT, 0)

    # -- what clients call -----------------------------------------------------------------------------

    def answered(self, request: Request, answer: Answer) -> None:
        """Count an answer."""
        seconds = time.monotonic() - request.due
        request.tally.answer(request.path, answer.status, seconds, self._plan.late_after)
        self._settle(request)

    def lost(self, request: Request, why: Loss, port: int) -> None:
        """Count a request that nobody will answer."""
        if self._is_leaving and why is Loss.REFUSED:
            request.tally.turn_away()
        else:
            request.tally.lose(Lost(why, port, request.path, request.due, time.monotonic()))
        self._settle(request)

    def idle(self, client: Client) -> None:
        """Give a client its next request."""
        self._idle.append(client)
        self._hand_out()

    def _settle(self, request: Request) -> None:
        if request.alarm is not None:
            request.alarm.cancel()
        self._tell()

    # -- orders ----------------------------------------------------------------------------------------

    def _read(self, orders: int) -> None:
        data = os.read(orders, _CHUNK)
        if not data:
            self._over.set()
            return
        *lines, self._orders = (self._orders + data).split(b"\n")
        for line in lines:
            self._obey(json.loads(line))
        self._tell()

    def _obey(self, order: dict[str, Any]) -> None:
        match order["do"]:
            case "act":  # what is due from now on belongs to the next one
                self._tallies.append(Tally())
            case "leave":  # who is refused from now on is turned away
                self._is_leaving = True
            case "halt":
                self._schedule.halt()
            case "tell":
                self._asked.add(order["act"])
            case other:
                raise ValueError(f"nobody can {other!r}")

    def _tell(self) -> None:
        """Write the tallies that were asked for, as soon as nothing of theirs is under way."""
        for act in sorted(self._asked):
            tally = self._tallies[act]
            is_past = act < len(self._tallies) - 1 or self._schedule.is_halted
            if is_past and tally.due == tally.answered + tally.lost:
                self._asked.remove(act)
                _say(act=act, tally=tally.as_json())


def _say(**values: Any) -> None:
    print(json.dumps(values), flush=True)  # noqa: T201 - into the pipe of who started it


def main() -> None:
    """Make the load that the argument describes, until the input ends."""
    values = json.loads(sys.argv[1])
    plan = LoadPlan(**{**values, "paths": tuple(values["paths"])})
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when it is over
    with suppress(OSError):
        os.nice(_NICE)  # a load that waits for a CPU says nothing about the server
    gc.freeze()
    asyncio.run(_work(plan))


async def _work(plan: LoadPlan) -> None:
    await Generator(plan).run(sys.stdin.fileno())


if __name__ == "__main__":
    main()
