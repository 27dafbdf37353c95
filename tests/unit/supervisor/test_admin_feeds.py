"""Clients that read a feed through the control socket: at their speed, and never at the master's cost."""

from __future__ import annotations

import json
import os
import socket
from typing import TYPE_CHECKING, Any

import pytest

from srvctl.ipc.control import Command
from srvctl.supervisor import admin_client
from srvctl.supervisor.admin import Admin
from srvctl.supervisor.admin_clients import MOST_CLIENTS
from srvctl.supervisor.admin_feeds import MOST_FOLLOWERS
from srvctl.supervisor.admin_roles import Role
from srvctl.supervisor.events import ReloadAsked, StatusAsked
from srvctl.supervisor.feeds import Feed
from tests.support.admin import Selector, opened

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from srvctl.supervisor.events import Event

ROOM = 1_000_000


class World:
    """An admin with two feeds, and a clock that stands still."""

    def __init__(self, directory: Path) -> None:
        self.now = 100.0
        self.path = directory / "web.sock"
        self.log, self.events = Feed(ROOM), Feed(ROOM)
        self.admin = opened(
            directory,
            clock=lambda: self.now,
            feeds={Command.LOGS: self.log, Command.EVENTS: self.events},
            settings=lambda: {"workers.count": 4},
        )
        self.sockets: list[socket.socket] = []

    def connect(self, command: str, **args: object) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX)
        self.sockets.append(sock)
        sock.connect(str(self.path))
        sock.sendall(line(command, **args))
        sock.setblocking(False)
        return sock

    def turn(self) -> list[Event]:
        """What a turn of the master's loop does, and time enough for the next look for news."""
        events: list[Event] = []
        poller = self.admin._poller
        assert isinstance(poller, Selector)
        while poller.selector.select(0):
            before = len(self.admin._clients._clients)
            events += poller.turn()
            if len(self.admin._clients._clients) == before and not events:
                break
        self.now += 0.02
        self.admin.expire(self.now)
        return events

    def ask(self, command: str, **args: object) -> socket.socket:
        sock = self.connect(command, **args)
        self.turn()
        self.turn()
        return sock

    def close(self) -> None:
        for sock in self.sockets:
            sock.close()
        self.admin.close()
        assert isinstance(self.admin._poller, Selector)
        self.admin._poller.selector.close()


@pytest.fixture
def world(short_path: Path) -> Iterator[World]:
    world = World(short_path)
    yield world
    world.close()


def line(command: str, **args: object) -> bytes:
    return json.dumps({"v": 1, "command": command, "args": args}).encode() + b"\n"


def read(sock: socket.socket) -> list[Any]:
    """What came, as far as whole lines go, and None at the end of the connection."""
    data = b""
    try:
        while piece := sock.recv(65536):
            data += piece
    except BlockingIOError:
        return [json.loads(line) for line in data.split(b"\n")[:-1]]
    except ConnectionResetError:  # what we sent was not read
        pass
    return [*map(json.loads, data.splitlines()), None]


def numbers(replies: list[Any]) -> list[Any]:
    return [reply["data"].get("n", reply["data"].get("left_out")) for reply in replies]


def test_the_last_lines_and_the_end(world: World) -> None:
    for number in range(5):
        world.log.push({"n": number, "slot": number % 2})
    *items, done = read(world.ask("logs", lines=2))
    assert numbers(items) == [3, 4]
    assert items[0] == {"type": "progress", "text": "", "data": {"n": 3, "slot": 1}}
    assert (done["type"], done["ok"]) == ("done", True)
    *items, done = read(world.ask("logs", lines=9, slot=0))
    assert numbers(items) == [0, 2, 4]
    assert [reply["ok"] for reply in read(world.ask("events"))] == [True]


def test_a_connection_serves_for_more_after_that(world: World) -> None:
    client = world.ask("events")
    read(client)
    client.sendall(line("status"))
    assert world.turn() == [StatusAsked(1)]


