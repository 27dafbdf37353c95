"""Whom the console answers, and what its settings may say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from srvctl.console.guarding import has_token, is_json, is_known_host
from srvctl.console.health import liveness, readiness
from srvctl.console.otlp import endpoint_of, otel_name
from srvctl.settings.checks import CHECKS
from srvctl.settings.console_token import SecretError, misgiving, token_of
from srvctl.settings.groups import ConsoleSettings
from tests.support.console import TOKEN, metrics, worker

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("host", "is_known"),
    [
        ("localhost", True),
        ("LOCALHOST:9100", True),
        ("web.localhost:9100", True),
        ("127.0.0.1:9100", True),
        ("10.2.3.4", True),
        ("[::1]:9100", True),
        ("[fe80::1]", True),
        ("ops.example.org", True),
        ("OPS.example.org.:9100", True),
        ("", True),  # of HTTP/1.0; a browser always says where it goes
        ("evil.example.org", False),
        ("ops.example.org.evil.net", False),
        ("notlocalhost", False),
        ("localhost.evil.net", False),
        ("127.0.0.1.evil.net", False),
        ("[::1].evil.net", False),
        ("[evil.net]", False),
        ("127.1", False),
        ("2130706433", False),
    ],
)
def test_only_names_of_the_console_are_answered(host: str, is_known: bool) -> None:
    assert is_known_host(host, ("Ops.Example.org",)) is is_known
    assert is_known_host(host, ("*",))


def test_a_token_is_had_or_not() -> None:
    assert has_token(f"Bearer {TOKEN}", TOKEN)
    assert has_token(f"bearer  {TOKEN} ", TOKEN)
    for wrong in (
        "",
        TOKEN,
        f"Basic {TOKEN}",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        "Bearer",
        "Bearer \xe9",
    ):
        assert not has_token(wrong, TOKEN)


def test_json_is_said_and_nothing_else_is() -> None:
    assert is_json("application/json")
    assert is_json("Application/JSON; charset=utf-8")
    for other in (
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "application/jsonx",
    ):
        assert not is_json(other)


def test_ready_is_who_serves_with_enough_workers() -> None:
    assert readiness(metrics(2), 2) == ("", {"state": "running", "ready": 2, "quorum": 2})
    assert readiness(metrics(2), 3)[0] == "2 workers serve, and 3 must (console.quorum)"
    assert readiness(metrics(2, workers=[worker(0), worker(1, state="hung")]), 2)[0]
    for state in ("booting", "leaving", "stopping"):
        assert readiness(metrics(2, state=state), 1)[0] == f"the instance is {state}"
    assert readiness(None, 1)[0] == liveness(None) == "the master does not answer"
    assert liveness(metrics()) == ""


@pytest.mark.parametrize(
    ("key", "good", "bad"),
    [
        (
            "console.bind",
            [":9100", "[::1]:1", "unix:/c?mode=660", "systemd:console"],
            ["9100", "fd://3", "systemd:", "unix:"],
        ),
        ("console.hosts", ["a.b", "*"], ["http://a", "a:1", "a/b", ""]),
        ("console.token", ["x" * 16], ["x" * 15, "x" * 15 + " ", "\xe9" * 16]),
        ("metrics.statsd", ["h:8125", "[::1]:8125"], ["h", ":8125", "h:0", "unix:/x"]),
        ("metrics.otlp", ["http://h", "https://h:4318/v1/metrics"], ["h:4318", "grpc://h", "http://", "http://h:x"]),
        ("metrics.prefix", ["", "a.b-c_d"], ["a:b", "a|b", "a b"]),
    ],
)  # fmt: skip
def test_settings_are_checked(key: str, good: list[str], bad: list[str]) -> None:
    for text in good:
        CHECKS[key](text)
    for text in bad:
        with pytest.raises(ValueError, match=r"\w"):
            CHECKS[key](text)


def test_the_token_may_be_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "token"
    assert token_of(ConsoleSettings()) is None
    assert token_of(ConsoleSettings(token=TOKEN)) == TOKEN
    settings = ConsoleSettings(token_file=str(file))
    with pytest.raises(SecretError, match="cannot be read: No such file"):
        token_of(settings)
    file.write_text(f"{TOKEN}\nmore\n")
    file.chmod(0o640)
    assert token_of(settings) == TOKEN
    assert misgiving(settings) == ""
    file.chmod(0o644)
    assert "chmod o-r" in misgiving(settings)
    file.write_bytes(b"short\n")
    with pytest.raises(SecretError, match="is no token"):
        token_of(settings)


def test_where_opentelemetry_gets_its_figures() -> None:
    assert endpoint_of("http://h:4318") == endpoint_of("http://h:4318/") == "http://h:4318/v1/metrics"
    assert endpoint_of("https://h/otlp/v1/metrics") == "https://h/otlp/v1/metrics"
    assert otel_name("srvctl_loop_lag_seconds") == "srvctl.loop_lag"
    assert otel_name("srvctl_requests") == "srvctl.requests"
