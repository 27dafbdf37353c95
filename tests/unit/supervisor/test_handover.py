"""What one program leaves to the next: every part comes back as it was, and what cannot is refused."""

from __future__ import annotations

import json
import os
import random
import socket
import sys
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import srvctl
from srvctl.__main__ import HANDOVER
from srvctl.ipc.channel import ChannelError, Decoder, Hello, Ready, encode
from srvctl.ipc.scoreboard import Reading
from srvctl.ipc.shares import SIZE
from srvctl.settings.binds import TcpBind, UnixBind
from srvctl.settings.catalog import PROGRAM, catalog
from srvctl.settings.groups import LogSettings, Settings
from srvctl.settings.keeping import flat, in_force, kept
from srvctl.supervisor import handover
from srvctl.supervisor.belongings import Belongings
from srvctl.supervisor.children import Board, Lines, MoldHandle, Staff, WorkerHandle
from srvctl.supervisor.events import (
    ChannelBroken,
    Examined,
    Forked,
    MoldForked,
    MoldReady,
    SpawnFailed,
    Started,
    UpgradeAsked,
    Upgraded,
    WorkerExited,
    WorkerReady,
)
from srvctl.supervisor.fleet import Fleet
from srvctl.supervisor.generations import Generation, Generations
from srvctl.supervisor.handover import FORMAT, HandoverError, Program
from srvctl.supervisor.lifecycle import WorkerState
from srvctl.supervisor.molds import MoldState
from srvctl.supervisor.oom import OomWatch
from srvctl.supervisor.output.output import Output
from srvctl.supervisor.policy import FleetPolicy
from srvctl.supervisor.portable import unpacked
from srvctl.supervisor.roster import Health, Roster, Slot, Worker
from srvctl.supervisor.sockets import open_listeners
from srvctl.supervisor.vitals import new_board

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

POLICY = FleetPolicy(count=2, boot=30.0, drain=20.0, term=5.0, preload=True)
READING = Reading(
    beat=9.5,
    waited=0.25,
    begun=7,
    finished=5,
    cut=1,
    errors=2,
    connections=3,
    lag=0.001,
    lag_max=0.5,
    rss=2**25,
    rss_trend=(1, 2, 3),
    trend_every=4,
    takes_dumps=True,
)


def through_json(values: Any) -> Any:
    return json.loads(json.dumps(values))


# -- the state as a whole ----------------------------------------------------------------------------------


def test_a_state_is_read_as_it_was_written() -> None:
    """Of any size, wherever the file's offset is."""
    state = {**handover.head(), "descriptors": [], "text": "ä" * 3_000_000}
    fd = handover.kept(handover.encode(state))
    try:
        os.lseek(fd, 100, os.SEEK_SET)
        assert handover.decode(handover.read(fd)) == state
        assert not os.get_inheritable(fd)
    finally:
        os.close(fd)
    assert handover.missing({"descriptors": [0, fd]}) == [fd]


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b'{"speaks": 1}', b"\xff", b"[" * 100_000])
def test_what_is_no_state_is_refused(data: bytes) -> None:
    with pytest.raises(HandoverError, match="is not the state of a srvctl"):
        handover.decode(data)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"format": FORMAT + 1}, "cannot go on from 9.9; restart the service"),
        ({"speaks": {}}, r"does not understand workers of 9.9 \(channel\); restart the service"),
    ],
)
def test_another_version_that_is_too_different_is_refused(change: dict[str, Any], why: str) -> None:
    with pytest.raises(HandoverError, match=why):
        handover.decode(handover.encode({**handover.head(), "version": "9.9", **change}))


def test_fields_may_come_and_go() -> None:
    """What a newer version adds is passed over, and what it lacks has its default."""

    @dataclass
    class Thing:
        needed: int
        pair: tuple[int, ...] = ()
        names: list[str] | None = None

    assert unpacked(Thing, {"needed": 1, "new": 2}) == Thing(1)
    assert unpacked(Thing, through_json(asdict(Thing(1, (2, 3), ["a"])))) == Thing(1, (2, 3), ["a"])
    with pytest.raises(TypeError):
        unpacked(Thing, {})


# -- the program -------------------------------------------------------------------------------------------


