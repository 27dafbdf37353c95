"""Which files matter, and which directories need not be looked into. Pure; asked by `tree` and `watcher`.

A file matters if it is Python or matches an include, is not excluded by what the user says, and not excluded
by default, unless an include names it. What uvicorn's options mean is kept; by default more is excluded: what
an installation, a cache or an editor writes is nobody's code.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from srvctl.dev.globs import compile_globs, literal_names

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Iterable

_PYTHON: Final = ".py"
_OTHERS: Final = frozenset(  # beside hidden ones, which caches and tools of version control are
    {"__pycache__", "node_modules", "bower_components", "site-packages", "__pypackages__"}
)
_OTHERS_END: Final = (".egg-info", ".dist-info")
#: Names of output that are names of packages as well; see `tree`.
OUTPUT: Final = frozenset({"build", "dist"})
#: What editors and Python write beside a file: backups, JetBrains' and vim's ways to save, byte code.
_TEMPORARY: Final = ("~", ".pyc", ".pyo", "___jb_tmp___", "___jb_old___", ".swp", ".swx", ".swo", ".tmp")
#: What vim tries whether it can write a directory with.
_PROBES: Final = frozenset({"4913"})
#: How names of hidden files begin, and of what Emacs writes meanwhile; ``~`` is uvicorn's.
_HIDDEN: Final = (".", "~", "#")


@dataclass(frozen=True, slots=True)
class Patterns:
    """What matters below the roots.

    Attributes:
        roots: Absolute directories; which one a path belongs to is said by the longest.
        everything: Those of them in which every file matters, not only Python.
        excluded: Absolute directories that the user excludes.
        include: Matches files that matter beside Python.
        exclude: Matches files, and directories, that do not.
        named: Names of directories that includes name: no default keeps them out.
        temporary: How the names of files end that do not matter by default, nor for ``*``.
        files: Absolute paths that matter wherever they are, and what they are called when they change.
    """

    roots: tuple[str, ...]
    everything: frozenset[str]
    excluded: tuple[str, ...]
    include: re.Pattern[str]
    exclude: re.Pattern[str]
    named: frozenset[str]
    temporary: tuple[str, ...]
    files: dict[str, str] = field(default_factory=dict)

    def matters(self, path: str) -> bool:
        """Say whether a change of this file, an absolute path, is one of the code."""
        if path in self.files:
            return True
        root = self.root_of(path)
        if root is None or path == root or self._is_refused(path, root):
            return False
        *folders, name = path[len(root) :].strip("/").split("/")
        if any(self.is_excluded_name(folder) for folder in folders):
            return False
        if name.endswith(self.temporary) or name in _PROBES:
            return False
        if self.include.fullmatch(path):
            return True
        return (name.endswith(_PYTHON) or root in self.everything) and not name.startswith(_HIDDEN)

    def enters(self, path: str) -> bool:
        """Say whether there may be something in this directory, an absolute path, that matters."""
        root = self.root_of(path)
        if root is None or self._is_refused(path, root):
            return False
        folders = path[len(root) :].strip("/").split("/")
        return not any(self.is_excluded_name(folder) for folder in folders if folder)

    def root_of(self, path: str) -> str | None:
        """Return the root that a path belongs to, if it does."""
        found = [root for root in self.roots if is_within(path, root)]
        return max(found, key=len, default=None)

    def is_excluded_name(self, folder: str) -> bool:
        """Say whether a directory of this name is excluded by default."""
        if folder in self.named:
            return False
        return folder.startswith(".") or folder in _OTHERS or folder.endswith(_OTHERS_END)

    def _is_refused(self, path: str, root: str) -> bool:
        """Say whether the user excludes the path, or a directory that it is in, at or below its root."""
        if any(is_within(path, folder) for folder in self.excluded):
            return True
        while len(path) > len(root):
            if self.exclude.fullmatch(path):
                return True
            path = path.rpartition("/")[0]
        return False


def make_patterns(
    roots: Iterable[str],
    include: Iterable[str],
    exclude: Iterable[str],
    *,
    cwd: str,
    absolute: Callable[[str], str],
    is_directory: Callable[[str], bool],
    files: Iterable[str] = (),
) -> Patterns:
    """Return what the settings mean.

    An entry that is a directory stands for everything below it: included, it is one more root, in which every
    file matters that is not excluded by default.

    Args:
        roots: Directories to watch.
        include: Globs and directories.
        exclude: Globs and directories.
        cwd: The working directory.
        absolute: Makes a path absolute.
        is_directory: Says whether there is one.
        files: Further files that matter.
    """
    wanted = [entry for entry in include if not is_directory(entry)]
    unwanted = [entry for entry in exclude if not is_directory(entry)]
    whole = [absolute(entry) for entry in include if is_directory(entry)]
    return Patterns(
        roots=tuple(dict.fromkeys([*map(absolute, roots), *whole])),
        everything=frozenset(whole),
        excluded=tuple(absolute(entry) for entry in exclude if is_directory(entry)),
        include=compile_globs(wanted, cwd, hidden=False),
        exclude=compile_globs(unwanted, cwd, hidden=True),
        named=literal_names(wanted),
        temporary=tuple(end for end in _TEMPORARY if not any(glob.endswith(end) for glob in wanted)),
        files={absolute(file): file for file in files},
    )


def is_within(path: str, folder: str) -> bool:
    """Say whether a path is a directory or in it; both are absolute."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")
