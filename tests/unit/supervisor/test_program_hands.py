"""Programs as the master sees them, each a real process: how one is started, heard and ended."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from srvctl.errors import BindError
from srvctl.settings.binds import parse_bind
from srvctl.settings.groups import LogSettings, ProgramSettings, ServerSettings, Settings
from srvctl.supervisor.actions import SignalProgram, StartProgram
from srvctl.supervisor.events import ProgramExited, ProgramForked, ProgramReady, ProgramRefused
from srvctl.supervisor.generations import Generation, Generations
from srvctl.supervisor.output.output import Output
from srvctl.supervisor.poller import Poller
from srvctl.supervisor.programs.given import CannotRunError, given
from srvctl.supervisor.programs.hands import ProgramHands
from srvctl.supervisor.signals import SignalInbox
from tests.support.server_waits import PATIENCE, NeverHappened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from srvctl.supervisor.events import Event

SERVER = ServerSettings(bind=("127.0.0.1:0",))


def program(*command: str, name: str = "it", **values: Any) -> ProgramSettings:
    return ProgramSettings(name=name, command=command, **values)


def shell(script: str, **values: Any) -> ProgramSettings:
    return program("sh", "-c", script, **values)


class Scene:
    """A poller, an output that keeps its lines, and the hands."""

    def __init__(self, *programs: ProgramSettings) -> None:
        self.inbox = SignalInbox()
        self.poller = Poller(self.inbox)
        self.output = Output(LogSettings(), captures=True)
        self.output.attach(self.poller)
        self.generations = Generations(Generation(1, Settings(server=SERVER, program=programs), ()))
        self.hands = self.new_hands()
        self.events: list[Event] = []

    def new_hands(self) -> ProgramHands:
        return ProgramHands(self.poller, lambda: self.generations, self.output, lambda: None)

    def start(self, process: int = 1, name: str = "it", index: int = 0) -> int:
        """Start a process, which can be forked; return its id."""
        event = self.hands.start(StartProgram(process, name, index))
        assert isinstance(event, ProgramForked), event
        return event.pid

    def wait(self, is_it: Callable[[Event], bool]) -> Event:
        """Return the first event that is wanted."""
        deadline = time.monotonic() + PATIENCE
        while not (found := [event for event in self.events if is_it(event)]):
            if time.monotonic() > deadline:
                raise NeverHappened(f"only {self.events}")
            self.events += self.poller.wait(time.monotonic() + 0.05)
        return found[0]

    def wait_exit(self, process: int = 1) -> ProgramExited:
        event = self.wait(lambda event: isinstance(event, ProgramExited) and event.process == process)
        assert isinstance(event, ProgramExited)
        return event

    @property
    def is_ready(self) -> bool:
        return any(isinstance(event, ProgramReady) for event in self.events)

    def lines(self) -> list[tuple[str, str]]:
        """Return who has printed what."""
        data = self.output.feed.read(100).take(10**6)
        told = [json.loads(line)["data"] for line in data.splitlines()]
        return [(one.get("program", ""), one["line"]) for one in told]

    def close(self) -> None:
        self.hands.close()
        self.output.end()
        self.generations.close()
        self.poller.close()


@pytest.fixture
def stage() -> Iterator[Callable[..., Scene]]:
    scenes: list[Scene] = []

    def make(*programs: ProgramSettings) -> Scene:
        scenes.append(Scene(*programs))
        return scenes[-1]

    before = {number: signal.getsignal(number) for number in signal.valid_signals()}
    yield make
    for scene in scenes:
        scene.close()
    for number, handler in before.items():
        if number not in {signal.SIGKILL, signal.SIGSTOP} and signal.getsignal(number) is not handler:
            signal.signal(number, handler)
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


# -- starting ----------------------------------------------------------------------------------------------


def test_it_is_ready_when_the_program_runs_and_not_before(stage: Callable[..., Scene]) -> None:
    scene = stage(program("sleep", "1000"))
    scene.start()
    assert scene.wait(lambda event: isinstance(event, ProgramReady)) == ProgramReady(1)
    scene.hands.signal(SignalProgram(1, "TERM"))
    assert scene.wait_exit() == ProgramExited(1, "killed by SIGTERM", is_success=False)
    scene.hands.signal(SignalProgram(1, "KILL", to_group=True))  # nobody is there any more


def test_one_that_cannot_be_run_never_was_ready(stage: Callable[..., Scene]) -> None:
    scene = stage(program("no-such-command"))
    scene.start()
    cause = "no-such-command is not found on the PATH; install it, or write its whole path"
    assert scene.wait_exit() == ProgramExited(1, cause, is_success=False)
    assert not scene.is_ready


@pytest.mark.parametrize("name", ["TERM", "INT", "HUP", "USR1", "QUIT"])
@pytest.mark.parametrize("to_group", [True, False])
def test_a_signal_that_comes_at_once_is_not_lost(
    stage: Callable[..., Scene], name: str, to_group: bool
) -> None:
    """Before it has a process group, and before its signals are its own."""
    scene = stage(program("sleep", "1000"))
    scene.start()
    scene.hands.signal(SignalProgram(1, name, to_group=to_group))
    assert scene.wait_exit() == ProgramExited(1, f"killed by SIG{name}", is_success=False)


def test_what_is_not_named_or_cannot_be_is_refused(stage: Callable[..., Scene]) -> None:
    scene = stage(program("true", ready="fd:2"))
    assert scene.hands.start(StartProgram(1, "other", 0)) == ProgramRefused(
        1, "the settings do not name it any more"
    )
    before = len(list(Path("/proc/self/fd").iterdir()))
    refused = scene.hands.start(StartProgram(2, "it", 0))
    assert isinstance(refused, ProgramRefused)
    assert "ready is fd:2, but 0 to 2 are its streams" in refused.reason
    assert len(list(Path("/proc/self/fd").iterdir())) == before


# -- ready -------------------------------------------------------------------------------------------------


def test_half_a_line_is_not_ready_and_the_end_is_not_either(stage: Callable[..., Scene]) -> None:
    scene = stage(shell("printf half >&5; exec 5>&-; echo closed; sleep 0.1; exit 0", ready="fd:5"))
    scene.start()
    assert scene.wait_exit().is_success
    assert not scene.is_ready
    assert scene.lines() == [("it", "closed")]


def test_a_line_is_ready_and_more_does_not_kill(stage: Callable[..., Scene]) -> None:
    scene = stage(shell("echo 1 >&6; read a; echo 2 >&6; echo 3 >&6; exit 4", ready="fd:6"))
    scene.start()
    assert scene.wait_exit().cause == "exit code 4"
    assert scene.events.count(ProgramReady(1)) == 1


def test_only_the_program_itself_can_say_that_it_is_ready(stage: Callable[..., Scene]) -> None:
    """Or what it has started; nobody else who finds the socket."""
    script = (
        "import os, socket, subprocess, sys, time\n"
        "print(os.environ['NOTIFY_SOCKET'], flush=True)\n"
        "time.sleep(1000)\n"
    )
    scene = stage(program(sys.executable, "-S", "-c", script, ready="notify"))
    pid = scene.start()
    scene.wait(lambda _: bool(scene.lines()))
    [(_, address)] = scene.lines()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as stranger:
        reader, writer = os.pipe()
        stranger.connect("\0" + address[1:])
        # A queue that is never read would make whoever notifies wait.
        for _ in range(100):
            stranger.settimeout(PATIENCE)
            stranger.setblocking(False)
            try:
                stranger.sendmsg([b"READY=1"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, _ints(writer))])
            except BlockingIOError:
                scene.events += scene.poller.wait(time.monotonic() + 0.05)
        os.close(writer)
        scene.events += scene.poller.wait(time.monotonic() + 0.05)
        while not _at_end(reader):  # what came along is closed
            scene.events += scene.poller.wait(time.monotonic() + 0.05)
        os.close(reader)
    assert not scene.is_ready
    assert scene.poller.knows(pid)


def test_what_it_has_started_can_say_that_it_is_ready(stage: Callable[..., Scene]) -> None:
    child = (
        "import os, socket\n"
        "sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
        "sock.connect('\\0' + os.environ['NOTIFY_SOCKET'][1:])\n"
        "sock.send(b'READY=0\\nSTATUS=READY=1')\n"
        "sock.send(b'STATUS=x\\nREADY=1\\n')\n"
        "os.read(0, 1)\n"
    )
    # It waits for ever then: what it sends counts as long as it lives.
    script = 'sleep 1000 | python3 -S -c "$CHILD" & wait'
    scene = stage(shell(script, environment=(f"CHILD={child}",), ready="notify"))
    scene.start()
    assert scene.wait(lambda event: isinstance(event, ProgramReady)) == ProgramReady(1)
    assert scene.events.count(ProgramReady(1)) == 1


def _ints(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(4, sys.byteorder) for number in numbers)


def _at_end(fd: int) -> bool:
    os.set_blocking(fd, False)
    try:
        return os.read(fd, 1) == b""
    except BlockingIOError:
        return False


# -- an upgrade --------------------------------------------------------------------------------------------


def test_other_hands_go_on(stage: Callable[..., Scene]) -> None:
    """As after execve(2): all that is known comes through JSON, and through the same descriptors."""
    scene = stage(shell("read a; echo one; exit 3", ready="fd:4"), program("sleep", "1000", name="other"))
    pids = [scene.start(), scene.start(2, "other")]
    values = json.loads(json.dumps(scene.hands.export()))
    assert all(fd in scene.hands.fds() for one in values for fd in (one["outcome"], *one["printed"]["fds"]))
    for fd in scene.hands.fds():  # the former program's objects are gone, its descriptors are not
        scene.poller.unwatch(fd)
    for handle in list(scene.hands._handles.values()):
        scene.poller.forget(handle)
    scene.output._all.clear()
    scene.hands = scene.new_hands()
    scene.hands.inherit(values)
    assert scene.wait_exit().cause == "exit code 3"
    assert ("it", "one") in scene.lines()
    assert scene.wait(lambda event: event == ProgramReady(2)) == ProgramReady(2)
    assert all(map(scene.poller.knows, pids[1:]))


# -- what it is given --------------------------------------------------------------------------------------


def test_what_is_given_has_its_place() -> None:
    passed = [(parse_bind("127.0.0.1:1"), 11), (parse_bind("systemd:web"), 12)]
    it = program("x", ready="fd:5", environment=("A=b=c", "LISTEN_FDS=9", "WATCHDOG_USEC=mine"))
    found = given(
        it,
        3,
        {"A": "a", "LISTEN_FDS": "1", "WATCHDOG_USEC": "2", "SRVCTL_X": "", "Z": "z", "LISTEN_PIDFDID": "7"},
        passed=passed,
        streams=(20, 21, 22),
        notify="",
        ready_pipe=30,
    )
    assert found.fds == {0: 20, 1: 21, 2: 22, 3: 11, 4: 12, 5: 30}
    assert found.environ == {
        "A": "b=c",
        "Z": "z",
        "WATCHDOG_USEC": "mine",
        "LISTEN_FDS": "2",
        "LISTEN_FDNAMES": "it:web",
        "SRVCTL_PROGRAM": "it",
        "SRVCTL_PROGRAM_INDEX": "3",
    }
    with pytest.raises(
        CannotRunError, match="0 to 4 are its streams and the sockets it is passed; write fd:5"
    ):
        given(replace(it, ready="fd:4"), 0, {}, passed=passed, streams=(20, 21, 22), ready_pipe=30)


# -- sockets -----------------------------------------------------------------------------------------------


def settings_of(*binds: tuple[str, ...], server: str = "127.0.0.1:0") -> Settings:
    programs = tuple(program("x", name=f"p{number}", bind=bind) for number, bind in enumerate(binds))
    return Settings(server=ServerSettings(bind=(server,)), program=programs)


def open_first(settings: Settings) -> Generations:
    nothing = Generations(Generation(0, replace(settings, program=()), ()))
    nothing.prepare(1, settings)
    nothing.commit(1)
    return nothing


def test_addresses_that_stay_are_the_same_sockets(short_path: Path) -> None:
    """Also when another program has them then; port 0 is each program's own."""
    path = f"unix:{short_path}/s"
    generations = open_first(settings_of(("127.0.0.1:0", path), ("127.0.0.1:0",)))
    before = dict(generations.accepted.passed)
    assert len({id(one) for one in generations}) == 4
    assert all(listener.socket.getblocking() for listener in before["p0"])
    assert not generations.accepted.listeners[0].socket.getblocking()
    assert before["p0"][0].url.startswith("127.0.0.1:")
    generations.prepare(2, settings_of(("127.0.0.1:0",), ("127.0.0.1:0", path)))
    gone = generations.commit(2)
    assert gone == []
    assert generations.accepted.passed == {
        "p0": before["p0"][:1],
        "p1": (before["p1"][0], before["p0"][1]),
    }
    generations.prepare(3, settings_of(("127.0.0.1:0",)))
    generations.discard(3)
    assert (short_path / "s").exists()
    generations.end_service()
    assert generations.accepted.listeners[0].socket.fileno() == -1
    assert before["p1"][0].socket.fileno() >= 0
    generations.close()
    assert before["p1"][0].socket.fileno() == -1
    assert not (short_path / "s").exists()


