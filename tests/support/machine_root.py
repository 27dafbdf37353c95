"""Builds the root file system of a machine whose service manager is systemd: Debian, and this checkout on it.

Two layers in a directory beside the sources, each made once for what goes into it: Debian with the packages
that srvctl depends on (a minute), and srvctl itself with the examples (seconds). Who may use them holds
a lock; older ones that nobody uses are removed. Packages come from where this machine has its own.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import inspect
import os
import platform
import shutil
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

CHECKOUT: Final = Path(__file__).parents[2]
PLACE: Final = CHECKOUT / ".machine"
#: Of Debian: has systemd 257, which knows notify-reload, and keeps descriptors.
RELEASE: Final = "trixie"
VENV: Final = "/opt/srvctl"
DEMO: Final = "/opt/demo"
_WHEELS: Final = "/var/wheels"
_SOURCES: Final = "/var/srvctl"
_PACKAGES: Final = (
    *("systemd", "systemd-sysv", "dbus", "libpam-systemd", "libnss-systemd"),
    *("iproute2", "procps", "python3", "python3-venv"),
)
#: What srvctl is built from, and what it serves in the tests.
_BUILT: Final = ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "srvctl", "docs/man", "systemd")
_SERVED: Final = ("examples", "tests/support/apps")
_PATIENCE: Final = 540.0
#: Seconds that a layer is kept after it was used.
_KEPT: Final = {"debian": 7 * 24 * 3600.0, "srvctl": 3600.0}
_PROGRAMS: Final = ("mmdebstrap", "chroot", "unshare", "mount")


class NoMachine(Exception):  # noqa: N818 - the reason of a skip
    """There can be no such machine here; says why."""


class BuildError(Exception):
    """A program that builds has failed; says how."""


@contextlib.contextmanager
def layers(*packages: str) -> Iterator[tuple[Path, ...]]:
    """Build what is missing, and have it kept meanwhile.

    Args:
        packages: Further ones of Debian's.

    Yields:
        The directories that lie upon each other, the upper ones first.

    Raises:
        NoMachine: It cannot be built here.
    """
    for name in _PROGRAMS:
        if shutil.which(name) is None:
            raise NoMachine(f"{name} is not installed")
    PLACE.mkdir(exist_ok=True)
    with contextlib.ExitStack() as held:
        with _held(PLACE / "lock", fcntl.LOCK_EX):  # one builds, and removes, at a time
            every = [*_PACKAGES, *packages]
            base = PLACE / f"debian-{_digest(_ingredients(every))}"
            try:
                _ensure(base, lambda part: _build_base(part, every))
            except BuildError as error:
                raise NoMachine(str(error)) from error
            own = PLACE / f"srvctl-{_digest([base.name.encode(), *_contents((*_BUILT, *_SERVED))])}"
            _ensure(own, lambda part: _build_own(part, base))
            for layer in (base, own):
                lock = Path(f"{layer}.lock")
                held.enter_context(_held(lock, fcntl.LOCK_SH))
                os.utime(lock)
            _prune()
        yield own / "upper", base


def _ingredients(packages: Sequence[str]) -> list[bytes]:
    """Return all that the lower layer is made of, and how."""
    recipe = (inspect.getsource(_build_base), inspect.getsource(_download), RELEASE)
    return [name.encode() for name in (*recipe, *packages, *_requirements())]


def _requirements() -> list[str]:
    """Return what pip is to install: what srvctl and the examples need, and what builds it."""
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
    return [
        *project["project"]["dependencies"],
        *project["dependency-groups"]["demo"],
        *project["build-system"]["requires"],
    ]


def _contents(names: Sequence[str]) -> Iterator[bytes]:
    for name in names:
        top = CHECKOUT / name
        for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
            if path.is_file() and "__pycache__" not in path.parts:
                yield str(path.relative_to(CHECKOUT)).encode()
                yield path.read_bytes()


def _digest(ingredients: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for ingredient in ingredients:
        digest.update(b"%d:" % len(ingredient) + ingredient)
    return digest.hexdigest()[:16]


# -- one at a time ---------------------------------------------------------------------------------------


@contextlib.contextmanager
def _held(path: Path, how: int) -> Iterator[None]:
    """Hold a lock (flock(2)), which ends with this process at the latest."""
    with path.open("w") as lock:
        fcntl.flock(lock, how)
        yield


def _prune() -> None:
    """Remove the layers that nobody has used for a while; those of this run are locked."""
    for path in [lock for kind in _KEPT for lock in PLACE.glob(f"{kind}-*.lock")]:
        if time.time() - path.stat().st_mtime < _KEPT[path.name.partition("-")[0]]:
            continue
        with contextlib.suppress(BlockingIOError), _held(path, fcntl.LOCK_EX | fcntl.LOCK_NB):
            shutil.rmtree(path.with_suffix(""), ignore_errors=True)
            path.unlink()


def _ensure(layer: Path, build: Callable[[Path], None]) -> None:
    """Have a layer built that is not there yet; it is whole, or not there."""
    if layer.exists():
        return
    part = Path(f"{layer}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        build(part)
        part.rename(layer)
    finally:
        shutil.rmtree(part, ignore_errors=True)


# -- Debian ----------------------------------------------------------------------------------------------


def _build_base(root: Path, packages: Sequence[str]) -> None:
    _run(
        "mmdebstrap",
        "--variant=minbase",
        "--quiet",
        "--aptopt=Acquire::Check-Valid-Until false",  # of a mirror that stands still
        f"--include={','.join(packages)}",
        RELEASE,
        str(root),
        _mirror(),
    )
    _download(root, root / _WHEELS.lstrip("/"))
    _run("chroot", str(root), "python3", "-m", "venv", VENV)
    requirements = [name for name in _requirements() if not name.startswith("hatchling")]
    _run("chroot", str(root), *_PIP, *requirements)


_PIP: Final = (f"{VENV}/bin/pip", "install", "--quiet", "--no-index", f"--find-links={_WHEELS}")


def _mirror() -> str:
    """Return where this machine has its Debian from."""
    words = ("apt-get", "indextargets", "--format", "$(REPO_URI)", "Origin: Debian", "Label: Debian")
    found = _run(*words, "Created-By: Packages").split()
    if not found:
        raise NoMachine("apt has no repository of Debian")
    return found[0]


def _download(root: Path, wheels: Path) -> None:
    """Have pip fetch, as this machine's is configured, what the Python in there can use."""
    [library] = root.glob("usr/lib/python3.*")
    version = library.name.removeprefix("python")
    libcs = [f"manylinux_2_{minor}" for minor in range(40, 16, -1)]
    platforms = [f"--platform={name}_{platform.machine()}" for name in (*libcs, "manylinux2014")]
    words = (sys.executable, "-m", "pip", "download", "--quiet", f"--dest={wheels}", "--only-binary=:all:")
    _run(*words, f"--python-version={version}", *platforms, *_requirements())


