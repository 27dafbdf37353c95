"""The child that watches, with real files: what it says of them, and when."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.server_waits import PATIENCE, Lines, NeverHappened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_ATTEMPTS = 5
_CHILD = """
import resource, sys, time
import watchfiles
from srvctl.dev.watcher import live
from srvctl.ipc.forking import reset_signals
from srvctl.settings.groups import ReloadSettings

settings, app_dir, files, descriptors, since = eval(sys.argv[1])
reset_signals()
if descriptors:
    resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))
sys.exit(live(ReloadSettings(**settings), app_dir, files, 1, since or time.time()))
"""


class Watching:
    """The child, in a working directory."""

    def __init__(self, process: subprocess.Popen[bytes], cwd: Path) -> None:
        assert process.stdout is not None
        self.process, self.cwd = process, cwd
        self.lines = Lines(process.stdout, "the pipe")
        self._told = 0
        self._before: set[str] = set()
        self._marks = itertools.count()

    def wait(self, kind: str) -> list[str]:
        """Wait for the next line of this kind."""
        while True:
            line, _ = self.lines.wait("", since=self._told)
            self._told += 1
            message = json.loads(line.text)
            if kind in message:
                said: list[str] = message[kind]
                return said

    def wait_changed(self, *paths: str) -> None:
        """Wait until these have been told, in one line or more, and no others.

        But for those that were waited for before: a machine that is busy makes two saves of one.
        """
        missing, wanted = set(paths), set(paths)
        while missing:
            told = {path for path in self.wait("changed") if not path.startswith("mark")}
            if told - wanted - self._before:
                raise NeverHappened(f"{told - wanted} were told of as well")
            missing -= told
        self._before = wanted

    def until_now(self) -> list[list[str]]:
        """Return what is told of all that has happened until now, line by line."""
        mark = f"mark{next(self._marks)}.py"
        self.write(mark)
        lines = []
        while True:
            told = self.wait("changed")
            lines.append([path for path in told if not path.startswith("mark")])
            if mark in told:
                return [line for line in lines if line]

    def write(self, path: str, text: str = "") -> None:
        (self.cwd / path).write_text(text, encoding="utf-8")

    def is_asleep(self, seconds: float = 1.0) -> bool:
        """Say whether no thread of it was woken for so long, but for once."""
        before = self._switches()
        threading.Event().wait(seconds)
        return self._switches() - before < 2

    def _switches(self) -> int:
        tasks = Path(f"/proc/{self.process.pid}/task").iterdir()
        lines = [line for task in tasks for line in (task / "status").read_text().splitlines()]
        return sum(int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt_switches"))


def start(
    cwd: Path,
    settings: dict[str, object] | None = None,
    *files: str,
    app_dir: str = "",
    descriptors: int = 0,
    since: float = 0.0,
) -> subprocess.Popen[bytes]:
    arguments = repr((settings or {}, app_dir, files, descriptors, since))
    environ = {name: value for name, value in os.environ.items() if not name.startswith("WATCHFILES_")}
    return subprocess.Popen(
        [sys.executable, "-c", _CHILD, arguments], cwd=cwd, stdout=subprocess.PIPE, env=environ
    )


@contextlib.contextmanager
def watching(
    cwd: Path,
    settings: dict[str, object] | None = None,
    *files: str,
    app_dir: str = "",
    descriptors: int = 0,
    since: float = 0.0,
) -> Iterator[Watching]:
    with start(cwd, settings, *files, app_dir=app_dir, descriptors=descriptors, since=since) as process:
        child = Watching(process, cwd)
        try:
            yield child
        finally:
            process.kill()
            process.wait()
            child.lines.wait_end()


@pytest.fixture(scope="module")
def child(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watching]:
    cwd = tmp_path_factory.mktemp("shop")
    for name in ("main.py", "shop/__init__.py"):
        (cwd / name).parent.mkdir(exist_ok=True)
        (cwd / name).touch()
    with watching(cwd) as child:
        assert child.wait("watching") == [str(cwd)]
        yield child


def test_each_way_to_save_is_told_once(child: Watching) -> None:
    """However many steps it has."""

    def rename() -> None:
        child.write(".main.py.tmp", "rename")
        (child.cwd / ".main.py.tmp").replace(child.cwd / "main.py")
        (child.cwd / "main.py").chmod(0o640)

    def as_vim_does() -> None:
        child.write("4913")
        (child.cwd / "4913").unlink()
        (child.cwd / "main.py").rename(child.cwd / "main.py~")
        child.write("main.py", "vim")
        (child.cwd / "main.py").chmod(0o640)
        (child.cwd / "main.py~").unlink()

    def touch() -> None:
        os.utime(child.cwd / "main.py")

    def write() -> None:
        child.write("main.py", "new")

    for save in (write, rename, as_vim_does, touch):
        assert is_told_once(child, save), save.__name__


def test_a_file_that_goes_and_comes_back_at_once_is_one_change(child: Watching) -> None:
    def save() -> None:
        (child.cwd / "main.py").unlink()
        threading.Event().wait(0.06)  # longer than a save is quiet, much shorter than the delay
        child.write("main.py")

    assert is_told_once(child, save)
    (child.cwd / "main.py").unlink()
    assert child.until_now() == [["main.py"]]
    child.write("main.py")
    assert "main.py" in itertools.chain(*child.until_now())


def test_what_was_saved_before_it_watched_is_told(tmp_path: Path) -> None:
    (tmp_path / "old.py").touch()
    since = (tmp_path / "old.py").stat().st_ctime
    (tmp_path / "new.py").touch()
    with watching(tmp_path, since=since - 1) as child:
        assert child.wait("changed") == ["new.py", "old.py"]
    with watching(tmp_path, since=since + 60) as child:
        assert child.wait("watching")
        child.write("old.py")
        assert child.wait("changed") == ["old.py"]


def is_told_once(child: Watching, save: Callable[[], None]) -> bool:
    """Say whether a save is one change; a machine that is busy may need some attempts to save that fast."""
    child.until_now()
    for _ in range(_ATTEMPTS):
        save()
        if child.until_now() == [["main.py"]]:
            return True
    return False


def test_what_does_not_matter_is_not_told(child: Watching) -> None:
    (child.cwd / "shop/__pycache__").mkdir()
    child.write("shop/__pycache__/x.py")
    child.write("note.txt")
    child.write(".main.py.swp")
    assert child.until_now() == []


def test_directories_come_move_and_go(child: Watching) -> None:
    (child.cwd / "new/deep").mkdir(parents=True)
    child.write("new/deep/a.py")
    child.wait_changed("new/deep/a.py")
    child.write("new/deep/b.py")
    child.wait_changed("new/deep/b.py")
    (child.cwd / "new").rename(child.cwd / "other")
    child.wait_changed("new", "other/deep/a.py", "other/deep/b.py")
    child.write("other/deep/b.py", "x")
    child.wait_changed("other/deep/b.py")
    shutil.rmtree(child.cwd / "other")
    child.wait_changed("other", "other/deep", "other/deep/a.py", "other/deep/b.py")


def test_many_files_are_told_completely(child: Watching) -> None:
    """As those of a checkout, in directories that are new."""
    names = [f"many/d{number % 20}/f{number}.py" for number in range(500)]
    for name in names:
        (child.cwd / name).parent.mkdir(parents=True, exist_ok=True)
        child.write(name)
    child.wait_changed(*names)


def test_names_that_are_no_text_do_not_end_it(child: Watching) -> None:
    with open(os.fsencode(child.cwd) + b"/\xff.py", "w", encoding="utf-8"):  # noqa: PTH123 - Path takes no bytes
        pass
    child.write("main.py", "1")
    assert "main.py" in itertools.chain(*child.until_now())


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the bell is made of inotify")
def test_it_sleeps_while_nothing_happens_and_is_awake_at_once(child: Watching) -> None:
    """Not a single look at anything in a second."""
    deadline = time.monotonic() + PATIENCE
    while not child.is_asleep():
        assert time.monotonic() < deadline, "it never sleeps"
    child.write("main.py", "wake up")
    assert "main.py" in itertools.chain(*child.until_now())


def test_the_terminal_s_interrupt_is_not_for_it(child: Watching) -> None:
    child.process.send_signal(signal.SIGINT)
    child.write("main.py", "still there")
    assert "main.py" in itertools.chain(*child.until_now())


def test_it_ends_when_nobody_reads(tmp_path: Path) -> None:
    """While nothing happens."""
    with start(tmp_path) as process:
        try:
            assert process.stdout is not None
            assert b"watching" in process.stdout.readline()
            process.stdout.close()
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()


def test_it_ends_by_sigterm(tmp_path: Path) -> None:
    with watching(tmp_path) as child:
        child.wait("watching")
        child.process.terminate()
        assert child.process.wait(PATIENCE) == -signal.SIGTERM


def test_what_is_asked_for_is_watched(tmp_path: Path) -> None:
    """Roots elsewhere, patterns, and files that matter wherever they are, by the names they were given."""
    for name in ("shop/app", "other", "conf", ".venv/lib"):
        (tmp_path / name).mkdir(parents=True)
    settings = {
        "dirs": ("app", "../other", "../.venv/lib"),
        "include": ("*.html",),
        "exclude": ("test_*",),
        "delay": 0.05,
    }
    with watching(tmp_path / "shop", settings, "../conf/srvctl.toml", ".env") as child:
        roots = [tmp_path / "shop/app", tmp_path / "other", tmp_path / ".venv/lib"]
        assert child.wait("watching") == list(map(str, roots))
        for path, told in [
            ("app/page.html", "app/page.html"),
            ("../other/x.py", f"{tmp_path}/other/x.py"),
            ("../.venv/lib/x.py", f"{tmp_path}/.venv/lib/x.py"),
            ("../conf/srvctl.toml", "../conf/srvctl.toml"),
            (".env", ".env"),
        ]:
            child.write("app/test_x.py")
            child.write("main.py")
            child.write("../conf/other.py")
            child.write(path)
            child.wait_changed(told)


def test_a_root_that_goes_is_watched_when_it_is_back(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app/main.py").touch()
    with watching(tmp_path, app_dir="app") as child:
        assert child.wait("watching") == [f"{tmp_path}/app"]
        (tmp_path / "app").rename(tmp_path / "away")
        child.wait_changed("app")
        (tmp_path / "away").rename(tmp_path / "app")
        child.wait_changed("app/main.py")
        child.write("app/main.py", "x")
        child.wait_changed("app/main.py")


def test_without_the_kernel_s_help_files_are_looked_at(tmp_path: Path) -> None:
    """It says so, and how to have its help."""
    (tmp_path / "main.py").touch()
    with watching(tmp_path, descriptors=5) as child:
        warning = child.wait("warning")
        assert "Too many open files" in warning
        assert "fs.inotify.max_user_watches" in warning
        child.wait("watching")
        for text in ("1", "2", "3"):  # in less than a second
            child.write("main.py", text)
            child.wait_changed("main.py")
        (tmp_path / "new").mkdir()
        child.write("new/x.py")
        child.wait_changed("new/x.py")
        (tmp_path / "main.py").unlink()
        child.wait_changed("main.py")
