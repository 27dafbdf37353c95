"""The application's own functions: how they are found, called, interrupted, and what their failures do."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
import uvloop

from srvctl.errors import AppError
from srvctl.hooks import HOOK_NAMES, HookContext
from srvctl.settings.groups import HookSettings
from srvctl.worker import hooks as hooks_module
from srvctl.worker.hooks import Hooks

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from srvctl.hooks import HookName

HERE = __name__
CONTEXT = HookContext(slot=2, generation=5)
PLAIN: list[HookName] = ["on_boot", "pre_fork", "post_fork"]
LOUD: list[HookName] = [*PLAIN, "on_ready"]
FORGIVEN: list[HookName] = ["on_drain", "on_exit"]
LOOPS = pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
LONG = 3600.0  #: nothing here waits for its end


class Notes:
    """What the functions below have seen."""

    told: list[HookContext]
    ended: list[str]
    begun: asyncio.Event  #: set when `wait` waits


@pytest.fixture(autouse=True)
def notes() -> Iterator[None]:
    Notes.told, Notes.ended, Notes.begun = [], [], asyncio.Event()
    handler, (left, interval) = signal.getsignal(signal.SIGALRM), signal.getitimer(signal.ITIMER_REAL)
    yield
    assert signal.getsignal(signal.SIGALRM) == handler, "the handler of before is back"
    now_left, now_interval = signal.getitimer(signal.ITIMER_REAL)
    assert (now_left > 0, now_interval) == (left > 0, interval), "and so is the timer"
    assert now_left <= left or not left


@pytest.fixture(autouse=True)
def logged(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> pytest.LogCaptureFixture:
    for name in ("srvctl", "srvctl.error"):  # whatever another test has set up
        monkeypatch.setattr(logging.getLogger(name), "propagate", True)
    return caplog


# -- functions ----------------------------------------------------------------------------------------


def note(context: HookContext) -> str:
    Notes.told.append(context)
    return "what it returns is nobody's business"


async def note_later(context: HookContext) -> None:
    await asyncio.sleep(0)
    Notes.told.append(context)


class Service:
    """A function need not be a bare one."""

    def __call__(self, context: HookContext) -> Coroutine[None, None, None]:
        return note_later(context)


service = Service()
number = 7


def fail(context: HookContext) -> None:
    raise ValueError("no")


async def fail_later(context: HookContext) -> None:
    await asyncio.sleep(0)
    raise ValueError("no")


def leave(context: HookContext) -> None:
    sys.exit(3)


async def leave_later(context: HookContext) -> None:
    await asyncio.sleep(0)
    sys.exit(3)


def sleep(context: HookContext) -> None:
    try:
        time.sleep(LONG)
    finally:
        Notes.ended.append("sleep")


def read(context: HookContext) -> None:
    reading, writing = os.pipe()
    try:
        os.read(reading, 1)
    finally:
        os.close(reading)
        os.close(writing)


def spin(context: HookContext) -> None:
    while True:
        pass


def try_again(context: HookContext) -> None:
    while True:
        with contextlib.suppress(Exception):
            time.sleep(LONG)


def swallow_once(context: HookContext) -> None:
    try:
        time.sleep(LONG)
    except:  # noqa: E722 - what some libraries do
        Notes.ended.append("swallowed")
    time.sleep(LONG)


async def block(context: HookContext) -> None:
    sleep(context)


async def wait(context: HookContext) -> None:
    Notes.begun.set()
    try:
        await asyncio.sleep(LONG)
    finally:
        Notes.ended.append("wait")


async def never_end(context: HookContext) -> None:
    for _ in range(2):
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(LONG)
    Notes.ended.append("at last")


async def cancel_itself(context: HookContext) -> None:
    raise asyncio.CancelledError


def hooks(name: str, function: str, timeout: float = LONG) -> Hooks:
    settings: dict[str, Any] = {name: f"{HERE}:{function}", "timeout": timeout}
    return Hooks(HookSettings(**settings))


def call(name: HookName, function: str, timeout: float = LONG) -> None:
    hooks(name, function, timeout).call(name, CONTEXT)


def call_in_a_loop(
    new_loop: Callable[[], asyncio.AbstractEventLoop], name: HookName, function: str, timeout: float = LONG
) -> None:
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(hooks(name, function, timeout).call_async(name, CONTEXT))


# -- how they are found -------------------------------------------------------------------------------


def test_no_hook_is_nothing() -> None:
    """By default there is none."""
    none = Hooks(HookSettings())
    for name in HOOK_NAMES:
        none.call(name, CONTEXT)
        asyncio.run(none.call_async(name, CONTEXT))


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("none_such:a", 'Error loading hooks.on_exit. Could not import module "none_such".'),
        (f"{HERE}:none", f'Error loading hooks.on_exit. Attribute "none" not found in module "{HERE}".'),
        (f"{HERE}:number", f'Error loading hooks.on_exit. "{HERE}:number" is a int, not a function.'),
    ],
)
def test_one_that_is_not_there_fails_at_once(target: str, message: str) -> None:
    """Also the one that would be called last, years later."""
    with pytest.raises(AppError) as failed:
        Hooks(HookSettings(on_exit=target))
    assert str(failed.value) == message


def test_one_whose_module_fails_shows_its_traceback(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As that of an application."""
    (tmp_path / "bad_hooks.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(AppError) as failed:
        Hooks(HookSettings(on_boot="bad_hooks:a"))
    assert str(failed.value) == 'Error loading hooks.on_boot. Importing "bad_hooks" raised ZeroDivisionError.'
    assert "bad_hooks.py" in failed.value.details


@pytest.mark.parametrize("name", PLAIN)
def test_a_coroutine_function_needs_a_loop(name: HookName) -> None:
    """Where there is none it is refused when it is loaded, or, if it does not look like one, when called."""
    sentence = (
        f'hooks.{name}: "{HERE}:{{}}" is a coroutine function, but is called where no event loop runs; '
        "make it a plain function."
    )
    with pytest.raises(AppError) as failed:
        hooks(name, "note_later")
    assert str(failed.value) == sentence.format("note_later")
    with pytest.raises(AppError) as failed:
        call(name, "service")
    assert str(failed.value) == sentence.format("service")


# -- how they are called ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", HOOK_NAMES)
def test_they_are_told_where_they_are(name: HookName) -> None:
    """Which hook, which worker, which process."""
    call(name, "note")
    assert Notes.told == [HookContext(slot=2, generation=5, hook=name, pid=os.getpid())]


@LOOPS
@pytest.mark.parametrize("function", ["note", "note_later", "service"])
def test_in_the_loop_they_may_be_coroutine_functions(
    new_loop: Callable[[], asyncio.AbstractEventLoop], function: str
) -> None:
    """Or return something to await."""
    call_in_a_loop(new_loop, "on_ready", function)
    assert Notes.told == [HookContext(slot=2, generation=5, hook="on_ready", pid=os.getpid())]


def test_they_wait_for_each_other() -> None:
    """A drain may begin while the hook before it still waits."""

    async def main() -> None:
        both = Hooks(HookSettings(on_ready=f"{HERE}:note_later", on_drain=f"{HERE}:note", timeout=LONG))
        first = asyncio.create_task(both.call_async("on_ready", CONTEXT))
        await asyncio.sleep(0)
        await both.call_async("on_drain", CONTEXT)
        await first

    asyncio.run(main())
    assert [context.hook for context in Notes.told] == ["on_ready", "on_drain"]


def test_who_awaits_one_can_be_cancelled() -> None:
    """And with it the hook."""

    async def main() -> None:
        task = asyncio.create_task(hooks("on_drain", "wait").call_async("on_drain", CONTEXT))
        await Notes.begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert Notes.ended == ["wait"]


# -- how they fail ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LOUD)
@pytest.mark.parametrize(
    ("function", "what"), [("fail", "raised ValueError"), ("leave", "ended with sys.exit(3)")]
)
def test_a_failure_before_the_worker_serves_is_a_failed_boot(
    name: HookName, function: str, what: str
) -> None:
    """With the traceback, which begins in the user's code."""
    with pytest.raises(AppError) as failed:
        call(name, function)
    assert str(failed.value) == f'hooks.{name}: "{HERE}:{function}" {what}.'
    assert failed.value.details.startswith("Traceback (most recent call last):\n")
    assert failed.value.details.splitlines()[1].endswith(f"in {function}")


@pytest.mark.parametrize("name", FORGIVEN)
def test_a_failure_afterwards_is_logged(name: HookName, logged: pytest.LogCaptureFixture) -> None:
    """What ends must end."""
    call(name, "fail")
    [line] = logged.messages
    assert line.startswith(f'hooks.{name}: "{HERE}:fail" raised ValueError. Going on.\nTraceback ')
    assert line.endswith("\nValueError: no")


@LOOPS
@pytest.mark.parametrize(
    ("function", "what"),
    [
        ("fail", "raised ValueError"),
        ("fail_later", "raised ValueError"),
        ("leave_later", "ended with sys.exit(3)"),
        ("cancel_itself", "raised CancelledError"),
    ],
)
def test_a_failure_in_the_loop(
    new_loop: Callable[[], asyncio.AbstractEventLoop],
    function: str,
    what: str,
    logged: pytest.LogCaptureFixture,
) -> None:
    """Is the same, and never ends the loop."""
    with pytest.raises(AppError) as failed:
        call_in_a_loop(new_loop, "on_ready", function)
    assert str(failed.value) == f'hooks.on_ready: "{HERE}:{function}" {what}.'
    call_in_a_loop(new_loop, "on_exit", function)
    assert logged.messages[0].startswith(f'hooks.on_exit: "{HERE}:{function}" {what}. Going on.\nTraceback ')


# -- how they are interrupted --------------------------------------------------------------------------

SHORT = 0.05


@pytest.mark.parametrize("function", ["sleep", "read", "spin", "try_again", "swallow_once"])
def test_one_that_blocks_is_interrupted(function: str) -> None:
    """Whatever it waits for; the error says where it was."""
    with pytest.raises(AppError) as failed:
        call("post_fork", function, SHORT)
    assert str(failed.value) == (
        f'hooks.post_fork: "{HERE}:{function}" took longer than 0.05 s (hooks.timeout).'
    )
    place, *_ = failed.value.details.removeprefix("It was here:\n").splitlines()
    assert place.endswith(f"in {function}")
    assert "srvctl/worker" not in failed.value.details
    assert Notes.ended == {"sleep": ["sleep"], "swallow_once": ["swallowed"]}.get(function, [])


@LOOPS
@pytest.mark.parametrize("function", ["sleep", "read", "spin", "try_again", "block", "wait"])
def test_one_that_blocks_the_loop_is_interrupted(
    new_loop: Callable[[], asyncio.AbstractEventLoop], function: str, logged: pytest.LogCaptureFixture
) -> None:
    """The loop reads signals through a descriptor of its own, which must not keep them from the handler."""
    call_in_a_loop(new_loop, "on_drain", function, SHORT)
    [line] = logged.messages
    assert f'"{HERE}:{function}" took longer than 0.05 s (hooks.timeout). Going on.\nIt was here:\n' in line
    assert f"in {function}\n" in line


def test_one_that_swallows_its_cancellation_is_left_behind(
    logged: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for it for ever."""
    monkeypatch.setattr(hooks_module, "_CLEANUP", SHORT)
    call_in_a_loop(asyncio.new_event_loop, "on_exit", "never_end", SHORT)
    assert "took longer than 0.05 s" in logged.messages[0]
    assert Notes.ended == ["at last"], "when the loop ended"


def test_nothing_is_interrupted_but_the_hook() -> None:
    """Another task that runs when the time is over does not know of it."""

    async def main() -> None:
        async def compute() -> str:
            before = signal.getitimer(signal.ITIMER_REAL)[0]
            while signal.getitimer(signal.ITIMER_REAL)[0] <= before:  # until the timer has begun anew
                pass
            return "unharmed"

        waiting = asyncio.create_task(hooks("on_drain", "wait", SHORT).call_async("on_drain", CONTEXT))
        await asyncio.sleep(0)
        assert await asyncio.create_task(compute()) == "unharmed"
        await waiting

    asyncio.run(main())
    assert Notes.ended == ["wait"]


def test_a_blocked_alarm_signal_is_none_for_a_hook() -> None:
    """Who starts srvctl may have blocked it, and the mask is inherited."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
    try:
        with pytest.raises(AppError, match="took longer"):
            call("post_fork", "sleep", SHORT)
        assert signal.SIGALRM in signal.pthread_sigmask(signal.SIG_BLOCK, set())
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def test_an_alarm_of_the_applications_own_goes_off_later() -> None:
    """Its timer and its handler are only put aside."""
    rung = []
    before = signal.setitimer(signal.ITIMER_REAL, 0)  # it must ring for nobody but this handler
    handler = signal.signal(signal.SIGALRM, lambda *_: rung.append("rung"))
    try:
        signal.setitimer(signal.ITIMER_REAL, SHORT, SHORT)
        with pytest.raises(AppError, match=r"took longer than 0\.1 s"):
            call("post_fork", "sleep", 2 * SHORT)
        while not rung:
            signal.pause()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, *before)
    assert set(rung) == {"rung"}


def test_in_a_forked_child() -> None:
    """Loaded in one process, called in another, as with a mold."""
    loaded = hooks("post_fork", "sleep", SHORT)
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            loaded.call("post_fork", CONTEXT)
        except AppError:
            code = 0 if Notes.ended == ["sleep"] else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
