"""`run`: serves in this process, or starts ``srvctl run`` as a process of its own and stands for it.

Worker processes and reload take a master, and the master has to be a small process that nothing of the
program is in (ADR 14). Owns what of this program that process gets: the keywords as flags, the descriptor,
where to import from; and the signals, which are handed on.
"""

from __future__ import annotations

import inspect
import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from srvctl.embedding.config import Config
from srvctl.embedding.log_config import is_default
from srvctl.embedding.refusing import refuse_for_processes
from srvctl.embedding.server import Server
from srvctl.embedding.signature import takes_what
from srvctl.embedding.translating import command_line
from srvctl.errors import ExitCode, SrvctlError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

logger = logging.getLogger("srvctl.error")

#: What the master obeys (docs/reference), and is sent to whoever seems to be the server.
_HANDED_ON: Final = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGQUIT,
    signal.SIGHUP,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGTTIN,
    signal.SIGTTOU,
)
_OF_SETTINGS: Final = ("SRVCTL_", "UVICORN_")
_IMPORTING: Final = "srvctl.worker.importing"


@takes_what(Config)
def run(*values: Any, **keywords: Any) -> None:
    """Serve until asked to stop; then return.

    Takes the keywords of `Config`. With one worker and no reload, the server runs in this process; otherwise
    in processes of its own, which import the application anew: it has to be named ``module:attribute`` then.

    Raises:
        SystemExit: It never served, or a setting is wrong: with the exit code of ``srvctl run``.
        RuntimeError: The application is being imported by srvctl, and this call is part of its module.
    """
    _refuse_while_importing()
    try:
        config = Config(*values, **keywords)
        code = _run_processes(config) if config.use_subprocess else _run_here(config)
    except SrvctlError as error:
        for line in str(error).splitlines():
            print(f"srvctl: error: {line}", file=sys.stderr)  # noqa: T201 - logging may not be set up
        code = error.exit_code
    if code:
        sys.exit(code)


def _run_here(config: Config) -> int:
    config.load()
    server = Server(config)
    server.run()
    return ExitCode.OK if server.started or server.should_exit else ExitCode.NEVER_UP


def _run_processes(config: Config) -> int:
    """Have ``srvctl run`` serve, and return its exit code.

    Raises:
        UsageError: The application is an object, or something else cannot be handed over.
    """
    refuse_for_processes(config)
    config.to_settings()
    with ExitStack() as stack:
        arguments, variables = command_line(config.to_layer())
        arguments += [*_path_flags(config), *_log_flags(config, stack)]
        given = config.environ_for_processes()
        environ = {name: value for name, value in given.items() if not name.startswith(_OF_SETTINGS)}
        start = json.dumps(
            {"parent": os.getpid(), "path": [str(Path(entry).resolve()) for entry in sys.path]}
        )
        with _signals_kept() as kept:
            child = subprocess.Popen(  # noqa: S603 - ourselves
                [sys.executable, "-m", "srvctl.embedding.child", start, "run", *arguments],
                env=environ | variables,
                pass_fds=[] if config.fd is None else [config.fd],
            )
            kept.hand_on_to(child)
            code = child.wait()
    return code if code >= 0 else 128 - code  # as a shell says it


def _path_flags(config: Config) -> list[str]:
    """Return the flags that have the application found where this program finds it."""
    flags = [] if config.app_dir is not None else [f"--app-dir={Path(sys.path[0]).resolve()}"]
    if config.should_reload and not config.reload_dirs:
        flags.append(f"--reload-dir={Path.cwd()}")  # as uvicorn; ours would be --app-dir
    return flags


def _log_flags(config: Config, stack: ExitStack) -> list[str]:
    """Return the flag for a configuration of logging that is no file yet.

    Raises:
        UsageError: It cannot be written into one.
    """
    given = config.log_config
    if given is None or isinstance(given, (str, os.PathLike)) or is_default(given):
        return []
    try:
        text = json.dumps(given)
    except TypeError:
        raise UsageError(
            "log_config: has a value that cannot be handed over to worker processes; name a file instead"
        ) from None
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="srvctl-"))
    path = Path(folder, "log_config.json")  # read again at each reload, so it stays
    path.write_text(text, encoding="utf-8")
    return [f"--log-config={path}"]


class _Signals:
    """Signals of this process, for the process that serves; those that come before there is one wait."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        self._waiting: list[int] = []

    def take(self, number: int, _frame: FrameType | None) -> None:
        """Hand a signal on."""
        if self._child is None:
            self._waiting.append(number)
        else:
            self._child.send_signal(number)

    def hand_on_to(self, child: subprocess.Popen[bytes]) -> None:
        """Hand signals on to a process, beginning with those that wait."""
        self._child = child
        for number in self._waiting:
            child.send_signal(number)


@contextmanager
def _signals_kept() -> Iterator[_Signals]:
    """Take the signals meant for a server; outside the main thread, where Python knows none, take none."""
    signals = _Signals()
    if threading.current_thread() is not threading.main_thread():
        yield signals
        return
    before = {number: signal.signal(number, signals.take) for number in _HANDED_ON}
    try:
        yield signals
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


def _refuse_while_importing() -> None:
    """Refuse to serve within the import of what is to be served: that would go on for ever.

    Raises:
        RuntimeError: The caller is being imported by srvctl.
    """
    frame = inspect.currentframe()
    while frame is not None:
        if frame.f_globals.get("__name__") == _IMPORTING:
            raise RuntimeError(
                "srvctl.run was called while srvctl imports the application; put the call under "
                'if __name__ == "__main__":'
            )
        frame = frame.f_back
