"""Why a master refuses, in words for who asked: mostly it is of another version than the one who asks.

Pure. Owns what is made of refusals of masters that gave no reason for programs yet. Called by
`control_client`.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from srvctl import __version__
from srvctl.errors import printable
from srvctl.ipc.control import VERSION, Command, Done, Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

#: What masters that give no reason say; nothing is said so any more.
_FORMER_WORDS: Final[Mapping[str, Reason]] = {
    "there is no command": Reason.UNKNOWN_COMMAND,
    "may not command this instance": Reason.NOT_ALLOWED,
    "other commands are waiting": Reason.BUSY,
}
_NUMBER: Final = re.compile(r"[0-9]{1,9}", re.ASCII)


def reason_of(done: Done) -> str:
    """Return why a command was not done; empty where it was."""
    if done.ok:
        return ""
    spoken = done.data.get("v", VERSION)
    if type(spoken) is int and spoken != VERSION:
        return Reason.OLDER if spoken < VERSION else Reason.NEWER
    given = done.data.get("reason")
    if isinstance(given, str):
        return printable(given[:80])
    for words, reason in _FORMER_WORDS.items():
        if words in done.message:
            return reason
    return Reason.BAD_REQUEST if "v" in done.data else Reason.FAILED


def explained(done: Done, command: Command) -> Done:
    """Return the end of a command with what another version of the master has to do with it."""
    if done.ok:
        return done
    reason = reason_of(done)
    theirs = printable(str(done.data.get("version", ""))[:80])
    message = done.message
    if reason == Reason.UNKNOWN_COMMAND:
        runs = f"the instance runs srvctl {theirs or '?'}"
        message = f"{runs}, which has no command {command}; {_cure(theirs, command)}"
    elif reason == Reason.BAD_REQUEST and theirs not in {"", __version__}:
        message = f"{message.rstrip('.')} (the instance runs srvctl {theirs}, this is {__version__})"
    return replace(done, message=message, data={**done.data, "reason": reason})


def _cure(theirs: str, command: Command) -> str:
    ours = f"this is {__version__}"
    if _numbers(theirs) > _numbers(__version__):
        return f"{ours}: use the srvctl that it was started with"
    if command is Command.UPGRADE:
        return f"{ours}: a restart brings it"
    return f"{ours}: `srvctl upgrade` brings it without a restart"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in _NUMBER.findall(version)[:3])
