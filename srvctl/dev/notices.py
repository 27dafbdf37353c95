"""What the kernel says has changed in some directories: the one file that knows watchfiles.

Its Rust part is used, which is documented, because its generators arm no watch before they are waited for,
and take the same directories for all their life. Made by `watcher`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, Protocol, Self

from watchfiles._rust_notify import RustNotify, WatchfilesRustInternalError

if TYPE_CHECKING:
    from collections.abc import Iterable

_GONE: Final = 3  #: watchfiles.Change.deleted
_POLL: Final = 300  #: milliseconds, as in watchfiles
Change = tuple[bool, str]  #: whether it is gone, and the path


class Broken(Exception):  # noqa: N818 - says what is
    """These notices have ended, for instance because a name is no UTF-8; others are needed."""


class Stop(Protocol):
    """Is asked after each step of waiting, and may take its time."""

    def is_set(self) -> bool:
        """Say whether to wait no longer."""


class Notices:
    """The changes in some directories, from now on; not in those below them.

    Args:
        folders: The directories.
        is_polling: Look at all files again and again, for want of anything better.
        is_lenient: Make do with the directories that can be watched.

    Raises:
        FileNotFoundError: A directory is not there any more.
        PermissionError: One must not be read any more.
        OSError: The kernel's limits are reached.
    """

    def __init__(self, folders: Iterable[str], *, is_polling: bool = False, is_lenient: bool = False) -> None:
        self.is_polling = is_polling
        try:
            self._notify = RustNotify([*folders], False, is_polling, _poll_delay(), False, is_lenient)
        except WatchfilesRustInternalError as error:
            raise OSError(str(error).rpartition(": ")[2]) from None

    def wait(self, quiet: int, longest: int, stop: Stop) -> set[Change] | None:
        """Wait for changes until there are some and no more come; None if there is nothing more to wait for.

        Args:
            quiet: Milliseconds without another change after which these are all.
            longest: Milliseconds after the first of them in which these are all.
            stop: Is asked every ``quiet`` milliseconds.

        Raises:
            Broken: There will be none.
        """
        return self._watch(longest, quiet, 0, stop)

    def rest(self, longest: int, quiet: int = 1) -> set[Change]:
        """Return the changes of so many milliseconds; fewer if some have come, and no more for ``quiet``."""
        try:
            return self._watch(longest, quiet, longest, None) or set()
        except Broken:
            return set()

    def _watch(self, longest: int, quiet: int, patience: int, stop: Stop | None) -> set[Change] | None:
        try:
            found = self._notify.watch(longest, quiet, patience, stop)
        except WatchfilesRustInternalError as error:
            raise Broken(str(error)) from None
        if isinstance(found, str):  # timeout, stop, signal
            return None
        return {(change == _GONE, path) for change, path in found}

    def close(self) -> None:
        """Want to know no more."""
        self._notify.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def must_poll() -> bool:
    """Say whether the system tells nothing of changes: as watchfiles does, by its variable, or below WSL."""
    said = os.environ.get("WATCHFILES_FORCE_POLLING", "")
    if said:
        return said.lower() not in {"false", "disable", "disabled"}
    return "microsoft-standard" in os.uname().release.lower()


def _poll_delay() -> int:
    said = os.environ.get("WATCHFILES_POLL_DELAY_MS", "")
    return int(said) if said.isdecimal() else _POLL
