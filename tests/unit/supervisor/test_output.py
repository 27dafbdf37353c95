"""Lines on their way through the master, without processes: cut, shaped, kept, rotated, written and lost."""

from __future__ import annotations

import gc
import json
import os
import socket
import weakref
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from srvctl.errors import ConfigError
from srvctl.logs.access.sinks import ReaderGoneError
from srvctl.settings.groups import LogSettings
from srvctl.supervisor.output import shapes
from srvctl.supervisor.output.destinations import opened, resolved
from srvctl.supervisor.output.entry import Entry, level_of
from srvctl.supervisor.output.lane import Lane
from srvctl.supervisor.output.lines import CUT, LONGEST, Cutter, Tail
from srvctl.supervisor.output.log_file import LogFile
from srvctl.supervisor.output.output import MOST_ORPHANS, Output
from srvctl.supervisor.output.rotation import is_due, moves
from srvctl.supervisor.output.sinks import DatagramSink

if TYPE_CHECKING:
    from pathlib import Path

    from srvctl.supervisor.output.printed import Printed

DAY = 86400.0


def entry(line: bytes, stream: str = "stderr") -> Entry:
    return Entry(1_700_000_000.25, 3, 4711, stream, line)


# -- lines ---------------------------------------------------------------------------------------------


def test_a_line_without_end_is_cut() -> None:
    cutter = Cutter()
    assert cutter.feed(b"x" * LONGEST) == []
    assert cutter.feed(b"yz") == [b"x" * LONGEST + CUT]
    assert cutter.feed(b"\n") == [b"yz"]


def test_what_is_kept_is_bounded() -> None:
    tail = Tail([b"%d" % number for number in range(100)])
    assert tail.lines == [b"%d" % number for number in range(80, 100)]
    tail.add([b"a" * 100_000])
    assert sum(map(len, tail.lines)) <= 16 * 1024


# -- shapes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "stream", "level"),
    [
        (b"INFO:     started", "stderr", "INFO"),
        (b"\x1b[31mERROR\x1b[0m:    no", "stdout", "ERROR"),
        (b"CRITICAL:root:no", "stderr", "CRITICAL"),
        (b'{"level": "debug"}', "stderr", "DEBUG"),
        (b'{"level": "loud"}', "stderr", "WARNING"),
        (b'{"level": 3}', "stdout", "INFO"),
        (b"anything", "stdout", "INFO"),
        (b"anything", "stderr", "WARNING"),
        (b"{" * 50_000 + b"}", "stderr", "WARNING"),
    ],
)
def test_the_level_of_a_line(line: bytes, stream: str, level: str) -> None:
    assert level_of(entry(line, stream)) == level


def test_json_wraps_what_is_none() -> None:
    assert json.loads(shapes.as_json(entry("caf\u00e9 \x1b".encode() + b"\xff"))) == {
        "time": "2023-11-14T22:13:20.250Z",
        "level": "WARNING",
        "stream": "stderr",
        "message": "caf\u00e9 \x1b\\xff",
        "pid": 4711,
        "slot": 3,
    }
    own = b' {"message": 1} '
    assert shapes.as_json(entry(own)) == own


def test_lines_of_a_program_have_its_name() -> None:
    line = replace(entry(b"ERROR: no"), program="queue:1")
    assert shapes.as_line(line) == b"[queue:1] ERROR: no\n"
    assert level_of(line) == "ERROR"
    assert json.loads(shapes.as_json(line))["program"] == "queue:1"
    assert shapes.as_local_syslog(line).endswith(b"srvctl[4711]: [queue:1] ERROR: no")
    assert b"SRVCTL_PROGRAM=queue:1" in shapes.as_journal(line).splitlines()


@pytest.mark.parametrize(
    ("own", "told"),
    [
        (b'{"a": [1], "b": "}"}', {"program": "queue", "a": [1], "b": "}"}),
        (b" {} ", {"program": "queue"}),
        (b'{"program": "it"}', {"program": "it"}),
    ],
)
def test_json_of_a_program_gets_its_name(own: bytes, told: dict[str, object]) -> None:
    assert json.loads(shapes.as_json(replace(entry(own), program="queue"))) == told


