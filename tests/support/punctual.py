"""For tests of deadlines that a client has to meet: where it was late itself, the server is not to blame."""

from __future__ import annotations

import contextlib
import functools
import time
from typing import TYPE_CHECKING, ParamSpec

from tests.support.server_waits import PATIENCE, NeverHappened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

P = ParamSpec("P")


class TooLate(Exception):  # noqa: N818 - an outcome of the test's own steps
    """The test took longer for its own steps than the server had to wait for."""


@contextlib.contextmanager
def within(seconds: float, since: float | None = None) -> Iterator[None]:
    """Have what is done here, or since a moment (monotonic seconds), count only if it took less than this.

    Raises:
        TooLate: It took longer, whatever has come of it.
    """
    begun = time.monotonic() if since is None else since
    try:
        yield
    finally:
        if time.monotonic() - begun >= seconds:
            raise TooLate


def begins_anew(test: Callable[P, None]) -> Callable[P, None]:
    """Have a test begin anew where it was too late itself; any other outcome stands."""

    @functools.wraps(test)
    def begun(*args: P.args, **kwargs: P.kwargs) -> None:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return test(*args, **kwargs)
            except TooLate:
                if time.monotonic() > deadline:
                    raise NeverHappened("the machine is never fast enough for this") from None

    return begun
