"""`srvctl doctor` as it is typed."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING

import pytest

from srvctl.cli.app import invoke
from srvctl.cli.doctor import as_lines
from srvctl.doctor.finding import note, ok, problem
from srvctl.errors import ExitCode

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _in_an_empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SRVCTL_CONFIG", raising=False)
    for name in ("RUNTIME_DIRECTORY", "STATE_DIRECTORY"):
        monkeypatch.setenv(name, str(tmp_path))
    (tmp_path / "fine.py").write_text("async def app(scope, receive, send): ...\n")


def test_a_problem_is_told_and_ends_with_a_code_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        where = ["--bind", f"127.0.0.1:{sock.getsockname()[1]}"]
        assert invoke(["doctor", "fine:app", *where, "--json"]) is ExitCode.REFUSED
        told = json.loads(capsys.readouterr().out)
        assert told["ok"] is False
        assert [found["topic"] for found in told["findings"] if found["level"] == "problem"] == ["address"]
        assert invoke(["doctor", "fine:app", *where]) is ExitCode.REFUSED
    assert "problem  address: 127.0.0.1:" in capsys.readouterr().out
    assert invoke(["doctor", "fine:app", "--port", "0"]) is ExitCode.OK
    text = capsys.readouterr().out
    assert "ok       application: fine:app is imported in" in text


def test_wrong_settings_are_told_as_everywhere(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["doctor", "--workers", "many"]) is ExitCode.USAGE
    assert '"many" is not a whole number' in capsys.readouterr().err


def test_a_line_for_each() -> None:
    found = [ok("a", "fine"), problem("b", "bad\x1b", "do\nthis"), note("c", "so")]
    assert as_lines(found) == [
        "ok       a: fine",
        "problem  b: bad\\x1b",
        "           do",
        "           this",
        "note     c: so",
        "",
        "1 problem, 1 note.",
    ]
    assert as_lines([ok("a", "fine")])[-1] == "Nothing to change."
