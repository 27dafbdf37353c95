"""The life of the child that watches files in development: it says through a pipe which have changed.

One JSON object a line: ``{"watching": [...]}`` once every change from then on will be told,
``{"changed": [...]}`` for each save, ``{"warning": "..."}``. Must not know what comes of it. Forked from the
master, whose end of the pipe is its reason to live. SIGTERM ends it; SIGINT was meant for the master.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from typing import TYPE_CHECKING, Final

from srvctl.dev.bell import Bell
from srvctl.dev.notices import Broken, Notices
from srvctl.dev.patterns import is_within, make_patterns
from srvctl.dev.polling import Polling, must_poll
from srvctl.dev.tree import directories, files_in, is_entered

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from srvctl.dev.notices import Change
    from srvctl.dev.patterns import Patterns
    from srvctl.settings.groups import ReloadSettings

_QUIET: Final = 20  #: milliseconds after which a save is over
_ATTEMPTS: Final = 5  #: to watch directories that come and go meanwhile
_PAUSE: Final = 0.1  #: seconds after which notices that broke are replaced
_COARSE: Final = 0.02  #: seconds by which times of files may be behind the clock


def live(settings: ReloadSettings, app_dir: str, files: Sequence[str], out: int, since: float) -> int:
    """Watch until nobody reads any more; return the exit code.

    Args:
        settings: What to watch.
        app_dir: The directory of the application; empty for the current one.
        files: Further files that matter; told by the names they have here.
        out: Where to write.
        since: Seconds since the epoch; what has changed from then on is told.
    """
    cwd = os.getcwd()  # noqa: PTH109 - strings all the way, for thousands of paths
    patterns = make_patterns(
        settings.dirs or (app_dir or cwd,),
        settings.include,
        settings.exclude,
        cwd=cwd,
        absolute=os.path.abspath,
        is_directory=os.path.isdir,
        files=files,
    )
    with contextlib.suppress(BrokenPipeError):
        Watcher(patterns, settings.delay, cwd, out).run(since)
    return 0


class Watcher:
    """Watches.

    Args:
        patterns: What matters.
        delay: Seconds for which changes are gathered at most.
        cwd: What names are relative to.
        out: Where to write.
    """

    def __init__(self, patterns: Patterns, delay: float, cwd: str, out: int) -> None:
        self._patterns = patterns
        self._longest = max(1, round(delay * 1000))
        self._quiet = min(_QUIET, self._longest)
        self._cwd = cwd
        self._out = out
        self._bell = Bell(out)
        self._is_polling = must_poll()
        self._plan: dict[str, bool] = {}
        self._notices = self._arm()

    def run(self, since: float | None = None) -> None:
        """Tell what changes until nobody reads.

        Args:
            since: Tell first what has changed from then on, in seconds since the epoch.

        Raises:
            BrokenPipeError: Nobody reads.
        """
        self._tell(watching=list(self._patterns.roots))
        missed = self._changed_since(since) if since is not None else set()
        if missed:
            self._tell(changed=sorted(map(self._name, missed)))
        while True:
            known = time.time()
            try:
                seen = self._notices.wait(self._quiet, self._longest, self._bell)
            except Broken:
                seen = self._repair(known)
            if seen is None:
                return
            if self._is_removal(seen):
                seen |= self._notices.rest(self._longest, self._quiet)
            changed = self._meant_by(seen)
            if changed:
                self._tell(changed=sorted(changed))

    def _is_removal(self, seen: set[Change]) -> bool:
        """Say whether files that matter are gone, and nothing else: some editors then write them anew."""
        mattering = [change for change in seen if self._patterns.matters(change[1])]
        return bool(mattering) and not any(os.path.exists(path) for _, path in mattering)  # noqa: PTH110

    def _meant_by(self, seen: set[Change]) -> set[str]:
        """Return the names of the files that have changed, and watch the directories that are there now."""
        changed = {path for _, path in seen if self._matters(path)}
        folders = {path for is_gone, path in seen if self._is_of_plan(path, is_gone=is_gone)}
        if folders:
            before = self._plan
            missed = self._renew()
            fresh = [path for path in self._plan if path not in before or _is_in(path, folders)]
            changed |= set(files_in(fresh, self._patterns))
            changed |= {path for _, path in missed if self._matters(path)}
            changed |= {path for path in folders if self._is_lost(path, before)}
        return {self._name(path) for path in changed}

    def _matters(self, path: str) -> bool:
        return self._patterns.matters(path) and not os.path.isdir(path)  # noqa: PTH112

    def _is_of_plan(self, path: str, *, is_gone: bool) -> bool:
        return (is_gone and path in self._plan) or is_entered(path, self._patterns)

    def _is_lost(self, path: str, before: dict[str, bool]) -> bool:
        """Say whether this is a directory that went with files that mattered: nothing else tells of those."""
        had = any(matters and is_within(folder, path) for folder, matters in before.items())
        return had and not os.path.exists(path)  # noqa: PTH110

    # -- what is watched -------------------------------------------------------------------------------

    def _repair(self, known: float) -> set[Change]:
        """Have other notices; return what has changed since, which those that broke may have kept."""
        time.sleep(_PAUSE)
        return self._renew() | {(False, path) for path in self._changed_since(known - _COARSE)}

    def _changed_since(self, moment: float) -> set[str]:
        found = set()
        for path in files_in(self._plan, self._patterns):
            with contextlib.suppress(FileNotFoundError):  # somebody saves right now: that is told
                if os.stat(path).st_ctime > moment:  # noqa: PTH116
                    found.add(path)
        return found

    def _renew(self) -> set[Change]:
        """Watch what is there now; return what has changed meanwhile."""
        old = self._notices
        self._notices = self._arm()
        with old:
            return old.rest(1) | self._notices.rest(1)

    def _arm(self) -> Notices | Polling:
        """Watch; when this returns, no directory has appeared that is not watched."""
        for _ in range(_ATTEMPTS):
            self._plan = directories(self._patterns)
            try:
                notices = self._watch()
            except (FileNotFoundError, PermissionError):  # it has just gone
                continue
            if directories(self._patterns).keys() == self._plan.keys():
                break
            notices.close()
        else:
            notices = Notices(self._plan, is_lenient=True)
        if self._is_polling:
            self._bell.take_down()
        else:
            self._bell.hang(self._plan)
        return notices

    def _watch(self) -> Notices | Polling:
        if not self._is_polling:
            try:
                return Notices(self._plan)
            except (FileNotFoundError, PermissionError):
                raise
            except OSError as error:
                self._is_polling = True
                self._tell(warning=_advice(len(self._plan), str(error).partition(" about [")[0].rstrip(".")))
        return Polling(self._patterns)

    # -- what is said ----------------------------------------------------------------------------------

    def _name(self, path: str) -> str:
        known = self._patterns.files.get(path)
        if known is not None:
            return known
        return os.path.relpath(path, self._cwd) if is_within(path, self._cwd) else path

    def _tell(self, **message: Any) -> None:
        line = json.dumps(message).encode() + b"\n"
        while line:
            line = line[os.write(self._out, line) :]


def _is_in(path: str, folders: Iterable[str]) -> bool:
    return any(is_within(path, folder) for folder in folders)


def _advice(count: int, reason: str) -> str:
    return (
        f"The kernel does not tell of changes in {count} directories ({reason}); files are looked at again "
        "and again instead. Raise fs.inotify.max_user_watches and fs.inotify.max_user_instances with sysctl, "
        "or have less watched with --reload-dir and --reload-exclude."
    )
