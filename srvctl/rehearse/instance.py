"""The instance that is rehearsed: started with settings of its own in a directory of its own, and ended.

Owns the process, the directory and what is asked through the control socket. Knows nothing of acts.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, Final, Self

from srvctl.errors import AppError, ExitCode
from srvctl.ipc.control import Command, Done, Request
from srvctl.ipc.control_client import Connection, NotInTimeError, NotReachableError
from srvctl.rehearse.inside import VARIABLE
from srvctl.rehearse.private import environment, in_groups, rehearsed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from srvctl.settings.groups import Settings

#: Seconds an answer of the master may take; it has one thread and never blocks.
_PATIENCE: Final = 5.0
#: Seconds in which SIGQUIT ends it; then everything is killed.
_END_SECONDS: Final = 1.0
_LOOK: Final = 0.05
_LINES: Final = 30
#: Bytes of a directory's path that leave room for what is in it: paths of sockets are short (unix(7)).
_LONGEST_PARENT: Final = 50


class NeverUpError(AppError):
    """The instance ended before it served; the details are the end of its log."""


class Asked:
    """A command that was given to the master, whose end is waited for in a thread.

    Attributes:
        done: What came of it; None until then.
        seconds: What it took.
    """

    def __init__(self, path: Path, request: Request, patience: float) -> None:
        self.done: Done | None = None
        self.seconds = 0.0
        self._began = time.monotonic()
        # A daemon: a rehearsal that is interrupted does not wait for it.
        Thread(target=self._ask, args=(path, request, patience), daemon=True).start()

    def _ask(self, path: Path, request: Request, patience: float) -> None:
        try:
            with Connection(path, patience) as connection:
                done = connection.ask(request)
        except (NotReachableError, NotInTimeError) as error:
            done = Done(ok=False, code=ExitCode.REFUSED, message=str(error))
        self.seconds = time.monotonic() - self._began
        self.done = done


class Instance:
    """The instance, from entering the context to leaving it; nothing of it is left then.

    Args:
        settings: The user's.
        environ: The user's.
    """

    def __init__(self, settings: Settings, environ: Mapping[str, str]) -> None:
        self._settings = settings
        self._environ = environ
        self._process: subprocess.Popen[bytes] | None = None
        self.notes: list[str] = []  #: what is not as the user has it

    def __repr__(self) -> str:
        return f"<Instance {self._process and self._process.pid} in {self.folder}>"

    def __enter__(self) -> Self:
        self.folder = Path(tempfile.mkdtemp(prefix="srvctl-r-", dir=_parent()))
        try:
            if self._settings.workers.user is not None:
                self.folder.chmod(0o711)  # workers of another user meet there
            self._values, self.notes = rehearsed(self._settings, self.folder, f"rehearsal-{os.getpid()}")
            self._in_force: dict[str, Any] = {}
            self.change({})
            self._start()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def _start(self) -> None:
        own_hook = self._settings.hooks.on_ready
        start = json.dumps({"parent": os.getpid(), "path": sys.path})
        variables = {VARIABLE: own_hook} if own_hook else {}
        with self._log.open("wb") as log:
            # It dies with this process, however that ends, and finds modules where this one does.
            self._process = subprocess.Popen(  # noqa: S603 - ourselves
                [sys.executable, "-m", "srvctl.embedding.child", start, "run", "-c", str(self._file)],
                env={**environment(self._environ, self.folder), **variables},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=0,  # what a terminal sends is for this process alone
            )

    @property
    def _file(self) -> Path:
        return self.folder / "settings.yaml"

    @property
    def _log(self) -> Path:
        return self.folder / "log"

    @property
    def _socket(self) -> Path:
        return self.folder / "control.sock"

    # -- what is asked of it ---------------------------------------------------------------------------

    def change(self, values: Mapping[str, Any]) -> bool:
        """Write settings that the next reload is to find, over those of the start.

        Returns:
            Whether they are others than those written before.
        """
        wanted = {**self._values, **values}
        is_new = wanted != self._in_force
        self._in_force = wanted
        # JSON is YAML. Nobody else may read it: passwords are settings, too.
        descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(in_groups(wanted), file)
        return is_new

    def status(self) -> dict[str, Any]:
        """Return what the master says; nothing while it cannot be asked."""
        try:
            with Connection(self._socket, _PATIENCE) as connection:
                return dict(connection.ask(Request(Command.STATUS)).data)
        except NotReachableError:
            return {}

    def ask(self, command: Command, patience: float, **arguments: Any) -> Asked:
        """Have the master do something, within so many seconds."""
        return Asked(self._socket, Request(command, arguments), patience)

    def stop(self) -> None:
        """Send SIGTERM to the master."""
        if self._process is not None:
            self._process.terminate()

    @property
    def exit_code(self) -> int | None:
        """How the master ended; None while it lives."""
        return self._process.poll() if self._process is not None else None

    def log_tail(self) -> str:
        """Return the last lines of the log."""
        try:
            text = self._log.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-_LINES:])

    def wait_up(self, patience: float, meanwhile: Callable[[], None]) -> int:
        """Wait until every worker is ready, and return the port.

        Raises:
            NeverUpError: It ended, or takes longer than so many seconds.
        """
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if self.exit_code is not None:
                raise NeverUpError(
                    f"the application never came up: srvctl run ended with code {self.exit_code}",
                    self.log_tail(),
                )
            status = self.status()
            workers = status.get("workers", [])
            if status.get("state") == "running" and all(each["state"] == "ready" for each in workers):
                return int(str(status["binds"][0]).rpartition(":")[2])
            meanwhile()
            time.sleep(_LOOK)
        text = f"the application was not ready within {patience:g} s"
        raise NeverUpError(text, self.log_tail())

    # -- its end ---------------------------------------------------------------------------------------

    def end(self) -> None:
        """End every process of it, and remove what it has made; a second time does nothing."""
        process, self._process = self._process, None
        if process is not None:
            if process.poll() is None:
                process.send_signal(signal.SIGQUIT)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_END_SECONDS)
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)  # what an application has started, too
            process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def _parent() -> str:
    """Return the directory for temporary files, or a shorter one where sockets could not be in that."""
    usual = tempfile.gettempdir()
    return usual if len(os.fsencode(usual)) <= _LONGEST_PARENT else "/tmp"  # noqa: S108 - mkdtemp(3) is private
