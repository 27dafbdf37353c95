"""What `srvctl config` prints; the instance that runs is in tests/process/test_config.py."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from srvctl.cli import config_show
from srvctl.cli.app import invoke
from srvctl.errors import ExitCode
from srvctl.settings.catalog import catalog, program_catalog
from srvctl.settings.groups import ConsoleSettings, Settings
from srvctl.settings.keeping import shown

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _in_an_empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SRVCTL_CONFIG", raising=False)


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert invoke(["config", *words]) is ExitCode.OK
    return capsys.readouterr().out


def test_show_prints_every_setting(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys, "show").splitlines()
    assert lines[0].split() == ["KEY", "VALUE"]
    assert [line.split()[0] for line in lines[1:]] == list(catalog())


def test_origins_and_changes(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without APP there is none; a value that is given and the default is no change."""
    monkeypatch.setenv("SRVCTL_WORKERS__COUNT", "3")
    text = printed(capsys, "show", "--origin", "--changed", "--port", "80", "--backlog", "2048", "main:app")
    assert [line.split() for line in text.splitlines()] == [
        ["KEY", "VALUE", "FROM"],
        ["app.target", "main:app", "command", "line", "APP"],
        ["server.port", "80", "command", "line", "--port"],
        ["workers.count", "3", "environment", "SRVCTL_WORKERS__COUNT"],
    ]


def test_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert json.loads(printed(capsys, "show", "--changed", "--json", "--timeout-boot", "2m")) == {
        "timeouts.boot": 120.0
    }
    with_origin = json.loads(printed(capsys, "show", "--origin", "--json"))
    assert with_origin["server.port"] == {"value": 8000, "origin": "default"}


def test_secrets_are_hidden(capsys: pytest.CaptureFixture[str]) -> None:
    """One that is not set is shown to be unset."""
    text = printed(capsys, "show", "--console-token", "0123456789sesame")
    assert "sesame" not in text
    values = shown(Settings(console=ConsoleSettings(token="open sesame")))
    assert values["console.token"] == "(hidden)"
    assert values["tls.keyfile_password"] is None
    assert values["broadcast.url"] == ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["sow"], "srvctl config sow is not known; write srvctl config show or diff"),
        (["diff", "--port", "8", "main:app"], "APP, --port cannot be given here"),
        (["show", "--running", "main:app"], "APP cannot be given here"),
    ],
)
def test_what_makes_no_sense(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["config", *words]) is ExitCode.USAGE
    assert said in capsys.readouterr().err


def test_differences_are_sorted_by_what_they_take() -> None:
    before: dict[str, object] = {
        "workers.count": 1,
        "server.name": None,
        "http.headers": [],
        "of.another": 1,
        "server.port": 1,
    }
    after: dict[str, object] = {
        "workers.count": 2,
        "server.name": "shop",
        "http.headers": ["A: b"],
        "server.port": 1,
        "new.key": 2,
    }
    found = config_show.differences(before, after)
    assert [(entry["key"], entry["change"]) for entry in found] == [
        ("server.name", "restart"),
        ("workers.count", "live"),
        ("http.headers", "rolling"),
    ]
    assert list(config_show.as_text(found)) == [
        "live (obeyed as soon as a reload is done):",
        "  workers.count  1 -> 2",
        "rolling (obeyed by the workers that a reload brings):",
        "  http.headers  none -> A: b",
        "restart (needs a restart; a reload keeps the old value):",
        "  server.name  unset -> shop",
    ]


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("timeouts.boot", 60.0, "60s"),
        ("timeouts.boot", "nonsense", "nonsense"),
        ("proxy.fields", ["for"], "for"),
        ("of.another", "a\x1b[1m", "a\\x1b[1m"),
        ("console.token", "(hidden)", "(hidden)"),
    ],
)
def test_what_a_master_tells_reaches_the_terminal_as_text(key: str, value: object, text: str) -> None:
    """Also where it is of another version, and the value is none here."""
    assert config_show.written(key, value) == text


_PROGRAMS = (
    '[[program]]\nname = "queue"\ncommand = "rq \'a b\'"\nenvironment = ["A=sesame"]\nstop_timeout = 5\n'
)


def test_programs_have_a_row_for_each_setting(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.toml").write_text(_PROGRAMS)
    text = printed(capsys, "show", "--origin", "--changed", "-c", "a.toml")
    assert [" ".join(line.split()) for line in text.splitlines()] == [
        "KEY VALUE FROM",
        'program "queue".name queue a.toml:2',
        "program \"queue\".command rq 'a b' a.toml:3",
        'program "queue".environment A=(hidden) a.toml:4',
        'program "queue".stop_timeout 5s a.toml:5',
    ]
    every = printed(capsys, "show", "-c", "a.toml")
    assert [line.split()[1].partition(".")[2] for line in every.splitlines() if "program " in line] == list(
        program_catalog()
    )
    assert invoke(["check", "-c", "a.toml"]) is ExitCode.OK
    checked = capsys.readouterr().out
    assert 'program "queue".restart' in checked
    assert "sesame" not in text + every + checked


@pytest.mark.parametrize("words", [["config", "show", "--origin"], ["check"]])
def test_programs_for_programs(words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.toml").write_text(_PROGRAMS)
    assert invoke([*words, "--json", "-c", "a.toml"]) is ExitCode.OK
    entry = json.loads(capsys.readouterr().out)["program"]
    assert (entry["origin"], len(entry["value"])) == ("a.toml:2", 1)
    assert entry["value"][0] | {"name": "queue", "environment": ["A=(hidden)"]} == entry["value"][0]
    assert entry["origins"][0]["stop_timeout"] == "a.toml:5"
    assert entry["origins"][0]["restart"] == "default"


def test_programs_that_differ() -> None:
    """By name; what one side does not have is of another version, or no table at all."""
    before = {"program": [{"name": "a", "command": ["x", "y z"], "old": 1}, {"name": "b", "count": 1}]}
    after = {"program": [{"name": "b", "count": 2, "new": 1}, {"name": "c", "command": ["d"]}, 5]}
    found = config_show.differences(before, after)
    assert list(config_show.as_text(found)) == [
        "live (obeyed as soon as a reload is done):",
        "  program \"a\"        x 'y z' -> unset",
        '  program "b".count  1 -> 2',
        '  program "c"        unset -> d',
    ]
    assert (
        config_show.differences(before, {}) == config_show.differences({"program": 5}, {"program": []}) == []
    )


@pytest.mark.parametrize(
    "tables", [None, 5, [5], [{"name": 5, "command": 5, "start_timeout": "\x1b", "new": {}}]]
)
def test_programs_of_another_version_reach_the_terminal_as_text(tables: object) -> None:
    text = config_show.table({"program": tables}, {})
    assert all(line.isprintable() for line in text.split("\n"))
