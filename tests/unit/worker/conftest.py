"""What tests of workers share."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
import uvloop

from tests.support.server_waits import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    Test = Callable[[], Coroutine[None, None, None]]

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(params=LOOPS)
def run(request: pytest.FixtureRequest) -> Callable[[Test], None]:
    """Run a test in a loop, at which nothing may fail."""

    def run(test: Test) -> None:
        async def in_time() -> None:
            asyncio.get_running_loop().set_exception_handler(lambda _, context: failed.append(context))
            await asyncio.wait_for(test(), PATIENCE)

        failed: list[object] = []
        with asyncio.Runner(loop_factory=LOOPS[request.param]) as runner:
            runner.run(in_time())
        assert not failed

    return run
