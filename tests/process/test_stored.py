"""Sockets that were kept for the next master: which are used again, and what becomes of the others."""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from srvctl.errors import BindError
from srvctl.ipc.handshakes import stop_handshakes
from srvctl.settings.binds import Bind, TcpBind, UnixBind, parse_bind
from srvctl.supervisor.inherited import Inherited
from srvctl.supervisor.sockets import open_listeners
from srvctl.supervisor.stored_names import name_for, place_of_file
from tests.support.server_waits import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from srvctl.supervisor.listeners import Listener, Listeners

    Passed = dict[str, tuple[int, ...]]


@pytest.fixture(autouse=True)
def no_descriptor_is_left() -> Iterator[None]:
    before = {path.name for path in Path("/proc/self/fd").iterdir()}
    yield
    assert {path.name for path in Path("/proc/self/fd").iterdir()} == before


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A short current directory: the path of a Unix socket has at most 107 bytes."""
    monkeypatch.chdir(tmp_path)
    return Path()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


class Keeper:
    """Has copies of sockets, as a service manager has, and passes further copies."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self._stack = stack
        self._kept: list[tuple[str, socket.socket]] = []

    def keep(self, listener: Listener) -> None:
        if listener.file is not None:
            place = place_of_file(listener.file.device, listener.file.inode)
        else:
            place = listener.socket.getsockname()[0]
        self.keep_as(name_for(listener.bind, place), listener.socket)

    def keep_as(self, name: str, sock: socket.socket) -> None:
        self._kept.append((name, self._stack.enter_context(sock.dup())))

    def passed(self) -> Inherited:
        passed: Passed = {}
        for name, sock in self._kept:
            passed[name] = (*passed.get(name, ()), os.dup(sock.fileno()))
        return Inherited(passed, "")


@pytest.fixture
def keeper() -> Iterator[Keeper]:
    with contextlib.ExitStack() as stack:
        yield Keeper(stack)


@contextlib.contextmanager
def opened(*binds: Bind, inherited: Inherited | None = None) -> Iterator[Listeners]:
    if inherited is not None:
        inherited.stored.give_up_others(binds)
    with contextlib.closing(open_listeners(binds, 16, inherited)) as listeners:
        yield listeners


def crashed(keeper: Keeper, *binds: Bind) -> list[int]:
    """Have a master listen and be killed; return what tells its sockets from others."""
    listeners = open_listeners(binds, 1)
    for listener in listeners:
        keeper.keep(listener)
    inodes = [os.fstat(listener.socket.fileno()).st_ino for listener in listeners]
    for listener in listeners:
        listener.close(unlink=False)
    return inodes


def numbers(listeners: Listeners) -> list[int]:
    return [os.fstat(listener.socket.fileno()).st_ino for listener in listeners]


def connected(address: Any) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
    sock.settimeout(PATIENCE)
    try:
        sock.connect(address)
    except OSError:
        sock.close()
        raise
    return sock


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "", "::", "::1", "0.0.0.0"])
def test_a_kept_socket_is_used_again(keeper: Keeper, host: str) -> None:
    """Each of those that a name stands for; in the settings of today."""
    bind = TcpBind(host, free_port())
    try:
        before = crashed(keeper, bind)
    except BindError:
        pytest.skip("this machine has no IPv6")
    for _ in range(2):
        with opened(bind, inherited=keeper.passed()) as listeners:
            assert numbers(listeners) == before
            for listener in listeners:
                assert listener.is_kept
                assert not listener.socket.getblocking()
                assert not listener.socket.get_inheritable()
                assert listener.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        with connected(("127.0.0.1", bind.port)) if host != "::1" else contextlib.nullcontext():
            pass  # the service ended, and clients queue for the next


def test_a_kept_unix_socket_is_used_again_with_its_file(keeper: Keeper, place: Path) -> None:
    bind = UnixBind(str(place / "s"), 0o600)
    before = crashed(keeper, bind)
    with opened(bind, inherited=keeper.passed()) as listeners:
        (listener,) = listeners
        assert numbers(listeners) == before
        assert listener.file is not None
        assert listener.file.is_there
        assert listener.url == f"unix socket {Path('s').absolute()}"
        with connected("s"):
            listener.socket.accept()[0].close()
    assert Path("s").exists()
    with opened(bind, inherited=keeper.passed()) as listeners:
        (listener,) = listeners
        listener.give_up()
        assert not Path("s").exists()


def test_one_that_was_made_deaf_hears_again(keeper: Keeper) -> None:
    """As at the end of a service that did not know that its socket was kept."""
    bind = TcpBind("127.0.0.1", free_port())
    (listener,) = open_listeners([bind], 1)
    keeper.keep(listener)
    stop_handshakes(listener.socket)
    listener.socket.close()
    with opened(bind, inherited=keeper.passed()), connected(("127.0.0.1", bind.port)):
        pass


def _other_address(keeper: Keeper, bind: TcpBind) -> None:
    with socket.create_server(("127.0.0.2", bind.port)) as sock:
        keeper.keep_as(name_for(bind, "127.0.0.1"), sock)


def _shut_down(keeper: Keeper, bind: TcpBind) -> None:
    with socket.create_server(("127.0.0.1", bind.port)) as sock:
        keeper.keep_as(name_for(bind, "127.0.0.1"), sock)
        sock.shutdown(socket.SHUT_RDWR)


def _datagrams(keeper: Keeper, bind: TcpBind) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", bind.port))
        keeper.keep_as(name_for(bind, "127.0.0.1"), sock)


