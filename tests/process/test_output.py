"""What workers print, on its way through the master: whole lines, in order, and nobody waits."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

import psutil

from tests.support.commands import srvctl
from tests.support.outlets import port_in, wait_for
from tests.support.server import ServerProcess
from tests.support.server_waits import PATIENCE, Lines, wait_gone
from tests.support.supervised import Supervised

if TYPE_CHECKING:
    from collections.abc import Iterator

PRINTING = "tests.support.apps.printing:app"
SIZE = 3000


@contextmanager
def follow(command: list[str], printed: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Have its stdout as a pipe, and its stderr in a file; it ends with the context at the latest."""
    with (
        printed.open("wb") as file,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=file) as process,
    ):
        try:
            yield process
        finally:
            process.kill()


def test_lines_of_several_workers_do_not_mix() -> None:
    """Nor are they cut, though they are longer than what a pipe keeps together."""
    flags = ("--workers", "4", "--no-access-log", "--log-buffer", "4MB")  # whoever reads may be slow
    with ServerProcess(PRINTING, *flags) as server:

        def ask(letter: str) -> None:
            for _ in range(10):
                server.get(f"/?how=stderr&count=5&text={letter * 6000}")

        threads = [threading.Thread(target=ask, args=(letter,)) for letter in "abcd"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        server.wait_line("^[abcd]{2}", count=200)
        assert server.stop() == 0
        lines = [line.text for line in server.lines("^[abcd]{2}")]
    assert len(lines) == 200
    assert all(line == line[0] * 6000 for line in lines)


def test_what_c_code_writes_is_in_the_ledger() -> None:
    """Past Python, in a worker that crashes with the next instruction; half a line counts as well."""
    with Supervised(PRINTING) as server:
        pid = server.get("/?how=half&text=half+a+line+").pid
        with server.connect() as client:
            client.send(b"GET /?how=crash&text=written+to+the+descriptor HTTP/1.1\r\nHost: a\r\n\r\n")
            assert server.death(pid).stderr[-1] == "half a line written to the descriptor"
        assert "written to the descriptor" in srvctl("why", "--ledger-file", str(server.ledger)).stdout
        server.wait_workers(1)
        assert server.stop() == 0


def test_what_is_printed_appears_at_once_and_in_order_with_a_death() -> None:
    """print() needs no flush, and what a worker has said comes before the line that says that it died."""
    with ServerProcess(PRINTING) as server:
        pid = server.get("/?how=print&text=hello").pid
        server.stdout.wait("^hello$")
        server.get("/?how=descriptor&text=last+words")
        os.kill(pid, signal.SIGKILL)
        server.wait_death(pid, "killed by SIGKILL")
        texts = [line.text for line in server.stderr.all]
        death = next(number for number, text in enumerate(texts) if "event=worker_died" in text)
        assert "last words" in texts[:death]
        assert server.stop() == 0


def test_nothing_is_lost_at_a_stop() -> None:
    """Not even a line without an end, of the application's shutdown."""
    with ServerProcess(PRINTING) as server:
        server.get()
        assert server.stop() == 0
        texts = [line.text for line in server.stderr.all]
        assert "the last line of stderr" in texts
        assert "the last line of stdout" in server.stdout.text.splitlines()
        assert "Finished master process" in texts[-1]


def test_nobody_waits_for_who_does_not_read_and_lost_lines_are_counted() -> None:
    """The reader stands still; requests are answered, a worker is replaced, and what is gone is said."""
    reading, writing = os.pipe()
    flags = ("--log-buffer", "4096", "--no-access-log")
    with ServerProcess(PRINTING, *flags, log=writing, is_ready=False) as server:
        os.close(writing)
        first = b""
        while b"(Press" not in first:
            first += os.read(reading, 65536)
        server.port = port_in(first)
        for _ in range(5):
            pid = server.get(f"/?how=stderr&size={SIZE}&count=60").pid
        os.kill(pid, signal.SIGKILL)
        assert server.wait_workers(1) != [pid]
        log = Lines(os.fdopen(reading, "rb"), "the log")
        log.wait(r"line\(s\) of the log were lost")
        server.get("/?how=stderr&text=and+on")
        log.wait("^and on$")
        assert server.stop() == 0
        log.wait_end()
        lost = sum(int(match[1]) for _, match in log.matches(r"(\d+) line\(s\) of the log were lost"))
        kept = len(log.matches(f"^x{{{SIZE}}}$")) + first.count(b"x" * SIZE)
        assert lost + kept >= 300


def test_json_lines() -> None:
    """Records of ours, what is printed, and what is JSON already: each line is one object."""
    with ServerProcess(PRINTING, "--log-format", "json", "--no-access-log") as server:
        pid = server.get("/?how=print&text=hello").pid
        server.get('/?how=print&text={"own":1}')
        server.get("/?how=stderr&text=oh")
        assert server.stop() == 0
        out = [json.loads(line) for line in server.stdout.text.splitlines()]
        err = [json.loads(line) for line in server.stderr.text.splitlines()]
    printed = {"message": "hello", "stream": "stdout", "level": "INFO", "pid": pid, "slot": 0}
    assert {"time": out[0]["time"], **printed} == out[0]
    assert {"own": 1} in out
    assert [one["level"] for one in err if one["message"] == "oh"] == ["WARNING"]
    started = next(one for one in err if one["message"].startswith("Started worker"))
    assert {"logger": "srvctl.error", "slot": 0, "generation": 1, "pid": pid}.items() <= started.items()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", started["time"])


def test_without_capture_workers_print_by_themselves() -> None:
    """Into what the master was given."""
    with ServerProcess(PRINTING, "--no-log-capture") as server:
        pid = server.get("/?how=descriptor&text=direct").pid
        server.wait_line("^direct$")
        assert Path(f"/proc/{pid}/fd/2").readlink() == Path(f"/proc/{server.pid}/fd/2").readlink()
        assert server.stop() == 0


def test_an_upgrade_keeps_lines_and_goes_on_reading() -> None:
    """Half a line is completed afterwards, and by then the worker still prints into the same pipe."""
    with ServerProcess(PRINTING) as server:
        pid = server.get("/?how=half&text=first+half").pid
        server.signal(signal.SIGUSR2)
        server.wait_line("^INFO: +Upgraded|[Tt]ook over|takes over|Now srvctl")
        assert server.get("/?how=descriptor&text=,+second+half").pid == pid
        server.wait_line("^first half, second half$")
        assert server.stop() == 0
        assert "the last line of stderr" in [line.text for line in server.stderr.all]


def test_who_is_started_by_a_worker_is_heard_after_its_end_and_nothing_leaks() -> None:
    """As long as it lives; and the master has as many descriptors as before when all are gone."""
    reading, writing = os.pipe()
    os.set_inheritable(reading, True)
    with Supervised(PRINTING, env={"GRANDCHILD": str(reading)}, pass_fds=[reading]) as server:
        os.close(reading)
        server.get()
        before = psutil.Process(server.pid).num_fds()
        old = server.get("/?how=grandchild&text=from+the+grandchild").pid
        (grandchild,) = psutil.Process(old).children()
        os.kill(old, signal.SIGKILL)
        server.wait_death(old, "killed by SIGKILL")
        assert server.wait_workers(1) != [old]
        os.write(writing, b"x")
        os.close(writing)
        server.stdout.wait("^from the grandchild$")
        wait_gone(grandchild.pid)
        for _ in range(4):
            assert server.command("recycle").returncode == 0
        wait_for(lambda: psutil.Process(server.pid).num_fds() <= before, "the master has more descriptors")
        assert server.stop() == 0


def test_the_command_shows_and_follows(tmp_path: Path) -> None:
    """The last lines of one worker, as JSON, and what comes, until the instance ends."""
    with Supervised(PRINTING, "--workers", "2") as server:
        pid = server.get("/?how=stderr&text=one").pid
        server.wait_line("^one$")
        entries = [json.loads(line) for line in server.command("logs", "--json").stdout.splitlines()]
        (one,) = [entry for entry in entries if entry["line"] == "one"]
        assert (one["pid"], one["stream"], one["slot"] in {0, 1}) == (pid, "stderr", True)
        shown = server.command("logs", "--worker", str(one["slot"]), "-n", "1")
        assert shown.stdout.endswith(f" worker {one['slot']} [{pid}] one\n")
        socket = str(server.control_socket)
        command = [sys.executable, "-m", "srvctl", "logs", "-f", "-n", "1", "--control-socket", socket]
        one_said, other_said = tmp_path / "one", tmp_path / "other"
        with follow(command, one_said) as follower, follow(command, other_said) as other:
            first = Lines(cast("IO[bytes]", follower.stdout), "a follower")
            second = Lines(cast("IO[bytes]", other.stdout), "another")
            first.wait("master|worker")
            second.wait("master|worker")
            server.get("/?how=stderr&text=two")
            first.wait(r"worker \d \[\d+\] two$")
            second.wait(" two$")
            other.send_signal(signal.SIGINT)
            assert other.wait(PATIENCE) == 0
            assert server.stop() == 0
            assert follower.wait(PATIENCE) == 0
            assert "is gone" in one_said.read_text()
            assert other_said.read_text() == ""
            first.wait_end()
            second.wait_end()
