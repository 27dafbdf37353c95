"""Who may do what: as a table, and with real users at a real socket."""

from __future__ import annotations

import errno
import grp
import json
import os
import socket
import stat
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from srvctl.ipc.control import Command
from srvctl.ipc.peers import UNKNOWN, Peer, who_is
from srvctl.supervisor.admin_clients import MOST_CLIENTS, MOST_OF_ONE_READER, MOST_READERS
from srvctl.supervisor.admin_roles import NEEDS, Group, Role, objection, role_of
from srvctl.supervisor.control_group import find_group, share
from srvctl.supervisor.events import ReloadAsked, StatusAsked
from tests.support.admin import Selector, opened

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from srvctl.supervisor.admin import Admin
    from srvctl.supervisor.events import Event

OWNER, MEMBER, OTHER, GID = 1000, 2000, 3000, 54321
LOOKERS = Group(GID, "lookers")
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@pytest.mark.parametrize(
    ("peer", "group", "role"),
    [
        (Peer(1, OWNER), None, Role.ACT),
        (Peer(1, 0), None, Role.ACT),
        (Peer(1, 0), LOOKERS, Role.ACT),
        (Peer(1, OWNER, frozenset({GID})), LOOKERS, Role.ACT),
        (Peer(1, MEMBER, frozenset({GID})), None, None),
        (Peer(1, MEMBER, frozenset({7, GID})), LOOKERS, Role.READ),
        (Peer(1, OTHER, frozenset({7})), LOOKERS, None),
        (Peer(0, UNKNOWN), None, Role.ACT),
        (Peer(0, UNKNOWN), LOOKERS, Role.READ),
    ],
)
def test_who_may_what(peer: Peer, group: Group | None, role: Role | None) -> None:
    assert role_of(peer, OWNER, group) == role


def test_each_command_needs_a_role() -> None:
    assert set(NEEDS) == set(Command)
    looking = {command for command in Command if not objection(command, Role.READ, OWNER, LOOKERS)}
    assert looking == {"identify", "status", "metrics", "logs", "events"}
    assert not any(objection(command, Role.ACT, OWNER, None) for command in Command)


def test_the_groups_of_the_other_side_are_known() -> None:
    one, other = socket.socketpair()
    with one, other:
        peer = who_is(one)
    assert (peer.pid, peer.uid) == (os.getpid(), os.geteuid())
    assert peer.groups == {os.getegid(), *os.getgroups()}


# -- real users ----------------------------------------------------------------------------------------------


class World:
    """An admin whose group is one that only the children of these tests are in."""

    def __init__(self, directory: Path) -> None:
        directory.chmod(0o700)
        self.path = directory / "web.sock"
        self.admin: Admin = opened(directory, group=str(GID))
        self.asked: list[Event] = []

    def answers(self, uid: int, groups: list[int], *commands: str) -> list[Any]:
        """Ask as another user, in a child, as nobody gets root back; return what it is answered."""
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                os.close(reader)
                os.write(writer, json.dumps(self._ask_as(uid, groups, commands)).encode())
            finally:
                os._exit(0)
        os.close(writer)
        os.set_blocking(reader, False)
        poller = self.admin._poller
        assert isinstance(poller, Selector)
        poller.selector.register(reader, 1)
        data = b""
        with os.fdopen(reader, "rb", buffering=0) as pipe:
            while True:
                for event in poller.turn(20):
                    self.asked.append(event)
                    assert isinstance(event, StatusAsked)
                    self.admin.reply(event.client, ok=True, message="running")
                piece = pipe.read()
                if piece == b"":
                    break
                data += piece or b""
            poller.selector.unregister(reader)
        os.waitpid(pid, 0)
        answers: list[Any] = json.loads(data)
        return answers

    def _ask_as(self, uid: int, groups: list[int], commands: tuple[str, ...]) -> list[Any]:
        os.setgroups(groups)
        os.setgid(uid)
        os.setuid(uid)
        answers = []
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(20)
            try:
                sock.connect(str(self.path))
                file = sock.makefile("rb")
                for command in commands:
                    with suppress(BrokenPipeError):  # turned away already
                        sock.sendall(json.dumps({"v": 1, "command": command}).encode() + b"\n")
                    answers.append(json.loads(file.readline()))
            except OSError as error:
                answers.append(errno.errorcode[error.errno or 0])
        return answers

    def close(self) -> None:
        self.admin.close()
        assert isinstance(self.admin._poller, Selector)
        self.admin._poller.selector.close()


