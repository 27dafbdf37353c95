"""A unit of systemd (systemd.service(5)), and one for each socket that it is to be given (systemd.socket(5)).

What they say beside the settings is that of the templates in ``systemd/``, which a test compares them with.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from srvctl.errors import UsageError
from srvctl.init.plan import Plan, commented
from srvctl.init.systemd_limits import BASIC, OF_USERS, hardened
from srvctl.settings.binds import SystemdBind, all_binds

if TYPE_CHECKING:
    from collections.abc import Sequence

_FIRST_FREE_PORT: Final = 1024
_CONSOLE_ADDRESS: Final = "127.0.0.1:9100"
#: What needs no quotes (systemd.syntax(7)).
_PLAIN: Final = re.compile(r"[A-Za-z0-9_@%+=:,./?&-]+")
_NOT_IN_UNIT_NAMES: Final = re.compile(r"[^A-Za-z0-9_.-]+")
#: Versions of systemd: the first with Type=notify-reload, and with RestartSteps=.
_NOTIFY_RELOAD, _STEPS = 253, 254
#: Seconds of the watchdog, at least; it leaves the master the time to replace a worker that hangs by itself.
_WATCHDOG: Final = 60


@dataclass(frozen=True, slots=True)
class Manager:
    """The systemd that the units are for.

    Attributes:
        version: Its version; 0 where it is not known, which is taken for a new one.
        is_users: It is that of a user, and not the system's.
        is_strict: It is to take from the service whatever most applications do without.
    """

    version: int = 0
    is_users: bool = False
    is_strict: bool = False

    def knows(self, version: int) -> bool:
        """Return whether it has what came with a version."""
        return not self.version or self.version >= version


def files(plan: Plan, manager: Manager | None = None, unit: str = "") -> dict[str, str]:
    """Return the units by their names, that of the service first.

    Args:
        plan: The service.
        manager: Who runs it.
        unit: What its unit is called, without the ending; like the service, if nothing is said.

    Raises:
        UsageError: The settings and what is asked for exclude each other.
    """
    manager = manager or Manager()
    unit = unit or plan.name
    if plan.settings.workers.user is not None and (manager.is_strict or manager.is_users):
        flag = "--hardened" if manager.is_strict else "--user-unit"
        raise UsageError(f"{flag} and workers.user exclude each other: only root can become another user")
    if manager.is_strict and manager.is_users:
        raise UsageError("--hardened and --user-unit exclude each other: a user's systemd may not confine so")
    sockets = _sockets(plan, unit)
    return {f"{unit}.service": _service(plan, manager, unit, list(sockets)), **sockets}


def quoted(words: Sequence[str]) -> str:
    """Return a command line as ExecStart= takes it."""
    return " ".join(_quoted(word) for word in words)


def _quoted(word: str) -> str:
    escaped = word.replace("%", "%%").replace("$", "$$")  # specifiers and variables
    if _PLAIN.fullmatch(word):
        return escaped
    return '"' + escaped.replace("\\", "\\\\").replace('"', '\\"') + '"'


# -- the service -----------------------------------------------------------------------------------------


def _service(plan: Plan, manager: Manager, unit: str, sockets: Sequence[str]) -> str:
    folder = "%E/srvctl" if manager.is_users else "/etc/srvctl"
    lines = [
        "",
        "[Unit]",
        f"Description=srvctl instance {plan.name.replace('%', '%%')}",
        *([] if manager.is_users else ["Wants=network-online.target", "After=network-online.target"]),
        *([f"Requires={' '.join(sockets)}"] if sockets else []),
        "# Tried again for ever: how fast is said by Restart*= below.",
        "StartLimitIntervalSec=0",
        "",
        "[Service]",
        "# READY=1 when the first workers serve; `systemctl reload` returns when the new workers do.",
        *_type(manager),
        f"ExecStart={quoted([plan.program, 'run', *plan.words()])}",
        f"WorkingDirectory={plan.directory.replace('%', '%%')}",
        *(f"# Secrets are not written here; set {name} in this file." for name in plan.secrets),
        f"EnvironmentFile=-{folder}/{plan.name}.env",
        *([] if manager.is_users else _of_system(plan)),
        "",
        *_times(plan),
        "# systemd keeps the listening sockets through a crash or a restart: clients wait in the queue.",
        "FileDescriptorStoreMax=64",
        "",
        "# 2 (usage) and 78 (configuration) stay wrong until somebody edits a file.",
        "Restart=on-failure",
        "RestartPreventExitStatus=2 78",
        *_restart(manager),
        "",
        "# A worker killed for memory is replaced by the master; the others serve on.",
        "OOMPolicy=continue",
        *([] if manager.is_users else ["LimitNOFILE=65536"]),
        "",
        *_limits(plan, manager),
        "",
        "[Install]",
        f"WantedBy={'default' if manager.is_users else 'multi-user'}.target",
    ]
    return commented([f"{unit}.service, by srvctl init systemd."]) + "\n".join(lines) + "\n"


def _type(manager: Manager) -> list[str]:
    if not manager.knows(_NOTIFY_RELOAD):
        return ["Type=notify", "ExecReload=/bin/kill -HUP $MAINPID"]
    older = "# systemd before 253 does not know notify-reload; there:"
    unknown = [older, "#   Type=notify", "#   ExecReload=/bin/kill -HUP $MAINPID"]
    return [*([] if manager.version else unknown), "Type=notify-reload"]


def _restart(manager: Manager) -> list[str]:
    if not manager.knows(_STEPS):
        return ["RestartSec=2"]
    how = "# The first time at once, for the clients in the queue; then less and less often."
    older = ["# systemd before 254 knows no steps; there:", "#   RestartSec=2"]
    steps = ["RestartSec=100ms", "RestartSteps=8", "RestartMaxDelaySec=30"]
    return [how, *([] if manager.version else older), *steps]


def _of_system(plan: Plan) -> list[str]:
    """Return who it is, and what the system's service manager makes for it."""
    if plan.settings.workers.user is not None:
        who = ["# Workers become another user by themselves (workers.user), for which the master is root."]
    elif _has_low_ports(plan):
        who = [f"User={plan.user}", "AmbientCapabilities=CAP_NET_BIND_SERVICE"]
    else:
        who = [f"User={plan.user}"]
    return [
        *who,
        "# For the control socket, and for the record of deaths.",
        f"RuntimeDirectory=srvctl/{plan.name}",
        "RuntimeDirectoryPreserve=restart",
        f"StateDirectory=srvctl/{plan.name}",
    ]


