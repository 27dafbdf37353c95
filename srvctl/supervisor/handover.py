"""What one srvctl leaves to the next in the same process (execve(2)): its words, and where they are kept.

The state is JSON in a file without a name, whose descriptor an environment variable tells. Either side may be
another version of srvctl, so what is not known is passed over, and what is missing has a default or is an
error. Knows no part of the state but its head; each part exports and restores itself. Called by `upgrading`,
which writes it, and by `srvctl.cli.successor`, which reads it.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import srvctl
from srvctl.errors import SrvctlError
from srvctl.ipc import channel, scoreboard

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Says what the next program is to do, and the descriptor of the state: ``rehearse:7``.
VARIABLE: Final = "SRVCTL_HANDOVER"
#: Counted up when an older srvctl could not go on with what this one leaves, or the other way round.
FORMAT: Final = 1
_CHUNK: Final = 2**20


class HandoverError(SrvctlError):
    """What was left cannot be gone on with; the text says why."""


@dataclass(frozen=True, slots=True)
class Program:
    """What execve(2) is given.

    Attributes:
        executable: Path of the interpreter.
        argv: Its whole command line.
        home: The directory that the package ``srvctl`` is in, to be searched first; empty where the
            environment says all.
    """

    executable: str
    argv: tuple[str, ...]
    home: str = ""

    @classmethod
    def installed(cls) -> Self:
        """Return the program that was started, by the names it was started with, wherever they lead to."""
        return cls(sys.executable, (sys.executable, *sys.orig_argv[1:]))

    @classmethod
    def running(cls) -> Self:
        """Return the program that runs, wherever its names lead to by then; to be called at the start."""
        named = Path(sys.executable)
        # The interpreter of a virtual environment is a link, which must not be followed.
        executable = str(named.parent.resolve() / named.name)
        home = str(Path(srvctl.__file__).resolve().parents[1])
        return cls(executable, (executable, *sys.orig_argv[1:]), home)

    def environ(self, task: str, state: int, environ: Mapping[str, str]) -> dict[str, str]:
        """Return the environment it is to be started with.

        Args:
            task: What it is to do.
            state: Descriptor of what it is left.
            environ: What it would have else.
        """
        path = [self.home, environ.get("PYTHONPATH", "")] if self.home else []
        searched = {"PYTHONPATH": ":".join(filter(None, path))} if path else {}
        return {**environ, **searched, VARIABLE: f"{task}:{state}"}

    def export(self) -> dict[str, Any]:
        """Return what `restore` needs, as JSON."""
        return {"executable": self.executable, "argv": list(self.argv), "home": self.home}

    @classmethod
    def restore(cls, values: Mapping[str, Any]) -> Self:
        """Return the program that was exported."""
        return cls(values["executable"], tuple(values["argv"]), values["home"])


def head() -> dict[str, Any]:
    """Return what a state begins with: by this a reader knows whether it can go on."""
    return {"format": FORMAT, "speaks": _spoken(), "version": srvctl.__version__, "pid": os.getpid()}


def encode(state: Mapping[str, Any]) -> bytes:
    """Return a state as bytes."""
    return json.dumps(state).encode()


def decode(data: bytes) -> dict[str, Any]:
    """Return the state that the bytes are.

    Raises:
        HandoverError: They are none, or one that this version cannot go on with.
    """
    state = loads(data)
    version = state.get("version")
    if state.get("format") != FORMAT:
        raise HandoverError(f"srvctl {srvctl.__version__} cannot go on from {version}; restart the service")
    for name, spoken in _spoken().items():
        if state["speaks"].get(name) != spoken:
            raise HandoverError(
                f"srvctl {srvctl.__version__} does not understand workers of {version} ({name}); "
                "restart the service"
            )
    return state


def loads(data: bytes) -> dict[str, Any]:
    """Return the state that the bytes are, whether or not this version can go on with it.

    Raises:
        HandoverError: They are none.
    """
    try:
        state = json.loads(data)
    except (ValueError, RecursionError):
        state = None
    if not isinstance(state, dict) or not isinstance(state.get("speaks"), dict):
        raise HandoverError("what was left is not the state of a srvctl")
    return state


def _spoken() -> dict[str, int]:
    return {"channel": channel.VERSION, "board": scoreboard.MAGIC}


def missing(state: Mapping[str, Any]) -> list[int]:
    """Return the descriptors that a state names and that are not open."""
    return [fd for fd in state["descriptors"] if not _is_open(fd)]


def _is_open(fd: int) -> bool:
    with contextlib.suppress(OSError):
        os.fstat(fd)
        return True
    return False


def kept(content: bytes = b"") -> int:
    """Return the descriptor of a new file without a name that holds this; it is not inherited.

    Raises:
        OSError: The kernel has no descriptor or memory left.
    """
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("srvctl-handover")
    else:
        fd, path = tempfile.mkstemp(prefix="srvctl-handover-")
        os.unlink(path)  # noqa: PTH108 - it is the path of a descriptor
    try:
        write(fd, content)
    except BaseException:
        os.close(fd)
        raise
    return fd


def write(fd: int, content: bytes) -> None:
    """Put this into a file of `kept`.

    Raises:
        OSError: The kernel has no memory left.
    """
    position = 0
    while position < len(content):
        position += os.pwrite(fd, content[position : position + _CHUNK], position)


def read(fd: int) -> bytes:
    """Return what a file of `kept` holds, whatever its offset.

    Raises:
        OSError: It is none.
    """
    data = b""
    while chunk := os.pread(fd, _CHUNK, len(data)):
        data += chunk
    return data
