"""What an instance is called, and where its control socket and its ledger may be: candidates, best first.

Owns names and paths. Pure: looks at no file, so it cannot say which of the candidates can be used; the master
finds that out with `srvctl.supervisor.directories`, and the commands by looking where a socket is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from srvctl.settings.groups import Settings

AUTO: Final = "auto"
NONE: Final = "none"
SOCKET_SUFFIX: Final = ".sock"
LEDGER_SUFFIX: Final = ".ledger"
#: Where root's instances are, and those of service managers that make ``/run/srvctl`` for another user.
SYSTEM_RUNTIME: Final = Path("/run/srvctl")
SYSTEM_STATE: Final = Path("/var/lib/srvctl")
#: Where everybody may make a directory. The second can be written where nothing else can: in a container with
#: a read-only file system, as Docker, podman and Kubernetes make it; it is gone with the container.
TEMPORARY: Final = ("/tmp", "/dev/shm")  # noqa: S108 - made private and checked by who uses it

_FOREIGN: Final = re.compile(r"[^A-Za-z0-9._-]+")
#: Longer, and the socket's path would not fit into the 103 bytes that every system has for it.
_LONGEST_NAME: Final = 48
_NAMELESS: Final = "srvctl"


@dataclass(frozen=True, slots=True)
class Instance:
    """One srvctl among others, as commands name it.

    Attributes:
        name: What it is called; safe as the name of a file.
        is_named: The user chose the name, so no second instance may have it; a name that was made from a
            file or an application may come again, and is then numbered.
        config: Absolute path of its file of settings; empty without one.
        target: The application.
    """

    name: str
    is_named: bool = False
    config: str = ""
    target: str = ""


def identify(settings: Settings, config: Path | None) -> Instance:
    """Return who an instance with these settings is.

    Args:
        settings: Its settings.
        config: The file they come from; relative to the working directory, if it is relative at all.
    """
    return Instance(
        instance_name(settings, config),
        is_named=bool(settings.server.name),
        config="" if config is None else str(config.absolute()),
        target=settings.app.target or "",
    )


def instance_name(settings: Settings, config: Path | None) -> str:
    """Return what the instance is called: as the user says, or like its file, or like its application."""
    if settings.server.name:
        return file_name(settings.server.name)
    if config is not None:
        return file_name(config.stem)
    return file_name((settings.app.target or "").partition(":")[0])


def file_name(name: str) -> str:
    """Return a name as part of a file's: what is not a letter, a digit, ``.``, ``_`` or ``-`` is replaced."""
    return _FOREIGN.sub("-", name)[:_LONGEST_NAME].strip("-.") or _NAMELESS


def numbered(name: str, number: int) -> str:
    """Return the name of the ``number``-th instance of one name: ``web``, ``web-2``, ``web-3``."""
    return name if number == 1 else f"{name}-{number}"


def runtime_directories(
    environ: Mapping[str, str], uid: int, temporary: Sequence[str] = TEMPORARY
) -> tuple[Path, ...]:
    """Return the directories for sockets, best first.

    Args:
        environ: ``RUNTIME_DIRECTORY`` of a service manager (systemd.exec(5)) and ``XDG_RUNTIME_DIR``.
        uid: Whose instance it is: the effective user.
        temporary: Where everybody may make a directory.
    """
    return (
        *_given(environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]),
        *([SYSTEM_RUNTIME] if uid == 0 else []),
        *_given(environ.get("XDG_RUNTIME_DIR", ""), "srvctl"),
        *(Path(place, f"srvctl-{uid}") for place in temporary),
    )


def state_directories(environ: Mapping[str, str], uid: int) -> tuple[Path, ...]:
    """Return the directories for what is kept over a restart, best first; none without a home.

    Args:
        environ: ``STATE_DIRECTORY`` of a service manager, ``XDG_STATE_HOME`` and ``HOME``.
        uid: Whose instance it is: the effective user.
    """
    return (
        *_given(environ.get("STATE_DIRECTORY", "").partition(":")[0]),
        *([SYSTEM_STATE] if uid == 0 else []),
        *_given(environ.get("XDG_STATE_HOME", ""), "srvctl"),
        *_given(environ.get("HOME", ""), ".local", "state", "srvctl"),
    )


def control_paths(
    setting: str, name: str, environ: Mapping[str, str], uid: int, config: str = ""
) -> tuple[Path, ...]:
    """Return where the control socket may be, best first.

    The directory of the file of settings comes last: only who gives that file finds the socket there, it may
    be a working tree that nobody wants one in, and some of the file systems that are shared with virtual
    machines and containers can hold none.

    Args:
        setting: ``control.socket``: a path, ``auto`` or ``none``; the latter has no path.
        name: The instance's.
        environ: See `runtime_directories`.
        uid: See `runtime_directories`.
        config: Absolute path of its file of settings; empty without one.
    """
    beside = (Path(config).parent,) if config else ()
    return _paths(setting, (*runtime_directories(environ, uid), *beside), name + SOCKET_SUFFIX)


def ledger_paths(setting: str, name: str, environ: Mapping[str, str], uid: int) -> tuple[Path, ...]:
    """Return where the ledger's file may be, best first; at last where it outlives the master only.

    Args:
        setting: ``ledger.file``: a path, ``auto`` or ``none``; the latter has no path.
        name: The instance's.
        environ: See `state_directories`.
        uid: See `state_directories`.
    """
    return _paths(setting, ledger_directories(environ, uid), name + LEDGER_SUFFIX)


def ledger_directories(environ: Mapping[str, str], uid: int) -> tuple[Path, ...]:
    """Return the directories for ledgers, best first: what is small may be kept in memory as well.

    Args:
        environ: See `state_directories`.
        uid: See `state_directories`.
    """
    return (*state_directories(environ, uid), Path(TEMPORARY[-1], f"srvctl-{uid}"))


def _paths(setting: str, directories: tuple[Path, ...], file: str) -> tuple[Path, ...]:
    if setting in {NONE, ""}:
        return ()
    if setting != AUTO:
        return (Path(setting).absolute(),)
    return tuple(directory / file for directory in directories)


def _given(directory: str, *below: str) -> Iterator[Path]:
    """Yield a directory that a variable names; the XDG specification has relative ones ignored."""
    if directory.startswith("/"):
        yield Path(directory, *below)