# -- srvctl ----------------------------------------------------------------------------------------------


def _build_own(part: Path, base: Path) -> None:
    """Install this checkout onto the base; what it changes there is the layer."""
    upper, work = part / "upper", part / "work"
    for name in (*_BUILT, *_SERVED):
        place = upper / (_SOURCES if name in _BUILT else DEMO).lstrip("/") / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if (CHECKOUT / name).is_dir():
            shutil.copytree(CHECKOUT / name, place, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(CHECKOUT / name, place)
    work.mkdir()
    root = part / "root"
    root.mkdir()
    script = """
        mount -t overlay -o "lowerdir=$1,upperdir=$2,workdir=$3" overlay "$4"
        root=$4; shift 4
        chroot "$root" "$@"
    """
    places = (str(base), str(upper), str(work), str(root))
    private = ("unshare", "--mount", "--propagation", "private", "sh", "-ec", script, "sh", *places)
    _run(*private, *_PIP, "--no-deps", _SOURCES)
    shutil.rmtree(work)
    root.rmdir()


def _run(*words: str) -> str:
    """Run a program to its end, and return what it printed.

    Raises:
        BuildError: It failed.
    """
    environ = {**os.environ, "LC_ALL": "C.UTF-8"}
    try:
        done = subprocess.run(
            words, check=False, capture_output=True, text=True, timeout=_PATIENCE, env=environ
        )
    except subprocess.TimeoutExpired as error:
        raise BuildError(f"{words[0]} took longer than {error.timeout:g} s") from None
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-3:]
        raise BuildError(f"{' '.join(words[:4])} ... failed: {' | '.join(last)}")
    return done.stdout