def test_syslog_and_journald() -> None:
    line = shapes.as_remote_syslog(entry(b"ERROR: a\0b"), "host")
    assert line == b"<27>1 2023-11-14T22:13:20.250Z host srvctl 4711 - - ERROR: a\\x00b"
    fields = shapes.as_journal(entry(b"x=y")).splitlines()
    assert fields[0] == b"PRIORITY=4"
    assert fields[-1] == b"MESSAGE=x=y"


# -- children ------------------------------------------------------------------------------------------


class Watcher:
    """The part of the poller that children need."""

    def __init__(self) -> None:
        self.watched: set[int] = set()

    def watch(self, source: int, _handler: object) -> None:
        self.watched.add(source)

    def unwatch(self, source: int) -> None:
        self.watched.remove(source)

    def add_clock(self, _clock: object) -> None:
        pass


def test_children_that_leave_somebody_behind_are_not_remembered_for_ever() -> None:
    """What a worker has started may print on for as long as the service runs, and so may that of the next."""
    output, poller = Output(LogSettings(file=os.devnull), captures=True), Watcher()
    output.attach(poller)  # type: ignore[arg-type]
    writing: list[int] = []
    dismissed: list[weakref.ref[Printed]] = []
    for pid in range(100):
        pipes = output.make_pipes()
        assert pipes is not None
        one = output.hear(pipes.reading, 0, pid)
        assert one is not None
        output.dismiss(one)
        writing += pipes.writing
        dismissed.append(weakref.ref(one))
    del one
    gc.collect()
    known = [ref for ref in dismissed if ref() is not None]
    assert known == dismissed[-MOST_ORPHANS:]
    assert len(poller.watched) == 2 * MOST_ORPHANS
    output.end()
    for fd in writing:
        os.close(fd)


# -- rotation ------------------------------------------------------------------------------------------


def test_a_file_is_full_or_of_yesterday() -> None:
    assert not is_due(0, 100, 50, 0.0, 0.0, 0.0), "an empty file takes a line of any size"
    assert is_due(50, 1, 50, 0.0, 0.0, 0.0)
    assert not is_due(49, 1, 50, 0.0, 0.0, 0.0)
    assert is_due(1, 1, 0, DAY - 1, DAY, DAY)
    assert not is_due(1, 1, 0, DAY, 2 * DAY - 1, DAY)
    assert not is_due(10**9, 1, 0, 0.0, 10 * DAY, 0.0)


def test_the_names_of_backups() -> None:
    assert moves("log", 2) == [("log.1", "log.2"), ("log", "log.1")]
    assert moves("log", 0) == []


def test_a_file_of_yesterday_is_put_aside(tmp_path: Path) -> None:
    """Also one that a service before wrote; without backups there is only the newest."""
    path = tmp_path / "log"
    path.write_bytes(b"old\n")
    os.utime(path, (10.0, 10.0))
    now = [20.0]
    file = LogFile(str(path), max_age=DAY, clock=lambda: now[0])
    file.write(b"same day\n")
    now[0] += DAY
    file.write(b"next day\n")
    file.close()
    assert path.read_bytes() == b"next day\n"
    assert (tmp_path / "log.1").read_bytes() == b"old\nsame day\n"
    only = LogFile(str(path), max_size=4, backups=0, clock=lambda: now[0])
    only.write(b"newest\n")
    only.close()
    assert path.read_bytes() == b"newest\n"


def test_a_rotation_that_fails_goes_on_in_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "replace", refuse)
    path = tmp_path / "log"
    file = LogFile(str(path), max_size=5)
    assert [file.write(b"1234\n"), file.write(b"5678\n")] == [5, 5]
    file.close()
    assert path.read_bytes() == b"1234\n5678\n"


