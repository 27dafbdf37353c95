"""The control socket of a master, with real sockets: who may ask what, and who cannot hold it up."""

from __future__ import annotations

import errno
import json
import os
import resource
import socket
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO

import pytest

from srvctl import __version__
from srvctl.ipc.control import MAX_REQUEST, Command
from srvctl.supervisor import admin_client, admin_clients
from srvctl.supervisor.admin import Admin
from srvctl.supervisor.admin_commands import ARGUMENTS, DEADLINES
from srvctl.supervisor.admin_roles import NEEDS, Role
from srvctl.supervisor.events import (
    DumpAsked,
    Event,
    MetricsAsked,
    ProgramAsked,
    RecycleAsked,
    ReloadAsked,
    ScaleAsked,
    StatusAsked,
    StopAsked,
    UpgradeAsked,
    WorkerKillAsked,
    WorkerStopAsked,
)
from tests.support.admin import Selector, opened
from tests.support.server_waits import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ME = f"(pid {os.getpid()} of user {os.geteuid()})"


class World:
    """An admin, its poller, and a clock that stands still."""

    def __init__(self, directory: Path) -> None:
        self.now = 100.0
        self.directory = directory
        self.path = directory / "web.sock"
        self.admin = opened(directory, clock=lambda: self.now)
        assert isinstance(self.admin._poller, Selector)
        self.poller = self.admin._poller
        self.stack = ExitStack()

    def connect(self, data: bytes = b"") -> socket.socket:
        sock = self.stack.enter_context(socket.socket(socket.AF_UNIX))
        sock.settimeout(10)
        sock.connect(str(self.path))
        if data:
            sock.sendall(data)
        return sock

    def turns(self) -> list[Event]:
        """Turn until nothing is ready."""
        events: list[Event] = []
        while self.poller.selector.select(0):
            events += self.poller.turn()
        return events

    def ask(self, command: str, **args: object) -> tuple[socket.socket, list[Event]]:
        client = self.connect(line(command, **args))
        return client, self.turns()

    @property
    def clients(self) -> int:
        return len(self.admin._clients._clients)

    def close(self) -> None:
        self.stack.close()
        self.admin.close()
        self.poller.selector.close()


@pytest.fixture
def world(short_path: Path) -> Iterator[World]:
    world = World(short_path)
    yield world
    world.close()
    assert not world.path.exists()


def line(command: str, **args: object) -> bytes:
    return json.dumps({"v": 1, "command": command, "args": args}).encode() + b"\n"


def replies(sock: socket.socket) -> list[Any]:
    """What can be read without waiting, and None at the end of the connection."""
    data, has_ended = read(sock)
    return [*map(json.loads, data.splitlines()), *([None] if has_ended else [])]


def read(sock: socket.socket) -> tuple[bytes, bool]:
    """What there is now, and whether nothing more will come."""
    data = b""
    sock.setblocking(False)
    try:
        while piece := sock.recv(65536):
            data += piece
    except BlockingIOError:
        return data, False
    except ConnectionResetError:  # what we sent was not read
        pass
    finally:
        sock.settimeout(10)
    return data, True


# -- commands ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "args", "event"),
    [
        ("reload", {}, ReloadAsked(f"srvctl reload {ME}", client=1)),
        ("stop", {}, StopAsked(f"srvctl stop {ME}", immediately=False, client=1)),
        ("stop", {"immediately": True}, StopAsked(f"srvctl stop {ME}", immediately=True, client=1)),
        ("upgrade", {}, UpgradeAsked(f"srvctl upgrade {ME}", client=1)),
        ("recycle", {}, RecycleAsked(f"srvctl recycle {ME}", "all", client=1)),
        ("recycle", {"target": "slot:3"}, RecycleAsked(f"srvctl recycle {ME}", "slot:3", client=1)),
        ("recycle", {"target": "pid:77"}, RecycleAsked(f"srvctl recycle {ME}", "pid:77", client=1)),
        ("status", {}, StatusAsked(1)),
        ("metrics", {}, MetricsAsked(1)),
        ("scale", {"change": -2}, ScaleAsked(f"srvctl scale {ME}", -2, client=1)),
        ("scale", {"count": 7}, ScaleAsked(f"srvctl scale {ME}", count=7, client=1)),
        (
            "worker_stop",
            {"target": "slot:3"},
            WorkerStopAsked(f"srvctl worker stop {ME}", "slot:3", client=1),
        ),
        (
            "worker_kill",
            {"target": "pid:77"},
            WorkerKillAsked(f"srvctl worker kill {ME}", "pid:77", client=1),
        ),
        (
            "program",
            {"verb": "restart", "name": "queue"},
            ProgramAsked(f"srvctl program {ME}", "restart", "queue", client=1),
        ),
        ("worker_dump", {"target": "slot:0"}, DumpAsked(f"srvctl worker dump {ME}", "slot:0", client=1)),
    ],
)
def test_each_command_is_an_event(world: World, command: str, args: dict[str, object], event: Event) -> None:
    _, events = world.ask(command, **args)
    assert events == [event]


