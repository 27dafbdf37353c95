"""Opens the control socket's file to the group that may look through it (``control.group``).

Owns mode and group of that file, and whether the group can reach it. What cannot be done is a sentence, never
an error: the instance serves all the same, and its owner can use the socket. Called at the start, and when
the file is made again.
"""

from __future__ import annotations

import grp
import os
import stat
from typing import TYPE_CHECKING, Final

from srvctl.supervisor.admin_roles import Group

if TYPE_CHECKING:
    from pathlib import Path

#: Connecting takes the permission to write (unix(7)).
_SHARED: Final = 0o660
_SEARCH: Final = stat.S_IXGRP | stat.S_IXOTH


def find_group(name: str | None) -> tuple[Group | None, str]:
    """Return the group of a name or number, and why there is none where one was wanted."""
    if not name:
        return None, ""
    try:
        gid = int(name) if name.isascii() and name.isdecimal() else grp.getgrnam(name).gr_gid
    except (KeyError, OSError):
        return None, f"control.group: there is no group {name!r}, so only root and the owner may look."
    return Group(gid, name), ""


def share(path: Path, group: Group, *, opens_directory: bool) -> str:
    """Let a group connect to a socket; return a sentence where it cannot.

    Args:
        path: The socket, which is ours.
        group: The group.
        opens_directory: Its directory is for nothing but sockets, so it may be made one that everybody may
            enter, and nobody may list.
    """
    try:
        os.chown(path, -1, group.gid)
        path.chmod(_SHARED)
        closed = _closed(path, group.gid)
        if opens_directory and closed == path.parent:
            closed.chmod(stat.S_IMODE(closed.stat().st_mode) | _SEARCH)
            closed = _closed(path, group.gid)
    except OSError as error:
        return (
            f"Group {group.name} cannot use the control socket {path}, only root and the owner can: "
            f"{error.strerror or error}."
        )
    if closed is not None:
        return (
            f"Group {group.name} cannot reach the control socket {path}: {closed} is closed to it; open that "
            "or have control.socket elsewhere."
        )
    return ""


def _closed(path: Path, gid: int) -> Path | None:
    """Return the directory on the way to a file that members of a group may not enter, by the modes."""
    for directory in reversed(path.parents):
        found = directory.stat()
        may = stat.S_IXGRP if found.st_gid == gid else stat.S_IXOTH
        if not found.st_mode & may:
            return directory
    return None