def _not_listening(keeper: Keeper, bind: TcpBind) -> None:
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", bind.port))
        keeper.keep_as(name_for(bind, "127.0.0.1"), sock)


def _unix(keeper: Keeper, bind: TcpBind) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind("")  # the kernel finds it an abstract name
        sock.listen()
        keeper.keep_as(name_for(bind, "127.0.0.1"), sock)


def _twice(keeper: Keeper, bind: TcpBind) -> None:
    _other_address(keeper, bind)
    _not_listening(keeper, bind)


@pytest.mark.parametrize("keep", [_other_address, _shut_down, _datagrams, _not_listening, _unix, _twice])
def test_one_that_does_not_fit_is_opened_anew(
    keeper: Keeper, keep: Callable[[Keeper, TcpBind], None]
) -> None:
    bind = TcpBind("127.0.0.1", free_port())
    keep(keeper, bind)
    with opened(bind, inherited=keeper.passed()) as listeners:
        (listener,) = listeners
        assert not listener.is_kept
        with connected(("127.0.0.1", bind.port)):
            listener.socket.accept()[0].close()


def test_one_that_serves_ipv6_only_is_not_for_all(keeper: Keeper) -> None:
    bind = TcpBind("::", free_port())
    with socket.socket(socket.AF_INET6) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            sock.bind(("::", bind.port))
        except OSError:
            pytest.skip("this machine has no IPv6")
        sock.listen()
        keeper.keep_as(name_for(bind, "::"), sock)
    with opened(bind, inherited=keeper.passed()), connected(("127.0.0.1", bind.port)):
        pass


def _replaced(path: Path) -> None:
    path.unlink()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))


def _moved(path: Path) -> None:
    path.rename("elsewhere")
    _stale("third", path)


def _stale(name: str, path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(name)
    Path(name).rename(path)


@pytest.mark.parametrize("change", [Path.unlink, _replaced, _moved])
def test_a_path_that_leads_elsewhere_gets_a_new_socket(
    keeper: Keeper, place: Path, change: Callable[[Path], None]
) -> None:
    bind = UnixBind(str(place / "s"))
    before = crashed(keeper, bind)
    change(Path("s"))
    with opened(bind, inherited=keeper.passed()) as listeners:
        assert numbers(listeners) != before
        (listener,) = listeners
        with connected("s"):
            listener.socket.accept()[0].close()
    assert not Path("s").exists()


def test_a_unix_socket_that_was_shut_down_is_opened_anew(keeper: Keeper, place: Path) -> None:
    """It still says that it accepts connections."""
    bind = UnixBind(str(place / "s"))
    (listener,) = open_listeners([bind], 1)
    keeper.keep(listener)
    listener.socket.shutdown(socket.SHUT_RDWR)
    listener.close(unlink=False)
    with opened(bind, inherited=keeper.passed()) as listeners:
        assert not any(listener.is_kept for listener in listeners)
        with connected("s"):
            pass


@pytest.mark.parametrize("now", ["0.0.0.0:{}", ":{}", "localhost:{}"])
def test_what_covers_an_address_of_today_makes_room(keeper: Keeper, now: str) -> None:
    """Though whoever kept it still has it."""
    port = free_port()
    crashed(keeper, TcpBind("127.0.0.1", port))
    with opened(parse_bind(now.format(port)), inherited=keeper.passed()), connected(("127.0.0.1", port)):
        pass


def test_what_is_not_asked_for_any_more_refuses_clients(keeper: Keeper, place: Path) -> None:
    port = free_port()
    crashed(keeper, TcpBind("127.0.0.1", port), UnixBind(str(place / "s")))
    inherited = keeper.passed()
    with opened(TcpBind("127.0.0.1", 0), inherited=inherited) as listeners:
        assert not listeners.warnings
        assert not [*inherited.unused()]
        for address in (("127.0.0.1", port), "s"):
            with pytest.raises((ConnectionRefusedError, FileNotFoundError)):
                connected(address)


def test_a_start_that_fails_leaves_all_to_the_next(keeper: Keeper, place: Path) -> None:
    tcp, path = TcpBind("127.0.0.1", free_port()), UnixBind(str(place / "s"))
    before = crashed(keeper, tcp, path)
    with connected("s"), connected(("127.0.0.1", tcp.port)):
        for good in ((), (tcp, path)):
            with pytest.raises(BindError, match="missing"):
                open_listeners([*good, UnixBind("missing/s")], 16, keeper.passed())
        with opened(tcp, path, inherited=keeper.passed()) as listeners:
            assert numbers(listeners) == before
            for listener in listeners:  # the very clients that waited
                listener.socket.accept()[0].close()


def test_a_kept_socket_has_no_number_for_binds(keeper: Keeper) -> None:
    bind = TcpBind("127.0.0.1", free_port())
    crashed(keeper, bind)
    with socket.socket() as sock:
        fd = sock.fileno()
    inherited = keeper.passed()  # takes the lowest number that is free
    with pytest.raises(BindError, match=f"^fd://{fd} is a socket that systemd kept for srvctl; bind its"):
        open_listeners([parse_bind(f"fd://{fd}")], 16, inherited)


def test_what_is_no_socket_is_passed_over() -> None:
    reading, writing = os.pipe()
    os.close(writing)
    inherited = Inherited({"srvctl,x,y": (reading,), "srvctl": (9999,)}, "")
    assert inherited.stored.names == {"srvctl,x,y", "srvctl"}
    with opened(TcpBind("127.0.0.1", 0), inherited=inherited):
        pass
    os.close(reading)