# -- destinations --------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", ["syslog:nowhere", "syslog::514", "syslog:a:0", "syslog:a:65536"])
def test_what_is_no_address_is_said(file: str) -> None:
    with pytest.raises(ConfigError, match=r"log\.file: syslog:.* is neither syslog:HOST:PORT"):
        resolved(LogSettings(file=file))


def test_a_socket_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be opened: No such file"):
        opened(LogSettings(file=f"journald:{tmp_path}/no"), {})


def test_another_machine_gets_datagrams() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        log = resolved(LogSettings(file=f"syslog:localhost:{sock.getsockname()[1]}"))
        assert log.file == f"syslog:127.0.0.1:{sock.getsockname()[1]}"
        way = opened(log, {})["stdout"]
        assert way.sink.write(way.encode(entry(b"over there")))
        assert sock.recv(1000).endswith(b"over there")
        way.sink.close()


def test_a_receiver_that_is_started_again_loses_nothing(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    sink = DatagramSink(path, path)
    assert sink.write(b"a") == 0
    assert "No such file" in sink.trouble
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(path)
        assert (sink.write(b"a"), sink.trouble) == (1, "")
        huge = 4 * sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
        assert sink.write(b"b" * huge) == huge, "cut until it fits"
        assert sock.recv(10) == b"a"
        assert sock.recv(10) == b"b" * 10
    sink.close()


# -- a lane --------------------------------------------------------------------------------------------


class Reluctant:
    """A sink that takes so many bytes, and then none until it may take more."""

    size = 64
    trouble = ""

    def __init__(self, room: int = 0) -> None:
        self.room = room
        self.taken = b""
        self.is_gone = False

    def write(self, data: bytes) -> int:
        if self.is_gone:
            raise ReaderGoneError
        taken = min(self.room, len(data))
        self.room -= taken
        self.taken += data[:taken]
        return taken

    def watched(self) -> int | None:
        return None

    def wait(self, _seconds: float) -> bool:
        return True

    def reopen(self) -> None:
        self.is_gone = False

    def close(self) -> None:
        pass


def a_lane(sink: Any, limit: int = 4096) -> tuple[Lane, list[int]]:
    lost: list[int] = []
    return Lane(sink, limit, lost.append, lambda _text: None), lost


def test_lost_lines_are_told_when_it_goes_on() -> None:
    sink = Reluctant(room=5)
    lane, lost = a_lane(sink, limit=20)
    lane.put([b"line %d\n" % number for number in range(10)])
    assert (lane.lost, lost) == (8, [])
    sink.room = 1000
    lane.flush()
    assert (sink.taken, lost) == (b"line 0\nline 1\n", [8])
    lane.put([b"on\n"])
    assert lost == [8]


def test_nobody_is_told_where_nobody_reads() -> None:
    sink = Reluctant()
    lane, lost = a_lane(sink)
    sink.is_gone = True
    lane.put([b"a\n", b"b\n"])
    assert (lane.lost, lost) == (2, [])
    lane.reopen()
    sink.room = 100
    lane.put([b"c\n"])
    assert sink.taken == b"c\n"


def test_the_end_does_not_wait_for_long() -> None:
    lane, _ = a_lane(Reluctant())
    lane.put([b"a\n"])
    lane.drain(0.0)
    assert lane.lost == 1


def test_who_prints_is_held_up_once_and_for_a_moment() -> None:
    """Until everything is written; a reader that stays slow holds up nobody any more."""
    sink = Reluctant()
    lane, _ = a_lane(sink, limit=10)
    assert not lane.is_behind(0.0)
    lane.put([b"12345\n"])
    assert lane.is_behind(100.0)
    assert lane.is_behind(100.9)
    assert not lane.is_behind(101.1)
    sink.room = 100
    lane.flush()
    sink.room = 0
    lane.put([b"12345\n"])
    assert lane.is_behind(200.0)


def test_lines_that_were_tried_together_are_counted_one_by_one() -> None:
    lane, _ = a_lane(Reluctant(room=7))
    lane.put([b"12345\n", b"12345\n", b"12345\n"])
    lane.drain(0.0)
    assert lane.lost == 2
