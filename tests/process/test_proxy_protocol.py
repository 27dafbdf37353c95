"""The PROXY protocol before the real server: over TCP, Unix sockets and TLS, with both event loops."""

from __future__ import annotations

import contextlib
import json
import os
import time
from signal import SIGCONT, SIGHUP, SIGSTOP, SIGTERM
from typing import TYPE_CHECKING

import pytest

from tests.support.certificates import Authority
from tests.support.client_load import PATIENT
from tests.support.proxy_header import (
    CLIENT,
    DESTINATION,
    GET,
    MIRROR,
    ON,
    TLS_V2,
    V1,
    ask,
    descriptors,
    is_dropped,
    read_seen,
    v2,
    wait_descriptors,
)
from tests.support.server import ServerProcess

if TYPE_CHECKING:
    from pathlib import Path


class TestWhoItIsFor:
    @pytest.mark.parametrize("header", [V1, v2()], ids=["1", "2"])
    @pytest.mark.parametrize("bind", ["127.0.0.1:0", "unix:{}/s"])
    def test_the_addresses_are_those_of_the_header(
        self, loop_flags: list[str], header: bytes, bind: str, tmp_path: Path
    ) -> None:
        """For every request of the connection, however the header is cut."""
        flags = [*loop_flags, *ON, "--forwarded-allow-ips", "127.0.0.1,unix"]
        with ServerProcess(MIRROR, *flags, bind=bind.format(tmp_path)) as server:
            told = ask(server, header)
            assert (told["client"], told["server"], told["scheme"]) == (CLIENT, DESTINATION, "http")
            with server.connect() as client:
                for at in range(len(header)):
                    client.send(header[at : at + 1])
                    time.sleep(0.001)
                for _ in range(2):
                    client.send(GET)
                    assert read_seen(client)["client"] == CLIENT
            assert server.stop() == 0
            assert "203.0.113.7:4096 - " in server.stdout.text
            assert "Traceback" not in server.stderr.text

    def test_before_tls(self, loop_flags: list[str], tmp_path: Path) -> None:
        """The handshake begins with the byte behind the header."""
        authority = Authority(tmp_path)
        pair = authority.issue("server")
        with ServerProcess(MIRROR, *pair.flags, *loop_flags, *ON) as server:
            for _ in range(3):
                with server.connect() as client:
                    client.send(v2())
                    client.socket = authority.client().wrap_socket(client.socket, server_hostname="localhost")
                    client.send(GET)
                    told = read_seen(client)
                    assert (told["client"], told["scheme"], told["tls"]) == (CLIENT, "https", True)
            with server.connect() as client:
                client.send(V1 + GET)  # not TLS
                client.read_until_end()
            assert server.stop() == 0
            assert "Traceback" not in server.stderr.text

    def test_header_handshake_and_request_in_one_packet(self, believing: ServerProcess) -> None:
        """Whatever follows is not lost, whatever its size."""
        body = b"x" * 300_000
        with believing.connect() as client:
            client.send(v2() + b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n" + body)
            assert client.read_response().body == body

    @pytest.mark.parametrize(
        "header", [b"PROXY UNKNOWN\r\n", b"PROXY UNKNOWN a b 1 2\r\n", v2(b"", command=0x20, family=0)]
    )
    def test_health_checks_have_the_connections_own_addresses(
        self, believing: ServerProcess, header: bytes
    ) -> None:
        with believing.connect() as client:
            host, port = client.socket.getsockname()
            client.send(header + GET)
            told = read_seen(client)
        assert told["client"] == [host, port]
        assert told["server"] == ["127.0.0.1", believing.port]

    def test_a_client_on_a_unix_socket_has_no_address(self, believing: ServerProcess) -> None:
        paths = b"/run/client".ljust(108, b"\0") + b"/run/proxy".ljust(108, b"\0")
        told = ask(believing, v2(paths, family=0x31))
        assert (told["client"], told["server"]) == (None, ["/run/proxy", None])

    def test_a_client_that_spoke_tls_with_the_proxy(self, believing: ServerProcess) -> None:
        """Section 2.2.6: the proxy says so, and URLs the application makes are right."""
        assert ask(believing, TLS_V2)["scheme"] == "https"
        assert ask(believing, v2())["scheme"] == "http"

    def test_the_headers_of_the_source_are_judged(self) -> None:
        """It takes the place of the peer: trusted or not."""
        request = GET.replace(b"\r\n\r\n", b"\r\nX-Forwarded-For: 198.51.100.1\r\n\r\n")
        with ServerProcess(MIRROR, *ON) as server:
            assert ask(server, V1, request)["client"] == CLIENT
            assert ask(server, b"PROXY UNKNOWN\r\n", request)["client"] == ["198.51.100.1", 0]
        flags = ["--forwarded-allow-ips", "127.0.0.1,203.0.113.0/24"]
        with ServerProcess(MIRROR, *ON, *flags) as server:
            assert ask(server, V1, request)["client"] == ["198.51.100.1", 0]


class TestTheEnd:
    def test_a_stop_waits_for_no_header(self, loop_flags: list[str]) -> None:
        """Whoever has sent none when the idle are closed is given up."""
        flags = ["--timeout-drain-idle", "0.2s", "--timeout-request-head", "600"]
        flags += ["--timeout-graceful-shutdown", "600"]  # longer than anybody waits for the stop
        with ServerProcess(MIRROR, *loop_flags, *ON, *flags) as server:
            (worker,) = server.workers()
            before = descriptors(worker)
            with server.connect() as silent, server.connect() as half:
                half.send(V1[:9])
                wait_descriptors(worker, before + 2)
                assert server.stop() == 0
                assert is_dropped(silent)
                assert is_dropped(half)
            assert "Traceback" not in server.stderr.text

    def test_a_header_that_comes_during_a_stop_is_served(self, loop_flags: list[str]) -> None:
        """Its client was connected before."""
        with ServerProcess(MIRROR, *loop_flags, *ON, "--timeout-drain-idle", "20s") as server:
            (worker,) = server.workers()
            before = descriptors(worker)
            with server.connect() as client:
                client.send(V1[:9])
                wait_descriptors(worker, before + 1)
                server.signal(SIGTERM)
                server.wait_line("Shutting down")
                client.send(V1[9:] + GET)
                answer = client.read_response()
                assert json.loads(answer.body)["client"] == CLIENT
                assert answer.is_last
            assert server.wait_exit() == 0

    def test_the_grace_ends_the_wait(self, loop_flags: list[str]) -> None:
        flags = ["--timeout-drain-idle", "20s", "--timeout-graceful-shutdown", "0.2s"]
        with ServerProcess(MIRROR, *loop_flags, *ON, *flags) as server:
            (worker,) = server.workers()
            before = descriptors(worker)
            with server.connect() as client:
                wait_descriptors(worker, before + 1)
                assert server.stop() == 0
                assert is_dropped(client)
            assert "Traceback" not in server.stderr.text

    @pytest.mark.parametrize("has_tls", [False, True])
    def test_clients_that_wait_in_the_kernel_are_served_at_a_stop(
        self, loop_flags: list[str], has_tls: bool, tmp_path: Path
    ) -> None:
        authority = Authority(tmp_path)
        flags = authority.issue("server").flags if has_tls else []
        flags += [*PATIENT, "--timeout-tls-handshake", "600"]
        with ServerProcess(MIRROR, *loop_flags, *ON, *flags) as server:
            (worker,) = server.workers()
            os.kill(worker, SIGSTOP)
            with contextlib.ExitStack() as stack:
                clients = [stack.enter_context(server.connect()) for _ in range(3)]
                for client in clients:
                    client.send(V1)
                server.signal(SIGTERM)
                os.kill(worker, SIGCONT)
                for client in clients:
                    if has_tls:
                        tls = authority.client().wrap_socket(client.socket, server_hostname="localhost")
                        client.socket = tls
                    client.send(GET)
                    assert read_seen(client)["client"] == CLIENT
            assert server.wait_exit() == 0
            assert "Traceback" not in server.stderr.text

    def test_a_reload_loses_nobody(self, loop_flags: list[str]) -> None:
        with ServerProcess(MIRROR, *loop_flags, *ON, "--workers", "2", *PATIENT) as server:
            with server.connect() as early:
                early.send(V1[:9])
                server.signal(SIGHUP)
                while not server.lines("Reload done"):
                    assert ask(server, V1)["client"] == CLIENT
            assert ask(server, V1)["client"] == CLIENT
            assert server.stop() == 0
            assert "Traceback" not in server.stderr.text
