"""What a service of systemd may not do (systemd.exec(5)): the lines of the templates in ``systemd/``."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: What holds for any application.
BASIC: Final = (
    "NoNewPrivileges=yes",
    "PrivateTmp=yes",
    "ProtectSystem=full",
    "ProtectControlGroups=yes",
    "ProtectHostname=yes",
    "ProtectKernelLogs=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelTunables=yes",
    "LockPersonality=yes",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
)
#: What a user's own service manager can do of that.
OF_USERS: Final = (
    "NoNewPrivileges=yes",
    "LockPersonality=yes",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
)
#: What most applications do without.
STRICT: Final = (
    "ProtectSystem=strict",
    "ProtectHome=yes",
    "PrivateDevices=yes",
    "RemoveIPC=yes",
    "UMask=0077",
    "ProtectProc=invisible",
    "PrivateUsers=yes",
    "ProtectClock=yes",
    "CapabilityBoundingSet=",
    "AmbientCapabilities=",
    "RestrictNamespaces=yes",
    "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6",
    "SystemCallArchitectures=native",
    "SystemCallFilter=@system-service",
    "SystemCallFilter=~@privileged",
    "SystemCallErrorNumber=EPERM",
    "MemoryDenyWriteExecute=yes",
)
#: What ProtectHome= hides.
_HOMES: Final = (PurePath("/home"), PurePath("/root"), PurePath("/run/user"))
_PORT_RIGHT: Final = "CAP_NET_BIND_SERVICE"


def hardened(places: Iterable[str], written: Sequence[str], *, has_low_ports: bool) -> list[str]:
    """Return both, as far as a service bears them.

    Args:
        places: Where its program, its code and its file of settings are.
        written: Directories outside of its own that it writes to.
        has_low_ports: It opens a port below 1024.
    """
    changed = {}
    if any(PurePath(place).is_relative_to(home) for place in places for home in _HOMES):
        changed["ProtectHome="] = ["ProtectHome=read-only"]
    if has_low_ports:
        # A right in a user namespace of its own opens no port of the machine's (user_namespaces(7)).
        changed["PrivateUsers="] = []
        changed["CapabilityBoundingSet="] = [f"CapabilityBoundingSet={_PORT_RIGHT}"]
        changed["AmbientCapabilities="] = []
    changed["ProtectSystem="] = ["ProtectSystem=strict", *(f"ReadWritePaths={path}" for path in written)]
    named = {line.partition("=")[0] for line in STRICT}
    basic = [line for line in BASIC if line.partition("=")[0] not in named]
    strict = (changed.get(line.partition("=")[0] + "=", [line]) for line in STRICT)
    return [*basic, *(line for lines in strict for line in lines)]
