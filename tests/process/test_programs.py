"""Programs beside the workers: their order, how they become ready, what is said of them, and their end."""

from __future__ import annotations

import json
import os
import re
import signal
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.support.apps.written import write_app
from tests.support.programs import WithPrograms, program, shell
from tests.support.server_waits import wait_gone
from tests.support.supervised import wait_until

if TYPE_CHECKING:
    from pathlib import Path

STAY = "exec sleep 1000"
#: Does something when it is asked to end, and ends; from when it says so.
HEED = "trap '{}; kill $!; exit 0' TERM; sleep 1000 & echo listens; wait"


def is_root() -> bool:
    return os.geteuid() == 0


def order(server: WithPrograms, *patterns: str) -> None:
    """Assert that the log has these lines, or gets them soon, in this order."""
    for pattern in patterns:
        server.wait_line(pattern)
    texts = [line.text for line in server.stderr.all]
    positions = [
        next(number for number, text in enumerate(texts) if re.search(pattern, text)) for pattern in patterns
    ]
    assert positions == sorted(positions), list(zip(patterns, positions, strict=True))


# -- starting ----------------------------------------------------------------------------------------------


def test_each_waits_for_what_it_comes_after_and_workers_for_some(tmp_path: Path) -> None:
    """By each way of being ready; a task is done before the first worker exists."""
    done = tmp_path / "done"
    tables = (
        '[workers]\nafter = ["task", "last"]\n',
        shell("last", f"test -e {done} && {STAY}", after=["pipe", "word"]),
        shell("task", f"sleep 0.1; touch {done}", ready="exit", restart="on-failure"),
        shell("pipe", f"test -e {done} && echo now >&3; {STAY}", ready="fd:3", after=["task"]),
        program(
            "word",
            "python3",
            "-c",
            "import os, socket, time\n"
            "sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
            "sock.connect('\\0' + os.environ['NOTIFY_SOCKET'][1:])\n"
            "sock.send(b'STATUS=soon')\n"
            "sock.send(b'STATUS=now\\nREADY=1')\n"
            "time.sleep(1000)\n",
            ready="notify",
            after=["task"],
        ),
        shell("also", STAY, after=["workers"]),
    )
    with WithPrograms(tmp_path, *tables) as server:
        server.pid_of("also")
        order(
            server,
            r"Started program task \[",
            r"Program task \[\d+\] ended: exit code 0\.$",
            r"Started program pipe \[",
            r"Program pipe \[\d+\] is ready\.$",
            r"Started program last \[",
            r"Started worker process",
            r"Srvctl running on",
            r"Started program also \[",
        )
        order(server, r"Program task .* ended", r"Program word \[\d+\] is ready", r"Started program last \[")
        assert server.places()["task"]["state"] == "done"
        assert server.stop() == 0
        # Workers need what they were started after, so it goes last; nobody needs the others.
        order(server, r"Program also .* asked to end", r"Finished worker", r"Program last .* asked to end")
        order(server, r"Program last .* ended: killed by SIGTERM", r"Program pipe .* asked to end")


def test_what_cannot_be_run_says_why(tmp_path: Path) -> None:
    """In one line each, and it is tried again, later each time; what comes after it does not start."""
    script, no_interpreter = tmp_path / "script", tmp_path / "other"
    script.write_text("exit 0\n")
    no_interpreter.write_text("#!/no/such/interpreter\n")
    no_interpreter.chmod(0o755)
    reasons = {
        "missing": (
            program("missing", "no-such-command"),
            "no-such-command is not found on the PATH; ",
        ),
        "nowhere": (program("nowhere", "/no/such"), "/no/such does not exist; correct the command"),
        "locked": (program("locked", str(script)), rf"{script} may not be run by user \d+: it must be exec"),
        "torn": (program("torn", str(no_interpreter)), "the interpreter that its first line names does not"),
        "lost": (program("lost", "true", directory="/no/such"), "its directory /no/such: No such file"),
        "who": (
            program("who", "true", user="no-such-user"),
            "user is no-such-user, but there is no such user",
        ),
    }
    tables = [table for table, _ in reasons.values()]
    with WithPrograms(tmp_path, *tables, shell("behind", STAY, after=["missing"])) as server:
        for name, (_, words) in reasons.items():
            server.wait_line(rf"Program {name} \[\d+\] ended: .*{words}.*\. Another one starts now\.$")
            server.wait_line(rf"Program {name} \[\d+\] ended: .* Another one starts in 0\.\d s\.$")
        assert server.places()["missing"]["reason"].startswith("no-such-command is not found")
        assert server.place("behind", "waiting")["pid"] is None
        assert not server.lines("Traceback")
        assert server.stop() == 0