@pytest.mark.parametrize(
    ("command", "args", "why"),
    [
        ("reload", {"now": True}, "reload takes no argument 'now'"),
        ("stop", {"immediately": 1}, "immediately of stop is not a bool"),
        ("recycle", {"target": "slot:x"}, "the target of recycle is"),
        ("recycle", {"target": "slot:1\n"}, "the target of recycle is"),
        ("recycle", {"target": 3}, "target of recycle is not a str"),
        ("scale", {}, "scale takes a change or a count"),
        ("scale", {"change": 1, "count": 2}, "scale takes a change or a count"),
        ("scale", {"count": 0}, "the count of scale is"),
        ("worker_kill", {}, "the target of worker_kill is slot:N or pid:N"),
        ("worker_kill", {"target": "all"}, "the target of worker_kill is slot:N or pid:N"),
        ("program", {"verb": "dance", "name": "queue"}, "the verb of program is one of start, stop, restart"),
        ("program", {"name": "queue"}, "the verb of program is one of"),
        ("logs", {"lines": -1}, "lines of logs is a number from 0"),
        ("events", {"slot": 1}, "events takes no argument 'slot'"),
        ("scale", {"change": 10**9}, "the change of scale is"),
        ("scale", {"change": True}, "change of scale is not a int"),
        ("dance", {}, "there is no command 'dance'"),
    ],
)
def test_what_makes_no_sense_is_refused(
    world: World, command: str, args: dict[str, object], why: str
) -> None:
    client, events = world.ask(command, **args)
    assert events == []
    done, end = replies(client)
    assert why in done["message"]
    assert (done["ok"], done["code"], end) == (False, 5, None)
    assert done["data"].pop("reason") == ("unknown_command" if command == "dance" else "bad_request")
    assert done["data"] == {"v": 1, "version": __version__, "pid": os.getpid()}
    assert world.clients == 0


def test_another_version_is_told_which_one_is_spoken_here(world: World) -> None:
    client = world.connect(b'{"v":7,"do":"reload"}\n')
    assert world.turns() == []
    done, _ = replies(client)
    assert done["data"] == {
        "v": 1,
        "version": __version__,
        "pid": os.getpid(),
        "asked": 7,
        "reason": "bad_request",
    }


def test_progress_and_one_end(world: World) -> None:
    client, _ = world.ask("reload")
    world.admin.progress(1, "1 of 4")
    world.admin.progress(1, "2 of 4", {"done": 2, "of": 4})
    world.admin.reply(1, ok=False, message="rolled back", details="Traceback", data={"generation": 1})
    world.admin.reply(1, ok=True, message="twice")
    assert replies(client) == [
        {"type": "progress", "text": "1 of 4"},
        {"type": "progress", "text": "2 of 4", "data": {"done": 2, "of": 4}},
        {
            "type": "done",
            "ok": False,
            "code": 5,
            "message": "rolled back",
            "details": "Traceback",
            "data": {"generation": 1},
        },
    ]


def test_one_connection_serves_for_several_commands(world: World) -> None:
    client, _ = world.ask("identify")
    (done,) = replies(client)
    assert done["data"] == {
        "name": "web",
        "pid": os.getpid(),
        "version": __version__,
        "config": "",
        "app": "shop:app",
    }
    client.sendall(line("status"))
    assert world.turns() == [StatusAsked(1)]
    world.now += 5
    world.admin.reply(1, ok=True, message="", data={"workers": []})
    (done,) = replies(client)
    assert done["data"]["name"] == "web"
    assert done["data"]["workers"] == []
    assert done["data"]["uptime"] == 5


