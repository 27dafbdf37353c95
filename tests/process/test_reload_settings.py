"""What a reload does with a changed file of settings: all of it or nothing, and no client is lost."""

from __future__ import annotations

import os
import re
import signal
import socket
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.apps.written import write_app
from tests.support.client import Connection
from tests.support.client_load import PATIENT, Load
from tests.support.server_waits import Gate, wait_gone
from tests.support.supervised import Supervised, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterable

SITE = "site_app:app"
FIRST = "127.0.0.1:0"


def write_settings(folder: Path, text: str = "", binds: Iterable[str] = (FIRST,)) -> str:
    """Write the file of settings; return its path."""
    file = folder / "site.toml"
    listed = ", ".join(f'"{bind}"' for bind in binds)
    file.write_text(f"[server]\nbind = [{listed}]\n{text}\n")
    return str(file)


def serve(folder: Path, *flags: str) -> Supervised:
    """A server with the settings of the file, and no others about addresses and workers."""
    return Supervised(SITE, "-c", str(folder / "site.toml"), *flags, bind=None, cwd=folder)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


def is_refused(address: tuple[str, int]) -> bool:
    try:
        with Connection(address):
            return False
    except ConnectionRefusedError:
        return True


def test_a_mistake_changes_nothing(tmp_path: Path) -> None:
    """It is said in words; the workers stay, and so does everything that they listen on."""
    write_app(tmp_path, "good")
    write_settings(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken, serve(tmp_path, *PATIENT) as server:
        old = server.wait_workers(1), server.molds()
        port = taken.getsockname()[1]
        before = len(list(Path(f"/proc/{server.pid}/fd").iterdir()))
        mistakes = {
            r"workers\.cuont": "[workers]\ncuont = 2",
            r"log\.access_file: /no/such/place cannot be opened": '[log]\naccess_file = "/no/such/place"',
            rf"127\.0\.0\.1:{port} is already in use by pid {os.getpid()} ": "",
        }
        for words, text in mistakes.items():
            mark = server.mark()
            write_settings(tmp_path, text, [FIRST] if text else [FIRST, f"127.0.0.1:{port}"])
            server.signal(signal.SIGHUP)
            server.wait_line(
                r"Reload failed: the settings cannot be used\. The old workers go on\.$", since=mark
            )
            server.wait_line(words, since=mark)
        (tmp_path / "site.toml").unlink()
        server.signal(signal.SIGHUP)
        server.wait_line("Reload failed: the settings cannot be used", count=len(mistakes) + 1)
        server.wait_line(r"site\.toml")
        assert (server.wait_workers(1), server.molds()) == old
        descriptors = Path(f"/proc/{server.pid}/fd")
        wait_until(lambda: len(list(descriptors.iterdir())) == before, "others are open than before")
        assert not server.lines("Traceback")


def test_what_the_master_obeys_changes_and_what_it_cannot_change_is_said(tmp_path: Path) -> None:
    """The number of workers follows the file, the ledger does not; what is as it was is not worth a word."""
    write_app(tmp_path, "good")
    write_settings(tmp_path)
    with serve(tmp_path, *PATIENT) as server:
        write_settings(tmp_path, f'[workers]\ncount = 2\n[ledger]\nfile = "{tmp_path}/elsewhere"')
        server.signal(signal.SIGHUP)
        server.wait_line("WARNING: +ledger.file has changed, which needs a restart; until then it stays")
        server.wait_line("Scaling to 2 workers, as the settings say")
        server.wait_line("Reload done: generation 2 runs in")
        server.wait_workers(2)
        write_settings(tmp_path)
        server.signal(signal.SIGHUP)
        server.wait_line("Reload done: generation 3 runs in")
        server.wait_death(count=3)
        assert len(server.wait_workers(1)) == 1
        assert not (tmp_path / "elsewhere").exists()
        assert len(server.lines("WARNING|ERROR")) == 1


def test_addresses_come_and_go_and_nobody_is_lost(tmp_path: Path) -> None:
    """Who is connected to one that goes is answered, and so is who waits in its queue; then it is closed."""
    port, added = free_port(), tmp_path / "added"
    write_app(tmp_path, "old")
    write_settings(tmp_path, binds=[FIRST, f"127.0.0.1:{port}"])
    with ExitStack() as stack:
        gate = stack.enter_context(Gate())
        server = stack.enter_context(serve(tmp_path, *PATIENT))
        (old,) = server.workers()
        load = stack.enter_context(Load(("127.0.0.1", server.port), keeping=1, renewing=1))
        load.wait_answered(50)
        address = ("127.0.0.1", port)
        busy = stack.enter_context(Connection(address))
        busy.send_get(f"/hold?gate={gate.port}")
        visitor = gate.wait_visitor()
        load.finish()  # or its connections would wait for the one that is stopped now
        os.kill(old, signal.SIGSTOP)
        queued = [stack.enter_context(Connection(address)) for _ in range(5)]
        for client in queued:
            client.send_get()
        write_app(tmp_path, "new")
        write_settings(tmp_path, binds=[FIRST, f"unix:{added}"])
        server.signal(signal.SIGHUP)
        server.wait_line("Reload done: generation 2")
        server.wait_line(f"Listening on unix socket {re.escape(str(added))}, too")
        server.wait_line(f"Not listening on http://127.0.0.1:{port} any more")
        assert server.status()["binds"] == [server.url, f"unix socket {added}"]
        os.kill(old, signal.SIGCONT)
        for client in queued:
            with client:
                answer = client.read_response()
                assert (answer.text, answer.pid) == ("old", old)
        wait_until(lambda: is_refused(address), "the old worker still takes clients")
        visitor.let_pass()
        with busy:  # or, if it was answered before the worker drains, it may be kept for another request
            assert busy.read_response().text == "held"
        wait_gone(old)
        with Connection(str(added)) as client:
            assert client.get().text == "new"
        assert server.get().text == "new"
        assert not load.lost, load

        write_settings(tmp_path)
        server.signal(signal.SIGHUP)
        server.wait_line("Not listening on unix socket")
        assert not added.exists()
        assert server.status()["binds"] == [server.url]
        assert server.get().text == "new"
        assert not server.lines("WARNING|ERROR")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_settings_that_cannot_be_read_are_waited_for_no_longer_than_the_master_lives(
    tmp_path: Path, number: signal.Signals
) -> None:
    """The process that reads them is left waiting at a pipe; however the master goes, it goes, too."""
    write_app(tmp_path, "good")
    file = Path(write_settings(tmp_path))
    with serve(tmp_path) as server:
        file.unlink()
        os.mkfifo(file)
        server.signal(signal.SIGHUP)
        with file.open("wb"):  # waits until somebody reads
            server.wait_line(re.escape("Received SIGHUP, reloading: generation 2 is on its way."))
            server.signal(number)
            code = server.wait_exit()
            assert code == (0 if number == signal.SIGTERM else -signal.SIGKILL)
        assert not server.lines("WARNING|ERROR")


def test_a_service_does_not_become_development_by_a_reload(tmp_path: Path) -> None:
    """Whoever writes it into the file is told that it takes a restart: clients must see no tracebacks."""
    write_app(tmp_path, "good")
    write_settings(tmp_path)
    with serve(tmp_path) as server:
        write_settings(tmp_path, "[reload]\nenabled = true")
        server.signal(signal.SIGHUP)
        server.wait_line("WARNING: +reload.enabled has changed, which needs a restart; until then it stays")
        server.wait_line("Reload done: generation 2 runs in")
        server.signal(signal.SIGTTIN)
        server.wait_line("Received SIGTTIN, scaling to 2 workers")  # in development it would be refused
