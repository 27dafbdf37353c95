"""Finds the first directory that can be used, and makes it where that is ours to do.

Owns what a directory must be like before the master puts a socket or a file into it. Must not know what goes
into it. Called at the start, with the candidates of `srvctl.settings.instance`.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH


def first_usable(paths: Sequence[Path], uid: int, *, is_chosen: bool) -> tuple[Path | None, str]:
    """Return the first of these files whose directory can be used, and why none of them can where none can.

    A directory that is missing is made, for its owner only.

    Args:
        paths: Of files, which need not exist; best first.
        uid: Who must own a directory: the effective user.
        is_chosen: The user has named the file: its directory is taken as it is, and none is made, since it
            may be misspelt.
    """
    reasons = []
    for path in paths:
        reason = _objection(path.parent, uid, is_chosen=is_chosen)
        if not reason:
            return path, ""
        reasons.append(reason)
    return None, "; ".join(reasons)


def _objection(directory: Path, uid: int, *, is_chosen: bool) -> str:
    """Return why a directory cannot be used; nothing if it can."""
    try:
        if not is_chosen:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        is_followed = is_chosen or (uid and _is_link_of_root(directory))
        found = directory.stat() if is_followed else directory.lstat()
    except OSError as error:
        return f"{directory}: {error.strerror}"
    if not stat.S_ISDIR(found.st_mode):
        return f"{directory} is not a directory"
    if not is_chosen and found.st_uid != uid:
        return f"{directory} belongs to user {found.st_uid}, not to user {uid}"
    if not is_chosen and found.st_mode & _OTHERS_WRITE:
        return f"{directory} can be written by others (mode {stat.S_IMODE(found.st_mode):o})"
    if not os.access(directory, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        return f"{directory} cannot be written"
    return ""


def _is_link_of_root(directory: Path) -> bool:
    """Return whether it is a link to be followed: in /tmp anybody can leave one in our place.

    Those of root are systemd's, to what it keeps for a service with DynamicUser= (systemd.exec(5)).
    """
    found = directory.lstat()
    return stat.S_ISLNK(found.st_mode) and found.st_uid == 0