def test_a_request_before_the_last_one_is_answered_ends_the_connection(world: World) -> None:
    client = world.connect(line("reload") + line("stop"))
    assert world.turns() == [ReloadAsked(f"srvctl reload {ME}", client=1)] or world.clients == 0
    done, end = replies(client)
    assert "before the last one was answered" in done["message"]
    assert end is None


def test_a_client_that_has_gone_is_no_error(world: World) -> None:
    client, _ = world.ask("reload")
    client.close()
    world.turns()
    world.admin.progress(1, "half")
    world.admin.reply(1, ok=True, message="done")
    world.admin.reply(99, ok=True, message="never was there")
    world.admin.progress(99, "never was there")
    assert world.clients == 0


def test_one_that_sends_no_more_is_answered_all_the_same(world: World) -> None:
    """As ``nc -U`` does; and meanwhile it does not keep the master busy."""
    client, _ = world.ask("reload")
    client.shutdown(socket.SHUT_WR)
    world.turns()
    assert world.poller.selector.select(0) == []
    world.admin.reply(1, ok=True, message="done")
    done, end = replies(client)
    assert (done["message"], end) == ("done", None)


def test_who_asked_for_the_stop_sees_the_end_of_the_master(world: World) -> None:
    client, _ = world.ask("stop")
    world.admin.reply(1, ok=True, message="stopping")
    assert [reply["message"] for reply in replies(client)] == ["stopping"]
    assert world.admin.next_deadline() is None
    client.sendall(line("status"))
    world.turns()
    world.admin.close()
    assert replies(client)[-1] is None


# -- clients that would hold it up ---------------------------------------------------------------------------


def test_who_does_not_ask_within_ten_seconds_is_dropped(world: World) -> None:
    """However it spreads its bytes."""
    assert world.admin.next_deadline() is None
    client = world.connect(b"{")
    world.turns()
    assert world.admin.next_deadline() == world.now + admin_client.TO_ASK
    world.now += admin_client.TO_ASK - 1
    client.sendall(b'"v"')
    world.turns()
    world.admin.expire(world.now)
    assert world.clients == 1
    world.now += 1
    world.admin.expire(world.now)
    assert world.clients == 0
    assert replies(client) == [None]


def test_a_command_without_news_is_given_up_and_its_connection_is_free(world: World) -> None:
    """What comes of it later is not taken for the answer to the next one; news give it time again."""
    client, _ = world.ask("reload")
    within = DEADLINES[Command.RELOAD]
    assert within is not None
    assert world.admin.next_deadline() == world.now + within
    world.now += within - 1
    world.admin.progress(1, "1 of 4")
    assert world.admin.next_deadline() == world.now + within
    world.now += within
    world.admin.expire(world.now)
    done = replies(client)[1]
    assert (done["ok"], done["code"], done["data"]) == (False, 5, {"reason": "timeout"})
    assert done["message"] == "no news of reload for 600 s; it goes on, and `srvctl status` tells how far"
    assert world.admin.next_deadline() == world.now + admin_client.TO_ASK
    client.sendall(line("status"))
    assert world.turns() == [StatusAsked(2)]
    world.admin.reply(1, ok=True, message="reloaded at last")
    world.admin.reply(2, ok=True, message="running")
    assert [reply["message"] for reply in replies(client)] == ["running"]


@pytest.mark.parametrize("command", Command)
def test_every_command_has_arguments_a_deadline_and_a_role(command: Command) -> None:
    assert command in ARGUMENTS
    within = DEADLINES[command]
    assert within is None or 0 < within <= 600
    assert NEEDS[command] in set(Role)


def test_who_does_not_read_is_dropped_and_never_waited_for(world: World) -> None:
    slow, _ = world.ask("reload")
    other, _ = world.ask("reload")
    for _ in range(10):
        world.admin.progress(1, "x" * 40_000)
        world.admin.progress(2, "half")
    assert len(replies(other)) == 10
    assert world.clients == 2
    assert world.admin.next_deadline() == world.now + admin_client.TO_READ
    world.now += admin_client.TO_READ
    world.admin.expire(world.now)
    assert world.clients == 1
    assert slow.recv(10)