@pytest.mark.skipif(not is_root(), reason="only root can become another user")
def test_it_runs_as_another_user(tmp_path: Path) -> None:
    """With that user's groups and home; and what the settings name, they name."""
    script = 'id -u; id -Gn; echo "$HOME $USER"; grep -E "^Cap(Prm|Eff|Amb)" /proc/self/status'
    tables = (
        shell("nobody", script, user="nobody", restart="never"),
        shell("number", script, user="12345", group="users", environment=["HOME=/x"], restart="never"),
        program("sad", "true", user="12345", restart="never"),
    )
    with WithPrograms(tmp_path, *tables) as server:
        for name in ("nobody", "number"):
            server.place(name, "done")
        server.wait_line("Program sad .* ended: user is 12345, a number without a name, so its group is unkn")
        for name in ("nobody", "number"):
            server.stdout.wait(rf"^\[{name}\] CapAmb:")
        said: dict[str, list[str]] = {}  # those of one may stand between those of the other
        for line in server.stdout.all:
            name, _, text = line.text.partition("] ")
            said.setdefault(name, []).append(text)
        assert said["[nobody"][:3] == ["65534", "nogroup", "/nonexistent nobody"]
        assert said["[number"][:3] == ["12345", "users", "/x 12345"]
        rights = {text.split()[1] for lines in said.values() for text in lines if text.startswith("Cap")}
        assert rights == {"0" * 16}
        assert server.stop() == 0


def test_it_has_an_environment_and_signals_of_its_own(tmp_path: Path) -> None:
    """Nothing of what is between srvctl and whoever started it, nor a descriptor that was left open."""
    mine, theirs = os.pipe()
    env = {"SRVCTL_CONSOLE__TOKEN": "secret-secret-secret", "WATCHDOG_USEC": "1", "KEPT": "kept"}
    script = "tr '\\0' '\\n' </proc/self/environ; cat /proc/self/status; ls /proc/self/fd; pwd; cat"
    table = shell(
        "bare", script, environment=["ADDED=a=b"], directory=str(tmp_path), restart="never", count=2
    )
    try:
        with WithPrograms(tmp_path, table, env=env, pass_fds=(theirs,)) as server:
            server.stdout.wait(rf"^\[bare:1\] {tmp_path}$")
            lines = [line.text for line in server.stdout.all if line.text.startswith("[bare:1] ")]
            text = "\n".join(line.removeprefix("[bare:1] ") for line in lines)
            assert {"KEPT=kept", "ADDED=a=b", "SRVCTL_PROGRAM=bare", "SRVCTL_PROGRAM_INDEX=1"} < set(
                text.split("\n")
            )
            assert not re.search("TOKEN|WATCHDOG|NOTIFY|LISTEN|SRVCTL_(?!PROGRAM)", text)
            masks = re.findall(r"^Sig(?:Blk|Ign):\s*(\w+)", text, re.MULTILINE)
            # 32 and 33 are the C library's own: no program can change them, whoever left them ignored.
            assert [int(mask, 16) & ~(0b11 << 31) for mask in masks] == [0, 0]
            assert re.findall(r"^\d+$", text, re.MULTILINE)[:4] == ["0", "1", "2", "3"]  # 3 is ls's own
            assert not re.search(rf"^{theirs}$", text.partition("KEPT")[0], re.MULTILINE)
            assert str(tmp_path) in text.split("\n")
            assert server.stop() == 0
    finally:
        os.close(mine)
        os.close(theirs)


# -- what is said of it ------------------------------------------------------------------------------------


def test_its_lines_have_its_name(tmp_path: Path) -> None:
    """In text, as JSON, and for `srvctl logs`; also what it printed last, without an end of the line."""
    script = "echo one; echo two >&2; printf three; exit 3"
    with WithPrograms(tmp_path, shell("talker", script, restart="never")) as server:
        server.wait_line(r"^\[talker\] two$")
        server.stdout.wait(r"^\[talker\] one$")
        server.stdout.wait(r"^\[talker\] three$")
        server.wait_line(r"Program talker \[\d+\] ended: exit code 3\.$")
        assert server.places()["talker"]["state"] == "failed"
        shown = server.command("logs").stdout
        assert re.search(r"^\d\d:\d\d:\d\d program talker \[\d+\] two$", shown, re.MULTILINE)
    script = """echo one; echo '{"text": "two"}'"""
    table = shell("talker", script, restart="on-failure")
    with WithPrograms(tmp_path, table, flags=("--log-format", "json")) as server:
        server.place("talker", "done")
        server.stdout.wait("two")
        told = [json.loads(line.text) for line in server.stdout.all if '"talker"' in line.text]
        assert [(one["program"], one.get("message"), one.get("text")) for one in told] == [
            ("talker", "one", None),
            ("talker", None, "two"),
        ]


