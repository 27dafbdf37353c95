"""Listening sockets, opened for real: on loopback, in a temporary directory, inherited and passed."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import shutil
import socket
import stat
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from srvctl.errors import BindError
from srvctl.settings.binds import FdBind, SystemdBind, UnixBind, parse_bind
from srvctl.supervisor import holders
from srvctl.supervisor.inherited import Inherited
from srvctl.supervisor.listeners import Listener, Listeners, UnixFile
from srvctl.supervisor.sockets import open_listeners
from tests.support.server_waits import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NOBODY = 65534


def descriptors() -> set[int]:
    """The open descriptors, without the one that lists them."""
    names = [int(link.name) for link in Path("/proc/self/fd").iterdir()]
    return {fd for fd in names if Path(f"/proc/self/fd/{fd}").is_symlink()}


@pytest.fixture(autouse=True)
def no_descriptor_is_left() -> Iterator[None]:
    before = descriptors()
    yield
    assert descriptors() == before


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A short current directory: the path of a Unix socket has at most 107 bytes."""
    monkeypatch.chdir(tmp_path)
    return Path()


@contextlib.contextmanager
def listening(*texts: str, environ: dict[str, str] | None = None, backlog: int = 16) -> Iterator[Listeners]:
    binds = [parse_bind(text) for text in texts]
    inherited = Inherited.from_environ({} if environ is None else environ)
    with contextlib.closing(open_listeners(binds, backlog, inherited)) as listeners:
        yield listeners


def refusal(*texts: str, environ: dict[str, str] | None = None) -> str:
    """The one line with which these addresses are refused; nothing may stay open."""
    before = descriptors()
    with pytest.raises(BindError) as caught, listening(*texts, environ=environ):
        pass
    assert descriptors() == before
    message = str(caught.value)
    assert "\n" not in message
    return message


@contextlib.contextmanager
def taken(family: int = socket.AF_INET, address: Any = ("127.0.0.1", 0)) -> Iterator[socket.socket]:
    """A listening socket of somebody else."""
    with socket.socket(family) as sock:
        sock.bind(address)
        sock.listen(0)
        yield sock


def port_of(listener: Listener) -> int:
    port: int = listener.socket.getsockname()[1]
    return port


def is_reachable(family: int, address: Any) -> bool:
    with socket.socket(family) as client:
        client.settimeout(PATIENCE)
        return client.connect_ex(address) == 0


def has_ipv6() -> bool:
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as sock:
        sock.bind(("::1", 0))
        return True
    return False


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")


def as_nobody(act: Callable[[], object]) -> str:
    """What ``act`` returns when an unprivileged user runs it; in a child when we are root."""
    if os.geteuid() != 0:
        return str(act())
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        with contextlib.suppress(BaseException):
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
            os.write(writing, str(act()).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        text = answer.read()
    os.waitpid(pid, 0)
    return text


def fake_getaddrinfo(monkeypatch: pytest.MonkeyPatch, *hosts: str) -> None:
    """Let every name mean these addresses."""

    def getaddrinfo(_host: str, port: int, **_: object) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = []
        for host in hosts:
            if ":" in host:
                found.append((socket.AF_INET6, socket.SOCK_STREAM, 6, "", (host, port, 0, 0)))
            else:
                found.append((socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port)))
        return found * 2  # a resolver may answer the same twice

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


class WithoutIPv6(socket.socket):
    """The socket of a kernel booted with ipv6.disable=1."""

    def __init__(self, family: int = -1, *args: Any, **kwargs: Any) -> None:
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
        super().__init__(family, *args, **kwargs)