@pytest.mark.parametrize(
    ("binds", "words"),
    [
        ([("127.0.0.1:7",)], r"program p0: its bind 127.0.0.1:7 is that of server\.bind as well; remove"),
        ([("127.0.0.1:8",), ("127.0.0.1:8",)], r"program p1: its bind 127\.0\.0\.1:8 is that of program p0"),
        ([("127.0.0.1:0", "127.0.0.1:0")], r"program p0: its bind 127\.0\.0\.1:0 is that of program p0"),
        ([("unix:/tmp/s?mode=660", "unix:/tmp/s")], r"its bind unix:/tmp/s is that of program p0"),
    ],
)
def test_one_address_is_for_one(binds: list[tuple[str, ...]], words: str) -> None:
    generations = Generations(Generation(0, Settings(), ()))
    with pytest.raises(BindError, match=words):
        generations.prepare(1, settings_of(*binds, server="127.0.0.1:7"))
    generations.close()


def test_workers_do_not_keep_what_is_for_programs() -> None:
    generations = open_first(settings_of(("127.0.0.1:0",)))
    [own], [passed] = generations.accepted.listeners, generations.accepted.passed["p0"]
    number = passed.socket.fileno()
    copy = os.dup(number)  # a worker has a copy, by fork(2)
    generations.leave_others(1)
    assert (own.socket.fileno() >= 0, passed.socket.fileno()) == (True, -1)
    os.close(copy)
    generations.close()


def test_inherited_sockets_are_left_as_programs_have_made_them() -> None:
    """Node, for one, sets what is shared to not block, and could not go on if somebody undid that."""
    generations = open_first(settings_of(("127.0.0.1:0",)))
    [passed] = generations.accepted.passed["p0"]
    values = json.loads(json.dumps(generations.export()))
    os.set_blocking(passed.socket.fileno(), False)
    for listener in generations:
        listener.socket.detach()
    heir = Generations.inherit(values, generations.accepted.settings)
    [inherited] = heir.accepted.passed["p0"]
    assert (inherited.bind, inherited.url) == (passed.bind, passed.url)
    assert not os.get_blocking(inherited.socket.fileno())
    assert not os.get_inheritable(inherited.socket.fileno())
    heir.close()
