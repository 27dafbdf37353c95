"""Who may do what through the control socket: the owner and root act, members of one group look.

Pure. Called by `admin` when somebody connects and when somebody asks.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from srvctl.ipc.control import Command
from srvctl.ipc.peers import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from srvctl.ipc.peers import Peer


class Role(StrEnum):
    """What a client may do."""

    READ = "read"
    ACT = "act"


#: What each command needs. The settings tell who looks more than how the instance is, so they are not for
#: everybody who may; the log is, as it is for the group ``adm`` of many systems.
NEEDS: Final[Mapping[Command, Role]] = {
    Command.IDENTIFY: Role.READ,
    Command.STATUS: Role.READ,
    Command.METRICS: Role.READ,
    Command.LOGS: Role.READ,
    Command.EVENTS: Role.READ,
    Command.SETTINGS: Role.ACT,
    Command.RELOAD: Role.ACT,
    Command.STOP: Role.ACT,
    Command.UPGRADE: Role.ACT,
    Command.RECYCLE: Role.ACT,
    Command.SCALE: Role.ACT,
    Command.WORKER_STOP: Role.ACT,
    Command.WORKER_KILL: Role.ACT,
    Command.WORKER_DUMP: Role.ACT,
    Command.PROGRAM: Role.ACT,
}


@dataclass(frozen=True, slots=True)
class Group:
    """The group whose members may look.

    Attributes:
        gid: Its number.
        name: As the user wrote it.
    """

    gid: int
    name: str


def role_of(peer: Peer, owner: int, group: Group | None) -> Role | None:
    """Return what somebody may do; None for nothing.

    Args:
        peer: Who connected; one that the kernel does not tell of came past the mode of the socket's file,
            which lets only the owner in where there is no group.
        owner: The effective user of the master.
        group: The group that may look, if there is one.
    """
    if peer.uid in {0, owner} or (peer.uid == UNKNOWN and group is None):
        return Role.ACT
    if group is not None and (peer.uid == UNKNOWN or group.gid in peer.groups):
        return Role.READ
    return None


def turned_away(peer: Peer, owner: int, group: Group | None) -> str:
    """Return the sentence for somebody who may nothing."""
    looks = f"; members of group {group.name} may look" if group is not None else ""
    return f"user {peer.uid} may not command this instance, only root and user {owner}{looks}"


def objection(command: Command, role: Role, owner: int, group: Group | None) -> str:
    """Return why somebody of a role may not give a command; nothing if it may."""
    if role is Role.ACT or NEEDS[command] is Role.READ:
        return ""
    looks = f"members of group {group.name}" if group is not None else "this connection"
    return f"{looks} may look here, not {command}: only root and user {owner} may"
