"""Opens the listening socket of the commands, and gives the instance the name that it can be found by.

Owns the socket's file: it appears listening, with mode 600, and never in place of one that is alive. Must not
know what is said over it. Called at the start; the socket is then `admin`'s.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from srvctl.errors import AlreadyRunning
from srvctl.ipc.control import Command, Request
from srvctl.ipc.control_client import Connection, NotReachableError
from srvctl.ipc.peers import peer_of
from srvctl.settings.instance import AUTO, control_paths, numbered
from srvctl.supervisor.control_group import find_group, share
from srvctl.supervisor.directories import first_usable
from srvctl.supervisor.listeners import UnixFile

if TYPE_CHECKING:
    from collections.abc import Mapping

    from srvctl.settings.instance import Instance
    from srvctl.supervisor.admin_roles import Group

_BACKLOG: Final = 64
_MOST_OF_ONE_NAME: Final = 100
#: Seconds for the instance that has the name to say who it is.
_TO_IDENTIFY: Final = 1.0
#: bind(2) is given the path with a suffix for the moment in which the socket does not listen yet.
_LONGEST_PATH: Final = 92


@dataclass(frozen=True, slots=True)
class ControlSocket:
    """A listening socket with a file; or none, where only parts of the instance ask (`Admin.adopt`).

    Attributes:
        listener: The socket, non-blocking and close-on-exec; None for nobody else.
        file: Its file, which is ours to remove; without a path where there is none.
        name: What the instance is called from now on.
        group: Whose members may look through it, besides the owner and root.
    """

    listener: socket.socket | None
    file: UnixFile
    name: str
    group: Group | None = None

    @classmethod
    def of_nobody(cls, name: str) -> Self:
        """Return the one that nobody can connect to."""
        return cls(None, UnixFile("", 0, 0), name)


def open_control_socket(
    instance: Instance, setting: str, environ: Mapping[str, str], uid: int, group: str | None = None
) -> tuple[ControlSocket | None, str]:
    """Return the socket, or None, and a sentence about what could not be done; no master is kept by that.

    The sentence is empty where all is as asked. Call it before any thread exists: the file is created under a
    umask of its own.

    Args:
        instance: Who wants it. If the name was not the user's choice and another instance has it, the name
            gets a number.
        setting: ``control.socket``: a path, ``auto`` or ``none``.
        environ: The environment, for the directories.
        uid: The effective user.
        group: ``control.group``: name or number of the group that may look.

    Raises:
        AlreadyRunning: Another master has the user's name or path, or runs with the same file of settings.
    """
    for number in range(1, _MOST_OF_ONE_NAME + 1):
        name = numbered(instance.name, number)
        paths = control_paths(setting, name, environ, uid, instance.config)
        path, reason = first_usable(paths, uid, is_chosen=setting != AUTO)
        if path is None:
            return None, _sentence(reason) if reason else ""
        try:
            sock, file = open_at(path)
        except AlreadyRunning as error:
            if setting != AUTO or instance.is_named or _is_same(path, instance):
                raise AlreadyRunning(
                    f"instance {name} already runs as pid {error.pid} (control socket {path}); stop it "
                    "first, or give this one another --name",
                    error.pid,
                ) from None
        except OSError as error:
            return None, _sentence(f"{path}: {error.strerror or error}")
        else:
            is_for_sockets = setting == AUTO and path.parent != Path(instance.config).parent
            shared, warning = _shared(path, group, is_for_sockets=is_for_sockets)
            return ControlSocket(sock, file, name, shared), warning
    return None, _sentence(
        f"{_MOST_OF_ONE_NAME} instances are called {instance.name}; give this one a --name"
    )


def _shared(path: Path, name: str | None, *, is_for_sockets: bool) -> tuple[Group | None, str]:
    """Open the socket to the group that is wanted; return it, and a sentence about what it cannot."""
    group, warning = find_group(name)
    if group is not None:
        warning = share(path, group, opens_directory=is_for_sockets)
    return group, warning


def open_at(path: Path) -> tuple[socket.socket, UnixFile]:
    """Listen at a path, in place of nothing or of a dead socket.

    Raises:
        AlreadyRunning: Somebody listens there.
        OSError: It cannot be done.
    """
    if len(os.fsencode(path)) > _LONGEST_PATH:
        raise OSError(errno.ENAMETOOLONG, f"the path is longer than {_LONGEST_PATH} bytes")
    hidden = path.with_name(f"{path.name}.{os.getpid()}")
    hidden.unlink(missing_ok=True)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        previous = os.umask(0o177)
        try:
            sock.bind(str(hidden))
        finally:
            os.umask(previous)
        try:
            sock.listen(_BACKLOG)
            sock.setblocking(False)
            _publish(hidden, path)
            found = path.lstat()
        finally:
            hidden.unlink(missing_ok=True)
    except BaseException:
        sock.close()
        raise
    return sock, UnixFile(str(path), found.st_dev, found.st_ino)


def is_in_place(file: UnixFile) -> bool:
    """Return whether the path of a socket's file still leads to it."""
    try:
        found = os.lstat(file.path)
    except OSError:
        return False
    return (found.st_dev, found.st_ino) == (file.device, file.inode)


def _publish(hidden: Path, path: Path) -> None:
    """Give a socket that listens already the name that others look for."""
    for is_last in (False, True):
        _clear_way(path)
        try:
            # link(2) does not replace what another master puts there meanwhile, as rename(2) would.
            path.hardlink_to(hidden)
        except FileExistsError:
            if is_last:
                raise
        else:
            return


def _clear_way(path: Path) -> None:
    """Remove a socket that nobody listens on, and nothing else.

    Raises:
        AlreadyRunning: Somebody does.
        OSError: Something else is there, or it cannot be known.
    """
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise FileExistsError(errno.EEXIST, "something else is there, not a socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            UnixFile(str(path), found.st_dev, found.st_ino).remove()
            return
        except BlockingIOError:  # alive, with a full queue
            raise AlreadyRunning("") from None
        raise AlreadyRunning("", peer_of(probe)[0])


def _is_same(path: Path, instance: Instance) -> bool:
    """Return whether the instance behind the socket runs with the same file of settings."""
    if not instance.config:
        return False
    try:
        with Connection(path, _TO_IDENTIFY) as connection:
            return connection.ask(Request(Command.IDENTIFY)).data.get("config") == instance.config
    except NotReachableError:
        return False


def _sentence(reason: str) -> str:
    return (
        f"No control socket, so srvctl reload and the like cannot reach this instance; signals can: {reason}."
    )