def test_followers_get_what_comes_together(world: World) -> None:
    world.events.push({"n": 1})
    first, second = world.ask("events", last=1, follow=True), world.ask("events", last=0, follow=True)
    assert numbers(read(first)) == [1]
    assert world.admin.next_deadline() is None
    world.events.push({"n": 2})
    world.events.push({"n": 3})
    deadline = world.admin.next_deadline()
    assert deadline is not None
    assert deadline <= world.now + 0.02
    world.turn()
    assert numbers(read(first)) == numbers(read(second)) == [2, 3]
    assert world.admin.next_deadline() is None


def test_a_follower_that_does_not_read_loses_items_and_is_told_how_many(world: World) -> None:
    """And it is not dropped: it may be a pager whose reader has gone for lunch."""
    slow, quick = world.ask("logs", lines=0, follow=True), world.ask("logs", lines=0, follow=True)
    heard = []
    for number in range(5000):
        world.log.push({"n": number, "line": "x" * 400})
        if number % 50 == 0:
            world.turn()
            heard += numbers(read(quick))
    world.turn()
    heard += numbers(read(quick))
    assert heard == list(range(5000))
    client = world.admin._clients.get(1)
    assert client is not None
    assert len(client._unsent) <= 128 * 1024
    world.now += 10 * admin_client.TO_READ
    world.admin.expire(world.now)
    late = b""
    while True:
        try:
            late += slow.recv(65536)
        except BlockingIOError:
            world.turn()
            if world.admin.next_deadline() is None:
                break
    items = [json.loads(item)["data"] for item in (late + rest(slow)).splitlines()]
    left_out = sum(item["left_out"] for item in items if "left_out" in item)
    got = [item["n"] for item in items if "n" in item]
    assert left_out > 100
    assert left_out + len(got) == 5000
    assert got == sorted(got)
    assert got[-1] == 4999


def rest(sock: socket.socket) -> bytes:
    data = b""
    try:
        while piece := sock.recv(65536):
            data += piece
    except BlockingIOError:
        pass
    return data


def test_who_reads_to_an_end_and_does_not_read_is_dropped(world: World) -> None:
    for number in range(1000):
        world.log.push({"n": number, "line": "x" * 1000})
    world.ask("logs", lines=1000)
    for _ in range(20):
        world.turn()
    assert [client.has_unsent for client in world.admin._clients] == [True]
    world.now += admin_client.TO_READ + 1
    world.admin.expire(world.now)
    assert list(world.admin._clients) == []


def test_followers_have_half_of_the_places(world: World) -> None:
    for _ in range(MOST_FOLLOWERS):
        world.ask("logs", lines=0, follow=True)
    client = world.ask("events", last=0, follow=True)
    (done,) = read(client)
    assert done["data"] == {"reason": "busy"}
    client.sendall(line("events"))
    world.turn()
    assert [reply["ok"] for reply in read(client)] == [True]


def test_followers_that_do_not_read_make_room_for_others(world: World) -> None:
    for number in range(MOST_CLIENTS):
        if number < MOST_FOLLOWERS:
            world.ask("logs", lines=0, follow=True)
        else:
            world.ask("reload")
    client = world.ask("identify")
    assert [reply["data"]["reason"] for reply in read(client) if reply is not None] == ["busy"]
    for number in range(2000):
        world.log.push({"n": number, "line": "x" * 400})
        if number % 100 == 0:
            world.turn()
    assert read(world.ask("identify"))[0]["ok"] is True


def test_a_follower_that_sends_no_more_has_left(world: World) -> None:
    """It could have gone altogether, and nobody would know before the next line."""
    follower = world.ask("logs", follow=True)
    follower.shutdown(socket.SHUT_WR)
    world.turn()
    assert read(follower) == [None]


