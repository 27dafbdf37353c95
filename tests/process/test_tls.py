"""The real server over TLS: new certificates without a lost connection, and clients of every kind."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import ssl
import stat
import subprocess
import sys
import time
from signal import SIGCONT, SIGHUP, SIGSTOP, SIGTERM, Signals
from typing import TYPE_CHECKING

import pytest

from srvctl.worker.tls.pair import NO_CERTIFICATE
from tests.support.certificates import Authority, Pair, encrypted
from tests.support.client import Connection
from tests.support.client_load import PATIENT
from tests.support.server import BASIC, ServerProcess
from tests.support.server_waits import PATIENCE, Gate, NeverHappened
from tests.support.tls_client import TlsConnection

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOLD = "tests.support.apps.told:app"
OFTEN = ("--ssl-reload-interval", "0.1")
TLS_1_2, TLS_1_3 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def pair(authority: Authority) -> Pair:
    return authority.issue("server", "localhost", "127.0.0.1")


def address(server: ServerProcess) -> tuple[str, int]:
    return "127.0.0.1", server.port


def connect(
    server: ServerProcess, client: ssl.SSLContext, session: ssl.SSLSession | None = None
) -> TlsConnection:
    return TlsConnection(address(server), client, session=session)


def serial(server: ServerProcess, client: ssl.SSLContext) -> str:
    """What a new client is shown."""
    with connect(server, client) as connection:
        assert connection.get().status == 200
        return connection.serial


def wait_serial(server: ServerProcess, client: ssl.SSLContext, expected: str, times: int = 1) -> None:
    """Wait until so many new clients in a row are shown this certificate."""
    deadline, seen = time.monotonic() + PATIENCE, 0
    while seen < times:
        if time.monotonic() > deadline:
            raise NeverHappened(f"nobody was shown {expected}")
        seen = seen + 1 if serial(server, client) == expected else 0


def quiet(server: ServerProcess) -> None:
    """Nothing went wrong as far as an operator can see, and nothing but srvctl has written."""
    assert server.lines("^(?!INFO:)") == []


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
@pytest.mark.parametrize("version", [TLS_1_2, TLS_1_3])
def test_a_request_over_tls(authority: Authority, pair: Pair, loop: str, version: ssl.TLSVersion) -> None:
    with ServerProcess(BASIC, *pair.flags, "--loop", loop) as server:
        assert server.url.startswith("https://127.0.0.1:")
        client = authority.client(newest=version)
        client.set_alpn_protocols(["h2", "http/1.1"])
        with connect(server, client) as connection:
            for _ in range(3):
                assert connection.get().text == "basic"
            assert connection.tls.version() == version.name.replace("_", ".")
            assert connection.tls.selected_alpn_protocol() == "http/1.1"
        assert server.stop() == 0
        quiet(server)


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_much_in_both_directions(authority: Authority, pair: Pair, loop: str) -> None:
    """Bodies far larger than a record and than every buffer."""
    with ServerProcess(BASIC, *pair.flags, "--loop", loop) as server:
        with connect(server, authority.client()) as connection:
            size = 3_000_000
            connection.send(
                b"POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size + bytes(size)
            )
            assert connection.read_response().text == str(size)
            response = connection.get("/stream?pieces=200&size=20000")
            assert len(response.body) == 200 * 20000
            connection.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 20)
            assert [connection.read_response().text for _ in range(20)] == ["basic"] * 20
        quiet(server)


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_a_client_that_does_not_read_is_waited_for(authority: Authority, pair: Pair, loop: str) -> None:
    with (
        Gate() as gate,
        ServerProcess(BASIC, *pair.flags, "--loop", loop) as server,
        connect(server, authority.client()) as connection,
    ):
        connection.send_get(f"/stream?pieces=100000&size=20000&gate={gate.port}")
        visitor = gate.wait_visitor()
        assert visitor.wait_word()
        assert len(list(visitor.words_until_silent(1.0))) < 2000


def test_a_unix_socket_speaks_tls_too(authority: Authority, pair: Pair, tmp_path: Path) -> None:
    with (
        ServerProcess(BASIC, *pair.flags, bind=f"unix:{tmp_path / 's'}") as server,
        TlsConnection(server.path, authority.client()) as connection,
    ):
        assert connection.get().text == "basic"


# -- new certificates ----------------------------------------------------------------------------------


@contextlib.contextmanager
def standing_still(server: ServerProcess) -> Iterator[None]:
    """Have no worker look at files: two that do not belong together are news if they stay so for a moment."""
    for worker in server.workers():
        os.kill(worker, SIGSTOP)
    yield
    for worker in server.workers():
        os.kill(worker, SIGCONT)


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_new_files_are_taken_up_and_nobody_is_disconnected(
    authority: Authority, pair: Pair, loop: str
) -> None:
    with (
        Gate() as gate,
        ServerProcess(
            BASIC, *pair.flags, *OFTEN, "--workers", "2", "--loop", loop, "--timeout-keep-alive", "1h"
        ) as server,
    ):
        client = authority.client()
        with connect(server, client) as idle, connect(server, client) as busy:
            assert idle.get().text == "basic"
            busy.send_get(f"/hold?gate={gate.port}")
            visitor = gate.wait_visitor()
            visitor.wait_word()
            with standing_still(server):
                fresh = authority.issue("fresh").replace(pair)
            server.wait_line(rf"New TLS files are in use: certificate {fresh.serial}, valid until ", count=2)
            wait_serial(server, client, fresh.serial, times=6)
            visitor.let_pass()
            assert busy.read_response().text == "held"
            for connection in (idle, busy):
                assert connection.get().text == "basic"
                assert connection.serial == pair.serial
        quiet(server)


def test_a_reload_takes_up_new_files(authority: Authority, pair: Pair) -> None:
    with ServerProcess(BASIC, *pair.flags, *PATIENT, "--ssl-reload-interval", "0") as server:
        client = authority.client()
        fresh = authority.issue("fresh").replace(pair)
        assert serial(server, client) == pair.serial
        server.signal(SIGHUP)
        server.wait_line("Reload|reload")
        wait_serial(server, client, fresh.serial)


def test_files_that_cannot_be_used_change_nothing(authority: Authority, pair: Pair) -> None:
    """Neither when they are seen, nor by a reload; and the next good ones are taken up."""
    with ServerProcess(BASIC, *pair.flags, *OFTEN) as server:
        client, before = authority.client(), server.workers()
        authority.issue("other").keyfile.rename(pair.keyfile)
        server.wait_line(
            "ERROR: +New TLS files cannot be used, those before stay in use: "
            rf"tls.keyfile: {pair.keyfile} is not the private key of {pair.certfile}$"
        )
        assert serial(server, client) == pair.serial
        mark = server.mark()
        server.signal(SIGHUP)
        server.wait_line(rf"tls.keyfile: {pair.keyfile} is not the private key of", since=mark)
        server.wait_line("[Rr]eload.*(failed|ended|gave|stopped|not)", since=mark)
        assert serial(server, client) == pair.serial
        assert server.workers() == before
        with standing_still(server):
            fresh = authority.issue("fresh").replace(pair)
        wait_serial(server, client, fresh.serial)
        assert len(server.lines("cannot be used, those before")) == 1


# -- who cannot start ----------------------------------------------------------------------------------


def refusal(*flags: str, env: dict[str, str] | None = None) -> tuple[int, list[str]]:
    """The exit code and what it wrote."""
    with ServerProcess(BASIC, *flags, env=env, is_ready=False) as server:
        code = server.wait_exit()
        return code, server.stderr.text.splitlines()


def test_what_cannot_be_used_is_told_before_anything_starts(pair: Pair, tmp_path: Path) -> None:
    missing = tmp_path / "missing.pem"
    flags = ["--ssl-certfile", str(missing), "--ssl-keyfile", str(pair.keyfile)]
    assert refusal(*flags) == (
        2,
        [f"srvctl: error: --ssl-certfile: tls.certfile: {missing} cannot be read: No such file or directory"],
    )
    assert refusal(env={"UVICORN_SSL_CERTFILE": str(pair.keyfile)}) == (
        78,
        [f"srvctl: error: UVICORN_SSL_CERTFILE: tls.certfile: {pair.keyfile} {NO_CERTIFICATE}"],
    )


def test_the_line_of_the_file_is_named(pair: Pair, authority: Authority, tmp_path: Path) -> None:
    other = authority.issue("other")
    file = tmp_path / "srvctl.toml"
    file.write_text(f'[tls]\ncertfile = "{pair.certfile}"\nkeyfile = "{other.keyfile}"\n')
    expected = (
        f"srvctl: error: {file}:3: tls.keyfile: {other.keyfile} is not the private key of {pair.certfile}"
    )
    assert refusal("-c", str(file)) == (78, [expected])
    command = [sys.executable, "-m", "srvctl", "check", "-c", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.splitlines()) == (78, [expected])


def test_an_encrypted_key(authority: Authority, pair: Pair) -> None:
    """Nobody is ever asked at the terminal."""
    pair.keyfile.write_bytes(encrypted(pair.keyfile.read_bytes(), "open sesame"))
    code, lines = refusal(*pair.flags)
    said = f"{pair.keyfile} is encrypted; set tls.keyfile_password to its password"
    assert (code, lines) == (2, [f"srvctl: error: --ssl-keyfile: tls.keyfile: {said}"])
    code, lines = refusal(*pair.flags, "--ssl-keyfile-password", "wrong")
    said = f"srvctl: error: --ssl-keyfile-password: tls.keyfile_password: does not open {pair.keyfile}"
    assert (code, lines) == (2, [said])
    with ServerProcess(BASIC, *pair.flags, env={"UVICORN_SSL_KEYFILE_PASSWORD": "open sesame"}) as server:
        assert serial(server, authority.client()) == pair.serial
        assert "sesame" not in server.stderr.text


# -- who connects --------------------------------------------------------------------------------------


def test_names_have_their_certificates(authority: Authority, pair: Pair) -> None:
    one, wild = authority.issue("one", "one.example"), authority.issue("wild", "*.one.example")
    sni = [
        part
        for name, p in (("one.example", one), ("*.one.example", wild))
        for part in ("--ssl-sni", f"{name}={p.certfile}:{p.keyfile}")
    ]
    with ServerProcess(BASIC, *pair.flags, *sni) as server:
        for name, expected in (("one.example", one), ("a.one.example", wild), ("localhost", pair)):
            with TlsConnection(address(server), authority.client(), name=name) as connection:
                assert connection.serial == expected.serial
                assert connection.get().status == 200
        stranger = authority.client()
        stranger.check_hostname = False
        with TlsConnection(address(server), stranger, name=None) as connection:
            assert connection.serial == pair.serial


def test_clients_without_a_certificate_are_refused(authority: Authority, pair: Pair) -> None:
    with ServerProcess(
        BASIC, *pair.flags, "--ssl-cert-reqs", "2", "--ssl-ca-certs", str(authority.file)
    ) as server:
        # In TLS 1.3 a client learns it only when it reads.
        with (
            pytest.raises(ssl.SSLError, match="CERTIFICATE_REQUIRED"),
            connect(server, authority.client()) as nobody,
        ):
            nobody.get()
        with connect(server, authority.client(pair=authority.issue("client"))) as somebody:
            assert somebody.get().status == 200
        quiet(server)


def test_keys_are_logged_where_the_environment_says(authority: Authority, pair: Pair, tmp_path: Path) -> None:
    file = tmp_path / "keys"
    with ServerProcess(BASIC, *pair.flags, env={"SSLKEYLOGFILE": str(file)}) as server:
        serial(server, authority.client())
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert "CLIENT_TRAFFIC_SECRET_0 " in file.read_text()
        server.wait_line(f"WARNING: +TLS keys are written to {file}: ")


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
@pytest.mark.parametrize("version", [TLS_1_2, TLS_1_3])
def test_a_session_is_resumed(authority: Authority, pair: Pair, loop: str, version: ssl.TLSVersion) -> None:
    """By the worker that it was begun with."""
    with ServerProcess(BASIC, *pair.flags, "--loop", loop) as server:
        client = authority.client(newest=version)
        with connect(server, client) as first:
            first.get()  # in TLS 1.3 the ticket comes after the handshake
            session = first.tls.session
            assert not first.tls.session_reused
        with connect(server, client, session) as second:
            assert second.tls.session_reused
            assert second.get().status == 200


def test_a_session_of_a_client_with_a_certificate_is_resumed(authority: Authority, pair: Pair) -> None:
    flags = ["--ssl-cert-reqs", "2", "--ssl-ca-certs", str(authority.file)]
    with ServerProcess(BASIC, *pair.flags, *flags) as server:
        client = authority.client(pair=authority.issue("client"))
        with connect(server, client) as first:
            first.get()
            session = first.tls.session
        with connect(server, client, session) as second:
            assert second.tls.session_reused
            assert second.get().status == 200


# -- who does not speak it -----------------------------------------------------------------------------


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
@pytest.mark.parametrize(
    "said",
    [
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\x16\x03\x01",
        b"\0" * 100,
        b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03",
        b"",
    ],
    ids=["http", "header", "nothing", "half a hello", "silence"],
)
@pytest.mark.parametrize("end", ["close", "reset", "shut"])
def test_clients_that_do_not_speak_tls_are_no_news(
    authority: Authority, pair: Pair, loop: str, said: bytes, end: str
) -> None:
    with ServerProcess(BASIC, *pair.flags, "--loop", loop) as server:
        for _ in range(3):
            with Connection(address(server)) as stranger:
                stranger.send(said)
                if end == "reset":
                    stranger.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                elif end == "shut":
                    stranger.socket.shutdown(socket.SHUT_WR)
                    with contextlib.suppress(ConnectionResetError):
                        stranger.read_until_end()
        assert serial(server, authority.client()) == pair.serial
        assert server.stop() == 0
        quiet(server)


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
@pytest.mark.parametrize("said", [b"", b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03"], ids=["silent", "half"])
def test_a_client_that_does_not_finish_its_handshake_is_left(pair: Pair, loop: str, said: bytes) -> None:
    with ServerProcess(BASIC, *pair.flags, "--loop", loop, "--timeout-tls-handshake", "0.3") as server:
        begun = time.monotonic()
        with Connection(address(server)) as silent:
            silent.send(said)
            with contextlib.suppress(ConnectionResetError):
                assert silent.read_until_end() == b""
            assert 0.2 < time.monotonic() - begun < PATIENCE / 2
        quiet(server)


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_a_client_that_leaves_without_a_word(authority: Authority, pair: Pair, loop: str) -> None:
    """Without close_notify, and by a reset."""
    with ServerProcess(BASIC, *pair.flags, "--loop", loop) as server:
        for linger in (b"\0\0\0\0\0\0\0\0", b"\1\0\0\0\0\0\0\0"):
            with connect(server, authority.client()) as connection:
                assert connection.get().status == 200
                connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        assert server.stop() == 0
        quiet(server)


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_a_client_that_says_goodbye_before_the_answer(authority: Authority, pair: Pair, loop: str) -> None:
    """Its close_notify ends both directions for the event loops: the application is told, nobody else."""
    with Gate() as gate, ServerProcess(BASIC, *pair.flags, "--loop", loop) as server:
        with connect(server, authority.client()) as connection:
            connection.send_get(f"/watch?gate={gate.port}")
            visitor = gate.wait_visitor()
            assert visitor.wait_word() == "http.request"
            connection.tls.setblocking(False)
            with contextlib.suppress(ssl.SSLError):
                connection.tls.unwrap()
            assert visitor.wait_word() == "http.disconnect"
        assert server.stop() == 0
        quiet(server)


# -- the end -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
@pytest.mark.parametrize("number", [SIGTERM, SIGHUP])
def test_a_handshake_that_has_begun_is_served_while_the_worker_drains(
    authority: Authority, pair: Pair, loop: str, number: Signals
) -> None:
    """No client that was accepted is dropped, by a stop as little as by a reload."""
    flags = (*PATIENT, "--timeout-tls-handshake", "600")
    with ServerProcess(BASIC, *pair.flags, *flags, "--loop", loop) as server:
        (worker,) = server.workers()
        client = authority.client()
        with connect(server, client) as idle, socket.create_connection(address(server), PATIENCE) as raw:
            assert idle.get().status == 200
            to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
            half = client.wrap_bio(to_client, to_server, server_hostname="localhost")
            with contextlib.suppress(ssl.SSLWantReadError):
                half.do_handshake()
            hello = to_server.read()
            raw.sendall(hello[:50])
            assert idle.get().status == 200  # so the worker has seen the other
            server.signal(number)
            server.wait_line("Shutting down")
            raw.sendall(hello[50:])
            while True:
                try:
                    half.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    raw.sendall(to_server.read())
                    received = raw.recv(65536)
                    assert received, "dropped"
                    to_client.write(received)
            half.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            raw.sendall(to_server.read())
            answer = b""
            with contextlib.suppress(ssl.SSLZeroReturnError, ssl.SSLEOFError):
                while b"basic" not in answer:
                    try:
                        answer += half.read(65536)
                    except ssl.SSLWantReadError:
                        received = raw.recv(65536)
                        assert received, answer
                        to_client.write(received)
            assert b"connection: close" in answer.lower()
            assert f"x-pid: {worker}".encode() in answer
        if number == SIGTERM:
            assert server.wait_exit() == 0
        quiet(server)


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
@pytest.mark.parametrize("is_accepted", [True, False])
def test_a_handshake_that_never_ends_keeps_nobody(pair: Pair, loop: str, is_accepted: bool) -> None:
    """The worker ends with the handshake's time, not with that of running requests, which none waits for."""
    flags = ("--timeout-tls-handshake", "0.5", "--timeout-graceful-shutdown", "600")
    with ServerProcess(BASIC, *pair.flags, *flags, "--loop", loop) as server:
        (worker,) = server.workers()
        if not is_accepted:
            os.kill(worker, SIGSTOP)
        with Connection(address(server)) as silent:
            silent.send(b"\x16" if is_accepted else b"")
            server.signal(SIGTERM)
            os.kill(worker, SIGCONT)
            assert server.wait_exit() == 0
        quiet(server)


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_clients_that_wait_in_the_kernel_are_served_at_a_stop(
    authority: Authority, pair: Pair, loop: str
) -> None:
    """They are connected already as far as they can see; one of them says nothing."""
    flags = (*PATIENT, "--timeout-tls-handshake", "600")
    with ServerProcess(BASIC, *pair.flags, *flags, "--loop", loop) as server:
        (worker,) = server.workers()
        os.kill(worker, SIGSTOP)
        raws = [socket.create_connection(address(server), PATIENCE) for _ in range(3)]
        silent = socket.create_connection(address(server), PATIENCE)
        server.signal(SIGTERM)
        os.kill(worker, SIGCONT)
        for raw in raws:
            with authority.client().wrap_socket(raw, server_hostname="localhost") as tls:
                # It may be answered before the worker has heard of the stop.
                tls.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                answer = b""
                while piece := tls.recv(65536):
                    answer += piece
                assert answer.endswith(b"basic")
        silent.close()
        assert server.wait_exit() == 0
        quiet(server)


