"""Messages between the workers of one srvctl: to all of them, in order, through whatever befalls some."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.broadcasting import BROADCASTING, Events, in_each, publishers
from tests.support.server import BASIC, ServerProcess
from tests.support.server_waits import wait_gone
from tests.support.supervised import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What srvctl takes for /tmp; short, since socket files are in it."""
    path = Path(tempfile.mkdtemp(prefix="b", dir="/tmp"))
    yield path
    shutil.rmtree(path)


def serve(temporary: Path, *flags: str, workers: int = 2, target: str = BROADCASTING) -> ServerProcess:
    """As where no service manager gives a directory; then /tmp is next."""
    return ServerProcess(
        target,
        *("--workers", str(workers), "--timeout-stream-shutdown", "0", "--control-socket", "none"),
        *("--timeout-keep-alive", "600", "--timeout-request-head", "600", *flags),
        env={"RUNTIME_DIRECTORY": "", "TMPDIR": str(temporary)},
    )


def left(temporary: Path) -> list[str]:
    return sorted(str(path.relative_to(temporary)) for path in temporary.rglob("*"))


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_every_worker_hears_every_worker(temporary: Path, loop: str) -> None:
    """Also itself; in the order of the publisher; as str or bytes; and nothing is left behind."""
    with serve(temporary, "--loop", loop, workers=3) as server:
        pids = server.wait_workers(3)
        with in_each(server, "room", pids) as streams, publishers(server, pids) as connections:
            for publisher in connections:
                publisher.publish("room", f"text of {publisher.pid}: ü")
                publisher.publish("other", "nobody's")
                publisher.publish("room", b"\x00\xff")
                publisher.publish_numbers("room", 2000)
                for stream in streams:
                    assert stream.read() == f"text of {publisher.pid}: ü"
                    assert stream.read() == b"\x00\xff"
                    assert stream.read_many(2000) == [str(number) for number in range(2000)]
            for publisher in connections:
                counts = publisher.stats()
                assert (counts["dropped"], counts["unsent"], counts["peers"]) == (0, 0, 2)
        assert len([name for name in left(temporary) if name.endswith(".sock")]) == 3
        assert server.stop() == 0
        assert not server.lines("ERROR|WARNING|Traceback")
    assert left(temporary) == []


def test_lifespans_hear_each_other(temporary: Path) -> None:
    """Startup comes before any request, shutdown after the last; both may subscribe and publish."""
    with serve(temporary) as server:
        first, second = pids = server.wait_workers(2)
        with publishers(server, pids) as connections:
            hellos = {pid: f"hello from {pid}" for pid in pids}

            def have_heard() -> bool:
                heard = {publisher.pid: set(publisher.kept()) for publisher in connections}
                is_own_heard = all(hellos[pid] in heard[pid] for pid in pids)
                return is_own_heard and set(hellos.values()) in (heard[first], heard[second])

            # One that answers may not have read yet what the other has sent it.
            wait_until(have_heard, "each hears itself, and at least the one that came last is heard by both")
        with in_each(server, "goodbye", [first]) as [stream]:
            os.kill(second, signal.SIGTERM)
            assert stream.read() == str(second)


def test_a_worker_that_is_killed_is_forgotten_and_its_successor_is_heard(temporary: Path) -> None:
    """Those who remain lose nothing, and its socket file goes."""
    with serve(temporary, workers=3) as server:
        doomed, *others = server.wait_workers(3)
        with in_each(server, "room", others) as streams, publishers(server, others) as [one, _]:
            one.publish_numbers("room", 100)
            one.wait_stats(peers=2)
            os.kill(doomed, signal.SIGKILL)
            one.publish_numbers("room", 100, first=100)
            wait_gone(doomed)
            one.publish_numbers("room", 100, first=200)
            for stream in streams:
                assert stream.read_many(300) == [str(number) for number in range(300)]
            (successor,) = set(server.wait_workers(3)) - set(others)
            with in_each(server, "room", [successor]) as [new], publishers(server, [successor]) as [two]:
                one.publish("room", "old to new")
                assert new.read() == "old to new"
                two.publish("room", "new to old")
                for stream in streams:
                    assert stream.read_many(2) == ["old to new", "new to old"]
            wait_until(
                lambda: not [name for name in left(temporary) if f"/{doomed}-" in name],
                "its socket file is gone",
            )
        assert server.stop() == 0
    assert left(temporary) == []


def test_a_worker_that_stands_still_holds_nobody_up(temporary: Path) -> None:
    """What is too much for it is dropped and counted, and the others get everything."""
    with serve(temporary, "--broadcast-buffer", "64K") as server:
        stuck, other = pids = server.wait_workers(2)
        with in_each(server, "room", pids) as [_, stream], publishers(server, [other]) as [publisher]:
            os.kill(stuck, signal.SIGSTOP)
            for number in range(100):
                publisher.publish("room", f"{number}:".ljust(10_000, "x"))
                assert str(stream.read()).startswith(f"{number}:")
            server.wait_line(
                r"WARNING: +Broadcast: \d+ messages? for other workers were dropped, too many wait "
                r"\(broadcast\.buffer\); channels: 'room'\."
            )
            assert publisher.stats()["unsent"] > 0
            os.kill(stuck, signal.SIGCONT)


