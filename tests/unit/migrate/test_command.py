"""The command itself: what it writes and refuses, what it prints, and with which code it ends."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from srvctl.cli.app import invoke
from srvctl.errors import ExitCode
from srvctl.settings.load import load
from tests.support.commands import srvctl

if TYPE_CHECKING:
    from pathlib import Path

UVICORN = ("--", "uvicorn", "main:app", "--port", "9", "--ws", "m:Class")


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_real_command_writes_a_file_that_a_real_check_accepts(tmp_path: Path) -> None:
    file = tmp_path / "srvctl.toml"
    source = tmp_path / "gunicorn.service"
    source.write_text(
        "[Service]\nEnvironmentFile=/etc/x\nExecStart=/bin/gunicorn -k uvicorn.workers.UvicornWorker "
        "-w 4 --preload --daemon -b :${PORT:-8000} -b unix:/tmp/s a.b:c\n"
    )
    done = srvctl("migrate", "--from", str(source), "-o", str(file))
    assert (done.returncode, done.stderr) == (0, "")
    for heading in ("Taken over", "Means something different", "Has no counterpart", "Needs you", "Next:"):
        assert heading in done.stdout
    checked = srvctl("check", "--json", "-c", str(file))
    assert checked.returncode == 0, checked.stderr
    values = {key: entry["value"] for key, entry in json.loads(checked.stdout).items()}
    assert values["app.target"] == "a.b:c"
    assert values["workers.count"] == 4
    assert values["server.bind"] == ["0.0.0.0:8000", "unix:/tmp/s?mode=666"]
    assert values["workers.preload"] == "on"


def test_only_what_is_not_the_default_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["migrate", "uvicorn main:app --port 8000 --header 'A: \"é\\'"]) == ExitCode.OK
    text = (tmp_path / "srvctl.toml").read_text("utf-8")
    assert "port" not in text
    assert 'target = "main:app"  # APP' in text
    settings = load({}, {}, tmp_path / "srvctl.toml").settings
    assert settings.http.headers == ('A: "é\\',)
    assert "server.port = 8000  (--port, which is the default)" in capsys.readouterr().out


def test_a_file_that_is_there_is_kept_unless_it_is_forced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "srvctl.toml"
    file.write_text("mine")
    assert invoke(["migrate", *UVICORN]) == ExitCode.USAGE
    assert file.read_text() == "mine"
    assert "--force" in capsys.readouterr().err
    assert invoke(["migrate", "--force", *UVICORN]) == ExitCode.OK
    assert "main:app" in file.read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["srvctl.toml"]


def test_to_stdout_goes_the_file_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["migrate", "-o", "-", *UVICORN]) == ExitCode.OK
    out, err = capsys.readouterr()
    assert out.startswith("# Made by srvctl migrate")
    assert out.endswith("port = 9  # --port\n")
    assert "--ws m:Class" in err
    assert not list(tmp_path.iterdir())


def test_programs_get_an_object(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["migrate", "--json", *UVICORN]) == ExitCode.OK
    told = json.loads(capsys.readouterr().out)
    assert told["server"] == "uvicorn"
    assert told["file"] == "srvctl.toml"
    assert told["settings"]["server.port"] == {"value": 9, "origin": "--port", "written": True}
    assert [entry["what"] for entry in told["missing"]] == ["--ws m:Class"]
    assert {"what", "before", "now", "why"} == set(told["different"][0])


@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        ([], ExitCode.USAGE, "--from FILE"),
        (["--from", "x", "uvicorn", "a:b"], ExitCode.USAGE, "one thing"),
        (["--from", "missing"], ExitCode.USAGE, "cannot read missing"),
        (["--from", "notes"], ExitCode.USAGE, "--kind"),
        (["--from", "notes", "--kind", "nonsense"], ExitCode.USAGE, "nonsense"),
        (["--from", "notes", "--kind", "dockerfile"], ExitCode.CONFIG, "neither CMD nor ENTRYPOINT"),
        (["python", "main.py"], ExitCode.CONFIG, "calls no uvicorn"),
        (["uvicorn", "--port", "x"], ExitCode.CONFIG, "nothing in a command line of uvicorn"),
        (["-o", "no/such/directory", "uvicorn", "a:b"], ExitCode.USAGE, "cannot write"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_a_code(
    argv: list[str], code: ExitCode, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "notes").write_text("nothing of interest")
    assert invoke(["migrate", *argv]) == code
    assert said in capsys.readouterr().err
    assert not (tmp_path / "srvctl.toml").exists()


@pytest.mark.parametrize("path", ["conf/gunicorn.py", "/app/conf/gunicorn.py", "/anywhere/gunicorn.py"])
def test_a_file_of_an_image_is_looked_for_beside_the_dockerfile(tmp_path: Path, path: str) -> None:
    (tmp_path / "image" / "conf").mkdir(parents=True)
    for place, workers in (("image/conf/gunicorn.py", 5), ("image/gunicorn.py", 6)):
        (tmp_path / place).write_text(f"workers = {workers}\n")
    (tmp_path / "image/Dockerfile").write_text(f"FROM x\nCMD gunicorn -c {path} a:b\n")
    assert invoke(["migrate", "--from", "image/Dockerfile"]) == ExitCode.OK
    expected = 6 if path.startswith("/anywhere") else 5
    assert load({}, {}, tmp_path / "srvctl.toml").settings.workers.count == expected


def test_what_is_not_on_this_machine_is_told_and_written(capsys: pytest.CaptureFixture[str]) -> None:
    line = "uvicorn a:b --ssl-certfile /no/such/cert.pem"
    assert invoke(["migrate", line]) == ExitCode.OK
    assert "on this machine: srvctl check says: srvctl.toml:" in " ".join(capsys.readouterr().out.split())


def test_control_characters_reach_no_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        invoke(["migrate", "--", "uvicorn", "a:b", "--root-path", "/\x1b[2J\x7f", "--\x1bx"]) == ExitCode.OK
    )
    assert "\x1b" not in capsys.readouterr().out
    assert load({}, {}, tmp_path / "srvctl.toml").settings.app.root_path == "/\x1b[2J\x7f"


def test_a_set_up_of_logs_is_not_tried_out(tmp_path: Path) -> None:
    (tmp_path / "touching.py").write_text("import pathlib; pathlib.Path('ran').touch()\n")
    handlers = {"h": {"class": "touching.Handler"}}
    (tmp_path / "log.json").write_text(json.dumps({"version": 1, "handlers": handlers}))
    assert invoke(["migrate", "uvicorn a:b --app-dir . --log-config log.json"]) == ExitCode.OK
    assert not (tmp_path / "ran").exists()
