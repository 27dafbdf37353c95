"""The user's settings, as far as a rehearsal may use them: no service that runs may be touched. Pure.

Addresses, files, sockets and servers that figures are sent to are replaced or left out; all else stays as it
is, since it is what is rehearsed. What is otherwise is said in notes, for the user to know.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from srvctl.settings.catalog import ENV_PREFIX, catalog
from srvctl.settings.keeping import flat

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from srvctl.settings.groups import Settings

ON_READY: Final = "srvctl.rehearse.inside:on_ready"
REFUSE: Final = "srvctl.rehearse.inside:refuse"
#: One free port, which only this machine reaches; reloads keep it.
_BIND: Final = "127.0.0.1:0"
#: Of a service manager, for which the rehearsal is no service.
_OF_MANAGERS: Final = (
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
    "WATCHDOG_PID",
    "LISTEN_FDS",
    "LISTEN_PID",
    "LISTEN_FDNAMES",
)
#: Groups, or keys, that are as if they were not set, and what is said where they were.
_LEFT_OUT: Final[Mapping[str, str]] = MappingProxyType(
    {
        "tls": "TLS is off: the load speaks plain HTTP",
        "proxy.protocol": "proxy.protocol is off: the load sends no PROXY header",
        "reload": "development (--reload) is off",
        "broadcast.url": "broadcast.url is left out: channels reach the workers of this instance only",
        "log.config": "log.config is left out: the rehearsal keeps its log to itself",
        "log.file": "log.file is left out: the rehearsal keeps its log to itself",
        "log.access_file": "",
        "log.format": "",
        "log.use_colors": "",
        "workers.after": "",
        "program": "programs ([[program]]) are left out: the rehearsal starts none",
        "console": "",
        "metrics": "",
        "server": "",
        "control": "",
        "ledger": "",
    }
)
_KEPT: Final = frozenset({"server.backlog", "reload.bake"})


def rehearsed(settings: Settings, folder: Path, name: str) -> tuple[dict[str, Any], list[str]]:
    """Return the values to rehearse with, by dotted key, and a sentence about each that is not the user's.

    Args:
        settings: The user's.
        folder: Where everything may be that the instance makes.
        name: What the instance is to be called.
    """
    values: dict[str, Any] = {}
    notes: list[str] = []
    for key, value in flat(settings).items():
        group = key.partition(".")[0]
        reason = _LEFT_OUT.get(key, _LEFT_OUT.get(group))
        default = catalog()[key].default if key in catalog() else []
        if reason is None or key in _KEPT:
            values[key] = value
        elif reason and value != default and reason not in notes:
            notes.append(reason)
    values |= {
        "server.bind": [_BIND],
        "server.name": name,
        "control.socket": str(folder / "control.sock"),
        "ledger.file": str(folder / "ledger"),
        "log.access_file": "/dev/null",
        "log.use_colors": False,
        "hooks.on_ready": ON_READY,
    }
    return {key: value for key, value in values.items() if value is not None}, notes


def in_groups(values: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return values as a file has them: a table for each group."""
    tables: dict[str, dict[str, Any]] = {}
    for key, value in values.items():
        group, _, name = key.partition(".")
        tables.setdefault(group, {})[name] = value
    return tables


def environment(environ: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Return the environment without settings, which would overrule those of the rehearsal's file.

    Args:
        environ: The caller's, which the application finds as well.
        folder: Where everything may be that the instance makes.
    """
    foreign = {name for setting in catalog().values() for name in setting.option.env}
    kept = {
        name: value
        for name, value in environ.items()
        if not name.upper().startswith(ENV_PREFIX) and name not in foreign and name not in _OF_MANAGERS
    }
    return {**kept, "RUNTIME_DIRECTORY": str(folder), "STATE_DIRECTORY": str(folder)}