def test_a_subscriber_that_is_slow_loses_the_newest(temporary: Path) -> None:
    """It is counted and said; others on the channel lose nothing."""
    with serve(temporary, "--broadcast-queue", "500") as server:
        first, second = server.wait_workers(2)
        with (
            in_each(server, "room", [first], "&delay=60") as [slow],
            in_each(server, "room", [second]) as [quick],
            publishers(server, [first, second]) as [ours, theirs],
        ):
            before = ours.stats()["received"]
            theirs.publish_numbers("room", 1501)
            assert quick.read_many(1501) == [str(number) for number in range(1501)]
            assert slow.read() == "0"
            ours.wait_stats(received=before + 1501)
            server.wait_line(r"for subscribers that were too slow were dropped \(broadcast\.queue\); ")
            assert 990 <= ours.stats()["dropped"] <= 1001


def test_reloads_and_scaling_lose_nothing_for_those_who_stay(temporary: Path) -> None:
    """New workers join, old ones leave, while a stream in an old one goes on until its worker drains."""
    with serve(temporary, "--timeout-stream-shutdown", "30") as server:
        old = server.wait_workers(2)
        with in_each(server, "room", old) as streams:
            server.signal(signal.SIGHUP)
            server.wait_line("Reload done: generation 2 runs in 2 workers")
            new = [pid for pid in server.workers() if pid not in old]
            with in_each(server, "room", new) as more, publishers(server, new) as connections:
                for number, publisher in enumerate(connections):
                    publisher.publish_numbers("room", 500, first=500 * number)
                    for stream in (*streams, *more):
                        assert stream.read_many(500) == [
                            str(n) for n in range(500 * number, 500 * number + 500)
                        ]
        for pid in old:
            wait_gone(pid)
        server.signal(signal.SIGTTIN)
        three = server.wait_workers(3)
        with in_each(server, "room", three) as streams, publishers(server, three) as connections:
            for publisher in connections:
                publisher.publish("room", str(publisher.pid))
                assert [stream.read() for stream in streams] == [str(publisher.pid)] * 3
        server.signal(signal.SIGTTOU)
        two = server.wait_workers(2)
        with in_each(server, "room", two) as streams, publishers(server, two) as [publisher, _]:
            publisher.publish("room", "fewer")
            assert [stream.read() for stream in streams] == ["fewer", "fewer"]
            publisher.wait_stats(peers=1)
        assert server.stop() == 0
        assert not server.lines("ERROR|WARNING|Traceback")
    assert left(temporary) == []


def test_what_a_killed_master_left_is_removed_by_the_next(temporary: Path) -> None:
    """Unless its workers live, as those of another master do."""
    with serve(temporary) as killed:
        killed.wait_workers(2)
        killed.signal(signal.SIGKILL)
        killed.wait_exit()
    assert left(temporary) != []
    with serve(temporary) as server:
        pids = server.wait_workers(2)
        [own] = temporary.iterdir()
        assert {path.name.partition("-")[0] for path in own.iterdir()} == {str(pid) for pid in pids}
        with serve(temporary) as other:
            other.wait_workers(2)
            assert len(list(temporary.iterdir())) == 2
            with in_each(server, "room", pids) as streams, publishers(server, pids) as [publisher, _]:
                publisher.publish("room", "still there")
                assert [stream.read() for stream in streams] == ["still there"] * 2
        assert list(temporary.iterdir()) == [own]
    assert left(temporary) == []


@pytest.mark.parametrize("number", [signal.SIGQUIT, signal.SIGINT])
def test_nothing_is_left_after_any_stop(temporary: Path, number: signal.Signals) -> None:
    with serve(temporary) as server:
        server.wait_workers(2)
        assert left(temporary)
        server.signal(number)
        server.wait_exit()
    assert left(temporary) == []


def test_who_broadcasts_nothing_has_no_directory(temporary: Path) -> None:
    with serve(temporary, target=BASIC) as server:
        server.get()
        assert left(temporary) == []


def test_a_single_worker_hears_itself(temporary: Path) -> None:
    with serve(temporary, workers=1) as server:
        (pid,) = server.wait_workers(1)
        with server.connect() as client:
            stream = Events(client, "room")
            with publishers(server, [pid]) as [publisher]:
                publisher.publish("room", "alone")
                assert stream.read() == "alone"


def test_the_benchmark_runs() -> None:
    command = [sys.executable, "-m", "benchmarks.micro.broadcast", "--thousands", "2", "--rounds", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["bytes", "16", "128", "1024"]


def test_without_redis_installed_one_line_says_so(tmp_path: Path) -> None:
    """Before the application is even imported."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys, importlib.abc\n"
        "class Hide(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'redis': raise ModuleNotFoundError(name)\n"
        "import importlib.util as u\n"
        "real = u.find_spec\n"
        "u.find_spec = lambda name, *rest: None if name == 'redis' else real(name, *rest)\n"
    )
    flags = ("--broadcast-url", "redis://:secret@localhost:1/0")
    env = {"PYTHONPATH": str(tmp_path)}
    with ServerProcess("no_such_module:app", *flags, env=env, is_ready=False) as server:
        assert server.wait_exit() == 3
        server.wait_line(
            r"ERROR: +broadcast\.url is redis://\.\.\., but the package redis is not installed; "
            r"install srvctl\[redis\], or remove the setting\."
        )
        assert not server.lines("secret|Traceback|no_such_module")
