"""What is found out about a file for logging while the settings are read."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

import pytest

from srvctl.cli.logs import check_logs
from srvctl.errors import ConfigError, UsageError
from srvctl.logs.config_file import ConfigFile
from srvctl.logs.dictionary import LOGGING_CONFIG
from srvctl.settings.load import load

if TYPE_CHECKING:
    from pathlib import Path

    from srvctl.settings.load import Loaded

FILES = {"version": 1, "handlers": {"a": {"class": "logging.FileHandler", "filename": "FILE"}}}


def checked(folder: Path, config: object, **flags: str) -> Loaded:
    """Read settings with this file and these flags."""
    file = folder / "log.json"
    file.write_text(json.dumps(config))
    given = {"log.config": str(file), **{f"log.{name}": value for name, value in flags.items()}}
    return check_logs(load(given, {}, None))


def test_without_a_file_there_is_nothing_to_do() -> None:
    """And nothing is changed."""
    loaded = load({}, {}, None)
    assert check_logs(loaded) is loaded


def test_what_is_in_the_file_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For all processes; nothing that is obeyed is worth a word."""
    file = checked(tmp_path, LOGGING_CONFIG, access_format="json").settings.log.config
    assert isinstance(file, ConfigFile)
    assert (file, file.content) == (str(tmp_path / "log.json"), LOGGING_CONFIG)
    assert capsys.readouterr().err == ""


def test_settings_that_the_file_makes_meaningless(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It says where requests go."""
    config = {"version": 1, "loggers": {"uvicorn.access": {"level": "INFO"}}}
    checked(tmp_path, config, access_format="json", access_file="x.log")
    said = f"has no effect: {tmp_path / 'log.json'} says what becomes of requests."
    assert capsys.readouterr().err.splitlines() == [
        f"srvctl: warning: log.access_format {said}",
        f"srvctl: warning: log.access_file {said}",
    ]


@pytest.mark.parametrize(
    ("where", "said"),
    [("nowhere/a.log", "there is no directory {}/nowhere"), ("a.log", "")],
)
def test_log_files_are_not_made(tmp_path: Path, where: str, said: str) -> None:
    """But that they cannot be made is found."""
    config = json.loads(json.dumps(FILES).replace("FILE", str(tmp_path / where)))
    if said:
        with pytest.raises(UsageError, match=said.format(tmp_path)):
            checked(tmp_path, config)
    else:
        checked(tmp_path, config)
    assert os.listdir(tmp_path) == ["log.json"]  # noqa: PTH208 - just names


def test_a_class_that_ends_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends a child, and that is said; what it prints is not."""
    (tmp_path / "fatal_for_a_test.py").write_text("import os\nprint('bye')\nos._exit(7)\n")
    monkeypatch.chdir(tmp_path)
    config = {"version": 1, "handlers": {"a": {"class": "fatal_for_a_test.Handler"}}}
    with pytest.raises(UsageError, match=r"setting up logging ended the process \(exit code 7\)"):
        checked(tmp_path, config)
    assert "fatal_for_a_test" not in sys.modules


def test_who_names_the_file_is_named(tmp_path: Path) -> None:
    """By the variable, here."""
    environ = {"SRVCTL_LOG__CONFIG": str(tmp_path / "no.ini")}
    with pytest.raises(ConfigError, match=r"^SRVCTL_LOG__CONFIG: log\.config: \S+ cannot be read: No such"):
        check_logs(load({}, environ, None))
