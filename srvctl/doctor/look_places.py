"""Looks whether files can be written, who has the addresses, and how long certificates are valid."""

from __future__ import annotations

import os
import stat
import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from srvctl.doctor.facts import Address, Certificate, Place, Places
from srvctl.settings.binds import Bind, TcpBind, UnixBind, binds_of
from srvctl.settings.instance import AUTO, control_paths, ledger_paths
from srvctl.supervisor.directories import first_usable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from srvctl.settings.groups import Settings, WorkersSettings
    from srvctl.settings.service import Service

_STREAM: Final = "-"
_NOT_FILES: Final = ("syslog", "journald")
_LOCAL: Final = ("127.", "::1", "localhost")
_PER_DAY: Final = 86400.0
_EVERYBODY: Final = stat.S_IWOTH
#: Names of the processes of a srvctl (`srvctl.ipc.naming`), and of Python's, which may be one.
_OURS: Final = "srvctl"


def places(service: Service, environ: Mapping[str, str], uid: int) -> Places:
    """Return where files will be."""
    settings, name = service.settings, service.instance.name
    return Places(
        control=_first(
            control_paths(settings.control.socket, name, environ, uid),
            uid,
            is_chosen=settings.control.socket != AUTO,
        ),
        ledger=_first(
            ledger_paths(settings.ledger.file, name, environ, uid),
            uid,
            is_chosen=settings.ledger.file != AUTO,
        ),
        pid_file=_file(settings.server.pid_file),
        log=_file(settings.log.file),
        access_log=_file(settings.log.access_file) if settings.log.access else None,
    )


def _first(paths: Sequence[Path], uid: int, *, is_chosen: bool) -> Place | None:
    if not paths:
        return None
    path, reason = first_usable(paths, uid, is_chosen=is_chosen)
    return Place(str(path or ""), reason)


def _file(name: str | None) -> Place | None:
    """Return where a file will be; None for what is none."""
    if not name or name == _STREAM or name.partition(":")[0] in _NOT_FILES:
        return None
    return Place(name, _objection(Path(name)))


def _objection(path: Path) -> str:
    """Return why a file cannot be appended to; nothing if it can."""
    if path.is_dir():
        return f"{path} is a directory"
    if path.exists():
        return "" if os.access(path, os.W_OK) else f"{path} may not be written by this user"
    parent = path.absolute().parent
    if not parent.is_dir():
        return f"{path} cannot be made: there is no directory {parent}"
    return (
        "" if os.access(parent, os.W_OK | os.X_OK) else f"{path} cannot be made: {parent} may not be written"
    )


# -- addresses -----------------------------------------------------------------------------------------


def addresses(settings: Settings) -> tuple[Address, ...]:
    """Return each address, and who has it."""
    return tuple(address_of(bind) for bind in binds_of(settings.server))


def address_of(bind: Bind) -> Address:
    """Return one address, and who has it."""
    if isinstance(bind, TcpBind):
        holder, is_ours = _holder_of_port(bind)
        return Address(
            str(bind), bind.port, is_open=not bind.host.startswith(_LOCAL), holder=holder, is_ours=is_ours
        )
    if isinstance(bind, UnixBind):
        return _unix(bind)
    return Address(str(bind), is_open=True)  # whoever made that socket knows


def _holder_of_port(bind: TcpBind) -> tuple[str, bool]:
    if not bind.port:
        return "", False
    from srvctl.supervisor.holders import holder_of_port  # noqa: PLC0415 - it loads psutil

    hosts = {"localhost": {"127.0.0.1", "::1"}, "": {"0.0.0.0"}}.get(bind.host, {bind.host})
    holder = holder_of_port(frozenset(hosts), bind.port)
    return (str(holder), holder.name.startswith(_OURS)) if holder else ("", False)


def _unix(bind: UnixBind) -> Address:
    path = Path(bind.path)
    mode = 0o777 & ~_umask() if bind.mode is None else bind.mode
    shown = f"{mode:03o}" if mode & _EVERYBODY else ""
    parent = path.absolute().parent
    if path.exists() and not path.is_socket():
        return Address(str(bind), reason="something else is there, not a socket")
    if not parent.is_dir():
        return Address(str(bind), reason=f"there is no directory {parent}")
    if not os.access(parent, os.W_OK | os.X_OK):
        return Address(str(bind), reason=f"{parent} may not be written by this user")
    holder = None
    if path.is_socket():
        from srvctl.supervisor.holders import holder_of_path  # noqa: PLC0415 - it loads psutil

        holder = holder_of_path(bind.path, None)
    is_ours = holder is not None and holder.name.startswith(_OURS)
    return Address(str(bind), holder=str(holder or ""), is_ours=is_ours, mode=shown)


def _umask() -> int:
    mask = os.umask(0o077)  # it cannot be asked for without setting it
    os.umask(mask)
    return mask


# -- certificates --------------------------------------------------------------------------------------


def certificates(settings: Settings) -> tuple[Certificate, ...]:
    """Return every certificate that clients are shown."""
    if settings.tls.certfile is None:
        return ()
    from srvctl.worker.tls.context import entries_of  # noqa: PLC0415 - without TLS, ssl need not be loaded

    pairs = [(settings.tls.certfile, settings.tls.keyfile)]
    pairs += [(entry.certfile, entry.keyfile) for entry in entries_of(settings.tls)]
    found = []
    for file, key in pairs:
        with suppress(OSError, ValueError):  # what is wrong with it was told when the settings were read
            files = [name for name in (file, key) if name]
            found.append(Certificate(file, _days_left(file), _can_workers_read(files, settings.workers)))
    return tuple(found)


def _days_left(file: str) -> float:
    from srvctl.worker.tls.certificate import first_certificate, read_certificate  # noqa: PLC0415 - as above

    end = read_certificate(first_certificate(Path(file).read_text("utf-8"))).not_after
    now = datetime.fromtimestamp(time.time(), end.tzinfo)
    return (end - now).total_seconds() / _PER_DAY


def _can_workers_read(files: Sequence[str], workers: WorkersSettings) -> bool:
    """Return whether the user that workers become may read the files, as their mode says."""
    if workers.user is None:
        return True
    from srvctl.settings.identity import of_workers  # noqa: PLC0415 - it asks the databases of users

    try:
        identity = of_workers(workers, os.geteuid())
    except LookupError:
        return True  # told when the settings were read
    uid = os.geteuid() if identity.uid is None else identity.uid
    groups = {*(identity.groups or ()), *([identity.gid] if identity.gid is not None else [])}
    return uid == 0 or all(_may_read(Path(file).stat(), uid, groups) for file in files)


def _may_read(found: os.stat_result, uid: int, groups: set[int]) -> bool:
    if found.st_uid == uid:
        return bool(found.st_mode & stat.S_IRUSR)
    return bool(found.st_mode & (stat.S_IRGRP if found.st_gid in groups else stat.S_IROTH))
