"""Programs over time: their sockets while they are restarted, reloads, upgrades, and a stop under load."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import tempfile
from pathlib import Path

import pytest

from tests.support.apps.written import write_app
from tests.support.client import Connection
from tests.support.client_load import Load
from tests.support.programs import SITE, WithPrograms, program, shell
from tests.support.releases import Releases
from tests.support.server_waits import PATIENCE, Gate, wait_gone
from tests.support.supervised import wait_until

STAY = "exec sleep 1000"
NODE = """
const server = require("http").createServer((asked, answer) => {
  answer.setHeader("X-Pid", process.pid);
  answer.setHeader("Connection", "close");
  answer.end("site");
});
server.listen({ fd: 3 }, () => require("fs").writeSync(4, "\\n"));
process.on("SIGTERM", () => server.close(() => process.exit(0)));
"""


def site(*more: str, **values: object) -> str:
    """The table of a program that answers on the socket it is passed."""
    return program("site", "python3", "-c", SITE, *more, **values)


def port_of(server: WithPrograms, count: int = 1) -> int:
    """Wait until the site tells its port, for the ``count``-th time."""
    return int(server.stdout.wait(r"^\[site\] at (\d+) blocking True$", count=count)[1][1])


def sockets_of(pid: int) -> set[str]:
    """Return the sockets that a process has; what it closes meanwhile is left out."""
    links = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            links.add(str(entry.readlink()))
    return {link for link in links if link.startswith("socket:")}


def socket_at(port: int) -> str:
    """Return the listening socket of a port, as links to it are called."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[1].endswith(f":{port:04X}") and fields[3] == "0A":
            return f"socket:[{fields[9]}]"
    raise LookupError(port)


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


# -- sockets -----------------------------------------------------------------------------------------------


def test_clients_wait_while_it_is_restarted(tmp_path: Path) -> None:
    """Nobody is refused, and nobody else has the socket."""
    with WithPrograms(
        tmp_path, site("4", bind=["127.0.0.1:0"], ready="fd:4"), shell("other", STAY)
    ) as server:
        port = port_of(server)
        with Load(("127.0.0.1", port), keeping=0, renewing=2) as load:
            load.wait_answered(50)
            for _ in range(2):
                before = server.pid_of("site")
                done = server.command("program", "restart", "site")
                assert done.returncode == 0, done.stderr
                assert server.pid_of("site") != before
                load.wait_answered(50)
            os.kill(server.pid_of("site"), signal.SIGTERM)  # nobody has asked for that
            server.wait_line(r"Program site .* ended: exit code 0\. Another one starts")
            load.wait_answered(50)
        assert not load.lost, load.lost
        assert len({pid for pid, _ in load.answered}) == 4
        listening = socket_at(port)
        others = [*server.workers(), *server.molds(), server.pid_of("other")]
        assert listening in sockets_of(server.pid)
        assert not [pid for pid in others if listening in sockets_of(pid)]
        assert "127.0.0.1" not in server.stderr.text.replace("running on http://127.0.0.1", "")
        assert server.stop() == 0


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_node_serves_on_the_socket_it_is_passed(tmp_path: Path, free_port: int) -> None:
    """Also by the next process, for whom the one before has set the socket to what it wants."""
    table = program("site", "node", "-e", NODE, bind=[f"127.0.0.1:{free_port}"], ready="fd:4")
    with WithPrograms(tmp_path, table) as server:
        pids = set()
        for _ in range(2):
            pids.add(server.pid_of("site"))
            with Connection(("127.0.0.1", free_port)) as client:
                assert client.get().pid in pids
            assert server.command("program", "restart", "site").returncode == 0
        assert len(pids) == 2
        assert server.stop() == 0


def test_workers_that_drain_can_still_use_it(tmp_path: Path) -> None:
    """What listens for programs is closed when the workers are gone; so is the program they came after."""
    path = Path(tempfile.mkdtemp(dir="/tmp")) / "s"
    tables = (
        '[workers]\nafter = ["site"]\n',
        site("5", bind=["127.0.0.1:0", f"unix:{path}"], ready="fd:5"),
    )
    try:
        with WithPrograms(tmp_path, *tables) as server, Gate() as gate:
            port = port_of(server)
            assert path.is_socket()
            [worker] = server.workers()
            with server.hold_on(worker, gate) as (client, visitor):
                server.signal(signal.SIGTERM)
                server.wait_line("Shutting down|Received SIGTERM")
                wait_until(lambda: not accepts(server.port), "the service still takes clients")
                with Connection(("127.0.0.1", port)) as other:
                    assert other.get().text == "site"
                assert path.is_socket()
                visitor.let_pass()
                assert client.read_response().text == "held"
            assert server.wait_exit() == 0
            assert not path.exists()
            assert not accepts(port)
    finally:
        shutil.rmtree(path.parent)


def accepts(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), PATIENCE):
            return True
    except ConnectionError:
        return False


# -- reloads -----------------------------------------------------------------------------------------------


