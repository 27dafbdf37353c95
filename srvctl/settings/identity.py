"""Who a process is to be: users and groups as settings name them, looked up in the system's databases.

The look-up may ask a directory service, so the master leaves it to its children: to workers, and to the
processes beside them.
"""

from __future__ import annotations

import grp
import os
import pwd
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from srvctl.settings.process_values import parse_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from srvctl.settings.groups import WorkersSettings


@dataclass(frozen=True, slots=True)
class Identity:
    """The numbers the kernel knows; None leaves what there is.

    Attributes:
        uid: The user.
        gid: The group.
        groups: The supplementary groups.
        name: The user's name; empty for a number that has none.
        home: The user's home directory.
    """

    uid: int | None = None
    gid: int | None = None
    groups: frozenset[int] | None = None
    name: str = ""
    home: str = "/"

    def has_other_groups(self, gid: int, groups: frozenset[int]) -> bool:
        """Whether the supplementary groups differ from a process' own, in which its group may be or not."""
        if self.groups is None:
            return False
        own = {gid if self.gid is None else self.gid}
        return self.groups | own != groups | own


def of_workers(workers: WorkersSettings, uid: int) -> Identity:
    """Return who the workers are to be; as `look_up`.

    Raises:
        LookupError: There is no such user or group.
    """
    further = workers.supplementary_groups
    return look_up(workers.user, workers.group, uid, further=further, of="workers.")


def look_up(
    user: str | None,
    group: str | None,
    uid: int,
    *,
    further: Sequence[str] = (),
    of: str = "",
) -> Identity:
    """Return who a process is to be.

    By default the group is that of the user, and the supplementary groups are those the user is in. Who is
    that user already, because a service manager or a container made it so, keeps the groups it was given.

    Args:
        user: Name or number.
        group: Name or number.
        uid: Who this process is.
        further: The supplementary groups.
        of: What stands before the names of the settings in a message, such as ``workers.``.

    Raises:
        LookupError: There is no such user or group; the argument is a sentence that says what to do.
    """
    found = _user(f"{of}user", user, uid) if user is not None else Identity()
    gid, groups = found.gid, found.groups
    if group is not None:
        gid = _group(f"{of}group", group)
    if found.uid not in (None, uid):
        if gid is None:
            raise LookupError(
                f"{of}user is {found.uid}, a number without a name, so its group is unknown: "
                f"set {of}group as well."
            )
        groups = frozenset(os.getgrouplist(found.name, gid)) if found.name else frozenset()
    if further:
        groups = frozenset(_group(f"{of}supplementary_groups", name) for name in further)
    return replace(found, gid=gid, groups=groups)


def _user(setting: str, text: str, uid: int) -> Identity:
    """Return a user with its group, which does not matter for who is that user already."""
    user = parse_id(text)
    try:
        entry = pwd.getpwuid(user) if isinstance(user, int) else pwd.getpwnam(user)
    except KeyError:
        entry = None
    if entry is not None:
        gid = entry.pw_gid if entry.pw_uid != uid else None
        return Identity(entry.pw_uid, gid, name=entry.pw_name, home=entry.pw_dir)
    if isinstance(user, int):
        return Identity(user)
    raise LookupError(f"{setting} is {user}, but there is no such user: create it or name another one.")


def _group(setting: str, text: str) -> int:
    group = parse_id(text)
    if isinstance(group, int):
        return group
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        text = f"{setting} names {group}, but there is no such group: create it or name another one."
    raise LookupError(text)
