"""The sockets that systemd passes to a service: the variables of sd_listen_fds(3).

Owns the words of the protocol; takes no descriptor and opens none that stays. The variables are taken out of
the environment that is given, so that no child inherits them.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from srvctl.errors import BindError

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

FIRST_PASSED_FD: Final = 3  # SD_LISTEN_FDS_START
_MOST_PASSED_FDS: Final = 2**20
#: sd_listen_fds_with_names(3): the name of a descriptor passed without LISTEN_FDNAMES.
_NO_NAME: Final = "unknown"


def passed_sockets(environ: MutableMapping[str, str], pid: int) -> Mapping[str, tuple[int, ...]]:
    """Return the descriptors that systemd passed to process ``pid``, by name, and remove the variables.

    Args:
        environ: The environment to read and to clean.
        pid: The caller's process; descriptors meant for another process are none of its own.

    Raises:
        BindError: The variables contradict themselves.
    """
    listen_pid = environ.pop("LISTEN_PID", "")
    count = environ.pop("LISTEN_FDS", None)
    names = environ.pop("LISTEN_FDNAMES", "")
    pidfd_id = environ.pop("LISTEN_PIDFDID", "")
    if listen_pid != str(pid) or count is None or not _is_of(pid, pidfd_id):
        return {}
    is_number = count.isascii() and count.isdecimal() and len(count) <= len(str(_MOST_PASSED_FDS))
    number = int(count) if is_number else -1
    if not 0 <= number <= _MOST_PASSED_FDS:
        raise BindError(
            f"LISTEN_FDS={count!r} is not a number of passed sockets; whoever started srvctl set it"
        )
    named = names.split(":") if names else [_NO_NAME] * number
    if len(named) != number:
        raise BindError(
            f"LISTEN_FDS={number} but LISTEN_FDNAMES={names!r} has {len(named)} names; "
            "whoever started srvctl set them"
        )
    passed: dict[str, tuple[int, ...]] = {}
    for fd, name in enumerate(named, FIRST_PASSED_FD):
        passed[name] = (*passed.get(name, ()), fd)
    return passed


def _is_of(pid: int, pidfd_id: str) -> bool:
    """Return whether a process is the one with this LISTEN_PIDFDID, and not a later one of the same number.

    systemd sets it since version 258. Since Linux 6.9 pidfds have a file system of their own, in which each
    process has another inode until the machine starts anew; before that all of them share one.
    """
    if not pidfd_id:
        return True
    try:
        opened = [os.pidfd_open(pid)]
    except (OSError, AttributeError):  # not Linux
        return True
    try:
        opened.append(os.eventfd(0))
        found, anonymous = map(os.fstat, opened)
    except OSError:
        return True
    finally:
        for fd in opened:
            os.close(fd)
    return found.st_dev == anonymous.st_dev or pidfd_id == str(found.st_ino)