def test_a_reload_adds_removes_changes_and_keeps(tmp_path: Path) -> None:
    told = "trap 'echo told' HUP; echo up; while :; do sleep 1000 & wait; done"
    before = (
        shell("same", STAY),
        shell("told", told, on_reload="HUP"),
        shell("anew", STAY, on_reload="restart"),
        shell("gone", STAY),
        shell("other", STAY, count=2),
        site(bind=["127.0.0.1:0"]),
    )
    after = (
        *before[:3],
        shell("other", STAY, count=1, environment=["A=1"]),
        site("9", bind=["127.0.0.1:0"], ready="fd:9"),
        shell("new", STAY),
    )
    with WithPrograms(tmp_path, *before) as server:
        port = port_of(server)
        server.stdout.wait(r"^\[told\] up$")
        pids = {name: server.pid_of(name) for name in ("same", "told", "anew", "gone", "other", "other:1")}
        server.reload(*after)
        server.stdout.wait(r"^\[told\] told$")
        for name in ("gone", "other", "other:1", "anew"):
            wait_gone(pids[name])
        names = {"same", "told", "anew", "other", "site", "new"}
        wait_until(lambda: set(server.places()) == names, "others are there")
        assert server.pid_of("same") == pids["same"]
        assert server.pid_of("told") == pids["told"]
        assert server.pid_of("anew") != pids["anew"]
        assert server.pid_of("new")
        assert port_of(server, 2) == port
        with Connection(("127.0.0.1", port)) as client:
            assert client.get().pid == server.pid_of("site")
        server.reload(*after[:3])
        server.wait_line(rf"Not listening on 127\.0\.0\.1:{port} any more\.$")
        assert not accepts(port)
        assert server.stop() == 0


def test_an_address_that_is_somebody_elses_is_refused(tmp_path: Path, free_port: int) -> None:
    """At the start, and by a reload, which then changes nothing."""
    own = f"127.0.0.1:{free_port}"
    words = f"program two: its bind {own} is that of program one as well; remove one of the two"
    wrong = (shell("one", STAY, bind=[own]), shell("two", STAY, bind=[own]))
    with WithPrograms(tmp_path, *wrong, is_ready=False) as server:
        assert server.wait_exit() != 0
        server.wait_line(re.escape(words))
        assert not server.lines("Traceback")
    with WithPrograms(tmp_path, wrong[0]) as server:
        pid = server.pid_of("one")
        server.write(wrong[0].replace("1000", "1001"), wrong[1])
        assert server.command("reload").returncode != 0
        server.wait_line(re.escape(words))
        assert server.pid_of("one") == pid
        server.write(shell("one", STAY, bind=["systemd:web"]))
        assert server.command("reload").returncode != 0
        server.wait_line("systemd:web was not taken over at the start")
        assert accepts(free_port)
        assert server.stop() == 0


# -- upgrades ----------------------------------------------------------------------------------------------


def upgraded(folder: Path, *tables: str) -> tuple[WithPrograms, Releases]:
    """Return a server whose version can be replaced."""
    write_app(folder, "v1")
    releases = Releases(folder / "releases")
    return WithPrograms(folder, *tables, target="site_app:app", cwd=folder, env=releases.env), releases


def test_an_upgrade_keeps_them(tmp_path: Path) -> None:
    """What they print, how they become ready and how they end is known to the next program as well."""
    gates = {name: tmp_path / f"{name}.fifo" for name in ("pipe", "word", "brief")}
    for gate in gates.values():
        os.mkfifo(gate)
    notify = (
        "import os, socket, sys, time; open(sys.argv[1]).read()\n"
        "sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
        "sock.sendto(b'READY=1', '\\0' + os.environ['NOTIFY_SOCKET'][1:]); time.sleep(1000)\n"
    )
    tables = (
        site(bind=["127.0.0.1:0"]),
        program("pipe", "sh", "-c", f"read a <{gates['pipe']}; echo $a; echo >&7; {STAY}", ready="fd:7"),
        program("word", "python3", "-c", notify, str(gates["word"]), ready="notify"),
        program("brief", "sh", "-c", f"read a <{gates['brief']}; exit 7", restart="never"),
    )
    server, releases = upgraded(tmp_path, *tables)
    with server:
        port = port_of(server)
        listening = socket_at(port)
        pids = {name: server.pid_of(name) for name in ("site", "brief")}
        pids |= {name: server.place(name, "starting")["pid"] for name in ("pipe", "word")}
        for version in ("0.2.1", "0.2.2"):
            releases.install(version)
            done = server.command("upgrade")
            assert done.returncode == 0, done.stderr
        assert {name: place["pid"] for name, place in server.places().items()} == pids
        assert listening in sockets_of(server.pid)
        for gate in gates.values():
            gate.write_text("hello\n")
        server.stdout.wait(r"^\[pipe\] hello$")
        server.wait_line(r"Program pipe \[\d+\] is ready\.$")
        server.wait_line(r"Program word \[\d+\] is ready\.$")
        server.wait_line(r"Program brief \[\d+\] ended: exit code 7\.$")
        with Connection(("127.0.0.1", port)) as client:
            assert client.get().pid == pids["site"]
        assert server.stop() == 0
        wait_gone(pids["pipe"])


def test_an_upgrade_that_fails_half_way_gives_them_back(tmp_path: Path) -> None:
    server, releases = upgraded(tmp_path, site(bind=["127.0.0.1:0"]))
    fails = "\ndef _fail(self): raise RuntimeError('half-way')\nAssembly._about = _fail\n"
    with server:
        port, pid = port_of(server), server.pid_of("site")
        releases.install("0.2.1", {"assembly.py": fails})
        assert server.command("upgrade").returncode != 0
        assert server.pid_of("site") == pid
        assert json.loads(server.command("program", "restart", "site", "--json").stdout)
        assert port_of(server, 2) == port
        assert server.pid_of("site") != pid
        assert server.stop() == 0
