"""What a process beside the workers is given: its environment, and which descriptors it finds where. Pure.

Called by `hands`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from srvctl.listen_fds import FIRST_PASSED_FD
from srvctl.settings.binds import SystemdBind
from srvctl.settings.program_values import notify_fd

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from srvctl.settings.binds import Bind
    from srvctl.settings.groups import ProgramSettings

#: What begins so is between srvctl and whoever started it: its settings, with their secrets, what systemd
#: wants to hear (sd_notify(3)), what it passed (sd_listen_fds(3)), and its watchdog (sd_watchdog_enabled(3)).
_OWN: Final = ("SRVCTL_", "NOTIFY_SOCKET", "LISTEN_", "WATCHDOG_")


class CannotRunError(Exception):
    """A process cannot be started; the text is one line that says why, without a full stop."""


@dataclass(frozen=True, slots=True)
class Given:
    """All of it.

    Attributes:
        command: The program and its arguments.
        environ: Its environment, but LISTEN_PID, which is not known before it is there.
        chosen: The variables that the settings name: nobody else may say what is in them.
        directory: Where it runs; None for where srvctl does.
        user: Who it is to be; None for who srvctl is.
        group: The same for its group.
        fds: Our descriptors, by the numbers they have there.
    """

    command: tuple[str, ...]
    environ: Mapping[str, str]
    chosen: frozenset[str]
    directory: str | None
    user: str | None
    group: str | None
    fds: Mapping[int, int]


def given(
    program: ProgramSettings,
    index: int,
    environ: Mapping[str, str],
    *,
    passed: Sequence[tuple[Bind, int]] = (),
    streams: tuple[int, int, int],
    notify: str = "",
    ready_pipe: int | None = None,
) -> Given:
    """Return what a process of a program is given.

    Args:
        program: Its settings.
        index: Which of its processes.
        environ: The environment of srvctl.
        passed: What it is to accept on: addresses and descriptors.
        streams: What becomes its stdin, stdout and stderr.
        notify: Where it can say that it is ready, as NOTIFY_SOCKET has it; empty for nowhere.
        ready_pipe: What it is to write a line to when it is ready.

    Raises:
        CannotRunError: Two things would have the same number.
    """
    fds = dict(enumerate(streams)) | dict(enumerate((fd for _, fd in passed), FIRST_PASSED_FD))
    wanted = notify_fd(program.ready)
    if wanted is not None and ready_pipe is not None:
        if wanted in fds:
            last = max(fds)
            raise CannotRunError(
                f"ready is fd:{wanted}, but 0 to {last} are its streams and the sockets it is passed; "
                f"write fd:{last + 1} or more"
            )
        fds[wanted] = ready_pipe
    chosen = dict(_pair(text) for text in program.environment)
    own = {"SRVCTL_PROGRAM": program.name, "SRVCTL_PROGRAM_INDEX": str(index)}
    if passed:
        own["LISTEN_FDS"] = str(len(passed))
        own["LISTEN_FDNAMES"] = ":".join(names_of((bind for bind, _ in passed), program.name))
    if notify:
        own["NOTIFY_SOCKET"] = notify
    others = {name: value for name, value in environ.items() if not name.startswith(_OWN)}
    return Given(
        command=program.command,
        environ={**others, **chosen, **own},
        chosen=frozenset(chosen),
        directory=program.directory,
        user=program.user,
        group=program.group,
        fds=fds,
    )


def names_of(binds: Iterable[Bind], program: str) -> list[str]:
    """Return a name for each socket, for LISTEN_FDNAMES.

    It is the one systemd gave it, or else that of the program: an address cannot be one, because a name has
    no colon (sd_listen_fds_with_names(3)).
    """
    return [bind.name if isinstance(bind, SystemdBind) else program for bind in binds]


def label_of(program: ProgramSettings, index: int) -> str:
    """Return what people call one of its processes."""
    return f"{program.name}:{index}" if program.count > 1 else program.name


def _pair(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name, value
