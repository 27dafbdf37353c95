"""Where the control sockets of instances are, for who looks for one: those of our own, and those of services.

Owns which directories are looked into, and which are not trusted. Asks nobody. Called by `instances`.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from srvctl.settings.instance import SOCKET_SUFFIX, SYSTEM_RUNTIME, runtime_directories

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Sockets:
    """What was found.

    Attributes:
        paths: The sockets, in the order in which instances choose their places.
        closed: Directories that may not be looked into by this user.
    """

    paths: tuple[Path, ...]
    closed: tuple[Path, ...] = ()


def every_socket(environ: Mapping[str, str]) -> Sockets:
    """Return every control socket in the usual places."""
    found: dict[Path, None] = {}
    closed = []
    for directory in directories(environ):
        try:
            paths = sorted(path for path in directory.iterdir() if path.name.endswith(SOCKET_SUFFIX))
        except PermissionError:
            closed.append(directory)
            continue
        except OSError:
            continue
        found |= dict.fromkeys(path for path in paths if _is_socket(path))
    return Sockets(tuple(found), tuple(closed))


def sockets_of(name: str, environ: Mapping[str, str], beside: Path | None = None) -> Sockets:
    """Return the control sockets of one name.

    Args:
        name: The instance's, as part of a file's name.
        environ: The environment, for the usual places.
        beside: A file of settings, whose directory is looked into as well.
    """
    places = directories(environ)
    if beside is not None:
        places = list(dict.fromkeys([*places, beside.absolute().parent]))
    found, closed = [], []
    for directory in places:
        path = directory / (name + SOCKET_SUFFIX)
        try:
            if stat.S_ISSOCK(path.stat().st_mode):
                found.append(path)
        except PermissionError:
            closed.append(directory)
        except OSError:
            continue
    return Sockets(tuple(found), tuple(closed))


def directories(environ: Mapping[str, str]) -> list[Path]:
    """Return the directories to look into: those of our own instances, and those of services."""
    uid = os.geteuid()
    ours = [path for path in runtime_directories(environ, uid) if is_trusted(path, uid)]
    try:
        services = sorted(path for path in SYSTEM_RUNTIME.iterdir() if path.is_dir())
    except OSError:
        services = []
    return list(dict.fromkeys([*ours, SYSTEM_RUNTIME, *services]))


def _is_socket(path: Path) -> bool:
    try:
        return stat.S_ISSOCK(path.stat().st_mode)
    except OSError:  # gone meanwhile
        return False


def is_trusted(directory: Path, uid: int) -> bool:
    """Return whether nobody but us and root could have made it: in /tmp anybody may take our place.

    Args:
        directory: The directory; one that is not there is.
        uid: The effective user.
    """
    try:
        return directory.lstat().st_uid in {uid, 0}
    except OSError:
        return True  # to be named where nothing is found
