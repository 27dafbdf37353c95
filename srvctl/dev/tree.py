"""The directories to watch: those below the roots in which something may be that matters.

What is excluded is not even looked into, so that it costs neither time nor watches of the kernel, of which a
user has a limited number (inotify(7)). Called by the watching child; `check_reload_dirs` before it is forked.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Final

from srvctl.dev.patterns import OUTPUT, is_within
from srvctl.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from srvctl.dev.patterns import Patterns

#: What is in every virtual environment (PEP 405), and in every one of conda.
_MARKS: Final = frozenset({"pyvenv.cfg", "conda-meta"})
_ENVIRONMENTS: Final = frozenset({"venv", "env"})


def check_reload_dirs(dirs: Iterable[str]) -> None:
    """Check that there is something to watch.

    Raises:
        ConfigError: One is no directory, or must not be read.
    """
    for path in dirs:
        if not os.path.exists(path):  # noqa: PTH110 - strings all the way
            raise ConfigError(f"reload.dirs: there is no directory {path!r}; create it, or name another one.")
        if not os.path.isdir(path):  # noqa: PTH112
            raise ConfigError(
                f"reload.dirs: {path!r} is a file; name its directory, and it with reload.include."
            )
        if not os.access(path, os.R_OK | os.X_OK):
            raise ConfigError(f"reload.dirs: directory {path!r} must not be read; change its permissions.")


def directories(patterns: Patterns) -> dict[str, bool]:
    """Return the directories to watch, each without those below it, and whether something in it matters.

    A root, or the directory of a file, that is not there is stood for by what it will appear in.
    """
    found: dict[str, bool] = {}
    seen: set[tuple[int, int]] = set()
    for root in sorted(patterns.roots, key=len, reverse=True):  # the longest says what is in it
        found.update(_walk(root, patterns, seen))
        if root not in found:
            found.setdefault(_nearest(os.path.dirname(root)), False)  # noqa: PTH120
    for file in patterns.files:
        found.setdefault(_nearest(os.path.dirname(file)), True)  # noqa: PTH120
    return found


def files_in(folders: Iterable[str], patterns: Patterns) -> Iterator[str]:
    """Yield the files of these directories that matter, without those below them."""
    for folder in folders:
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            yield from (entry.path for entry in entries if _is_file(entry) and patterns.matters(entry.path))


def is_entered(path: str, patterns: Patterns) -> bool:
    """Say whether what has appeared is a directory to watch, or one that a root is in."""
    if not os.path.isdir(path):  # noqa: PTH112
        return False
    if any(is_within(wanted, path) for wanted in (*patterns.roots, *patterns.files)):
        return True
    return patterns.enters(path) and not _is_pruned(path, patterns)


def _walk(root: str, patterns: Patterns, seen: set[tuple[int, int]]) -> Iterator[tuple[str, bool]]:
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        try:
            status = os.stat(folder)  # noqa: PTH116 - through links, which may lead in a circle
            if (status.st_dev, status.st_ino) in seen:
                continue
            with os.scandir(folder) as listing:
                entries = list(listing)
        except OSError:  # it has just gone, or is not ours to read
            continue
        if folder != root and _is_pruned_with(folder, {entry.name for entry in entries}, patterns):
            continue
        seen.add((status.st_dev, status.st_ino))
        yield folder, any(patterns.matters(entry.path) for entry in entries)
        waiting += [entry.path for entry in entries if _is_folder(entry) and patterns.enters(entry.path)]


def _is_pruned(path: str, patterns: Patterns) -> bool:
    with contextlib.suppress(OSError):
        return _is_pruned_with(path, set(os.listdir(path)), patterns)  # noqa: PTH208
    return True


def _is_pruned_with(path: str, names: set[str], patterns: Patterns) -> bool:
    """Say whether a directory's content makes it one that is excluded by default."""
    name = os.path.basename(path)  # noqa: PTH119
    if name in patterns.named or path in patterns.roots:
        return False
    if name in OUTPUT:
        return "__init__.py" not in names
    if name in _ENVIRONMENTS and os.path.exists(f"{path}/bin/python"):  # noqa: PTH110
        return True
    return not _MARKS.isdisjoint(names)


def _nearest(path: str) -> str:
    while not os.path.isdir(path):  # noqa: PTH112
        path = os.path.dirname(path)  # noqa: PTH120
    return path


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return not entry.is_dir()
    except OSError:
        return False
