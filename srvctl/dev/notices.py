"""What the kernel says has changed in some directories: the one file that knows watchfiles.

Its Rust part is used, which is documented, because its generators arm no watch before they are waited for,
and take the same directories for all their life. Made by `watcher`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, Self

from watchfiles._rust_notify import RustNotify, WatchfilesRustInternalError

if TYPE_CHECKING:
    from collections.abc import Iterable

_GONE: Final = 3  #: watchfiles.Change.deleted
_UNUSED: Final = 300  #: milliseconds between two looks, if watchfiles looked at files by itself
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
        is_lenient: Make do with the directories that can be watched.

    Raises:
        FileNotFoundError: A directory is not there any more.
        PermissionError: One must not be read any more.
        OSError: The kernel's limits are reached.
    """

    def __init__(self, folders: Iterable[str], *, is_lenient: bool = False) -> None:
        try:
            self._notify = RustNotify([*folders], False, False, _UNUSED, False, is_lenient)
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
