"""srvctl explain-proxy: what it prints, and that it decides as the server does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from srvctl.cli.app import invoke
from srvctl.errors import ExitCode
from srvctl.settings.groups.proxy import ProxySettings
from srvctl.worker.proxy.forwarding import Forwarding, ProxyPolicy


@pytest.fixture(autouse=True)
def _in_an_empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SRVCTL_CONFIG", raising=False)


@pytest.fixture
def explain(capsys: pytest.CaptureFixture[str]) -> Any:
    def call(*argv: str) -> dict[str, Any]:
        assert invoke(["explain-proxy", *argv, "--json"]) is ExitCode.OK
        printed: dict[str, Any] = json.loads(capsys.readouterr().out)
        return printed

    return call


def test_the_text(capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["--from", "127.0.0.1:4000", "--path", "/x", "--forwarded-allow-ips", "127.0.0.1,10.0.0.0/8"]
    argv += ["-H", "Host: inner", "-H", "X-Forwarded-For: 192.0.2.9, 203.0.113.7, 10.0.0.1"]
    argv += ["-H", "X-Forwarded-Proto: https", "-H", "X-Forwarded-Host: a.example"]
    argv += ["-H", "X_Forwarded_For: 192.0.2.1", "-H", "Forwarded: for=192.0.2.1"]
    assert invoke(["explain-proxy", *argv]) is ExitCode.OK
    assert capsys.readouterr().out.splitlines() == [
        "client     203.0.113.7:0",
        "scheme     https",
        "server     127.0.0.1:8000",
        'root_path  ""',
        "path       /x",
        "host       inner",
        "",
        "- X_Forwarded_For is dropped: it imitates a forwarding field",
        "- the peer 127.0.0.1 is trusted: matches 127.0.0.1",
        "- 10.0.0.1 is trusted: matches 10.0.0.0/8",
        "- 203.0.113.7 is not trusted: this is the client",
        '- X-Forwarded-Proto "https": the scheme is https',
        '- X-Forwarded-Host is ignored: "host" is not in proxy.fields',
        '- Forwarded is ignored: proxy.style is "x-forwarded"',
    ]


def test_everything_can_be_believed(explain: Any) -> None:
    argv = [
        "--from",
        "unix",
        "--forwarded-allow-ips",
        "unix",
        "--forwarded-fields",
        "for,proto,host,port,prefix",
    ]
    argv += ["-H", "X-Forwarded-For: [2001:db8::7]:99", "-H", "X-Forwarded-Host: a.example"]
    argv += ["-H", "X-Forwarded-Port: 8443", "-H", "X-Forwarded-Prefix: /app", "--root-path", "/r"]
    seen = explain(*argv, "--scheme", "https", "--path", "/caf%C3%A9")
    assert {key: seen[key] for key in seen if key != "steps"} == {
        "client": ["2001:db8::7", 99],
        "scheme": "https",
        "server": ["a.example", 8443],
        "root_path": "/app/r",
        "path": "/app/r/caf\xe9",
        "host": "a.example:8443",
    }


def test_the_other_style_and_the_file(explain: Any) -> None:
    Path("srvctl.toml").write_text(
        '[proxy]\nstyle = "forwarded"\nforwarded_allow_ips = ["10.0.0.0/8"]\n', encoding="utf-8"
    )
    argv = ["-c", "srvctl.toml", "--from", "10.0.0.1", "-H", "X-Forwarded-For: 192.0.2.9"]
    seen = explain(*argv, "-H", 'Forwarded: for="203.0.113.7:9";proto=https;host=a')
    assert (seen["client"], seen["scheme"], seen["host"]) == (["203.0.113.7", 9], "https", None)
    assert seen["steps"] == [
        "the peer 10.0.0.1 is trusted: matches 10.0.0.0/8",
        "203.0.113.7 is not trusted: this is the client",
        'Forwarded proto "https": the scheme is https',
        'Forwarded host is ignored: "host" is not in proxy.fields',
        'X-Forwarded-For is ignored: proxy.style is "forwarded"',
    ]


@pytest.mark.parametrize(
    ("argv", "step"),
    [
        (
            ["--from", "192.0.2.9"],
            (
                "the peer 192.0.2.9 is not trusted, matches nothing in proxy.forwarded_allow_ips: "
                "its headers change nothing"
            ),
        ),
        (
            ["--from", "unix", "--proxy-protocol", "on"],
            (
                "the peer, on a Unix socket, is not trusted, matches nothing in proxy.forwarded_allow_ips: "
                "its connection is refused"
            ),
        ),
        (["--from", "::1", "--no-proxy-headers"], "proxy.headers is off: no header changes anything"),
        (
            ["--from", "::1", "--forwarded-fields", "port", "--forwarded-style", "forwarded"],
            "proxy.fields names nothing that this style has: no header changes anything",
        ),
        (
            ["--from", "::1", "--proxy-protocol", "on"],
            (
                "proxy.protocol is on: the peer is the source that the PROXY header names; "
                "whoever sends that header must be trusted, too"
            ),
        ),
        (
            ["--from", "::1", "-H", "X-Forwarded-Server: a"],
            "X-Forwarded-Server is ignored: srvctl does not read it",
        ),
        (["--from", "::1", "-H", "X-Real-IP: 1.2.3.4"], "X-Real-Ip is ignored: srvctl does not read it"),
    ],
)
def test_why_nothing_changes(argv: list[str], step: str, explain: Any) -> None:
    seen = explain(*argv, "-H", "X-Forwarded-Whatever: 1")
    assert step in seen["steps"]
    assert seen["scheme"] == "http"


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--from", "x"], '--from: "x" is not an IP address; write IP, IP:PORT or unix'),
        (["--from", "unknown"], '--from: "unknown" is not an IP address; write IP, IP:PORT or unix'),
        (["--from", "::1", "--scheme", "ftp"], '--scheme: "ftp" is neither http nor https'),
        (["--from", "::1", "--path", "x"], '--path: "x" is not a path; write for example /a/b'),
        (["--from", "::1", "-H", "x"], '-H: "x" is not a header; write NAME:VALUE'),
        (["--from", "::1", "-H", "a: \u20ac"], '-H: "a: \u20ac" holds a character that no header can hold'),
        ([], "Missing option '--from'"),
    ],
)
def test_a_mistake_is_one_line(argv: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["explain-proxy", *argv]) is ExitCode.USAGE
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"srvctl: error: {message}")
    assert printed.err.count("\n") == 1


def test_it_decides_as_the_server_does(explain: Any) -> None:
    """The same request, given to what a connection asks."""
    fields = [("X-Forwarded-For", "203.0.113.7, x, 127.0.0.1:9"), ("X-Forwarded-Proto", "http,https,http")]
    headers = [(name.lower().encode(), value.encode()) for name, value in fields]
    scope = {"type": "http", "client": ("127.0.0.1", 0), "scheme": "http", "headers": headers}
    forwarding = Forwarding.for_peer(ProxyPolicy(ProxySettings()), "127.0.0.1", is_unix=False)
    assert forwarding is not None
    forwarding.apply(scope)
    seen = explain(
        "--from", "127.0.0.1", *(part for name, value in fields for part in ("-H", f"{name}:{value}"))
    )
    assert tuple(seen["client"]) == scope["client"]
    assert seen["scheme"] == scope["scheme"] == "https"