# -- what the application is told ----------------------------------------------------------------------


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_the_application_is_told_about_tls(authority: Authority, pair: Pair, loop: str) -> None:
    """The ASGI extension, and the scheme."""
    flags = ["--ssl-cert-reqs", "1", "--ssl-ca-certs", str(authority.file), "--loop", loop]
    with ServerProcess(TOLD, *pair.flags, *flags) as server:
        with connect(server, authority.client()) as nobody:
            told = json.loads(nobody.get().text)
            assert told["scheme"] == "https"
            assert ssl.PEM_cert_to_DER_cert(told["tls"].pop("server_cert")) == pair.der
            assert told["tls"] == {
                "client_cert_chain": [],
                "client_cert_name": None,
                "client_cert_error": None,
                "tls_version": 0x0304,
                "cipher_suite": 0x1302,
            }
        client = authority.issue("client", common_name="alice")
        with connect(server, authority.client(pair=client)) as somebody:
            for _ in range(2):  # each request is told the same
                told = json.loads(somebody.get().text)["tls"]
                assert told["client_cert_name"].startswith("CN=alice,OU=")
                assert ssl.PEM_cert_to_DER_cert(told["client_cert_chain"][0]) == client.der


def test_the_application_is_told_nothing_about_tls_without_it() -> None:
    with ServerProcess(TOLD) as server:
        assert json.loads(server.get().text) == {"scheme": "http", "tls": None}
