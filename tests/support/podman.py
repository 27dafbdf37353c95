"""Containers of a real OCI runtime, with storage of their own that is gone with the tests.

They have no network but a loopback interface, in which the test makes its connections.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.support.cgroup import remove
from tests.support.container import Container
from tests.support.container_base import IMAGE, NoPodman, base, unmount, write_configuration
from tests.support.machine_root import CHECKOUT, NoMachine
from tests.support.server_waits import FACTOR, PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_TO_BUILD: Final = 300.0 * FACTOR
_CGROUPS: Final = Path("/sys/fs/cgroup")


class Podman:
    """A podman whose images and containers nobody else sees.

    Args:
        folder: Where they are.
        environ: In which it finds its configuration.
        wheels: What pip installs from when an image is built.
    """

    def __init__(self, folder: Path, environ: Mapping[str, str], wheels: Path) -> None:
        self.folder = folder
        self._environ = environ
        self._wheels = wheels
        self._numbers = itertools.count(1)
        self.cgroup = f"srvctl-test-{os.getpid()}"

    def begin(self, *words: str) -> subprocess.Popen[bytes]:
        """Start a command of it, whose output is read from pipes."""
        # At lower levels it complains of what it looks for without need: networks, and systemd's timers.
        command = ["podman", "--log-level=fatal", *words]
        # Where it stands conmon leaves a file if the kernel kills for want of memory.
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self._environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def try_run(self, *words: str, patience: float = 3 * PATIENCE) -> subprocess.CompletedProcess[str]:
        """Carry out a command of it, whatever its exit code is."""
        return subprocess.run(
            ["podman", "--log-level=fatal", *words],
            env=self._environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=patience,
            check=False,
        )

    def run(self, *words: str, patience: float = 3 * PATIENCE) -> str:
        """Carry out a command that must succeed; return what it printed."""
        done = self.try_run(*words, patience=patience)
        assert done.returncode == 0, f"podman {' '.join(words)}: {done.stdout}{done.stderr}"
        return done.stdout

    def build(self, context: Path, tag: str) -> str:
        """Build an image from the Dockerfile in a directory, upon the base; return what was printed."""
        return self.run(
            *("build", "--isolation=chroot", "--format=docker", "--layers", "--pull-never"),
            f"--volume={self._wheels}:/srv/wheels:ro",
            f"--volume={self.folder}/pip.conf:/etc/pip.conf:ro",
            f"--build-arg=PYTHON_IMAGE={IMAGE}",
            f"--tag={tag}",
            str(context),
            patience=_TO_BUILD,
        )

    def inspect(self, name: str) -> dict[str, Any]:
        """Return what it knows of an image or a container."""
        [found] = json.loads(self.run("inspect", name))
        return dict(found)

    def container(self, image: str, *words: str, flags: Sequence[str] = ()) -> Container:
        """Return a container that begins with its context.

        Args:
            image: What it is made of.
            words: Its command, instead of the image's ``CMD``.
            flags: Of ``podman run``.
        """
        return Container(self, f"srvctl-{next(self._numbers)}", (*flags, image, *words))

    def close(self) -> None:
        """Remove all of it, and tell of what is left."""
        self.try_run("rm", "--force", "--all", "--time", "0")
        unmount(self.folder)
        shutil.rmtree(self.folder)
        for cgroup in [*_CGROUPS.glob(f"*/{self.cgroup}"), *_CGROUPS.glob(self.cgroup)]:
            for folder in (*sorted(cgroup.rglob("*/"), reverse=True), cgroup):
                remove(folder)
        assert str(self.folder) not in Path("/proc/self/mountinfo").read_text()


@contextlib.contextmanager
def podman() -> Iterator[Podman]:
    """Have a podman; skip the test, with the reason, where containers cannot run."""
    with contextlib.ExitStack() as stack:
        try:
            found = stack.enter_context(_podman())
        except (NoPodman, NoMachine) as reason:
            pytest.skip(f"no containers to test in: {reason}")
        yield found


@contextlib.contextmanager
def _podman() -> Iterator[Podman]:
    if os.geteuid():
        raise NoPodman("only root can make images here")
    for program in ("podman", "runc", "conmon"):
        if shutil.which(program) is None:
            raise NoPodman(f"{program} is not installed")
    folder = Path(tempfile.mkdtemp(prefix="srvctl-podman-"))  # short: sockets are below
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        found = stack.enter_context(base(folder))
        stack.callback(unmount, folder)
        # In memory: the layers of an image are thousands of files, which take as long to remove as to write.
        (folder / "storage").mkdir()
        memory = ("mount", "-t", "tmpfs", "-o", "mode=700,size=2g", "tmpfs", str(folder / "storage"))
        subprocess.run(memory, check=False, capture_output=True)
        environ = write_configuration(folder, folder / "storage", found.store)
        made = Podman(folder, environ, _wheels(folder, found.wheels))
        stack.callback(made.close)
        tried = made.try_run(
            "run", "--rm", "--network=none", f"--cgroup-parent=/{made.cgroup}", IMAGE, "true"
        )
        if tried.returncode:
            raise NoPodman(f"podman run fails: {tried.stderr.strip().splitlines()[-1:]}")
        yield made


def _wheels(folder: Path, others: Path) -> Path:
    """Add srvctl itself, as it is here, to what pip can install in an image; return where all of that is."""
    place = folder / "wheels"
    place.mkdir()
    for wheel in others.glob("*.whl"):
        shutil.copy(wheel, place)
    words = ["-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index", f"--find-links={others}"]
    subprocess.run(
        [sys.executable, *words, f"--wheel-dir={place}", str(CHECKOUT)], check=True, capture_output=True
    )
    (folder / "pip.conf").write_text("[global]\nno-index = true\nfind-links = /srv/wheels\n")
    return place
