"""The ledger's file, on real file systems: it stays small and whole, and nothing about it ever raises.

How a disk that is full looks to it is tried by the limit of a file's size, which every system has and which
cuts a write in the same way; a file system that is really full is in tests/system/test_ledger_disk.py.
"""

from __future__ import annotations

import os
import resource
import stat
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from srvctl.ipc.deaths import MAX_LINE, Death, to_line
from srvctl.supervisor.ledger import MAX_STACK, MOST_STACKS, RECENT, Ledger, read_deaths

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DEATH = Death(
    at=1.75e9,
    master=1,
    worker=7,
    slot=2,
    generation=3,
    pid=4242,
    state="ready",
    cause="exit code 3",
    stderr=("Traceback", "ValueError: é"),
)
LINE = len(to_line(replace(DEATH, worker=1000)))


def deaths(count: int, first: int = 1000) -> list[Death]:
    """Deaths whose lines are of one length."""
    return [replace(DEATH, worker=first + number) for number in range(count)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "web.ledger"


def names_in(folder: Path) -> list[str]:
    return [entry.name for entry in folder.iterdir()]


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


class TestFile:
    def test_deaths_are_read_in_their_order(self, path: Path) -> None:
        ledger = Ledger(path)
        for death in deaths(3):
            ledger.add(death)
        assert read_deaths(path) == list(ledger.recent) == deaths(3)
        assert ledger.take_error() == ""
        assert names_in(path.parent) == [path.name]

    def test_it_is_for_its_owner_only(self, path: Path) -> None:
        old = os.umask(0)
        try:
            Ledger(path).add(DEATH)
            Ledger(path).save_stack(1, "x")
        finally:
            os.umask(old)
        assert mode_of(path) == 0o600
        folder = path.with_name("web.ledger.stacks")
        assert mode_of(folder) == 0o700
        assert [mode_of(file) for file in folder.iterdir()] == [0o600]

    def test_it_is_there_before_anybody_died(self, path: Path) -> None:
        ledger = Ledger(path)
        assert not path.exists()
        ledger.prepare()
        assert path.read_bytes() == b""
        assert read_deaths(path) == []
        ledger.add(DEATH)
        ledger.prepare()
        assert read_deaths(path) == [DEATH]

    def test_an_earlier_masters_deaths_stay(self, path: Path) -> None:
        Ledger(path).add(replace(DEATH, master=1))
        Ledger(path).add(replace(DEATH, master=2))
        assert [death.master for death in read_deaths(path)] == [1, 2]

    def test_the_torn_last_line_of_a_killed_master_costs_only_itself(self, path: Path) -> None:
        first, torn, last = deaths(3)
        path.write_bytes(to_line(first) + to_line(torn)[:-30])
        Ledger(path).add(last)
        assert read_deaths(path) == [first, last]

    def test_no_descriptor_of_it_stays_open(self, path: Path) -> None:
        """A worker would inherit it."""
        before = len(names_in(Path("/proc/self/fd")))
        ledger = Ledger(path, MAX_LINE)
        for death in deaths(100):
            ledger.add(death)
        ledger.save_stack(1, "x")
        assert len(names_in(Path("/proc/self/fd"))) == before

    def test_a_file_that_was_moved_away_is_made_anew(self, path: Path) -> None:
        ledger = Ledger(path)
        ledger.add(DEATH)
        path.rename(path.with_suffix(".old"))
        ledger.add(DEATH)
        assert read_deaths(path) == [DEATH]

    def test_without_a_file_the_last_deaths_are_in_memory(self) -> None:
        ledger = Ledger(None)
        ledger.prepare()
        for death in deaths(RECENT + 5):
            ledger.add(death)
        assert list(ledger.recent) == deaths(RECENT + 5)[5:]
        assert ledger.save_stack(1, "x") == ""
        assert (ledger.path, ledger.take_error()) == (None, "")


class TestSize:
    def test_the_older_half_goes_when_it_is_full(self, path: Path) -> None:
        ledger = Ledger(path, MAX_LINE)
        added = deaths(3 * MAX_LINE // LINE)
        largest = 0
        for count, death in enumerate(added, 1):
            ledger.add(death)
            largest = max(largest, path.stat().st_size)
            kept = read_deaths(path)
            assert kept == added[count - len(kept) : count]
            assert len(kept) >= min(count, MAX_LINE // LINE // 2)
        assert MAX_LINE - LINE <= largest <= MAX_LINE
        assert mode_of(path) == 0o600
        assert names_in(path.parent) == [path.name]

    def test_the_largest_line_fits_into_the_smallest_file(self, path: Path) -> None:
        ledger = Ledger(path, 1)
        large = replace(DEATH, stderr=("\0" * 500,) * 20, stack="/" + "s" * 4000)
        for death in [DEATH, large, large, DEATH]:
            ledger.add(death)
            assert path.stat().st_size <= MAX_LINE
            assert read_deaths(path)[-1].stack == death.stack
        assert ledger.take_error() == ""

    @pytest.mark.parametrize("garbage", [b"x" * 100_000, b"x\n" * 50_000])
    def test_a_file_that_is_larger_already_is_cut(self, path: Path, garbage: bytes) -> None:
        """Of a master that was allowed more, or of something else."""
        path.write_bytes(garbage)
        Ledger(path, MAX_LINE).add(DEATH)
        assert path.stat().st_size <= MAX_LINE
        assert read_deaths(path) == [DEATH]

    def test_what_a_killed_master_left_beside_it_is_no_hindrance(self, path: Path) -> None:
        path.with_name("web.ledger.new").write_bytes(b"half of it")
        path.write_bytes(b"x" * MAX_LINE)
        ledger = Ledger(path, MAX_LINE)
        ledger.add(DEATH)
        assert (ledger.take_error(), read_deaths(path)) == ("", [DEATH])
        assert names_in(path.parent) == [path.name]


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Let no file grow beyond a size; CPython ignores SIGXFSZ, so that a write fails or is cut short."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class TestTrouble:
    def test_a_write_that_is_cut_short_is_said_once_and_costs_one_line(self, path: Path) -> None:
        ledger = Ledger(path)
        first, *lost, last = deaths(5)
        ledger.add(first)
        with files_of_at_most(LINE + LINE // 2):
            for death in lost:
                ledger.add(death)
        assert path.stat().st_size == LINE + LINE // 2
        assert ledger.take_error() == f"Deaths of workers are not recorded in {path}: File too large."
        assert ledger.take_error() == ""
        ledger.add(last)
        assert read_deaths(path) == [first, last]
        assert list(ledger.recent) == deaths(5)

    def test_no_room_for_the_newer_half_leaves_the_file_as_it_is(self, path: Path) -> None:
        ledger = Ledger(path, MAX_LINE)
        full = deaths(MAX_LINE // LINE)
        for death in full:
            ledger.add(death)
        with files_of_at_most(LINE):
            ledger.add(DEATH)
        assert ledger.take_error().endswith(": File too large.")
        assert read_deaths(path) == full
        assert names_in(path.parent) == [path.name]
        ledger.add(DEATH)
        assert read_deaths(path)[-1] == DEATH

    def test_no_room_for_stacks_leaves_no_part_of_them(self, path: Path) -> None:
        ledger = Ledger(path)
        with files_of_at_most(100):
            assert ledger.save_stack(1, "x" * 200) == ""
        folder = path.with_name("web.ledger.stacks")
        assert ledger.take_error() == f"Deaths of workers are not recorded in {folder}: File too large."
        assert list(folder.iterdir()) == []

    def test_a_link_is_not_followed(self, path: Path, tmp_path: Path) -> None:
        """Root would write into whatever somebody wants."""
        victim = tmp_path / "victim"
        victim.write_text("mine")
        path.symlink_to(victim)
        ledger = Ledger(path)
        ledger.prepare()
        ledger.add(DEATH)
        assert ledger.take_error() == (
            f"Deaths of workers are not recorded in {path}: Too many levels of symbolic links."
        )
        assert victim.read_text() == "mine"
        assert ledger.recent == (DEATH,)

    def test_a_link_in_the_place_of_the_new_file_is_not_followed(self, path: Path, tmp_path: Path) -> None:
        victim = tmp_path / "victim"
        victim.write_text("mine")
        path.with_name("web.ledger.new").symlink_to(victim)
        path.write_bytes(b"x" * MAX_LINE)
        Ledger(path, MAX_LINE).add(DEATH)
        assert victim.read_text() == "mine"
        assert read_deaths(path) == [DEATH]

    def test_a_link_in_the_place_of_the_stacks_is_not_followed(self, path: Path, tmp_path: Path) -> None:
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        (elsewhere / "1-20260101T000000.000Z.txt").write_text("mine")
        path.with_name("web.ledger.stacks").symlink_to(elsewhere)
        ledger = Ledger(path)
        assert ledger.save_stack(1, "x") == ""
        assert "not recorded" in ledger.take_error()
        assert names_in(elsewhere) == ["1-20260101T000000.000Z.txt"]

    @pytest.mark.parametrize(
        ("make", "reason"),
        [
            (lambda path: path.mkdir(), "Is a directory"),
            (os.mkfifo, "No such device or address|not a regular file"),
        ],
        ids=["a directory", "a pipe without a reader"],
    )
    def test_what_is_no_file_is_refused_at_once(
        self, path: Path, make: Callable[[Path], None], reason: str
    ) -> None:
        make(path)
        ledger = Ledger(path)
        ledger.add(DEATH)
        assert ledger.take_error().removesuffix(".").rpartition(": ")[2] in reason.split("|")
        assert ledger.recent == (DEATH,)

    def test_a_device_is_refused(self, path: Path) -> None:
        with pytest.raises(OSError, match="not a regular file"):
            read_deaths(Path("/dev/zero"))

    def test_a_directory_that_is_not_there_is_not_made(self, tmp_path: Path) -> None:
        """It may be misspelt."""
        ledger = Ledger(tmp_path / "missing/web.ledger")
        ledger.add(DEATH)
        assert ledger.take_error().endswith("missing/web.ledger: No such file or directory.")
        assert ledger.save_stack(1, "x") == ""
        assert names_in(tmp_path) == []

    @pytest.mark.parametrize("name", ["a\0b", "x" * 300])
    def test_a_name_that_cannot_be_is_no_exception(self, tmp_path: Path, name: str) -> None:
        ledger = Ledger(tmp_path / name)
        ledger.prepare()
        ledger.add(DEATH)
        assert ledger.save_stack(1, "x") == ""
        said = ledger.take_error()
        assert said.isprintable()
        assert said != ""

    def test_each_sentence_is_said_once(self, tmp_path: Path) -> None:
        folder = tmp_path / "there"
        ledger = Ledger(folder / "web.ledger")
        for _ in range(3):
            ledger.add(DEATH)
            folder.mkdir()
            (folder / "web.ledger").mkdir()
            ledger.add(DEATH)
            (folder / "web.ledger").rmdir()
            folder.rmdir()
        assert [ledger.take_error().rpartition(": ")[2] for _ in range(3)] == [
            "No such file or directory.",
            "Is a directory.",
            "",
        ]
        assert repr(ledger).startswith("Ledger('")


def test_a_directory_that_may_not_be_written_is_said(tmp_path: Path) -> None:
    """In a process that is not root, whom modes do not stop; it can be one only after it imported all."""
    program = f"""
import os
from pathlib import Path
from srvctl.ipc.deaths import from_line
from srvctl.supervisor.ledger import Ledger
death = from_line({to_line(DEATH)!r})
if os.geteuid() == 0:
    os.setgroups([])
    os.setegid(65534)
    os.seteuid(65534)
ledger = Ledger(Path("own/web.ledger"))
ledger.prepare()
ledger.add(death)
ledger.save_stack(1, "x")
assert ledger.recent == (death,)
print(ledger.take_error())
print(ledger.take_error().rpartition(": ")[2])
"""
    tmp_path.chmod(0o755)
    folder = tmp_path / "own"
    folder.mkdir(mode=0o555)
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    said = "Deaths of workers are not recorded in own/web.ledger: Permission denied.\nPermission denied.\n"
    assert done.stdout == said, done.stderr


class TestStacks:
    @pytest.fixture
    def ledger(self, path: Path) -> Ledger:
        """One whose clock goes on by a little more than a millisecond at each look."""
        now = 1_795_400_000.0

        def clock() -> float:
            nonlocal now
            now += 0.0015
            return now

        return Ledger(path, clock=clock)

    def test_a_file_is_named_by_process_and_time(self, ledger: Ledger, path: Path) -> None:
        saved = ledger.save_stack(4242, "Thread 0x1\n  in é \udcff")
        assert saved == str(path) + ".stacks/4242-20261123T021320.001Z.txt"
        assert Path(saved).read_text(encoding="utf-8") == "Thread 0x1\n  in é \\udcff"

    def test_a_relative_path_becomes_absolute(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        path = Path("web.ledger")
        assert Ledger(path).save_stack(1, "x").startswith(f"{tmp_path}/web.ledger.stacks/1-")

    def test_the_oldest_go_and_what_is_not_ours_stays(self, ledger: Ledger, path: Path) -> None:
        """By time, not by the order of names: pids begin again."""
        folder = path.with_name("web.ledger.stacks")
        folder.mkdir()
        (folder / "notes.txt").write_text("mine")
        saved = [ledger.save_stack(99_999 - number, "x") for number in range(MOST_STACKS + 7)]
        left = sorted(str(file) for file in folder.iterdir() if file.name != "notes.txt")
        assert left == sorted(saved[-MOST_STACKS:])
        assert (folder / "notes.txt").exists()

    def test_a_very_long_text_is_cut(self, ledger: Ledger) -> None:
        assert Path(ledger.save_stack(1, "x" * (MAX_STACK + 9))).stat().st_size == MAX_STACK
