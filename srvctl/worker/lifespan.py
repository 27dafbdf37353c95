"""The ASGI lifespan protocol: startup before the first request, shutdown after the last."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Literal

from srvctl.errors import AppError
from srvctl.worker.tracebacks import format_user_traceback

if TYPE_CHECKING:
    from srvctl.worker.http.cycle import Application

logger = logging.getLogger("srvctl.error")


class Lifespan:
    """Runs the application's lifespan in a task of its own.

    Args:
        application: The ASGI application.
        mode: ``on`` takes any failure seriously, ``auto`` allows an application that does not know lifespan.
    """

    def __init__(self, application: Application, mode: Literal["auto", "on"]) -> None:
        self.state: dict[str, Any] | None = {}  #: for ``scope["state"]``; None once lifespan is unsupported
        self._application = application
        self._mode = mode
        self._events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._answers: dict[str, asyncio.Future[str | None]] = {}
        self._task: asyncio.Task[None] | None = None
        self._has_received = False
        self._error: BaseException | None = None

    async def startup(self) -> None:
        """Run the startup.

        Raises:
            AppError: The application says, or shows, that it cannot start.
        """
        logger.info("Waiting for application startup.")
        self._task = asyncio.create_task(self._run(), name="lifespan")
        failure = await self._ask("startup")
        if failure is not None:
            details = failure or (format_user_traceback(self._error) if self._error else "")
            raise AppError("Application startup failed. Exiting.", details)
        logger.info("Application startup complete.")  # without a lifespan, too: tools wait for this line

    async def shutdown(self) -> None:
        """Run the shutdown, unless the lifespan has ended already."""
        if self._task is None or self._task.done():
            return
        logger.info("Waiting for application shutdown.")
        failure = await self._ask("shutdown")
        if failure is None:
            logger.info("Application shutdown complete.")
        else:
            logger.error("Application shutdown failed. Exiting.\n%s", failure)

    async def cancel(self) -> None:
        """End a startup that is no longer wanted."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _ask(self, step: str) -> str | None:
        """Send ``lifespan.<step>`` and return None on success, else the application's message."""
        answer = self._answers[step] = asyncio.get_running_loop().create_future()
        self._events.put_nowait({"type": f"lifespan.{step}"})
        failure: str | None = await answer
        return failure

    async def _run(self) -> None:
        scope = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": self.state,
        }
        try:
            await self._application(scope, self._receive, self._send)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever an application raises
            self._error = error
        finally:
            self._ended()

    def _ended(self) -> None:
        """Answer whoever still waits, now that the application left its lifespan."""
        error = self._error
        startup, shutdown = self._answers.get("startup"), self._answers.get("shutdown")
        if startup is not None and not startup.done():
            # An application that does not know lifespan raises at the sight of the scope; one that took the
            # startup event and then raised has failed (ASGI lifespan spec: an exception means unsupported).
            if error is not None and (self._mode == "on" or self._has_received):
                startup.set_result("")
            else:
                self.state = None
                logger.info("ASGI 'lifespan' protocol appears unsupported.")
                if error is not None:
                    logger.debug("It ended with %s: %s", type(error).__name__, error)
                startup.set_result(None)
        elif shutdown is not None and not shutdown.done():
            shutdown.set_result(format_user_traceback(error) if error is not None else None)
        elif error is not None and not (startup is not None and startup.result() is not None):
            logger.error("The application's lifespan ended early.\n%s", format_user_traceback(error).rstrip())

    async def _receive(self) -> dict[str, Any]:
        self._has_received = True
        return await self._events.get()

    async def _send(self, message: dict[str, Any]) -> None:
        kind = message["type"]
        for step, answer in self._answers.items():
            if kind == f"lifespan.{step}.complete" and not answer.done():
                answer.set_result(None)
                return
            if kind == f"lifespan.{step}.failed" and not answer.done():
                answer.set_result(message.get("message") or "")
                return
        raise RuntimeError(f"Unexpected ASGI message {kind!r} in the lifespan.")
