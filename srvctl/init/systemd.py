"""A unit of systemd, and one for its sockets where it is to be given them (systemd.service(5)).

What it says beside the settings is that of ``systemd/srvctl@.service``, which a test compares it with.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from srvctl.init.plan import Plan, commented

if TYPE_CHECKING:
    from collections.abc import Sequence

_FIRST_FREE_PORT: Final = 1024
#: What needs no quotes (systemd.syntax(7)).
_PLAIN: Final = re.compile(r"[A-Za-z0-9_@%+=:,./?&-]+")
_HARDENING: Final = (
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


def files(plan: Plan) -> dict[str, str]:
    """Return the units by their names, that of the service first."""
    made = {f"{plan.name}.service": _service(plan)}
    if plan.passed:
        made[f"{plan.name}.socket"] = _socket(plan)
    return made


def quoted(words: Sequence[str]) -> str:
    """Return a command line as ExecStart= takes it."""
    return " ".join(_quoted(word) for word in words)


def _quoted(word: str) -> str:
    escaped = word.replace("%", "%%").replace("$", "$$")  # specifiers and variables
    if _PLAIN.fullmatch(word):
        return escaped
    return '"' + escaped.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _service(plan: Plan) -> str:
    settings = plan.settings
    changes_user = settings.workers.user is not None
    low = [bind.port for bind in plan.tcp if 0 < bind.port < _FIRST_FREE_PORT]
    head = [
        f"For /etc/systemd/system/{plan.name}.service; then:",
        f"systemctl daemon-reload && systemctl enable --now {plan.name}",
        *([f"Secrets are not written here; set {name} in the EnvironmentFile." for name in plan.secrets]),
    ]
    identity = (
        ["# Workers become another user by themselves (workers.user), for which the master is root."]
        if changes_user
        else [f"User={plan.user}"]
    )
    ports = ["AmbientCapabilities=CAP_NET_BIND_SERVICE"] if low and not changes_user else []
    lines = [
        "",
        "[Unit]",
        f"Description=srvctl instance {plan.name.replace('%', '%%')}",
        "Wants=network-online.target",
        "After=network-online.target",
        *([f"Requires={plan.name}.socket"] if plan.passed else []),
        "",
        "[Service]",
        "# READY=1 when the first workers serve; `systemctl reload` returns when the new workers do.",
        "# systemd before 253 does not know notify-reload; there:",
        "#   Type=notify",
        "#   ExecReload=/bin/kill -HUP $MAINPID",
        "Type=notify-reload",
        f"ExecStart={quoted([plan.program, 'run', *plan.words()])}",
        f"WorkingDirectory={plan.directory.replace('%', '%%')}",
        f"EnvironmentFile=-/etc/srvctl/{plan.name}.env",
        *identity,
        *ports,
        "# For the control socket, and for the record of deaths.",
        f"RuntimeDirectory=srvctl/{plan.name}",
        "StateDirectory=srvctl",
        "",
        "# Longer than timeouts.boot.",
        f"TimeoutStartSec={plan.seconds_to_start}",
        "# Longer than timeouts.drain_delay, graceful_shutdown and lifespan_shutdown together.",
        f"TimeoutStopSec={plan.seconds_to_stop()}",
        "# The master alone is asked to stop, and drains its workers; what is left then is killed.",
        "KillMode=mixed",
        "",
        "# 2 (usage) and 78 (configuration) stay wrong until somebody edits a file.",
        "Restart=on-failure",
        "RestartSec=2",
        "RestartPreventExitStatus=2 78",
        "",
        "# A worker killed for memory is replaced by the master; the others serve on.",
        "OOMPolicy=continue",
        "LimitNOFILE=65536",
        "",
        *_HARDENING,
        "",
        "[Install]",
        "WantedBy=multi-user.target",
    ]
    return commented(head) + "\n".join(lines) + "\n"


def _socket(plan: Plan) -> str:
    names = list(dict.fromkeys(bind.name for bind in plan.passed))
    head = [f"systemd listens, and passes the socket to {plan.name}.service under this name."]
    if len(names) > 1:
        head.append(f"The names {', '.join(names[1:])} need a unit each, with Service={plan.name}.service.")
    lines = [
        "",
        "[Unit]",
        f"Description=Socket of srvctl instance {plan.name.replace('%', '%%')}",
        "",
        "[Socket]",
        f"ListenStream={plan.port}",
        f"FileDescriptorName={names[0].replace('%', '%%')}",
        f"Backlog={plan.settings.server.backlog}",
        "",
        "[Install]",
        "WantedBy=sockets.target",
    ]
    return commented(head) + "\n".join(lines) + "\n"