class TestTcp:
    def test_an_address_is_listened_on_until_closed(self) -> None:
        with listening("127.0.0.1:0") as listeners:
            (listener,) = listeners
            port = port_of(listener)
            assert len(listeners) == 1
            assert listeners.warnings == ()
            assert listener.url == f"http://127.0.0.1:{port}"
            assert str(listener.bind) == "127.0.0.1:0"
            assert listener.file is None
            assert not listener.socket.getblocking()
            assert not listener.socket.get_inheritable()
            assert listener.socket.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR) == 1
            assert listener.socket.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT) == 0
            assert is_reachable(socket.AF_INET, ("127.0.0.1", port))
            assert repr(listeners) == f"Listeners(http://127.0.0.1:{port}; open)"
        assert repr(listeners).endswith("; closed)")
        assert not is_reachable(socket.AF_INET, ("127.0.0.1", port))

    def test_a_port_just_given_up_can_be_had_again(self) -> None:
        """Connections in TIME_WAIT must not keep a server from starting."""
        with listening("127.0.0.1:0") as listeners:
            (listener,) = listeners
            port = port_of(listener)
            with socket.create_connection(("127.0.0.1", port)):
                listener.socket.setblocking(True)
                listener.socket.accept()[0].close()  # the closing side keeps the TIME_WAIT
        with listening(f"127.0.0.1:{port}"):
            pass

    @needs_ipv6
    def test_an_ipv6_address(self) -> None:
        with listening("[::1]:0") as listeners:
            (listener,) = listeners
            assert listener.url == f"http://[::1]:{port_of(listener)}"
            assert is_reachable(socket.AF_INET6, ("::1", port_of(listener)))

    @needs_ipv6
    @pytest.mark.parametrize("text", [":0", "[::]:0"])
    def test_all_addresses_are_one_socket_for_both_families(self, text: str) -> None:
        with listening(text) as listeners:
            (listener,) = listeners
            assert listener.socket.family == socket.AF_INET6
            assert listener.url == f"http://[::]:{port_of(listener)}"
            assert is_reachable(socket.AF_INET, ("127.0.0.1", port_of(listener)))
            assert is_reachable(socket.AF_INET6, ("::1", port_of(listener)))
            assert listeners.warnings == ()

    def test_all_addresses_of_a_machine_without_ipv6(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(socket, "socket", WithoutIPv6)
        with listening(":0") as listeners:
            (listener,) = listeners
            assert listener.url == f"http://0.0.0.0:{port_of(listener)}"
            assert listeners.warnings == ()

    def test_an_ipv6_address_on_a_machine_without_ipv6(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(socket, "socket", WithoutIPv6)
        assert refusal("[::1]:0") == (
            "[::1]:0 cannot be opened: this machine has no IPv6; bind an IPv4 address"
        )

    def test_the_name_localhost(self) -> None:
        with listening("localhost:0") as listeners:
            assert len({port_of(listener) for listener in listeners}) == 1
            assert is_reachable(socket.AF_INET, ("127.0.0.1", port_of(next(iter(listeners)))))

    def test_a_name_means_all_its_addresses_on_one_port(self, monkeypatch: pytest.MonkeyPatch) -> None:
        fake_getaddrinfo(monkeypatch, "127.0.0.1", "127.0.0.2", "127.0.0.3")
        with listening("app:0") as listeners:
            hosts, ports = zip(*(listener.socket.getsockname() for listener in listeners), strict=True)
            assert hosts == ("127.0.0.1", "127.0.0.2", "127.0.0.3")
            assert len(set(ports)) == 1
            assert {str(listener.bind) for listener in listeners} == {"app:0"}

    def test_another_port_is_picked_when_the_first_is_taken_elsewhere(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fake_getaddrinfo(monkeypatch, "127.0.0.1", "127.0.0.2")
        asked: list[int] = []

        class Racing(socket.socket):
            """Somebody takes the first two ports at the second address before we do."""

            def bind(self, address: Any) -> None:
                if address[0] == "127.0.0.2":
                    asked.append(address[1])
                    if len(asked) < 3:
                        raise OSError(errno.EADDRINUSE, "Address already in use")
                super().bind(address)

        monkeypatch.setattr(socket, "socket", Racing)
        with listening("app:0") as listeners:
            assert [port_of(listener) for listener in listeners] == [asked[2]] * 2

    def test_the_picking_ends(self, monkeypatch: pytest.MonkeyPatch) -> None:
        fake_getaddrinfo(monkeypatch, "127.0.0.1", "127.0.0.2")

        class Full(socket.socket):
            def bind(self, address: Any) -> None:
                if address[0] == "127.0.0.2":
                    raise OSError(errno.EADDRINUSE, "Address already in use")
                super().bind(address)

        monkeypatch.setattr(socket, "socket", Full)
        assert refusal("app:0") == "app:0 cannot be opened: no port is free at all its addresses; name one"

    def test_a_name_with_an_address_the_machine_lacks_is_served_at_the_others(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A container without IPv6 still has ::1 in /etc/hosts."""
        fake_getaddrinfo(monkeypatch, "::1", "127.0.0.1")
        monkeypatch.setattr(socket, "socket", WithoutIPv6)
        with listening("localhost:0") as listeners:
            (listener,) = listeners
            (warning,) = listeners.warnings
            assert warning == (
                f"localhost:0 is served at {listener.url} only: this machine lacks the host's other "
                "addresses."
            )

    def test_a_name_that_means_nothing(self) -> None:
        message = refusal("no-such-host.invalid:8000")
        assert re.fullmatch(
            r"no-such-host\.invalid:8000 cannot be opened: the host 'no-such-host\.invalid' cannot be "
            r"resolved \(.+\); check its spelling, /etc/hosts and DNS",
            message,
        )

    def test_an_address_of_another_machine(self) -> None:
        assert refusal("192.0.2.1:8000") == (
            "192.0.2.1:8000 cannot be opened: no network interface of this machine has that address; "
            "write :8000 for all it has"
        )

    def test_a_low_port_without_the_privilege(self) -> None:
        first = int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
        if first <= 1:
            pytest.skip("every user may open every port here (net.ipv4.ip_unprivileged_port_start)")
        message = as_nobody(lambda: refusal("127.0.0.1:1"))
        assert re.fullmatch(
            r"127\.0\.0\.1:1 may not be opened by user \d+: low ports need a privilege; choose a port "
            r"from 1024 up, set AmbientCapabilities=CAP_NET_BIND_SERVICE in the systemd unit, or sysctl "
            r"net\.ipv4\.ip_unprivileged_port_start=1",
            message,
        )

    def test_another_refusal_of_the_kernel_is_told_in_its_words(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object) -> None:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

        monkeypatch.setattr(socket, "socket", refuse)
        assert refusal("127.0.0.1:0") == "127.0.0.1:0 cannot be opened: Too many open files"


SERVER = """
import os, socket, sys
family, address = eval(sys.argv[1])
sock = socket.socket(family)
sock.bind(address)
sock.listen(8)
worker = os.fork()
if worker == 0:
    sys.stdin.read()
    os._exit(0)
print(sock.getsockname()[1], flush=True)
sys.stdin.read()
os.waitpid(worker, 0)
"""


@contextlib.contextmanager
def server(family: int, address: Any) -> Iterator[tuple[int, str]]:
    """Another program that listens, with a worker that shares its socket: its pid, and what it printed."""
    with subprocess.Popen(
        [sys.executable, "-c", SERVER, repr((int(family), address))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        yield process.pid, process.stdout.readline().strip()
        process.communicate()


class TestTakenPort:
    @pytest.mark.parametrize("host", ["127.0.0.1", "", "localhost"])
    def test_the_process_to_stop_is_named(self, host: str) -> None:
        """The server, not the worker that shares its socket."""
        with server(socket.AF_INET, ("127.0.0.1", 0)) as (pid, port):
            name = psutil.Process(pid).name()
            assert refusal(f"{host}:{port}") == (
                f"{host}:{port} is already in use by pid {pid} ({name}); stop it or choose another --bind"
            )

    def test_a_worker_found_first_leads_to_its_server(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with server(socket.AF_INET, ("127.0.0.1", 0)) as (pid, port):
            (worker,) = psutil.Process(pid).children()
            found = [
                SimpleNamespace(pid=None, status="LISTEN", laddr=SimpleNamespace(ip="::1", port=1)),
                *(SimpleNamespace(pid=worker.pid, **entry._asdict()) for entry in worker.net_connections()),
            ]
            monkeypatch.setattr(psutil, "net_connections", lambda _kind: found)
            assert f" by pid {pid} (" in refusal(f"127.0.0.1:{port}")

    def test_a_parent_that_may_not_be_looked_at_does_not_hide_the_holder(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A service's parent is usually root's."""

        def deny(self: psutil.Process, _kind: str) -> None:
            raise psutil.AccessDenied(self.pid)

        monkeypatch.setattr(psutil.Process, "net_connections", deny)
        with taken() as other:
            port = other.getsockname()[1]
            assert f" is already in use by pid {os.getpid()} (" in refusal(f"127.0.0.1:{port}")

    @pytest.mark.parametrize("listed", [[], psutil.AccessDenied(1), OSError(errno.EACCES, "no")])
    def test_without_leave_to_look_there_is_no_pid(
        self, listed: object, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def net_connections(_kind: str) -> object:
            if isinstance(listed, Exception):
                raise listed
            return listed

        monkeypatch.setattr(psutil, "net_connections", net_connections)
        with taken() as other:
            port = other.getsockname()[1]
            assert refusal(f"127.0.0.1:{port}") == (
                f"127.0.0.1:{port} is already in use by another process; stop it or choose another --bind"
            )

    def test_a_holder_that_ends_meanwhile_has_no_name(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def gone(self: psutil.Process) -> str:
            raise psutil.NoSuchProcess(self.pid)

        monkeypatch.setattr(psutil.Process, "name", gone)
        with taken() as other:
            message = refusal(f"127.0.0.1:{other.getsockname()[1]}")
        assert re.search(r"is already in use by pid \d+; stop it", message)

    def test_a_port_of_another_address_is_free(self) -> None:
        with taken() as other, listening(f"127.0.0.2:{other.getsockname()[1]}") as listeners:
            assert len(listeners) == 1

    @needs_ipv6
    def test_an_address_within_another_of_the_same_configuration(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        assert refusal(f":{port}", f"127.0.0.1:{port}") == (
            f"127.0.0.1:{port} is covered by :{port}, which is configured too; keep one of the two"
        )

    @pytest.mark.parametrize("text", ["127.0.0.1:8000", "unix:a.sock?mode=600", "fd://3", "systemd:web"])
    def test_the_same_address_twice(self, text: str) -> None:
        assert refusal("127.0.0.1:0", text, text) == f"{text} is configured twice; remove one of the two"

    def test_the_same_file_twice_by_other_words(self, place: Path) -> None:
        message = refusal("unix:a.sock", f"unix:{place.absolute()}/a.sock?mode=600")
        assert message.endswith("/a.sock?mode=600 is configured twice; remove one of the two")

    def test_two_free_ports_are_two_addresses(self) -> None:
        with listening("127.0.0.1:0", "127.0.0.1:0") as listeners:
            assert len({port_of(listener) for listener in listeners}) == 2


class TestUnix:
    def test_a_socket_file_is_made_and_removed(self, place: Path) -> None:
        with listening("unix:a.sock") as listeners:
            (listener,) = listeners
            found = os.lstat("a.sock")
            path = str((place / "a.sock").absolute())
            assert listener.file == UnixFile(path, found.st_dev, found.st_ino)
            assert listener.url == f"unix socket {path}"
            assert not listener.socket.getblocking()
            assert not listener.socket.get_inheritable()
            assert is_reachable(socket.AF_UNIX, "a.sock")
        assert not Path("a.sock").exists()

    @pytest.mark.parametrize("mode", [0o600, 0o660, 0o666, 0o777, 0o000])
    def test_the_file_has_the_mode_asked_for(self, place: Path, mode: int) -> None:
        previous = os.umask(0o027)
        try:
            with listening(str(UnixBind("a.sock", mode))):
                assert stat.S_IMODE(os.lstat("a.sock").st_mode) == mode
            assert os.umask(0o027) == 0o027  # put back
        finally:
            os.umask(previous)

    def test_without_a_mode_the_umask_decides(self, place: Path) -> None:
        previous = os.umask(0o027)
        try:
            with listening("unix:a.sock"):
                assert stat.S_IMODE(os.lstat("a.sock").st_mode) == 0o750
        finally:
            os.umask(previous)

    def test_the_umask_comes_back_when_the_file_cannot_be_made(self, place: Path) -> None:
        previous = os.umask(0o027)
        try:
            refusal("unix:missing/a.sock?mode=660")
            assert os.umask(previous) == 0o027
        finally:
            os.umask(previous)

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file away")
    @pytest.mark.parametrize(
        ("options", "uid", "gid"),
        [
            ("user=nobody", NOBODY, 0),
            ("group=65534", 0, NOBODY),
            ("mode=660&user=4000000000&group=root", 4000000000, 0),
        ],
    )
    def test_the_file_has_the_owner_asked_for(self, place: Path, options: str, uid: int, gid: int) -> None:
        with listening(f"unix:a.sock?{options}"):
            found = os.lstat("a.sock")
            assert (found.st_uid, found.st_gid) == (uid, gid)

    def test_permissions_are_final_before_anybody_can_connect(
        self, place: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen: list[int] = []

        class Watching(socket.socket):
            def bind(self, address: Any) -> None:
                super().bind(address)
                seen.append(stat.S_IMODE(os.lstat(address).st_mode))

            def listen(self, *args: int) -> None:
                seen.append(stat.S_IMODE(os.lstat(self.getsockname()).st_mode))
                super().listen(*args)

        monkeypatch.setattr(socket, "socket", Watching)
        with listening("unix:a.sock?mode=640"):
            assert seen == [0o640, 0o640]

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file away")
    def test_no_other_file_is_given_away(self, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Somebody who may write to the directory replaces the path between bind() and chown()."""
        victim = Path("victim")
        victim.touch(0o600)

        class Replaced(socket.socket):
            def bind(self, address: Any) -> None:
                super().bind(address)
                Path(address).unlink()
                Path(address).symlink_to("victim")

        monkeypatch.setattr(socket, "socket", Replaced)
        with listening("unix:a.sock?mode=666&user=nobody"):
            found = victim.stat()
            assert (found.st_uid, stat.S_IMODE(found.st_mode)) == (0, 0o600)

    @pytest.mark.parametrize("name", ["no-such-account", "4294967295", "99999999999999"])
    @pytest.mark.parametrize("what", ["user", "group"])
    def test_an_unknown_owner(self, place: Path, what: str, name: str) -> None:
        assert refusal(f"unix:a.sock?{what}={name}") == (
            f"unix:a.sock?{what}={name} cannot be opened: the {what} {name!r} does not exist; create it "
            "or name another"
        )
        assert not Path("a.sock").exists()

    def test_only_root_gives_a_socket_away(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        with writable_by_all() as folder:
            message = as_nobody(lambda: refusal(f"unix:{folder}/a?user=0"))
            assert list(folder.iterdir()) == []
        assert re.fullmatch(
            r"unix:/.*/a\?user=0 cannot be opened: user \d+ may not give it away \(Operation not "
            r"permitted\); start srvctl as root, or leave out user= and group=",
            message,
        )

    def test_a_stale_socket_is_replaced(self, place: Path) -> None:
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind("a.sock")
            dead.listen()
        os.utime("a.sock", (1, 1))  # the clock of files is coarse, and the next one comes at once
        with listening("unix:a.sock"):
            assert is_reachable(socket.AF_UNIX, "a.sock")
            assert os.lstat("a.sock").st_mtime > 1

    def test_a_live_socket_stays_and_its_owner_is_named(self, place: Path) -> None:
        path = str((place / "a.sock").absolute())
        with server(socket.AF_UNIX, path) as (pid, _):
            name = psutil.Process(pid).name()
            message = f"is already in use by pid {pid} ({name}); stop it or choose another --bind"
            assert refusal("unix:a.sock") == f"unix socket a.sock {message}"
            assert refusal(f"unix:{path}") == f"unix socket {path} {message}"
            assert is_reachable(socket.AF_UNIX, "a.sock")

    def test_a_live_socket_with_a_full_queue_stays(self, place: Path) -> None:
        """EAGAIN of connect() means busy, not dead."""
        path = str((place / "a.sock").absolute())
        with server(socket.AF_UNIX, path) as (pid, _), contextlib.ExitStack() as clients:
            while True:
                client = clients.enter_context(socket.socket(socket.AF_UNIX))
                client.setblocking(False)
                if client.connect_ex(path):
                    break
            assert refusal(f"unix:{path}").startswith(f"unix socket {path} is already in use by pid {pid} (")
            assert Path(path).exists()

    def test_a_kernel_that_does_not_tell_the_peer_is_asked_another_way(
        self, place: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delattr(socket, "SO_PEERCRED")
        with taken(socket.AF_UNIX, "a.sock"):
            assert f"by pid {os.getpid()} (" in refusal("unix:a.sock")

    @pytest.mark.parametrize("kind", ["file", "directory", "symlink"])
    def test_what_is_no_socket_is_never_removed(self, place: Path, kind: str) -> None:
        path = Path("a.sock")
        if kind == "file":
            path.write_text("precious")
        elif kind == "directory":
            path.mkdir()
        else:
            path.symlink_to("elsewhere")
        assert refusal("unix:a.sock?mode=600") == (
            "unix socket a.sock cannot be opened: the path exists and is not a socket; move it away or "
            "choose another path"
        )
        assert os.lstat("a.sock")

    def test_a_socket_of_another_kind_is_never_removed(self, place: Path) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
            other.bind("a.sock")
            assert refusal("unix:a.sock") == (
                "unix socket a.sock cannot be opened: a socket is there, and whether it is in use cannot "
                "be told (Protocol wrong type for socket); remove it if it is not, or choose another path"
            )
            assert Path("a.sock").exists()

    def test_a_missing_directory(self, place: Path) -> None:
        assert refusal("unix:run/a.sock") == (
            f"unix socket run/a.sock cannot be opened: the directory {(place / 'run').absolute()} does "
            "not exist; create it or choose another path"
        )

    def test_a_directory_that_is_none(self, place: Path) -> None:
        Path("run").touch()
        assert refusal("unix:run/a.sock").endswith("/run is not a directory; choose another path")

    def test_a_directory_without_leave_to_write(self) -> None:
        with writable_by_all() as folder:
            folder.chmod(0o755 if os.geteuid() == 0 else 0o555)
            message = as_nobody(lambda: refusal(f"unix:{folder}/a?mode=600"))
        assert re.fullmatch(
            rf"unix socket {folder}/a cannot be opened: user \d+ may not create files in {folder}; "
            rf"choose another path",
            message,
        )

    def test_a_stale_socket_that_may_not_be_removed(self) -> None:
        with writable_by_all() as folder:
            with socket.socket(socket.AF_UNIX) as dead:
                dead.bind(f"{folder}/a")
            Path(folder, "a").chmod(0o777)
            folder.chmod(0o755 if os.geteuid() == 0 else 0o555)
            message = as_nobody(lambda: refusal(f"unix:{folder}/a"))
            folder.chmod(0o755)
        assert message == (
            f"unix socket {folder}/a cannot be opened: its file cannot be replaced, or was created just now; "
            "remove it or choose another path"
        )

    def test_another_refusal_of_the_kernel_is_told_in_its_words(
        self, place: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object) -> None:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

        monkeypatch.setattr(socket, "socket", refuse)
        assert refusal("unix:a.sock") == "unix socket a.sock cannot be opened: Too many open files"

    def test_a_socket_that_vanishes_while_probed_is_no_obstacle(
        self, place: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Vanishing(socket.socket):
            def connect(self, address: Any) -> None:
                Path(address).unlink()
                super().connect(address)

        with socket.socket(socket.AF_UNIX) as other:
            other.bind("a.sock")
            monkeypatch.setattr(socket, "socket", Vanishing)
            with listening("unix:a.sock") as listeners:
                assert len(listeners) == 1


@contextlib.contextmanager
def writable_by_all() -> Iterator[Path]:
    """A directory that other users reach, unlike pytest's."""
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix="srvctl-", dir="/tmp"))
    folder.chmod(0o777)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


class TestClose:
    def test_a_file_that_is_not_ours_any_more_stays(self, place: Path) -> None:
        with listening("unix:a.sock"):
            Path("a.sock").unlink()
            with taken(socket.AF_UNIX, "a.sock"):
                pass
        assert Path("a.sock").is_socket()

    def test_a_file_that_is_gone_is_no_error(self, place: Path) -> None:
        with listening("unix:a.sock"):
            Path("a.sock").unlink()

    def test_a_second_close_touches_nothing(self, place: Path) -> None:
        """The path may be another server's by then, even with the same inode number."""
        with listening("unix:a.sock") as listeners:
            listeners.close()
            with listening("unix:a.sock") as others:
                (other,) = others
                assert other.file is not None
                listeners._listeners = tuple(others)
                listeners.close()
                assert Path("a.sock").is_socket()
                assert other.socket.fileno() >= 0

    def test_the_inode_is_ours_until_the_file_is_removed(
        self, place: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Closing first would free the inode number for somebody else's file at the same path."""
        with listening("unix:a.sock") as listeners:
            (listener,) = listeners
            is_open: list[bool] = []
            unlink = Path.unlink

            def watch(path: Path) -> None:
                is_open.append(listener.socket.fileno() >= 0)
                unlink(path)

            monkeypatch.setattr(Path, "unlink", watch)
            listeners.close()
            assert is_open == [True]

    def test_a_forked_child_closes_and_leaves_the_file(self, place: Path) -> None:
        with listening("unix:a.sock", "127.0.0.1:0") as listeners:
            pid = os.fork()
            if pid == 0:
                listeners.close(unlink=False)
                os._exit(sum(listener.socket.fileno() >= 0 for listener in listeners))
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
            assert is_reachable(socket.AF_UNIX, "a.sock")

    def test_the_file_is_found_from_another_directory(self, place: Path) -> None:
        path = Path("a.sock").absolute()
        with listening("unix:a.sock"):
            os.chdir("/")  # the fixture goes back
        assert not path.exists()


class TestAllOrNothing:
    @pytest.mark.parametrize("last", ["127.0.0.1:{}", "unix:missing/b.sock", "192.0.2.1:80"])
    def test_one_failure_undoes_the_rest(self, place: Path, last: str) -> None:
        with taken() as other:
            refusal("127.0.0.1:0", "unix:a.sock", last.format(other.getsockname()[1]))
        assert list(place.iterdir()) == []

    def test_an_inherited_socket_outlives_a_failure(self) -> None:
        """It is not ours to close: a reload that fails leaves it to those who serve from it."""
        with taken() as other:
            fd = other.fileno()
            refusal(f"fd://{fd}", "192.0.2.1:80")
            assert is_reachable(socket.AF_INET, other.getsockname())

    def test_the_order_is_that_of_the_configuration(self, place: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as made:
            fd = made.detach()
        texts = ("unix:a.sock", f"fd://{fd}", "127.0.0.1:0")
        with listening(*texts) as listeners:
            assert tuple(str(listener.bind) for listener in listeners) == texts


class TestInheritedDescriptor:
    @pytest.mark.parametrize("is_listening", [True, False])
    def test_a_socket_of_any_family_is_taken_over(self, place: Path, is_listening: bool) -> None:
        families: list[tuple[int, Any, str]] = [
            (socket.AF_INET, ("127.0.0.1", 0), r"http://127\.0\.0\.1:\d+"),
            (socket.AF_UNIX, "a.sock", r"unix socket a\.sock"),
            (socket.AF_UNIX, "\0srvctl-test-" + str(os.getpid()), r"unix socket @srvctl-test-\d+"),
        ]
        if has_ipv6():
            families.append((socket.AF_INET6, ("::1", 0), r"http://\[::1\]:\d+"))
        for family, address, url in families:
            made = socket.socket(family)
            made.bind(address)
            if is_listening:
                made.listen()
            made.set_inheritable(True)
            fd = made.detach()
            with listening(f"fd://{fd}") as listeners:
                (listener,) = listeners
                assert listener.bind == FdBind(fd)
                assert listener.socket.fileno() == fd
                assert listener.socket.family == family
                assert re.fullmatch(url, listener.url)
                assert listener.file is None
                assert not listener.socket.getblocking()
                assert not listener.socket.get_inheritable()
                assert is_reachable(family, listener.socket.getsockname())
        assert Path("a.sock").is_socket()  # whoever made it removes it

    def test_a_number_that_is_not_open(self) -> None:
        assert refusal("fd://987") == (
            "fd://987 is not open in this process; whoever starts srvctl must pass it on as that number"
        )

    def test_a_number_that_only_our_own_sockets_would_open(self) -> None:
        free = os.dup(0)
        os.close(free)
        assert "is not open in this process" in refusal("127.0.0.1:0", f"fd://{free}")

    def test_what_is_no_socket(self) -> None:
        reading, writing = os.pipe()
        try:
            assert refusal(f"fd://{reading}") == (
                f"fd://{reading} is not a socket; pass a listening socket under that number"
            )
        finally:
            os.close(reading)
            os.close(writing)

    def test_a_datagram_socket(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(("127.0.0.1", 0))
            fd = other.fileno()
            assert refusal(f"fd://{fd}") == f"fd://{fd} is not a TCP or Unix stream socket"

    @pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_UNIX])
    def test_a_socket_without_an_address(self, family: int) -> None:
        """listen() would give it a port that nobody asked for."""
        with socket.socket(family) as other:
            fd = other.fileno()
            assert refusal(f"fd://{fd}") == (
                f"fd://{fd} is not bound to an address; whoever passes it must bind it"
            )

    def test_a_connection(self) -> None:
        with taken() as other, socket.create_connection(other.getsockname()) as client:
            fd = client.fileno()
            assert refusal(f"fd://{fd}") == f"fd://{fd} is a connection, not a listening socket"

    def test_a_socket_that_refuses_to_listen(self) -> None:
        """Bound beside a listening socket, as SO_REUSEADDR allows; only listen() notices."""
        with socket.socket() as first, socket.socket() as second:
            for sock in (first, second):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            first.bind(("127.0.0.1", 0))
            second.bind(first.getsockname())
            first.listen()
            fd = second.fileno()
            assert refusal(f"fd://{fd}") == f"fd://{fd} cannot listen: Address already in use"

    def test_a_backlog_that_was_set_stays(self) -> None:
        """systemd's Backlog= is the administrator's word."""
        fd = socket.create_server(("127.0.0.1", 0), backlog=0).detach()
        with listening(f"fd://{fd}", backlog=128) as listeners, contextlib.ExitStack() as clients:
            (listener,) = listeners
            for _ in range(3):
                client = clients.enter_context(socket.socket())
                client.setblocking(False)
                client.connect_ex(listener.socket.getsockname())
            assert backlog_of(port_of(listener)) == 0


def backlog_of(port: int) -> int:
    """The backlog of a listening TCP socket, from the Send-Q column of ss(8)."""
    ss = shutil.which("ss")
    if ss is None:
        pytest.skip("ss of iproute2 is not installed")
    lines = subprocess.check_output([ss, "-Hltn", f"sport = :{port}"], text=True).split()
    return int(lines[2])


ACTIVATED = """
import json, os, sys
from srvctl.errors import BindError
from srvctl.settings.binds import parse_bind
from srvctl.supervisor.inherited import Inherited
from srvctl.supervisor.sockets import open_listeners
try:
    inherited = Inherited.from_environ(os.environ)
    listeners = open_listeners([parse_bind(text) for text in sys.argv[1:]], 16, inherited)
except BindError as error:
    print(json.dumps({"error": str(error)}))
else:
    print(json.dumps({
        "binds": [str(listener.bind) for listener in listeners],
        "urls": [listener.url for listener in listeners],
        "warnings": [*listeners.warnings, *inherited.unused()],
        "left": [name for name in os.environ if name.startswith("LISTEN_")],
        "inheritable": [fd for fd in (3, 4, 5) if os.get_inheritable(fd)] if len(listeners) > 1 else [],
    }))
"""


def activate(*texts: str, names: str = "web:admin:web", count: int = 3) -> dict[str, Any]:
    """Run `open_listeners` in a process that was started the way systemd does: LISTEN_PID is its own."""
    made = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            os.dup2(writing, 1)
            copies = [os.dup(sock.fileno()) for sock in made]  # out of the way of 3, 4 and 5
            high = [os.dup2(fd, 50 + number) for number, fd in enumerate(copies)]
            for number, fd in enumerate(high, 3):
                os.dup2(fd, number)
            environ = {
                "LISTEN_PID": str(os.getpid()),
                "LISTEN_FDS": str(count),
                "PATH": os.environ["PATH"],
            }
            if names:
                environ["LISTEN_FDNAMES"] = names
            os.execve(sys.executable, [sys.executable, "-c", ACTIVATED, *texts], environ)
        os._exit(1)
    os.close(writing)
    for sock in made:
        sock.close()
    with os.fdopen(reading) as answer:
        text = answer.read()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    answered: dict[str, Any] = json.loads(text)
    return answered


class TestSystemd:
    def test_a_name_is_all_the_sockets_that_have_it(self) -> None:
        found = activate("systemd:web", "systemd:admin")
        assert found["binds"] == ["systemd:web", "systemd:web", "systemd:admin"]
        assert len(set(found["urls"])) == 3
        assert found["warnings"] == []
        assert found["left"] == []
        assert found["inheritable"] == []

    def test_sockets_without_names_are_called_unknown(self) -> None:
        assert activate("systemd:unknown", names="")["binds"] == ["systemd:unknown"] * 3

    def test_a_socket_nobody_names_is_reported(self) -> None:
        found = activate("systemd:web", "127.0.0.1:0")
        assert found["inheritable"] == []
        (warning,) = found["warnings"]
        assert warning == (
            "systemd passed the socket 'admin' (file descriptor 4), which no bind names: nobody serves its "
            "clients; bind systemd:admin or remove it from the .socket unit."
        )

    def test_a_socket_named_by_its_number_is_not_reported(self) -> None:
        assert activate("systemd:web", "fd://4")["warnings"] == []

    def test_a_socket_named_both_ways(self) -> None:
        assert activate("systemd:web", "fd://5")["error"] == (
            "fd://5 is the same socket as systemd:web; name it once"
        )
        assert activate("fd://5", "systemd:web")["error"] == (
            "systemd:web (file descriptor 5) is the same socket as fd://5; name it once"
        )

    def test_an_absent_name(self) -> None:
        assert activate("systemd:api")["error"] == (
            "systemd:api: systemd passed no socket of that name, only 'admin', 'web'; use one of these, "
            "or set FileDescriptorName=api in the .socket unit"
        )

    def test_sockets_of_another_process(self) -> None:
        pid = str(os.getpid())
        environ = {"LISTEN_PID": "1", "LISTEN_FDS": "1", "PATH": "/bin"}
        assert refusal("systemd:web", environ=environ) == (
            f"systemd:web: the sockets were passed to process 1, but this is process {pid}; let the "
            "script that systemd starts end with `exec srvctl ...`"
        )
        assert environ == {"PATH": "/bin"}

    @pytest.mark.parametrize("environ", [{}, {"LISTEN_PID": "me", "LISTEN_FDS": "1"}])
    def test_nothing_was_passed(self, environ: dict[str, str]) -> None:
        assert refusal("systemd:web", environ=environ) == (
            "systemd:web: systemd passed no socket to srvctl; start the .socket unit that has "
            "FileDescriptorName=web, or name an address to open instead"
        )

    def test_a_count_without_sockets(self) -> None:
        """The variables promise a descriptor that is not there."""
        assert activate("systemd:unknown", names="", count=4)["error"] == (
            "systemd:unknown (file descriptor 6) is not open in this process; whoever starts srvctl must "
            "pass it on as that number"
        )

    @pytest.mark.system
    def test_the_real_socket_activation(self) -> None:
        """systemd-socket-activate passes its sockets as systemd does, and execs on the first connection."""
        program = shutil.which("systemd-socket-activate")
        if program is None:
            pytest.skip("systemd-socket-activate is not installed")
        with taken() as free:
            address = free.getsockname()
        with subprocess.Popen(
            [
                *(program, f"--listen={address[0]}:{address[1]}", "--fdname=web"),
                *(sys.executable, "-c", ACTIVATED, "systemd:web"),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stderr is not None
            assert "Listening on" in process.stderr.readline()
            assert is_reachable(socket.AF_INET, address)
            answer, _ = process.communicate()
        found = json.loads(answer)
        assert found["binds"] == [str(SystemdBind("web"))]
        assert found["urls"] == [f"http://{address[0]}:{address[1]}"]
        assert found["left"] == []


def test_the_peer_is_asked_only_where_there_is_one(place: Path) -> None:
    """A holder without a name is looked for in the table of the kernel; nobody is nobody."""
    with taken(socket.AF_UNIX, "a.sock"):
        found = holders.holder_of_path("a.sock", None)
        assert found is not None
        assert found.pid == os.getpid()
    assert holders.holder_of_path("b.sock", None) is None
    assert holders.holder_of_port(frozenset({"192.0.2.1"}), 1) is None
    assert str(holders.Holder(7, "python3")) == "pid 7 (python3)"
