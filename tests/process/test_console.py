"""``--console`` with real servers: it tells the truth, comes back, and nothing that happens to it matters."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import tempfile
import threading
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import psutil
import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse

from srvctl.console.figures import DURATIONS, FIGURES
from srvctl.ipc.naming import CONSOLE
from tests.support.apps.written import write_app
from tests.support.client import Connection
from tests.support.commands import srvctl
from tests.support.console import TOKEN, events_of
from tests.support.privileged import lacking, status_of
from tests.support.releases import Releases
from tests.support.server import BASIC, ServerProcess
from tests.support.server_waits import PATIENCE, wait_gone
from tests.support.supervised import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.client import Address, Response

OPENMETRICS = "Accept: application/openmetrics-text; version=1.0.0"


class Watched(ServerProcess):
    """A server with a console.

    Args:
        flags: As for `ServerProcess`, without the target.
        console: Where the console listens.
        options: As for `ServerProcess`.
    """

    def __init__(
        self, *flags: str, console: str = "127.0.0.1:0", target: str = BASIC, **options: Any
    ) -> None:
        super().__init__(target, "--console", console, *flags, **options)

    @property
    def console(self) -> Address:
        """Where it listens."""
        match = self.wait_line(r"The console is at (?:http://127\.0\.0\.1:(\d+)|unix socket (\S+))")
        return match[2] or ("127.0.0.1", int(match[1]))

    def console_pid(self) -> int:
        """The process of the console that was started last."""
        return int(self.stderr.matches(r"Started console process \[(\d+)\]")[-1][1][1])

    def ask(self, path: str, *fields: str, method: str = "GET", body: str = "") -> Response:
        """Ask the console."""
        with Connection(self.console) as connection:
            lines = [f"{method} {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}", *fields]
            connection.send("\r\n".join([*lines, "", body]).encode())
            return connection.read_response()

    def order(self, path: str, body: str = "{}") -> Response:
        """Have the console do something."""
        fields = (f"Authorization: Bearer {TOKEN}", "Content-Type: application/json")
        return self.ask(path, *fields, method="POST", body=body)

    def scrape(self) -> dict[str, float]:
        """Every sample by its name and labels."""
        found = {}
        for family in parse(self.ask("/metrics", OPENMETRICS).text):  # type: ignore[no-untyped-call]
            for sample in family.samples:
                labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
                found[f"{sample.name}{{{labels}}}"] = sample.value
        return found

    def wait_sample(self, name: str, least: float) -> dict[str, float]:
        """Scrape until a sample is at least so much; the master is asked at most twice a second."""
        found: dict[str, float] = {}

        def is_there() -> bool:
            nonlocal found
            found = self.scrape()
            return found.get(name, -1) >= least

        wait_until(is_there, f"{name} of {least}: {found}")
        return found


@pytest.fixture
def short() -> Iterator[Path]:
    """For sockets, and for a token."""
    with tempfile.TemporaryDirectory(dir="/tmp") as path:
        yield Path(path)


def open_files(pid: int) -> list[str]:
    """What a process has open, without the numbers that only the kernel gives."""
    found = []
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            found.append(str(link.readlink()))
    return sorted(name.partition("[")[0] for name in found)


def counters(found: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in found.items() if re.search(r"_(total|count|sum|bucket)\{", name)}


def test_counters_outlive_workers_and_reloads(tmp_path: Path) -> None:
    """And the scrape has every name of the documents."""
    file = tmp_path / "srvctl.toml"
    file.write_text('[[program]]\nname = "idle"\ncommand = ["sleep", "600"]\n')
    with Watched("-c", str(file), "--workers", "2") as web:
        for _ in range(20):
            web.get()
        requests = "srvctl_request_duration_seconds_count{class=2xx}"
        first = web.wait_sample(requests, 20)
        os.kill(web.workers()[0], signal.SIGKILL)
        second = web.wait_sample("srvctl_restarts_total{cause=crash}", 1)
        web.wait_workers(2)
        web.signal(signal.SIGHUP)
        third = web.wait_sample("srvctl_reloads_total{result=succeeded}", 1)
        third = web.wait_sample("srvctl_restarts_total{cause=reload}", 2)
        for before, after in ((first, second), (second, third)):
            fallen = {
                key: (value, after.get(key))
                for key, value in counters(before).items()
                if not after.get(key, -1) >= value
            }
            assert not fallen
        assert third["srvctl_generation{}"] == 2
        assert third["srvctl_up{}"] == 1
        assert third["srvctl_program_state{index=0,program=idle,state=running}"] == 1
        assert sum(third[f"srvctl_requests_total{{class=2xx,slot={slot}}}"] for slot in (0, 1)) >= 20
        names = {re.sub(f"^({DURATIONS})_.*", r"\1", name.partition("{")[0]) for name in third}
        assert names == {DURATIONS, *(figure.full_name for figure in FIGURES)}


def test_readyz_flips_when_the_drain_begins_and_answers_to_the_end() -> None:
    """Also where the signal goes to everybody, as from a terminal or a service manager."""
    with Watched("--drain-delay", "600", "--workers", "2", "--console-quorum", "2") as web:
        wait_until(lambda: web.ask("/readyz").status == 200, "two workers that serve")
        console = web.console_pid()
        web.signal_group(signal.SIGTERM)
        wait_until(lambda: web.ask("/readyz").status == 503, "the flip")
        assert json.loads(web.ask("/readyz").body)["reason"].startswith("the instance is ")
        assert web.ask("/livez").status == 200
        assert web.get().status == 200, "the load balancer has not noticed yet"
        assert web.console_pid() == console
        web.signal(signal.SIGQUIT)
        web.wait_exit()
        assert not psutil.pid_exists(console)


def test_a_console_that_dies_is_back_and_dies_with_its_master() -> None:
    with Watched("--console-token", TOKEN) as web:
        console, opened = web.console_pid(), open_files(web.pid)  # before anybody has asked
        wait_until(lambda: web.ask("/livez").status == 200, "the console")
        kept = open_files(console)
        # Its log, its loop, its wire, the lifeline, and what it listens on; nothing of the workers.
        assert kept.count("/memfd:srvctl-board (deleted)") == 0
        assert psutil.Process(console).name() == CONSOLE
        with Connection(web.console) as watcher:
            watcher.send(b"GET /api/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert next(events_of(watcher.stream()))
            os.kill(console, signal.SIGKILL)
            web.wait_line(r"Started console process", count=2)
        wait_until(lambda: web.ask("/livez").status == 200, "another console")
        fresh = web.console_pid()
        assert fresh != console
        wait_until(lambda: open_files(web.pid) == opened, "descriptors of the master that are as before")
        listening = web.console
        for worker in (*web.workers(), *web.molds()):
            mine = psutil.Process(worker).net_connections("tcp")
            assert not [one for one in mine if one.laddr.port == listening[1]]
        web.signal(signal.SIGKILL)
        wait_gone(fresh)


def test_a_console_that_stands_still_harms_nothing() -> None:
    with Watched("--workers", "2") as web, ExitStack() as stack:
        wait_until(lambda: web.ask("/livez").status == 200, "the console")
        for text in (b"GET /api/live HTTP/1.1\r\nHost: localhost\r\n\r\n", b"GET /metr", b"") * 10:
            stack.enter_context(Connection(web.console)).send(text)
        os.kill(web.console_pid(), signal.SIGSTOP)
        web.signal(signal.SIGHUP)
        web.wait_line("Reload done")
        web.wait_workers(2)
        assert web.stop() == 0


def test_an_upgrade_keeps_the_address(tmp_path: Path, short: Path) -> None:
    write_app(tmp_path, "v1")
    releases = Releases(tmp_path / "releases")
    control = short / "web.sock"
    flags = ("--control-socket", str(control), "--name", "web", "--console-token", TOKEN)
    with Watched(*flags, target="site_app:app", cwd=tmp_path, env=releases.env) as web:
        opened, console, workers = open_files(web.pid), web.console_pid(), web.workers()
        web.get()
        web.wait_sample("srvctl_request_duration_seconds_count{class=2xx}", 1)
        for number in (1, 2):
            releases.install(f"0.2.{number}")
            done = srvctl("upgrade", "--control-socket", str(control))
            assert done.returncode == 0, done.stderr
            web.wait_line("Started console process", count=number + 1)
            found = web.wait_sample(f"srvctl_info{{name=web,version=0.2.{number}}}", 1)
            assert found["srvctl_request_duration_seconds_count{class=2xx}"] >= 1
        wait_gone(console)
        assert web.workers() == workers
        wait_until(lambda: open_files(web.pid) == opened, f"{opened}")
        assert not web.lines("The console process ended")
        answer = web.order("/api/workers/0/restart")
        assert answer.status == 200, answer
        assert web.stop() == 0


def test_who_has_the_token_acts(short: Path) -> None:
    """Through a Unix socket that a group may use, with the token in a file."""
    secret = short / "token"
    secret.write_text(f"{TOKEN}\n")
    secret.chmod(0o600)
    where = short / "console.sock"
    with Watched(
        *("--console-token-file", str(secret), "--control-socket", "none"), console=f"unix:{where}?mode=660"
    ) as web:
        assert where.stat().st_mode & 0o777 == 0o660
        wait_until(lambda: web.ask("/readyz").status == 200, "the console")
        assert web.ask("/api/reload", "Content-Type: application/json", method="POST").status == 401
        answer = web.order("/api/reload")
        assert answer.status == 200, answer.text
        assert json.loads(answer.body)["message"].startswith("Reload done")
        assert json.loads(web.order("/api/scale", '{"count": 2}').body)["ok"]
        assert web.order("/api/workers/9/restart").status == 409
        settings = json.loads(web.ask("/api/settings", f"Authorization: Bearer {TOKEN}").body)
        assert settings["data"]["values"]["console.token_file"] == str(secret)
        assert TOKEN not in json.dumps(settings)
        lines = json.loads(web.ask("/api/logs?last=50", f"Authorization: Bearer {TOKEN}").body)["lines"]
        assert [line for line in lines if "Started console process" in line["line"]]
        assert web.stop() == 0
    assert not where.exists()


def test_without_a_token_the_master_itself_refuses() -> None:
    """Whatever the console's process were made to do: its connections may only look."""
    with Watched() as web:
        wait_until(lambda: web.ask("/livez").status == 200, "the console")
        answer = web.order("/api/reload")
        assert answer.status == 403
        assert web.ask("/api/settings").status == 403


