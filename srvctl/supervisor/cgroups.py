"""Where the control groups of this process are, of both versions of the interface (cgroups(7)).

Reads /proc and /sys below a root that tests replace; fails never: what cannot be read is not there. Used to
count workers (`srvctl.supervisor.capacity`) and to see what the kernel did to them (`srvctl.supervisor.oom`).
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_CGROUP: Final = Path("/sys/fs/cgroup")


def folders(root: Path, controller: str) -> Iterator[Path]:
    """Yield this process's cgroup and its parents up to the mount, each of which limits it.

    Args:
        root: Where /proc and /sys are looked for.
        controller: The one whose v1 hierarchy is meant; "" means the v2 hierarchy.
    """
    path = _own_path(root, controller)
    if path is None:
        return
    mount, top = _mount(root, controller)
    # In a container without a cgroup namespace the path is the host's, and the mount shows the end of it.
    # A path that lies elsewhere (/.. in a namespace we were moved out of) is out of sight.
    own, shown = PurePosixPath(path), PurePosixPath(top)
    inside = own.relative_to(shown).parts if own.is_relative_to(shown) and ".." not in own.parts else ()
    base = root / str(mount).lstrip("/")
    for depth in range(len(inside), -1, -1):
        yield base.joinpath(*inside[:depth])


def _own_path(root: Path, controller: str) -> str | None:
    """Return the cgroup of this process, from lines such as ``4:cpu,cpuacct:/a`` (v1) and ``0::/a`` (v2)."""
    for line in read(root / "proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, colon, path = rest.partition(":")
        if colon and controller in controllers.split(","):
            return path
    return None


def _mount(root: Path, controller: str) -> tuple[Path, str]:
    """Return where the hierarchy is mounted, and which cgroup is its top (proc_pid_mountinfo(5))."""
    kind = "cgroup" if controller else "cgroup2"
    for line in read(root / "proc/self/mountinfo").splitlines():
        before, _, after = line.partition(" - ")
        fields, described = before.split(), after.split()
        if len(fields) < 5 or len(described) < 3 or described[0] != kind:  # noqa: PLR2004 - fields of the format
            continue
        if not controller or controller in described[2].split(","):
            return Path(_unescape(fields[4])), _unescape(fields[3])
    return _CGROUP / controller, "/"


def _unescape(field: str) -> str:
    r"""Return a field of mountinfo with its ``\040`` and the like replaced."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), field)


def read(path: Path) -> str:
    """Return what a file says; nothing where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