def _times(plan: Plan) -> list[str]:
    watchdog = max(_WATCHDOG, math.ceil(2 * plan.settings.health.hang_timeout))
    return [
        "# Longer than timeouts.boot.",
        f"TimeoutStartSec={plan.seconds_to_start}",
        "# Longer than timeouts.drain_delay, graceful_shutdown and lifespan_shutdown together.",
        f"TimeoutStopSec={plan.seconds_to_stop()}",
        "# The master alone is asked to stop, and drains its workers; what is left then is killed.",
        "KillMode=mixed",
        "",
        "# srvctl says so four times in this while that its workers serve; silent, it is killed and started",
        "# again. Longer than health.hang_timeout.",
        f"WatchdogSec={watchdog}",
        "TimeoutAbortSec=10",
    ]


def _limits(plan: Plan, manager: Manager) -> Sequence[str]:
    if manager.is_users:
        return OF_USERS
    if not manager.is_strict:
        return BASIC
    places = [plan.program, plan.directory, plan.config]
    own = PurePath("/run/srvctl", plan.name)
    folders = [PurePath(plan.directory, bind.path).parent for bind in plan.unix]
    written = sorted({str(folder) for folder in folders if folder != own})
    return hardened(places, written, has_low_ports=_has_low_ports(plan))


def _has_low_ports(plan: Plan) -> bool:
    return any(0 < bind.port < _FIRST_FREE_PORT for bind in plan.tcp)


# -- the sockets -----------------------------------------------------------------------------------------


def _sockets(plan: Plan, unit: str) -> dict[str, str]:
    """Return a unit for each name under which systemd is to pass sockets."""
    served = list(dict.fromkeys(bind.name for bind in plan.passed))
    every = dict.fromkeys(bind.name for bind in all_binds(plan.settings) if isinstance(bind, SystemdBind))
    made: dict[str, str] = {}
    for number, name in enumerate([*served, *(name for name in every if name not in served)]):
        is_served = name in served
        address = str(plan.port + number) if is_served else _CONSOLE_ADDRESS
        further = [f"Backlog={plan.settings.server.backlog}"] if is_served else []
        file = f"{unit}.socket" if not number else f"{unit}-{_NOT_IN_UNIT_NAMES.sub('-', name)}.socket"
        if file in made:
            file = f"{unit}-{number}.socket"
        made[file] = _socket(plan, name, [f"ListenStream={address}", *further], unit)
    return made


def _socket(plan: Plan, name: str, listening: Sequence[str], unit: str) -> str:
    lines = [
        f"# systemd listens here, and passes the socket to {unit}.service under the name {name}.",
        "",
        "[Unit]",
        f"Description=Socket {name} of srvctl instance {plan.name}".replace("%", "%%"),
        "",
        "[Socket]",
        *listening,
        f"FileDescriptorName={name.replace('%', '%%')}",
        f"Service={unit}.service",
        "",
        "[Install]",
        "WantedBy=sockets.target",
    ]
    return "\n".join(lines) + "\n"