def test_the_installed_program_is_run_by_the_names_it_was_started_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that runs by what they led to at the start; the own link of a venv is not followed."""
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "python").symlink_to(sys.executable)
    (tmp_path / "current").symlink_to("one")
    named = str(tmp_path / "current" / "python")
    monkeypatch.setattr(sys, "executable", named)
    monkeypatch.setattr(sys, "orig_argv", ["python", "-m", "srvctl", "run"])
    installed, running = Program.installed(), Program.running()
    assert (installed.executable, installed.argv) == (named, (named, "-m", "srvctl", "run"))
    assert running.executable == running.argv[0] == str((tmp_path / "one").resolve() / "python")
    home = str(Path(srvctl.__file__).resolve().parents[1])
    assert installed.environ("take-over", 7, {"A": "b"}) == {"A": "b", HANDOVER: "take-over:7"}
    assert running.environ("go-back", 7, {})["PYTHONPATH"] == home
    assert running.environ("go-back", 7, {"PYTHONPATH": "/x"})["PYTHONPATH"] == f"{home}:/x"
    for program in (installed, running):
        assert Program.restore(through_json(program.export())) == program


def test_belongings_come_along() -> None:
    """Also an abstract address, which is no text."""
    fresh = Belongings.fresh({"NOTIFY_SOCKET": "@\u00e4"}, for_others=False)
    state = through_json(fresh.export())
    heir = Belongings.inherit(state)
    assert heir.notifier.address == fresh.notifier.address == b"\0\xc3\xa4"
    assert (heir.program, heir.place, heir.fds()) == (fresh.program, fresh.place, fresh.fds())
    del state["shares"]  # an earlier srvctl has none
    other = Belongings.inherit(state)
    assert os.fstat(other.shares).st_size == SIZE
    os.close(other.shares)
    other.notifier.close()
    for fd in fresh.fds():
        os.close(fd)
    fresh.notifier.close()
    heir.notifier.close()


# -- the settings ------------------------------------------------------------------------------------------


def test_settings_stay_as_they_were() -> None:
    """Whatever is read now; what has changed is said, and what is not known any more is as it is now."""
    before = Settings()
    before = replace(
        before,
        workers=replace(before.workers, count=3),
        server=replace(before.server, bind=(":80", "unix:/s")),
        timeouts=replace(before.timeouts, boot=1.5),
    )
    values = through_json(flat(before))
    assert kept(values, before) == (before, ())
    settings, notes = kept({**values, "gone.by": 1}, Settings())
    assert settings == before
    assert notes == (
        "Settings have changed; a reload brings the new ones: server.bind, workers.count, timeouts.boot.",
    )
    settings, notes = kept({**values, "workers.count": "many"}, Settings())
    assert settings.workers.count == Settings().workers.count
    assert notes[0] == "workers.count cannot be kept as it was; it is as it is read now."
    del values["workers.count"]
    assert kept(values, Settings())[0].workers.count == Settings().workers.count


def test_every_setting_can_be_kept() -> None:
    """Its default can be written and read; none is forgotten."""
    values = through_json(flat(Settings()))
    assert list(values) == [*catalog(), PROGRAM]
    settings, notes = kept(values, Settings())
    assert not notes
    assert all(attrgetter(key)(settings) == attrgetter(key)(Settings()) for key in catalog())


def test_what_needs_a_restart_is_as_it_was_at_the_start() -> None:
    at_start = Settings()
    accepted = replace(
        at_start,
        server=replace(at_start.server, pid_file="/new", backlog=7),
        workers=replace(at_start.workers, count=9),
    )
    found = in_force(accepted, at_start)
    assert (found.server.pid_file, found.server.backlog, found.workers.count) == (None, 7, 9)


# -- the fleet ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", WorkerState)
def test_a_worker_comes_back_in_every_state(state: WorkerState) -> None:
    health = Health(READING, Examined(4, waited=0.5, is_runnable=True, pss=7), 3.0, 2, 5, 8.0, 1)
    worker = Worker(
        4, 1, 2, 0.75, state, 4711, 12.5, 1.0, None, True, "reload", "max_requests: 7 served", True, health
    )
    young = Worker(5, 0, 2, state=state)
    roster = Roster()
    for one in (worker, young):
        roster.add(one)
    roster.slot(1).failures = 3
    roster.slot(0).not_before = 99.5
    heir = Roster()
    heir.restore(through_json(roster.export()))
    assert list(heir) == [worker, young]
    assert heir.slots == {1: Slot(failures=3), 0: Slot(not_before=99.5)}


@pytest.mark.parametrize("state", MoldState)
def test_a_mold_comes_back_in_every_state(state: MoldState) -> None:
    fleet = upgrading()
    molds = fleet.state.molds
    (mold,) = molds
    mold.state, mold.pid, mold.deadline, mold.failures, mold.not_before = state, 11, 7.0, 2, 8.0
    molds._ending.add(3)
    heir = restored(fleet).state.molds
    assert list(heir) == list(molds)
    assert heir._ending == {3}


def upgrading() -> Fleet:
    """Return a fleet in the middle of an upgrade that client 7 waits for."""
    fleet = Fleet(POLICY, random.Random(1).random)
    fleet.handle(Started(), 0.0)
    fleet.handle(MoldForked(1, 11), 0.0)
    fleet.handle(MoldReady(1), 1.0)
    for number in (1, 2):
        fleet.handle(Forked(number, 100 + number), 1.0)
        fleet.handle(WorkerReady(number), 2.0)
    fleet.handle(UpgradeAsked("srvctl upgrade", client=7), 3.0)
    assert fleet.is_upgrading
    return fleet


def restored(fleet: Fleet) -> Fleet:
    return Fleet.restore(through_json(fleet.export()), POLICY, random.Random(1).random)


def test_numbers_go_on() -> None:
    """Of workers and of generations: none is given twice."""
    fleet = restored(upgrading())
    fleet.handle(Upgraded("1", "2"), 4.0)
    assert not fleet.is_upgrading
    fleet.handle(WorkerExited(1, "killed by SIGKILL"), 5.0)
    assert [worker.number for worker in fleet.state.roster] == [2, 3]
    again = restored(fleet)
    assert again.export() == fleet.export()


# -- children and sockets ----------------------------------------------------------------------------------


class Watcher:
    """The part of the poller that children need."""

    def __init__(self) -> None:
        self.children: list[object] = []
        self.watched: list[socket.socket] = []

    def watch(self, source: socket.socket, _handler: Callable[[int], object]) -> None:
        self.watched.append(source)

    def unwatch(self, source: socket.socket) -> None:
        self.watched.remove(source)

    def adopt(self, child: object) -> None:
        self.children.append(child)

    def forget(self, child: object) -> None:
        self.children.remove(child)

    def add_clock(self, _clock: object) -> None:
        pass


def a_staff() -> tuple[Staff, Watcher]:
    """Return nobody yet; what is printed goes nowhere but into the memory of it."""
    output, poller = Output(LogSettings(file=os.devnull), captures=True), Watcher()
    output.attach(poller)  # type: ignore[arg-type]
    return Staff(output), poller


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def a_child(staff: Staff, poller: Any, worker: int, pid: int | None, stack: ExitStack) -> socket.socket:
    """Return the worker's end of its channel."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    stack.enter_context(theirs)
    staff.workers[worker] = WorkerHandle(
        worker, 1, pid, Lines(ours, poller), Board(*new_board()), staff, poller
    )
    return theirs


