"""The names under which the service manager keeps the listening sockets that srvctl has opened. Pure.

A name says which bind the socket is for and where it listens, so that the next master knows it again:
``srvctl,BIND,PLACE``. It is what FDNAME= of sd_notify(3) may be: printable ASCII without a colon, at most 255
characters. Called by `fd_store`, which gives the names, and by `stored`, which reads them.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote

from srvctl.settings.binds import TcpBind, UnixBind

if TYPE_CHECKING:
    from srvctl.settings.binds import Bind

LONGEST: Final = 255  #: FDNAME_MAX of systemd
_FIRST: Final = "srvctl"
_SAFE: Final = "/=?&@[]"  # neither the colon, which separates names, nor the comma, which separates parts
_LONGEST_BIND: Final = 150  # of a path in another script three characters a byte would not leave room
_DIGEST: Final = "~"  # no bind begins with it
_FILE: Final = re.compile(r"([0-9]{1,20})-([0-9]{1,20})")  # 2**64 has 20 digits


def is_kept(bind: Bind) -> bool:
    """Return whether the service manager is to keep the sockets of a bind.

    Those that somebody else opened are theirs to keep; port 0 is another port at each start.
    """
    return isinstance(bind, UnixBind) or (isinstance(bind, TcpBind) and bind.port != 0)


def bind_part(bind: Bind) -> str:
    """Return what stands for a bind in the names of its sockets: itself, or its digest if it is long."""
    quoted = quote(str(bind), safe=_SAFE)
    if len(quoted) <= _LONGEST_BIND:
        return quoted
    return _DIGEST + sha256(str(bind).encode()).hexdigest()


def name_for(bind: Bind, place: str) -> str:
    """Return the name of a socket.

    Args:
        bind: What it was opened for.
        place: What tells it from the other sockets of that bind: its address, or `place_of_file`.
    """
    return f"{_FIRST},{bind_part(bind)},{quote(place, safe=_SAFE)}"


def is_name(name: str) -> bool:
    """Return whether srvctl has given a name, in this version or another."""
    return name.partition(",")[0] == _FIRST


def parts_of(name: str) -> tuple[str, str]:
    """Return the part of the bind and the place; empty ones if it is no name of this version."""
    match name.split(","):
        case [_, bind, place]:
            return bind, unquote(place)
    return "", ""


def place_of_file(device: int, inode: int) -> str:
    """Return the place of a Unix socket."""
    return f"{device}-{inode}"


def file_of_place(place: str) -> tuple[int, int] | None:
    """Return the device and the inode of a Unix socket's file; None if the place is none."""
    match = _FILE.fullmatch(place)
    return (int(match[1]), int(match[2])) if match is not None else None
