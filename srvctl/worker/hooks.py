"""The application's own functions, called at points of a worker's life, each with a deadline.

Loaded and called in the processes that import the application: the mold and the workers, never the master.
What fails before a worker serves is a failed boot (`AppError`); what fails afterwards is logged, because a
stop must go on. How a function that blocks is interrupted is `srvctl.worker.deadline`'s business.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
import traceback
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import srvctl
from srvctl.errors import AppError
from srvctl.hooks import HOOK_NAMES
from srvctl.worker.deadline import DeadlineError, call, interrupting, wait_for
from srvctl.worker.importing import kind_of, load_attribute
from srvctl.worker.tracebacks import format_user_traceback

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from srvctl.hooks import HookContext, HookName
    from srvctl.settings.groups import HookSettings

logger = logging.getLogger("srvctl.error")

#: A worker that is ready serves, and one that ends must end, whatever these do.
_FORGIVEN: Final = frozenset({"on_drain", "on_exit"})
#: Called where there is no event loop; the others may be coroutine functions.
_PLAIN: Final = frozenset({"on_boot", "pre_fork", "post_fork"})
_OWN: Final = f"{Path(srvctl.__file__).parent}{os.sep}"
_CLEANUP: Final = 1.0  #: seconds a cancelled hook has for its ``finally``


@dataclass(frozen=True, slots=True)
class _Hook:
    target: str
    function: Callable[[HookContext], Any]


class Hooks:
    """The hooks of one process.

    Args:
        settings: Which functions, and how long one call may take.

    Raises:
        AppError: One cannot be imported, is no function, or is a coroutine function where no event loop is.
    """

    def __init__(self, settings: HookSettings) -> None:
        self._timeout = settings.timeout
        self._hooks: dict[str, _Hook] = {}
        self._turn = asyncio.Lock()  # SIGALRM has one handler; and hooks need not mind each other
        for name in HOOK_NAMES:
            target = getattr(settings, name)
            if target is not None:
                self._hooks[name] = _load(name, target)

    def call(self, name: HookName, context: HookContext) -> None:
        """Call a hook where no event loop runs, in the main thread; without one, do nothing.

        Args:
            name: Which; ``context`` is told it, and the process.
            context: What the function is told.

        Raises:
            AppError: It failed or took too long, and is none of those whose failure is only logged.
        """
        hook = self._hooks.get(name)
        if hook is None:
            return
        try:
            with interrupting(self._timeout):
                result = call(hook.function, _told(name, context))
        except (Exception, SystemExit, DeadlineError) as error:  # noqa: BLE001 - whatever a function raises
            self._report(name, self._failed(name, hook, error))
            return
        if inspect.isawaitable(result):
            _discard(result)
            self._report(name, _no_loop(name, hook.target))

    async def call_async(self, name: HookName, context: HookContext) -> None:
        """Call a hook inside the event loop, and await it if it is a coroutine function.

        A plain function holds the loop up, yet no longer than its deadline. Hooks wait for each other.

        Args:
            name: Which; ``context`` is told it, and the process.
            context: What the function is told.

        Raises:
            AppError: It failed or took too long, and is none of those whose failure is only logged.
        """
        hook = self._hooks.get(name)
        if hook is None:
            return
        async with self._turn:
            try:
                with interrupting(self._timeout):
                    result = call(hook.function, _told(name, context))
                    error = await self._wait(result) if inspect.isawaitable(result) else None
            except (Exception, SystemExit, DeadlineError) as raised:  # noqa: BLE001 - whatever it raises
                error = raised
        if error is not None:
            self._report(name, self._failed(name, hook, error))

    async def _wait(self, awaitable: Awaitable[object]) -> BaseException | None:
        """Wait until it ends or its time is over, and return what is wrong.

        Not `asyncio.wait_for`, which waits for ever for a task that swallows its cancellation.
        """
        task = asyncio.ensure_future(_outcome(awaitable))
        try:
            done, _ = await asyncio.wait([task], timeout=self._timeout)
            if done:
                return _error_of(task)
            task.cancel()
            await asyncio.wait([task], timeout=_CLEANUP)
        finally:
            task.cancel()  # for the case that we are cancelled ourselves
        # The traceback of its cancellation says where it was waiting.
        cancelled = _error_of(task) if task.done() else None
        return DeadlineError().with_traceback(cancelled.__traceback__ if cancelled else None)

    def _failed(self, name: str, hook: _Hook, error: BaseException) -> AppError:
        what = f'hooks.{name}: "{hook.target}"'
        if isinstance(error, DeadlineError):
            return AppError(f"{what} took longer than {self._timeout:g} s (hooks.timeout).", _where(error))
        verb = "ended with" if isinstance(error, SystemExit) else "raised"
        return AppError(f"{what} {verb} {kind_of(error)}.", format_user_traceback(error))

    @staticmethod
    def _report(name: str, failure: AppError) -> None:
        if name not in _FORGIVEN:
            raise failure from None
        text = "%s Going on.\n%s" if failure.details else "%s Going on.%s"
        logger.error(text, failure, failure.details.rstrip())


def _load(name: str, target: str) -> _Hook:
    function = load_attribute(target, f"Error loading hooks.{name}.")
    if not callable(function):
        raise AppError(
            f'Error loading hooks.{name}. "{target}" is a {type(function).__name__}, not a function.'
        )
    if name in _PLAIN and inspect.iscoroutinefunction(function):
        raise _no_loop(name, target)
    return _Hook(target, function)


def _no_loop(name: str, target: str) -> AppError:
    return AppError(
        f'hooks.{name}: "{target}" is a coroutine function, but is called where no event loop runs; '
        "make it a plain function."
    )


def _told(name: HookName, context: HookContext) -> HookContext:
    return replace(context, hook=name, pid=os.getpid())


async def _outcome(awaitable: Awaitable[object]) -> BaseException | None:
    """Return what it raised: a task must not raise SystemExit, which would end the loop below everybody."""
    try:
        await wait_for(awaitable)
    except (Exception, SystemExit, DeadlineError) as error:  # noqa: BLE001 - whatever a function raises
        return error
    return None


def _error_of(task: asyncio.Task[BaseException | None]) -> BaseException | None:
    try:
        return task.result()
    except asyncio.CancelledError as cancelled:
        return cancelled


def _discard(awaitable: object) -> None:
    """End a coroutine that nobody will await, without Python's warning."""
    if inspect.iscoroutine(awaitable):
        awaitable.close()


def _where(error: BaseException) -> str:
    """Return where a function was when its time was over: our own frames, on both sides, say nothing."""
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith(_OWN)
    ]
    return "It was here:\n" + "".join(traceback.format_list(frames)) if frames else ""