def after_execve(staff: Staff, *, is_former: bool = False) -> tuple[Staff, Watcher]:
    """Return what the next program has: copies of the descriptors under the same numbers.

    Args:
        staff: Of the program before.
        is_former: Which is of a version that did not read what children print.
    """
    values, fds = through_json(staff.export()), staff.fds()
    for child in (*values["workers"], *values["molds"]) if is_former else ():
        del child["printed"]
    copies = {fd: os.dup(fd) for fd in fds}
    close_all(staff)
    for fd, copy in copies.items():
        os.dup2(copy, fd)
        os.close(copy)
    heir, poller = a_staff()
    heir.inherit(values, poller)  # type: ignore[arg-type]
    assert not any(os.get_inheritable(fd) for fd in fds)
    return heir, poller


def close_all(staff: Staff) -> None:
    for worker in staff.workers.values():
        worker.close()
    for mold in staff.molds.values():
        mold.close()
    staff.output.end()
    staff.output.close()


def test_half_a_message_is_completed_by_the_next_program(stack: ExitStack) -> None:
    """With what was sent and not read, in order; also of a worker whose pid is not known yet."""
    staff, poller = a_staff()
    theirs = a_child(staff, poller, 4, None, stack)
    line = encode(Hello(4711))
    theirs.send(line[:7])
    assert not list(staff.workers[4].last_words())
    theirs.send(line[7:] + encode(Ready()))
    heir, watcher = after_execve(staff)
    assert watcher.children == [heir.workers[4]]
    assert list(heir.workers[4].last_words()) == [Forked(4, 4711), WorkerReady(4)]
    close_all(heir)


def test_a_line_that_is_none_is_still_told(stack: ExitStack) -> None:
    """Good messages that came with it were told first."""
    staff, poller = a_staff()
    theirs = a_child(staff, poller, 4, 4711, stack)
    theirs.send(encode(Ready()) + b"nonsense\n")
    assert list(staff.workers[4].last_words()) == [WorkerReady(4)]
    heir, _ = after_execve(staff)
    theirs.send(b"\n")
    (broken,) = heir.workers[4].last_words()
    assert isinstance(broken, ChannelBroken)
    close_all(heir)