def test_the_end_of_the_instance_is_told(world: World) -> None:
    client = world.ask("events", last=0, follow=True)
    world.events.push({"n": 1})
    world.admin.close()
    item, done, end = read(client)
    assert item["data"] == {"n": 1}
    assert (done["ok"], done["message"], end) == (True, "The instance has stopped.", None)


def test_a_forked_child_tells_followers_nothing(world: World) -> None:
    client = world.ask("events", last=0, follow=True)
    world.events.push({"n": 1})
    pid = os.fork()
    if pid == 0:
        world.admin.close(unlink=False)
        os._exit(0)
    os.waitpid(pid, 0)
    assert read(client) == []
    world.turn()
    assert numbers(read(client)) == [1]


def test_what_an_instance_does_not_keep_is_refused(short_path: Path) -> None:
    world = World(short_path / ".")
    world.admin._feeds._feeds = {}
    world.admin._settings = None
    for command in ("logs", "events", "settings"):
        (done,) = read(world.ask(command))
        assert (done["ok"], done["data"]) == (False, {"reason": "failed"})
    world.close()


def test_settings_are_told(world: World) -> None:
    assert read(world.ask("settings"))[0]["data"] == {"values": {"workers.count": 4}}


def test_an_own_part_may_be_silent_and_takes_no_place(world: World) -> None:
    """As the console is; it may do what its role allows, however many others there are."""
    pairs = [socket.socketpair() for _ in range(2)]
    world.sockets += [mine for mine, _ in pairs]
    (looking, first), (acting, second) = pairs
    assert world.admin.adopt(first, "the console", Role.READ) == 1
    world.admin.adopt(second, "the console", Role.ACT)
    for _ in range(2 * MOST_CLIENTS):
        world.ask("events", follow=True)
    world.now += 10**6
    world.admin.expire(world.now)
    for sock in (looking, acting):
        sock.setblocking(False)
        sock.sendall(line("reload"))
    assert world.turn() == [ReloadAsked("srvctl reload (the console)", client=2)]
    (done,) = read(looking)
    assert (
        done["message"] == f"this connection may look here, not reload: only root and user {os.geteuid()} may"
    )
    assert done["data"] == {"reason": "not_allowed"}
    looking.sendall(line("status"))
    assert world.turn() == [StatusAsked(1)]


def test_an_upgrade_in_place_takes_feeds_and_followers_along(world: World) -> None:
    for number in range(3):
        world.events.push({"n": number})
    follower = world.ask("events", last=1, follow=True)
    pair = socket.socketpair()
    world.sockets.append(pair[0])
    own = world.admin.adopt(pair[1], "the console", Role.READ)
    state = json.loads(json.dumps(world.admin.state()))
    kept = {fd: os.dup(fd) for fd in world.admin.fds()}
    world.admin.close(unlink=False)
    for fd, copy in kept.items():
        os.dup2(copy, fd)
        os.close(copy)
    events = Feed(ROOM)
    world.admin = Admin.inherit(
        state, {}, Selector(), lambda: world.now, feeds={Command.EVENTS: events, Command.LOGS: Feed(ROOM)}
    )
    events.push({"n": 3})
    world.turn()
    assert numbers(read(follower)) == [2, 3]
    assert numbers(read(world.ask("events"))[:-1]) == [0, 1, 2, 3]
    client = world.admin._clients.get(own)
    assert client is not None
    assert (client.guest.role, client.guest.is_own, client.deadline) == (Role.READ, True, None)


def test_a_follower_of_what_the_next_program_does_not_keep_ends(world: World) -> None:
    follower = world.ask("events", follow=True)
    state = json.loads(json.dumps(world.admin.state()))
    kept = {fd: os.dup(fd) for fd in world.admin.fds()}
    world.admin.close(unlink=False)
    for fd, copy in kept.items():
        os.dup2(copy, fd)
        os.close(copy)
    world.admin = Admin.inherit(state, {}, Selector(), lambda: world.now)
    assert read(follower) == [None]
