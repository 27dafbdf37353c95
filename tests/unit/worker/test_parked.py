"""What tasks wait for that go on inside a callback: cancelled, timed out, gathered, on each kind of loop."""

from __future__ import annotations

import asyncio
import contextvars
from typing import TYPE_CHECKING, Any

import pytest
import uvloop

from srvctl.worker.parked import Parked
from tests.support.server_waits import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")


@pytest.fixture(params=LOOPS)
def run(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Run a scenario; nobody may complain, and no task may be left."""
    complaints: list[dict[str, Any]] = []

    def go(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
        async def main() -> None:
            loop = asyncio.get_running_loop()
            loop.set_exception_handler(lambda _, context: complaints.append(context))
            async with asyncio.timeout(PATIENCE):
                await scenario()
            assert len(asyncio.all_tasks()) == 1

        with asyncio.Runner(loop_factory=LOOPS[request.param]) as runner:
            runner.run(main())
        assert complaints == []

    return go


class Waiting:
    """A task that waits for something parked, again and again, and notes what happens to it."""

    def __init__(self, times: int = 1) -> None:
        self.parked = Parked(asyncio.get_running_loop())
        self.notes: list[str] = []
        self.task = asyncio.create_task(self._wait(times))

    async def _wait(self, times: int) -> None:
        try:
            for _ in range(times):
                await self.parked
                self.notes.append("on")
        except asyncio.CancelledError:
            self.notes.append("cancelled")
            raise


async def calls(*callbacks: Callable[[], object]) -> None:
    """Call back from the loop, one callback after the other and nothing between them."""
    loop = asyncio.get_running_loop()
    done = loop.create_future()

    def call() -> None:
        for callback in callbacks:
            callback()
        done.set_result(None)

    loop.call_soon(call)
    await done


async def turns(count: int = 3) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def test_it_is_a_future_for_asyncio(run: Callable[..., None]) -> None:
    """Or no task would wait for it."""

    async def scenario() -> None:
        parked = Parked(asyncio.get_running_loop())
        thing: object = parked
        assert asyncio.isfuture(thing)
        assert parked.get_loop() is asyncio.get_running_loop()
        assert not parked.is_idle

    run(scenario)


def test_the_task_goes_on_before_resume_returns(run: Callable[..., None]) -> None:
    """And waits again, any number of times."""

    async def scenario() -> None:
        waiting = Waiting(3)
        await turns()
        assert waiting.parked.is_idle
        lengths: list[int] = []
        steps = [waiting.parked.resume, lambda: lengths.append(len(waiting.notes))] * 3
        await calls(*steps)
        assert lengths == [1, 2, 3]
        await waiting.task
        assert not waiting.parked.is_idle

    run(scenario)


def test_nobody_who_does_not_wait_is_resumed(run: Callable[..., None]) -> None:
    """Neither before, nor twice."""

    async def scenario() -> None:
        waiting = Waiting(2)
        waiting.parked.resume()
        assert waiting.notes == []
        await turns()
        await calls(waiting.parked.resume)
        await turns()
        assert waiting.notes == ["on"]
        await calls(waiting.parked.resume, waiting.parked.resume, waiting.parked.resume)
        assert waiting.notes == ["on", "on"]
        await waiting.task

    run(scenario)


def test_the_task_goes_on_in_its_own_context(run: Callable[..., None]) -> None:
    """Not in that of whoever resumes it."""

    async def scenario() -> None:
        parked = Parked(asyncio.get_running_loop())
        seen: list[str] = []

        async def wait() -> None:
            variable.set("of the task")
            await parked
            seen.append(variable.get())
            assert asyncio.current_task() is task

        task = asyncio.create_task(wait())
        await turns()
        variable.set("of another")
        await calls(parked.resume)
        assert seen == ["of the task"]
        assert variable.get() == "of another"
        await task

    run(scenario)


def test_a_cancelled_task_goes_on_once(run: Callable[..., None]) -> None:
    """And is not resumed by news that come before it ends."""

    async def scenario() -> None:
        waiting = Waiting()
        await turns()
        waiting.task.cancel()
        assert not waiting.parked.is_idle
        await calls(waiting.parked.resume)
        await asyncio.wait([waiting.task])
        assert waiting.task.cancelled()
        assert waiting.notes == ["cancelled"]

    run(scenario)


@pytest.mark.parametrize("count", [2, 3])
def test_a_task_that_is_cancelled_twice_is_cancelled_once(run: Callable[..., None], count: int) -> None:
    """As with any future: what it does to clean up is not disturbed by the cancellation it knows of."""

    async def scenario() -> None:
        parked = Parked(asyncio.get_running_loop())
        notes: list[str] = []

        async def wait() -> None:
            try:
                await parked
            except asyncio.CancelledError:
                await asyncio.sleep(0.001)
                notes.append("clean")
                raise

        task = asyncio.create_task(wait())
        await turns()
        for _ in range(count):
            task.cancel()
        await asyncio.wait([task])
        await turns()
        assert task.cancelled()
        assert notes == ["clean"]

    run(scenario)


def test_a_timeout_ends_the_wait(run: Callable[..., None]) -> None:
    """Of `asyncio.timeout` and `asyncio.wait_for`."""

    async def scenario() -> None:
        for _ in range(3):
            parked = Parked(asyncio.get_running_loop())
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.001):
                    await parked
            assert parked.is_cancelled

            async def wait(parked: Parked) -> None:
                await parked

            with pytest.raises(TimeoutError):
                await asyncio.wait_for(wait(Parked(asyncio.get_running_loop())), 0.001)

    run(scenario)


def test_no_timeout_comes_after_the_news(run: Callable[..., None]) -> None:
    """The task goes on although its time is up in the same turn."""

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        parked = Parked(loop)

        async def wait() -> str:
            await parked
            return "on"

        task = asyncio.create_task(wait())
        await turns()
        await calls(parked.resume, task.cancel)
        assert await task == "on"

    run(scenario)


def test_several_tasks_wait_for_several(run: Callable[..., None]) -> None:
    """Gathered, some cancelled, the others resumed."""

    async def scenario() -> None:
        waiters = [Waiting() for _ in range(5)]
        gathered = asyncio.gather(*(one.task for one in waiters), return_exceptions=True)
        await turns()
        waiters[1].task.cancel()
        await calls(*(one.parked.resume for one in waiters))
        results = await gathered
        assert [type(result) for result in results] == [type(None), asyncio.CancelledError, *[type(None)] * 3]

    run(scenario)


def test_what_a_resumed_task_raises_stays_its_own(run: Callable[..., None]) -> None:
    """Whoever resumes it goes on."""

    async def scenario() -> None:
        parked = Parked(asyncio.get_running_loop())

        async def wait() -> None:
            await parked
            raise ValueError

        task = asyncio.create_task(wait())
        await turns()
        await calls(parked.resume)
        with pytest.raises(ValueError):
            await task

    run(scenario)


def test_a_resumed_task_may_resume_another_later(run: Callable[..., None]) -> None:
    """Through the loop: within a task nobody else can go on."""

    async def scenario() -> None:
        second = Waiting()
        first = Parked(asyncio.get_running_loop())

        async def wait() -> None:
            await first
            asyncio.get_running_loop().call_soon(second.parked.resume)
            assert second.notes == []

        task = asyncio.create_task(wait())
        await turns()
        await calls(first.resume)
        await task
        await second.task
        assert second.notes == ["on"]

    run(scenario)


def test_cancelled_within_its_own_step(run: Callable[..., None]) -> None:
    """A task that is resumed, cancels itself and waits again does not wait."""

    async def scenario() -> None:
        parked = Parked(asyncio.get_running_loop())

        async def wait() -> None:
            await parked
            task.cancel()
            await parked

        task = asyncio.create_task(wait())
        await turns()
        await calls(parked.resume)
        await asyncio.wait([task])
        assert task.cancelled()

    run(scenario)