def test_a_channel_that_has_ended_stays_ended(stack: ExitStack) -> None:
    """And a worker that never came to be is told once, with the reason its mold gave."""
    staff, poller = a_staff()
    a_child(staff, poller, 4, 4711, stack).close()
    assert not list(staff.workers[4].last_words())
    never = a_child(staff, poller, 5, None, stack)
    staff.refuse(5, "no memory")
    never.close()
    heir, watcher = after_execve(staff)
    assert heir.workers[4].channel is None
    assert list(heir.workers[4].ended("exit code 0", 0)) == [WorkerExited(4, "exit code 0")]
    assert list(heir.workers[5].last_words()) == [SpawnFailed(5, "no memory")]
    assert watcher.children == [heir.workers[4]]
    close_all(heir)


def test_a_mold_comes_along(stack: ExitStack) -> None:
    ours, theirs = socket.socketpair()
    stack.enter_context(theirs)
    staff, poller = a_staff()
    staff.molds[3] = MoldHandle(3, 99, Lines(ours, poller), staff, poller)  # type: ignore[arg-type]
    heir, watcher = after_execve(staff)
    assert (heir.molds[3].pid, watcher.watched) == (99, [heir.molds[3].channel])
    close_all(heir)


def test_what_a_worker_prints_comes_along(stack: ExitStack) -> None:
    """Half a line is completed, and the last lines are known."""
    staff, poller = a_staff()
    a_child(staff, poller, 4, 4711, stack)
    pipes = staff.output.make_pipes()
    assert pipes is not None
    stack.callback(pipes.close_writing)
    staff.workers[4].printed = staff.output.hear(pipes.reading, 2, 4711)
    os.write(pipes.writing[1], b"one\ntw")
    list(staff.workers[4].last_words())
    staff.workers[4].printed.drain()  # type: ignore[union-attr]
    heir, _ = after_execve(staff)
    os.write(pipes.writing[1], b"o\n")
    heir.workers[4].printed.drain()  # type: ignore[union-attr]
    assert heir.workers[4].last_lines == ["one", "two"]
    close_all(heir)


def test_children_of_a_former_version_are_taken_over(stack: ExitStack) -> None:
    """They print by themselves, know no message that reopens logs, and molds are sent no pipes."""
    staff, poller = a_staff()
    theirs = a_child(staff, poller, 4, 4711, stack)
    ours, mold = socket.socketpair()
    stack.enter_context(mold)
    staff.molds[3] = MoldHandle(3, 99, Lines(ours, poller), staff, poller)  # type: ignore[arg-type]
    heir, _ = after_execve(staff, is_former=True)
    heir.reopen_logs()
    theirs.setblocking(False)
    with pytest.raises(BlockingIOError):
        theirs.recv(100)
    assert not heir.molds[3].passes_pipes
    assert all("printed" not in child for child in through_json(heir.export())["workers"])
    close_all(heir)


def test_a_decoder_goes_on_where_another_stopped() -> None:
    first = Decoder()
    assert first.feed(b'{"type": "rea') == []
    assert Decoder(first.rest).feed(b'dy"}\n') == [Ready()]
    assert first.feed(b'dy"}\n?\n') == [Ready()]
    with pytest.raises(ChannelError):
        Decoder(first.rest).feed(b"")


def test_sockets_come_along_with_their_files(tmp_path: Path) -> None:
    binds = (TcpBind("127.0.0.1", 0), UnixBind(str(tmp_path / "s"), 0o660))
    listeners = open_listeners(binds, 5)
    generations = Generations(Generation(3, Settings(), tuple(listeners)))
    values = through_json(generations.export())
    for listener in listeners:
        listener.socket.detach()
    heir = Generations.inherit(values, Settings())
    assert heir.accepted.number == 3
    assert [(one.bind, one.url, one.file) for one in heir] == [
        (one.bind, one.url, one.file) for one in listeners
    ]
    assert not any(one.socket.get_inheritable() or one.socket.getblocking() for one in heir)
    heir.close()
    assert not (tmp_path / "s").exists()


def test_a_kill_of_the_kernel_in_between_is_counted() -> None:
    watch = OomWatch()
    assert OomWatch(since=watch.seen).delta() == 0
    assert OomWatch(since=-1).delta() >= (1 if watch.files else 0)