def test_what_is_kept_for_one_that_does_not_read_is_bounded(world: World) -> None:
    world.ask("reload")
    for _ in range(50):
        world.admin.progress(1, "x" * 40_000)
    assert world.clients == 0


def test_who_reads_slowly_gets_everything(world: World) -> None:
    client, _ = world.ask("status")
    world.admin.reply(1, ok=True, message="", data={"text": "x" * 900_000})
    received = b""
    while not received.endswith(b"\n"):
        world.now += admin_client.TO_READ - 1
        world.poller.turn()
        world.admin.expire(world.now)
        received += read(client)[0]
    assert len(json.loads(received)["data"]["text"]) == 900_000


def test_who_asks_on_and_on_is_listened_to_ten_times_a_second(world: World) -> None:
    client = world.connect(line("identify") * 20)
    world.turns()
    assert len(replies(client)) == 6
    assert world.poller.selector.select(0) == []
    for _ in range(10):
        deadline = world.admin.next_deadline()
        assert deadline is not None
        assert deadline == pytest.approx(world.now + 0.1)
        world.now = deadline
        world.admin.expire(world.now)
        world.turns()
        assert len(replies(client)) == 1
    world.now += 1
    world.admin.expire(world.now)
    world.turns()
    assert len(replies(client)) == 4
    assert world.admin.next_deadline() == world.now + admin_client.TO_ASK


def test_garbage_and_endless_lines_are_refused(world: World) -> None:
    for data in (b"GET / HTTP/1.1\r\n\r\n", b"\0\n", b"\xff\n", b"\n", b"x" * (MAX_REQUEST + 1)):
        client = world.connect(data)
        assert world.turns() == []
        done, end = replies(client)
        assert (done["ok"], end) == (False, None)
    assert world.clients == 0


def test_a_hundred_idle_clients_do_not_keep_the_next_one_out(world: World) -> None:
    for _ in range(100):
        world.connect()
        world.turns()
    assert world.clients == admin_clients.MOST_CLIENTS
    client, events = world.ask("status")
    assert events == [StatusAsked(101)]
    world.admin.reply(101, ok=True, message="")
    assert replies(client)[0]["ok"] is True


def test_a_hundred_idle_clients_drive_nobody_out_who_has_asked(world: World) -> None:
    client, _ = world.ask("identify")
    for _ in range(100):
        world.connect()
        world.turns()
    client.sendall(line("status"))
    assert world.turns() == [StatusAsked(1)]


def test_a_hundred_waiting_clients_keep_the_next_one_out(world: World) -> None:
    waiting = [world.ask("reload")[0] for _ in range(admin_clients.MOST_CLIENTS)]
    client, events = world.ask("status")
    assert events == []
    done, end = replies(client)
    assert "too many other commands are waiting" in done["message"]
    assert end is None
    waiting[10].close()  # whoever has gone makes room
    world.turns()
    assert world.ask("status")[1] == [StatusAsked(admin_clients.MOST_CLIENTS + 1)]


def test_a_thousand_connections_are_taken_a_few_at_a_time(world: World) -> None:
    for _ in range(40):
        world.connect()
    world.poller.turn()
    assert world.clients == 16
    world.turns()
    assert world.clients == 40


def test_without_descriptors_it_pauses_instead_of_spinning(world: World) -> None:
    client = world.connect(line("status"))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        assert world.poller.turn() == []
        assert world.poller.selector.select(0) == []
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert world.admin.next_deadline() == world.now + 1
    world.now += 1
    world.admin.expire(world.now)
    assert world.turns() == [StatusAsked(1)]
    assert client.fileno() > 0


def test_a_connection_that_ended_in_the_queue_is_nothing(world: World) -> None:
    world.connect().close()
    world.turns()
    assert world.clients == 0


