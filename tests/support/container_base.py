"""The image that images are made of in tests: Debian with Python, in the place of ``python:3.13-slim``.

It is made of the root file system that tests of systemd use (`tests.support.machine_root`), once, and kept
beside it in a store that podman only reads. The packages that are installed into images come from there, too,
so that building one needs no network.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.support.machine_root import PLACE, layers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

IMAGE: Final = "localhost/srvctl-test-base:1"
_PATIENCE: Final = 300.0
#: What an image for containers does not have.
_LEFT_OUT: Final = ("./opt/*", "./var/wheels", "./var/cache/*", "./var/lib/apt/lists/*", "./usr/share/doc/*")


class NoPodman(Exception):  # noqa: N818 - the reason of a skip
    """No container can run here; says why."""


@dataclass(frozen=True, slots=True)
class Base:
    """What there is.

    Attributes:
        store: The directory with the image, for ``additionalimagestores``.
        wheels: One with everything that srvctl and the examples need, and what builds srvctl.
    """

    store: Path
    wheels: Path


@contextlib.contextmanager
def base(folder: Path) -> Iterator[Base]:
    """Make the image if it is not there yet, and have it kept meanwhile.

    Args:
        folder: A directory of the caller's, for what lasts no longer.

    Raises:
        NoPodman: It cannot be made here.
        NoMachine: There is no root file system.
    """
    with contextlib.ExitStack() as held:
        root = held.enter_context(layers())[-1]
        digest = hashlib.sha256(Path(__file__).read_bytes() + root.name.encode()).hexdigest()[:16]
        store = PLACE / f"images.{digest}"
        with _lock(PLACE / "images.lock", fcntl.LOCK_EX):
            if not store.exists():
                _make(store, root, folder)
            held.enter_context(_lock(Path(f"{store}.lock"), fcntl.LOCK_SH))
            _prune()
        yield Base(store, root / "var/wheels")


def write_configuration(folder: Path, store: Path, further: Path | None = None) -> Mapping[str, str]:
    """Write podman's files for a store, and return the environment in which it obeys them.

    Args:
        folder: Where they are, and what lasts as long as containers do.
        store: Where images and containers are.
        further: Another store, whose images are there, too.
    """
    runtime = next((name for name in ("runc", "crun") if shutil.which(name)), "runc")
    (folder / "containers.conf").write_text(
        f'[engine]\ncgroup_manager = "cgroupfs"\nruntime = "{runtime}"\nevents_logger = "file"\n'
        f'tmp_dir = "{folder}/tmp"\n'
        # Without these podman asks for more than a container that the tests run in may have.
        '[containers]\nlog_driver = "k8s-file"\ndefault_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]\n'
    )
    others = f'[storage.options]\nadditionalimagestores = ["{further}"]\n' if further else ""
    (folder / "storage.conf").write_text(
        f'[storage]\ndriver = "overlay"\nrunroot = "{folder}/run"\ngraphroot = "{store}"\n{others}'
    )
    return {
        **os.environ,
        "CONTAINERS_CONF": str(folder / "containers.conf"),
        "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
    }


def unmount(folder: Path) -> None:
    """Take away what is mounted below a directory."""
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for mount in sorted((each for each in mounts if each.startswith(f"{folder}/")), reverse=True):
        subprocess.run(["umount", "--lazy", mount], check=False, capture_output=True)


def _make(store: Path, root: Path, folder: Path) -> None:
    part, scratch = Path(f"{store}.part"), folder / "making"
    shutil.rmtree(part, ignore_errors=True)
    # As in python:3.13-slim, Python is called python.
    (scratch / "add/usr/bin").mkdir(parents=True)
    (scratch / "add/usr/bin/python").symlink_to("python3")
    environ = write_configuration(scratch, part)
    script = """
        root=$1; add=$2; image=$3; shift 3
        tar -C "$root" "$@" -c . -C "$add" ./usr/bin/python | podman import - "$image"
    """
    words = ["sh", "-ec", script, "sh", str(root), str(scratch / "add"), IMAGE]
    words += [f"--exclude={name}" for name in _LEFT_OUT]
    try:
        done = subprocess.run(
            words, check=False, capture_output=True, text=True, timeout=_PATIENCE, env=environ
        )
        unmount(part)
        if done.returncode:
            raise NoPodman(f"podman import fails: {done.stderr.strip().splitlines()[-1:]}")
        part.rename(store)
    finally:
        shutil.rmtree(part, ignore_errors=True)


@contextlib.contextmanager
def _lock(path: Path, how: int) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, how)
        yield


def _prune() -> None:
    """Remove the stores that nobody uses."""
    for path in PLACE.glob("images.*.lock"):
        with contextlib.suppress(BlockingIOError), _lock(path, fcntl.LOCK_EX | fcntl.LOCK_NB):
            shutil.rmtree(path.with_suffix(""), ignore_errors=True)
            path.unlink()
