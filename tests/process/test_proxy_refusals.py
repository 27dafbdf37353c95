"""Connections that do not begin with a PROXY header as they should: closed, and nothing is left of them."""

from __future__ import annotations

import os
import resource
import socket
import struct
import time
from signal import SIGCONT, SIGSTOP

import psutil
import pytest

from tests.support.proxy_header import (
    CLIENT,
    GET,
    MIRROR,
    ON,
    START_V2,
    V1,
    ask,
    descriptors,
    is_dropped,
    read_seen,
    v2,
    wait_descriptors,
)
from tests.support.server import ServerProcess


class TestRefusals:
    def test_who_is_not_trusted_is_refused(self, loop_flags: list[str]) -> None:
        """At once, with at most one warning a second."""
        flags = [*loop_flags, *ON, "--forwarded-allow-ips", "10.0.0.1"]
        with ServerProcess(MIRROR, *flags) as server:
            (worker,) = server.workers()
            before = descriptors(worker)
            began = time.monotonic()
            for _ in range(20):
                with server.connect() as client:
                    assert is_dropped(client)
            text = r"A connection from 127\.0\.0\.1 is refused, it is no trusted proxy"
            server.wait_line(text)
            server.wait_line("[0-9]+ more connections were turned away, the last: A connection from 127")
            # The first, and then one of those that came within the second.
            assert len(server.lines("A connection from 127")) <= 2 + int(time.monotonic() - began)
            wait_descriptors(worker, before)

    @pytest.mark.parametrize(
        "sent",
        [
            GET,
            b"PROXY TCP4 203.0.113.7 192.0.2.1 4096\r\n" + GET,
            b"PROXY TCP4 " + b"1" * 200,
            v2(b"short") + GET,
            v2(command=0x2F) + GET,
            START_V2 + b"\x21\x11\xff\xff",
            b"\x16\x03\x01\x02\x00\x01\x00",  # TLS without a header
        ],
    )
    def test_what_begins_otherwise_is_closed(self, believing: ServerProcess, sent: bytes) -> None:
        with believing.connect() as client:
            mark = believing.mark()
            client.send(sent)
            assert is_dropped(client)
        believing.wait_line(r"A connection from 127\.0\.0\.1 is closed: the ", since=mark)
        assert ask(believing, V1)["client"] == CLIENT

    def test_clients_that_leave_are_forgotten_without_a_word(self, loop_flags: list[str]) -> None:
        """Checks that only connect do it all day."""
        with ServerProcess(MIRROR, *loop_flags, *ON, "--log-level", "debug") as server:
            (worker,) = server.workers()
            before = descriptors(worker)
            for cut in (b"", V1[:9], v2()[:20]):
                for linger in (False, True):
                    with server.connect() as client:
                        client.send(cut)
                        wait_descriptors(worker, before + 1)
                        if linger:  # a reset
                            client.socket.setsockopt(
                                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                            )
                    wait_descriptors(worker, before)
            assert ask(server, V1)["client"] == CLIENT
            assert "A connection" not in server.stderr.text

    def test_a_reset_that_comes_together_with_half_a_header(self, loop_flags: list[str]) -> None:
        """Event loops may tell of both at once, and never again."""
        with ServerProcess(MIRROR, *loop_flags, *ON) as server:
            (worker,) = server.workers()
            before = descriptors(worker)
            with server.connect() as client:
                wait_descriptors(worker, before + 1)
                os.kill(worker, SIGSTOP)
                client.send(V1[:9])
                client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            os.kill(worker, SIGCONT)
            wait_descriptors(worker, before)

    def test_half_a_header_has_its_time_and_costs_nothing(self, loop_flags: list[str]) -> None:
        """And what has come of it does not keep the worker busy."""
        flags = ["--timeout-request-head", "1.5s"]
        with ServerProcess(MIRROR, *loop_flags, *ON, *flags) as server:
            (worker,) = server.workers()
            began, cpu = time.monotonic(), sum(psutil.Process(worker).cpu_times()[:2])
            with server.connect() as client:
                client.send(V1[:20])
                assert is_dropped(client)
            assert time.monotonic() - began >= 1.4
            assert sum(psutil.Process(worker).cpu_times()[:2]) - cpu < 0.5
            server.wait_line("is closed: it sent no whole PROXY header within 1.5 s")

    def test_a_lack_of_descriptors_does_not_keep_the_worker_busy(self, loop_flags: list[str]) -> None:
        """Accepting rests for a second; afterwards everybody is served."""
        with ServerProcess(MIRROR, *loop_flags, *ON) as server:
            (worker,) = server.workers()
            _, hard = resource.prlimit(worker, resource.RLIMIT_NOFILE)
            # The lowest that is free is what the connection would get.
            free = next(fd for fd in range(hard) if not os.path.lexists(f"/proc/{worker}/fd/{fd}"))
            limits = resource.prlimit(worker, resource.RLIMIT_NOFILE, (free, hard))
            with server.connect() as client:
                client.send(V1 + GET)
                server.wait_line("No connection can be accepted for 1 s: Too many open files")
                cpu = sum(psutil.Process(worker).cpu_times()[:2])
                server.wait_line("No connection can be accepted for 1 s", count=3)
                assert sum(psutil.Process(worker).cpu_times()[:2]) - cpu < 0.5
                resource.prlimit(worker, resource.RLIMIT_NOFILE, limits)
                assert read_seen(client)["client"] == CLIENT