def test_a_client_dropped_in_the_same_turn_is_not_served(world: World) -> None:
    client = world.connect()
    world.turns()
    client.sendall(line("reload"))
    ((key, mask),) = world.poller.selector.select(1)
    world.admin.expire(world.now + admin_client.TO_ASK)
    assert list(key.data(mask)) == []


# -- who may -------------------------------------------------------------------------------------------------


@contextmanager
def as_user(uid: int, path: Path) -> Iterator[BinaryIO]:
    """Connect as another user, in a child, as nobody gets root back; yield what it is answered."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(reader)
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
            with socket.socket(socket.AF_UNIX) as sock:
                sock.settimeout(20)
                try:
                    sock.connect(str(path))
                    os.write(writer, sock.recv(65536))
                except OSError as error:
                    os.write(writer, errno.errorcode[error.errno or 0].encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        yield pipe
    os.waitpid(pid, 0)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_other_users_are_refused_even_if_they_can_connect(world: World) -> None:
    world.directory.chmod(0o755)
    with as_user(65534, world.path) as answer:
        assert answer.read() == b"EACCES"
    world.path.chmod(0o666)
    with as_user(65534, world.path) as answer:
        world.poller.turn(PATIENCE)
        done = json.loads(answer.read())
    assert done["message"] == "user 65534 may not command this instance, only root and user 0"
    assert world.clients == 0


def test_the_socket_is_for_its_owner_only(world: World) -> None:
    assert world.path.lstat().st_mode & 0o777 == 0o600
    assert sorted(world.directory.iterdir()) == [world.path]


# -- its end, and its going on -------------------------------------------------------------------------------


def test_a_forked_child_that_closes_its_copies_changes_nothing(world: World) -> None:
    client, _ = world.ask("reload")
    pid = os.fork()
    if pid == 0:
        world.admin.close(unlink=False)
        os._exit(0)
    os.waitpid(pid, 0)
    assert world.path.exists()
    world.admin.reply(1, ok=True, message="still here")
    assert replies(client)[0]["message"] == "still here"
    assert world.ask("status")[1] == [StatusAsked(2)]


def test_a_file_that_was_removed_is_made_again(world: World) -> None:
    assert world.admin.renew() == ""
    client, _ = world.ask("reload")
    world.path.unlink()
    assert world.admin.renew() == ""
    assert world.ask("status")[1] == [StatusAsked(2)]
    world.admin.reply(1, ok=True, message="still here")
    assert replies(client)[0]["message"] == "still here"


def test_what_took_its_place_is_left_alone(world: World) -> None:
    world.path.unlink()
    world.path.write_text("precious")
    assert "cannot be made again: something else is there" in world.admin.renew()
    world.path.unlink()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(world.path))
        other.listen()
        assert f"is that of pid {os.getpid()} by now" in world.admin.renew()
        world.admin.close()
        assert world.path.exists()
    world.path.unlink()


def test_an_upgrade_in_place_takes_the_socket_and_all_clients_along(world: World) -> None:
    """Whoever waits for an answer, whoever is in the middle of asking, and whoever was told of the end."""
    asking = world.connect()
    asking.sendall(b'{"v": 1, "comm')
    world.turns()
    waiting, _ = world.ask("upgrade")
    stopping, _ = world.ask("stop")
    world.admin.reply(3, ok=True, message="stopping")
    state = json.loads(json.dumps(world.admin.state()))
    fds = world.admin.fds()
    assert len(fds) == 4
    # What execve(2) leaves of the old program: the descriptors.
    kept = {fd: os.dup(fd) for fd in fds}
    world.admin.close(unlink=False)
    for fd, copy in kept.items():
        os.dup2(copy, fd)
        os.close(copy)
    world.poller = Selector()
    world.admin = Admin.inherit(state, {"app": "new:app"}, world.poller, lambda: world.now)
    asking.sendall(b'and": "reload"}\n')
    assert world.turns() == [ReloadAsked(f"srvctl reload {ME}", client=1)]
    world.admin.reply(2, ok=True, message="upgraded")
    assert replies(waiting)[0]["message"] == "upgraded"
    assert [reply["message"] for reply in replies(stopping)] == ["stopping"]
    assert world.ask("status")[1] == [StatusAsked(4)]
    assert not any(os.get_inheritable(fd) for fd in world.admin.fds())
