"""Ask the application whether it is well, with a request made inside the worker.

No request from outside could be addressed to one worker. This one passes no connection: it is not counted,
admitted or logged, and a worker that is full can still say that it is well. Called by whoever reads the
channel to the master.
"""

from __future__ import annotations

import asyncio
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from srvctl.worker.http.protocol import ProtocolError, RequestHead
from srvctl.worker.http.scope import ScopeMaker
from srvctl.worker.http.surroundings import Surroundings

if TYPE_CHECKING:
    from srvctl.worker.http.cycle import Application
    from srvctl.worker.http.response import Message

#: `localhost`, because frameworks can be told which hosts they answer for, and because there is no address.
_HEADERS: Final = ((b"host", b"localhost"), (b"user-agent", b"srvctl-health"))
_MOST_DETAILS: Final = 500  #: characters


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a probe.

    Attributes:
        status: Of the response; 0 where there was no whole one.
        details: Why there was none; else empty.
    """

    status: int
    details: str = ""


async def probe(
    application: Application, state: dict[str, Any] | None, path: str, limit: float, root_path: str
) -> Answer:
    """Make a GET request and return what came of it; no fault of the application comes out.

    The application has until the limit to return as well, so that what it does behind its response belongs to
    the request; if it takes longer it is cancelled, but the status stands.

    Args:
        application: Is asked.
        state: What its lifespan left for requests; None for nothing.
        path: What is asked for, and maybe a query; without the root path.
        limit: Seconds it has.
        root_path: Where it is mounted.
    """
    head = RequestHead("GET", path.encode("utf-8", "backslashreplace"), "1.1", _HEADERS)
    try:
        if not path.startswith("/"):
            return Answer(0, f"{path!r} is no path.")
        scope = ScopeMaker(Surroundings(root_path=root_path, state=state)).make(head)
    except ProtocolError as error:
        return Answer(0, f"{path!r} is no path: {error}.")
    exchange = _Exchange()
    task = asyncio.create_task(exchange.run(application, scope), name="srvctl probe")
    try:
        await asyncio.wait((task,), timeout=limit)
    finally:
        if not task.done():
            task.cancel()  # and no wait for that: it may take its time as well
    if exchange.is_complete:
        return Answer(exchange.status)
    return Answer(0, exchange.fault or f"The application took longer than {limit:g} s.")


class _Exchange:
    """One request and its response, of which only the status is kept."""

    def __init__(self) -> None:
        self.status = 0
        self.is_complete = False
        self.fault = ""
        self._has_asked = False
        self._completion = asyncio.Event()

    async def run(self, application: Application, scope: dict[str, Any]) -> None:
        """Call the application."""
        task = asyncio.current_task()
        try:
            await application(scope, self.receive, self.send)
        except (Exception, SystemExit, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
                raise
            line = traceback.format_exception_only(error)[-1].strip()
            self.fault = f"The application raised {line}"[:_MOST_DETAILS]
        else:
            how = "completing" if self.status else "starting"
            self.fault = f"The application returned without {how} its response."

    async def receive(self) -> Message:
        """Return the request, and then that the client left, once it was answered."""
        if not self._has_asked:
            self._has_asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._completion.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Take a part of the response.

        Raises:
            RuntimeError: It comes out of order.
        """
        kind = message["type"]
        if kind == "http.response.start" and not self.status:
            self.status = int(message["status"])
        elif kind == "http.response.body" and self.status and not self.is_complete:
            if not message.get("more_body", False):
                self.is_complete = True
                self._completion.set()
        else:
            raise RuntimeError(f"Unexpected ASGI message {kind!r} sent.")
