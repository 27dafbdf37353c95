"""One container of `tests.support.podman`: what an operator does to it, and what its clients see."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any, Final, Self

from tests.support.client import Connection
from tests.support.in_network import in_network
from tests.support.server_waits import FACTOR, PATIENCE, Lines

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator, Sequence
    from types import TracebackType

    from tests.support.client import Response
    from tests.support.podman import Podman

PORT: Final = 8000
#: Seconds after which a container ends by itself, should the tests be killed.
_LONGEST_LIFE: Final = int(300 * FACTOR)
_RUNNING: Final = r"Srvctl running on"


class Container:
    """One container, from its start to its end: ``podman run`` in the foreground.

    Args:
        podman: Whose it is.
        name: What it is called.
        words: What follows the flags that all have.
    """

    def __init__(self, podman: Podman, name: str, words: Sequence[str]) -> None:
        self._podman = podman
        self.name = name
        self._words = words

    def __enter__(self) -> Self:
        self._process = self._podman.begin(
            *("run", "--rm", "--pull=never", "--network=none", f"--name={self.name}"),
            *(f"--cgroup-parent=/{self._podman.cgroup}", f"--timeout={_LONGEST_LIFE}"),
            *self._words,
        )
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self.stdout = Lines(self._process.stdout, "stdout")
        self.stderr = Lines(self._process.stderr, "stderr")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._podman.try_run("rm", "--force", "--time", "0", "--ignore", self.name)
        self._process.wait(PATIENCE)
        self.stdout.wait_end()
        self.stderr.wait_end()
        if kind is not None:
            print(f"--- exit code of {self.name}: {self._process.returncode}; what it wrote:")
            print(self.stderr.text, self.stdout.text)

    def wait_line(self, pattern: str, *, count: int = 1) -> str:
        """Wait for the ``count``-th such line of its stderr, and return it."""
        return self.stderr.wait(pattern, count=count, patience=3 * PATIENCE)[0].text

    def wait_ready(self) -> Self:
        """Wait until srvctl serves in it."""
        self.wait_line(_RUNNING)
        return self

    def lines(self, pattern: str) -> list[str]:
        """Return such lines of its stderr so far."""
        return [line.text for line, _ in self.stderr.matches(pattern)]

    def wait_exit(self) -> int:
        """Wait until it has ended, and return its exit code."""
        code = self._process.wait(3 * PATIENCE)
        self.stdout.wait_end()
        self.stderr.wait_end()
        return code

    @property
    def pid(self) -> int:
        """Its first process, as the machine around it counts."""
        return int(self._podman.inspect(self.name)["State"]["Pid"])

    @contextlib.contextmanager
    def network(self) -> Iterator[None]:
        """Have the connections be in it that this thread makes, and the threads that it starts."""
        with in_network(self.pid):
            yield

    def get(self, target: str = "/") -> Response:
        """Send one request to what listens in it."""
        with self.network(), Connection(("127.0.0.1", PORT)) as connection:
            return connection.get(target)

    def try_execute(self, *words: str, flags: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
        """Run a program in it, whatever its exit code is."""
        return self._podman.try_run("exec", *flags, self.name, *words)

    def execute(self, *words: str, flags: Sequence[str] = ()) -> str:
        """Run a program in it that must succeed; return what it printed."""
        return self._podman.run("exec", *flags, self.name, *words)

    def status(self) -> dict[str, Any]:
        """Return what srvctl in it says of itself."""
        return dict(json.loads(self.execute("srvctl", "status", "--json")))

    def is_healthy(self) -> bool:
        """Run the image's health check, and return what it says."""
        return self._podman.try_run("healthcheck", "run", self.name).returncode == 0

    def signal(self, name: str) -> None:
        """Send a signal to its first process, as an operator would."""
        self._podman.run("kill", f"--signal={name}", self.name)

    def stop(self) -> int:
        """Stop it as an operator would; return its exit code, which is not 0 if it had to be killed."""
        self._podman.run("stop", f"--time={int(PATIENCE)}", self.name)
        return self.wait_exit()