def test_in_development_it_outlives_workers(tmp_path: Path) -> None:
    """What a worker has left behind is killed, and a program is not that; its lines have its name, too."""
    write_app(tmp_path, "v1", "import subprocess\nsubprocess.Popen(['sleep', '1006'])")
    table = shell("queue", f"sleep 1007 & echo here; {STAY}")
    with WithPrograms(tmp_path, table, flags=("--reload",), target="site_app:app", cwd=tmp_path) as server:
        server.stdout.wait(r"^\[queue\] here$")
        pid = server.pid_of("queue")
        children = psutil.Process(pid).children()
        [worker] = server.workers()
        [left] = psutil.Process(worker).children()
        os.kill(worker, signal.SIGKILL)
        wait_gone(left.pid)
        assert server.pid_of("queue") == pid
        assert psutil.Process(pid).children() == children != []
        assert server.stop() == 0


def test_one_that_prints_without_end_delays_nobody(tmp_path: Path) -> None:
    with WithPrograms(tmp_path, program("flood", "yes", "x" * 200)) as server:
        server.stdout.wait(r"^\[flood\] x", count=1000)
        for _ in range(20):
            assert server.get().status == 200
        assert server.status()["state"] == "running"
        assert server.stop() == 0


# -- the end -----------------------------------------------------------------------------------------------


def test_what_it_leaves_in_its_group_ends_with_it(tmp_path: Path) -> None:
    """Whether it ends by itself, or is killed because it does not listen."""
    alone = shell("alone", "sleep 1001 & echo left $! && exit 1", restart="never")
    deaf = shell(
        "deaf",
        "trap '' INT TERM; sleep 1002 & echo deaf $!; wait; wait",
        stop_timeout=0.2,
    )
    polite = shell(
        "polite", "trap 'echo thanks; exit 0' INT; sleep 1004 & echo listens; wait", stop_signal="INT"
    )
    with WithPrograms(tmp_path, alone, deaf, polite) as server:
        wait_gone(int(server.stdout.wait(r"^\[alone\] left (\d+)$")[1][1]))
        server.stdout.wait(r"^\[deaf\] deaf (\d+)$")
        server.stdout.wait(r"^\[polite\] listens$")
        assert server.stop() == 0
        server.wait_line(r"Program deaf \[\d+\] did not end within 0\.2 s, and is killed\.$")
        server.wait_line(r"Program deaf \[\d+\] ended: killed by SIGKILL\.$")
        server.wait_line(r"Program polite \[\d+\] ended: exit code 0\.$")
        server.stdout.wait(r"^\[polite\] thanks$")


@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGQUIT])
def test_a_master_that_ends_in_a_hurry_leaves_none(tmp_path: Path, kill: signal.Signals) -> None:
    """Killed itself, it can tell nobody: the kernel asks programs to end, and they can tidy up."""
    tidied = tmp_path / "tidied"
    table = shell("tidy", HEED.format(f"echo yes >{tidied}"))
    as_other = {"user": "nobody"} if is_root() else {}  # which clears what the kernel is asked for (prctl(2))
    with WithPrograms(tmp_path, table, shell("other", STAY, stop_timeout=60, **as_other)) as server:
        pids = [server.pid_of("tidy"), server.pid_of("other")]
        server.stdout.wait(r"^\[tidy\] listens$")
        server.signal(kill)
        server.wait_exit()
        for pid in pids:
            wait_gone(pid)
        if kill == signal.SIGKILL:
            wait_until(tidied.exists, "it did not tidy up")


def test_it_is_started_again_as_its_settings_say(tmp_path: Path) -> None:
    tables = (
        program("always", "sleep", "1005"),
        shell("once", "exit 0", restart="never"),
        shell("well", "exit 0", restart="on-failure"),
    )
    with WithPrograms(tmp_path, *tables) as server:
        first = server.pid_of("always")
        os.kill(first, signal.SIGKILL)
        server.wait_line(rf"Program always \[{first}\] ended: killed by SIGKILL\. Another one starts now\.$")
        wait_until(lambda: server.pid_of("always") != first, "no other was started")
        os.kill(server.pid_of("always"), signal.SIGTERM)
        server.wait_line(r"Program always .* ended: killed by SIGTERM\. Another one starts in 0\.\d s\.$")
        for name in ("once", "well"):
            assert server.place(name, "done")["restarts"] == 0
        assert server.stop() == 0