@pytest.fixture
def world(short_path: Path) -> Iterator[World]:
    world = World(short_path)
    yield world
    world.close()


@AS_ROOT
def test_members_look_and_do_not_act(world: World) -> None:
    found = world.path.stat()
    assert (stat.S_IMODE(found.st_mode), found.st_gid) == (0o660, GID)
    identify, status, reload, settings = world.answers(
        MEMBER, [7, GID], "identify", "status", "reload", "settings"
    )
    assert identify["data"]["name"] == "web"
    assert status["message"] == "running"
    assert reload["message"] == "members of group 54321 may look here, not reload: only root and user 0 may"
    assert (reload["code"], reload["data"]) == (5, {"reason": "not_allowed"})
    assert settings["data"] == {"reason": "not_allowed"}
    assert [type(event) for event in world.asked] == [StatusAsked]


@AS_ROOT
def test_nobody_else_looks(world: World) -> None:
    assert world.answers(OTHER, [7], "status") == ["EACCES"]
    world.path.chmod(0o666)
    (done,) = world.answers(OTHER, [7], "status")
    assert done["message"] == (
        "user 3000 may not command this instance, only root and user 0; members of group 54321 may look"
    )
    assert done["data"] == {"reason": "not_allowed"}
    assert world.asked == []


@AS_ROOT
def test_members_do_not_keep_the_owner_out(world: World) -> None:
    """However many they are: each has a few places, all of them have some, and the rest is the owner's."""
    children = []
    gate, release = os.pipe()
    for uid in range(MEMBER, MEMBER + 5):
        ready, told = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                os.setgroups([GID])
                os.setuid(uid)
                socks = [socket.socket(socket.AF_UNIX) for _ in range(MOST_OF_ONE_READER + 2)]
                for sock in socks:
                    sock.connect(str(world.path))
                    sock.sendall(b'{"v": 1, "command": "status"}\n')
                os.write(told, b"x")
                os.close(release)
                os.read(gate, 1)
            finally:
                os._exit(0)
        os.close(told)
        children.append(pid)
        with os.fdopen(ready, "rb") as pipe:
            assert pipe.read(1) == b"x"
        poller = world.admin._poller
        assert isinstance(poller, Selector)
        while poller.selector.select(0):
            poller.turn()
        assert len(world.admin._clients._clients) == min(
            (uid - MEMBER + 1) * MOST_OF_ONE_READER, MOST_READERS
        )
    with socket.socket(socket.AF_UNIX) as owner:
        owner.connect(str(world.path))
        owner.sendall(b'{"v": 1, "command": "reload"}\n')
        assert isinstance(poller, Selector)
        events = [*poller.turn(), *poller.turn()]
        assert [type(event) for event in events] == [ReloadAsked]
    assert MOST_READERS < MOST_CLIENTS
    os.close(gate)
    os.close(release)
    for pid in children:
        os.waitpid(pid, 0)


@AS_ROOT
def test_a_file_that_is_made_again_is_the_groups_again(world: World) -> None:
    world.path.unlink()
    assert world.admin.renew() == ""
    assert world.answers(MEMBER, [GID], "identify")[0]["ok"] is True


# -- the file ------------------------------------------------------------------------------------------------


def test_the_group_is_found_by_name_or_number() -> None:
    mine = grp.getgrgid(os.getegid())
    assert find_group(mine.gr_name) == (Group(mine.gr_gid, mine.gr_name), "")
    assert find_group("54321") == (Group(54321, "54321"), "")
    assert find_group(None) == (None, "")
    group, warning = find_group("no-such-group")
    assert group is None
    assert warning == "control.group: there is no group 'no-such-group', so only root and the owner may look."


def test_a_way_that_is_closed_to_the_group_is_a_warning(short_path: Path) -> None:
    """Only a directory for sockets alone is opened, and nobody may list it then."""
    short_path.chmod(0o711)
    closed = short_path / "closed"
    closed.mkdir(mode=0o700)
    path = closed / "web.sock"
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))
        group = Group(os.getegid(), "mine")
        assert f"{closed} is closed to it" in share(path, group, opens_directory=False)
        assert share(path, group, opens_directory=True) == ""
    assert stat.S_IMODE(closed.stat().st_mode) == 0o711
    assert "No such file" in share(closed / "none", group, opens_directory=False)
