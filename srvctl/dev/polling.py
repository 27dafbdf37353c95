"""What has changed, found out by looking at every file again and again: where the kernel does not tell.

On its own, because watchfiles compares whole seconds then, and misses the second of two saves in one. Has the
methods of `notices.Notices` that `watcher` calls.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final, Self

from srvctl.dev.tree import directories, files_in

if TYPE_CHECKING:
    from srvctl.dev.notices import Change, Stop
    from srvctl.dev.patterns import Patterns

_PAUSE: Final = 300  #: milliseconds between two looks, as in watchfiles
_SHARE: Final = 10  #: a look takes no more than this part of the time

Stamp = tuple[int, int, int]


class Polling:
    """The changes of the files that matter, from now on.

    Args:
        patterns: Which those are.
    """

    def __init__(self, patterns: Patterns) -> None:
        self._patterns = patterns
        self._pause = _poll_delay() / 1000
        self._known = self._look()

    def wait(self, _quiet: int, _longest: int, stop: Stop) -> set[Change] | None:
        """Wait for changes; None if there is nothing more to wait for. See `notices.Notices.wait`."""
        while not stop.is_set():
            time.sleep(self._pause)
            changes = self._changes()
            if changes:
                return changes
        return None

    def rest(self, longest: int, _quiet: int = 1) -> set[Change]:
        """Return the changes of so many milliseconds."""
        time.sleep(longest / 1000)
        return self._changes()

    def close(self) -> None:
        """Want to know no more."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _changes(self) -> set[Change]:
        begin = time.monotonic()
        before, self._known = self._known, self._look()
        self._pause = max(_poll_delay() / 1000, _SHARE * (time.monotonic() - begin))
        paths = before.keys() | self._known.keys()
        return {
            (path not in self._known, path) for path in paths if before.get(path) != self._known.get(path)
        }

    def _look(self) -> dict[str, Stamp]:
        found: dict[str, Stamp] = {}
        for path in (*files_in(directories(self._patterns), self._patterns), *self._patterns.files):
            try:
                status = os.stat(path)  # noqa: PTH116 - strings all the way
            except OSError:
                continue
            found[path] = (status.st_mtime_ns, status.st_ctime_ns, status.st_size)
        return found


def must_poll() -> bool:
    """Say whether the kernel is not to be asked: as watchfiles does, by its variable, or below WSL."""
    said = os.environ.get("WATCHFILES_FORCE_POLLING", "")
    if said:
        return said.lower() not in {"false", "disable", "disabled"}
    return "microsoft-standard" in os.uname().release.lower()


def _poll_delay() -> int:
    said = os.environ.get("WATCHFILES_POLL_DELAY_MS", "")
    return int(said) if said.isdecimal() else _PAUSE
