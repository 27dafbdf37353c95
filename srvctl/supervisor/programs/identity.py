"""What a process beside the workers does to be somebody else, before it is its program. Called by `child`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from srvctl.ipc.capabilities import drop_capabilities
from srvctl.supervisor.programs.given import CannotRunError

if TYPE_CHECKING:
    from srvctl.settings.identity import Identity


def take_on(identity: Identity) -> None:
    """Become that: groups, then the group, then the user, for each needs what the next gives away.

    Raises:
        CannotRunError: The kernel refuses.
    """
    try:
        if identity.groups is not None:
            os.setgroups(sorted(identity.groups))
        if identity.gid not in (None, os.getegid()):
            os.setgid(identity.gid)
        if identity.uid is not None:
            os.setuid(identity.uid)
            if identity.uid:
                drop_capabilities()
    except OSError as error:
        raise CannotRunError(
            f"user {os.geteuid()}, whom srvctl runs as, may not become another user or group "
            f"({error.strerror}): start srvctl as root, or leave out user and group"
        ) from None