@pytest.mark.parametrize("bind", ["tcp", "unix"])
def test_an_address_that_is_taken_is_told_at_once(short: Path, bind: str) -> None:
    with socket.socket(socket.AF_INET if bind == "tcp" else socket.AF_UNIX) as other:
        other.bind(("127.0.0.1", 0) if bind == "tcp" else str(short / "s"))
        other.listen()
        where = f"127.0.0.1:{other.getsockname()[1]}" if bind == "tcp" else f"unix:{short / 's'}"
        with Watched(console=where, is_ready=False) as web:
            assert web.wait_exit() == 3
            [line] = web.lines("error")
            assert re.search(r"console\.bind: .* in use by .* another --console$", line.text)
            assert not web.lines("Traceback")


class Collector(BaseHTTPRequestHandler):
    """Takes what an exporter sends."""

    received: ClassVar[list[ExportMetricsServiceRequest]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.received.append(ExportMetricsServiceRequest.FromString(body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def test_figures_are_sent_without_anybody_asking() -> None:
    """To StatsD and to a collector of OpenTelemetry, by a console that listens nowhere."""
    received = Collector.received = []
    with (
        HTTPServer(("127.0.0.1", 0), Collector) as collector,
        socket.socket(type=socket.SOCK_DGRAM) as statsd,
    ):
        thread = threading.Thread(target=collector.serve_forever, args=[0.05])
        thread.start()
        try:
            statsd.bind(("127.0.0.1", 0))
            statsd.settimeout(PATIENCE)
            flags = (
                *("--statsd", f"127.0.0.1:{statsd.getsockname()[1]}", "--statsd-prefix", "shop"),
                *("--otlp", f"http://127.0.0.1:{collector.server_port}", "--metrics-interval", "1s"),
            )
            with ServerProcess(BASIC, *flags) as web:
                seen = b""
                while b"shop.workers.ready:1|g" not in seen:
                    packet = statsd.recv(65536)
                    assert len(packet) <= 1432
                    seen += packet
                for _ in range(5):
                    web.get()
                while not re.search(rb"shop\.requests\.2xx\.0:\d+\|c", seen):
                    seen += statsd.recv(65536)

                def sent() -> dict[str, Any]:
                    return {
                        metric.name: metric
                        for request in received
                        for scope in request.resource_metrics[0].scope_metrics
                        for metric in scope.metrics
                    }

                def of_2xx() -> list[Any]:
                    points = sent()["srvctl.request_duration"].histogram.data_points if sent() else []
                    return [point for point in points if point.attributes[0].value.string_value == "2xx"]

                wait_until(lambda: any(point.count >= 5 for point in of_2xx()), "the histogram")
                [total] = sent()["srvctl.uptime"].gauge.data_points
                assert total.as_double > 0
                assert sent()["srvctl.requests"].sum.is_monotonic
                attributes = received[-1].resource_metrics[0].resource.attributes
                names = {one.key: one.value.string_value for one in attributes}
                assert names["service.name"] == "tests.support.apps.basic"
                assert web.stop() == 0
        finally:
            collector.shutdown()
            thread.join()


def test_where_nobody_takes_figures_that_is_said_once() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        with ServerProcess(BASIC, "--otlp", url, "--metrics-interval", "1s") as web:
            web.wait_line(f"Figures do not reach {url}")
            assert web.get().status == 200
            assert not web.lines("Traceback|opentelemetry")
            assert web.stop() == 0


@pytest.mark.skipif(bool(lacking()), reason=f"needs {lacking()} to become another user")
def test_it_is_no_more_than_a_worker() -> None:
    """It becomes their user, and still dies with the master."""
    with Watched("--user", "nobody", "--console-token", TOKEN) as web:
        wait_until(lambda: web.ask("/readyz").status == 200, "the console")
        console = web.console_pid()
        of_console, of_worker = status_of(console), status_of(web.workers()[0])
        for name in ("Uid", "Gid", "Groups", "CapEff", "CapPrm"):
            assert of_console[name] == of_worker[name]
        web.signal(signal.SIGKILL)
        wait_gone(console)
