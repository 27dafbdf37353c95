"""Workers of another user, within limits, under a master that stays root.

Where the tests do not run as root, those that would change the user show the refusal instead.
"""

from __future__ import annotations

import os
import pwd
import re
import resource
import tempfile
from pathlib import Path
from signal import SIGHUP, SIGKILL, SIGSTOP

import pytest

from srvctl.ipc.topology import read_topology
from srvctl.settings.cpu_placement import spread
from tests.support.broadcasting import BROADCASTING, in_each, publishers
from tests.support.privileged import lacking, status_of
from tests.support.server import BASIC, ServerProcess
from tests.support.server_waits import wait_gone

NOBODY = pwd.getpwnam("nobody")
AS_NOBODY = ("--user", "nobody", "--umask", "027", "--no-new-privs")
PRELOAD = pytest.mark.parametrize("preload", ["on", "off"])


def started(server: ServerProcess, since: int = 0) -> list[int]:
    """The workers in the order in which they said so."""
    lines = [line.text for line in server.stderr.all[since:]]
    return [
        int(match[1]) for line in lines if (match := re.search(r"Started worker process \[(\d+)\]", line))
    ]


def is_refused(*flags: str) -> bool:
    """Whether this machine lets nobody be somebody else; then srvctl has to say so, and to end."""
    if not lacking():
        return False
    print(f"without {', '.join(lacking())} only the refusal is tested")
    with ServerProcess(BASIC, *flags, is_ready=False) as server:
        server.wait_line("workers.user is nobody, but srvctl ")
        assert server.wait_exit() != 0
        assert not server.lines("running on")
    return True


@PRELOAD
def test_the_application_runs_as_another_user_and_the_master_does_not(preload: str) -> None:
    """Also after a reload and in the place of a worker that died; all of it ends as it always does."""
    flags = (*AS_NOBODY, "--preload", preload, "--workers", "2")
    if is_refused(*flags):
        return
    with ServerProcess(BASIC, *flags) as server:
        os.kill(started(server)[0], SIGKILL)
        server.wait_line("Started worker process", count=3)
        server.signal(SIGHUP)
        server.wait_line("Reload done")
        (*_, first, second) = started(server)
        for pid in (first, second):
            status = status_of(pid)
            assert status["Uid"].split() == [str(NOBODY.pw_uid)] * 4
            assert status["Gid"].split() == [str(NOBODY.pw_gid)] * 4
            assert (status["Umask"], status["NoNewPrivs"]) == ("0027", "1")
            assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0
        assert server.wait_answer(lambda answer: answer.pid == first).status == 200
        master = status_of(server.pid)
        assert (master["Uid"].split()[0], master["NoNewPrivs"]) == (str(os.getuid()), "0")
        assert server.stop() == 0


def test_the_loop_is_imported_by_the_other_user_as_well() -> None:
    """It is code from the application's directory, which may belong to somebody who must not become root."""
    flags = (*AS_NOBODY, "--preload", "off", "--loop", "tests.support.apps.own_loop:make")
    if is_refused(*flags):
        return
    with ServerProcess(BASIC, *flags) as server:
        server.wait_line(rf"The loop was imported by user {NOBODY.pw_uid}\.")


@PRELOAD
def test_workers_of_another_user_die_with_the_master(preload: str) -> None:
    """The change of user makes the kernel forget that they are to; a stopped one notices nothing."""
    flags = ("--user", "nobody", "--preload", preload)
    if is_refused(*flags):
        return
    with ServerProcess(BASIC, *flags) as server:
        (worker,) = started(server)
        os.kill(worker, SIGSTOP)
        server.signal(SIGKILL)
        wait_gone(worker)


def test_limits_hold_for_the_workers_only() -> None:
    """Each slot has its CPU; its score is higher than the master's."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = str(min(soft, 65536) - 1)
    flags = ("--rlimit", f"nofile={limit}", "--cpu-affinity", "auto", "--nice", "19", "--oom-score", "321")
    with ServerProcess(BASIC, *flags, "--preload", "on", "--workers", "2") as server:
        available = frozenset(os.sched_getaffinity(0))
        cpus = spread(available, read_topology(available))
        expected = sorted(str(cpus[slot % len(cpus)]) for slot in (0, 1))
        assert sorted(status_of(pid)["Cpus_allowed_list"] for pid in started(server)) == expected
        base = int(Path(f"/proc/{server.pid}/oom_score_adj").read_text())
        for pid in started(server):
            limits = Path(f"/proc/{pid}/limits").read_text()
            assert re.search(rf"^Max open files +{limit} ", limits, re.MULTILINE)
            assert int(Path(f"/proc/{pid}/oom_score_adj").read_text()) == min(base + 321, 1000)
            assert os.getpriority(os.PRIO_PROCESS, pid) == 19
        assert os.getpriority(os.PRIO_PROCESS, server.pid) == os.getpriority(os.PRIO_PROCESS, 0)
        assert not re.search(
            rf"^Max open files +{limit} ", Path(f"/proc/{server.pid}/limits").read_text(), re.MULTILINE
        )


def test_a_user_there_is_not_ends_the_start() -> None:
    """With one sentence."""
    with ServerProcess(BASIC, "--user", "no-such-user", is_ready=False) as server:
        server.wait_line(
            "workers.user is no-such-user, but there is no such user: create it or name another "
        )
        assert server.wait_exit() == 78
        assert not server.lines("running on")


def test_workers_of_another_user_hear_each_other() -> None:
    """The master's own directory is none of theirs; what they make elsewhere does not outlive the master."""
    flags = ("--user", "nobody", "--workers", "2", "--timeout-stream-shutdown", "0")
    if is_refused(*flags):
        return
    with tempfile.TemporaryDirectory(dir="/tmp") as path:
        Path(path).chmod(0o1777)
        with ServerProcess(BROADCASTING, *flags, env={"TMPDIR": path}) as server:
            pids = server.wait_workers(2)
            with in_each(server, "room", pids) as streams, publishers(server, pids) as [publisher, _]:
                publisher.publish("room", "hello")
                assert [stream.read() for stream in streams] == ["hello", "hello"]
            assert len(list(Path(path).iterdir())) == 1
            assert server.stop() == 0
            assert not server.lines("ERROR|WARNING")
        assert list(Path(path).iterdir()) == []
