"""Starting in the background, without starting anything: words, places, and who may be restarted."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from srvctl.cli import app
from srvctl.cli.background.log_place import LogPlace
from srvctl.cli.background.words import arguments_of, program_of
from srvctl.cli.commands.restart import refusal
from srvctl.cli.running import invoke
from srvctl.cli.service_manager import unit_of
from srvctl.settings.service import Service
from srvctl.settings.words import words_of

GIVEN = [
    {"app.target": "main:app"},
    {"app.target": "main:app", "workers.count": "2", "server.bind": ["[::1]:80", "unix:/s?mode=660"]},
    {"log.access": False, "log.use_colors": False, "app.factory": True, "app.target": "a:b"},
    {
        "ws.per_message_deflate": "false",
        "workers.nice": "-5",
        "http.headers": ["X-A: -1"],
        "app.target": "a:b",
    },
]


@pytest.mark.parametrize("given", GIVEN)
def test_words_mean_what_was_given(given: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    """Read by `run` itself; values that begin with a hyphen are no flags."""
    monkeypatch.delenv("SRVCTL_CONFIG", raising=False)
    monkeypatch.setattr("srvctl.cli.running.check_surroundings", lambda _: None)
    seen: dict[str, object] = {}
    monkeypatch.setattr("srvctl.cli.running.load_all", _remember(seen))
    assert isinstance(invoke(["run", *words_of(given, None)]), Service)
    assert seen == given


def _remember(seen: dict[str, object]) -> object:
    from srvctl.cli.running import load_all

    def load(given: dict[str, object], config: Path | None) -> object:
        seen.update(given)
        return load_all(given, config)

    return load


def test_a_file_is_named_as_it_was(tmp_path: Path) -> None:
    assert words_of({}, Path("-odd.toml")) == ["--config=-odd.toml"]
    assert words_of({"app.target": "-a:b", "app.factory": True}, None) == ["--factory", "--", "-a:b"]


def test_the_program_is_what_this_one_is() -> None:
    words = ["start", "run:app", "--port", "1"]
    module = ["python3", "-X", "dev", "-m", "srvctl"]
    assert program_of([*module, *words], words, "/v/bin/python3") == ["/v/bin/python3", *module[1:]]
    assert program_of(["python3", "/v/bin/srvctl", *words], words, "/p") == ["/p", "/v/bin/srvctl"]


def test_the_words_of_a_master_are_those_behind_run() -> None:
    assert arguments_of(["/p", "-m", "srvctl", "run", "run:app"]) == (["/p", "-m", "srvctl"], ["run:app"])
    assert arguments_of(["/p", "/v/bin/srvctl", "a:b", "--factory"]) == (
        ["/p", "/v/bin/srvctl"],
        ["a:b", "--factory"],
    )
    for line in (["/p", "other"], ["/p", "/v/bin/srvctl", "status"], ["srvctl", "run"], []):
        with pytest.raises(ValueError, match="is not how srvctl serves"):
            arguments_of(line)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("good:app", "--workers=none"), 2, '"none" is not a whole number'),
        (("--port=0",), 2, "nothing to serve"),
        (("good:app", "--timeout=soon"), 2, "--timeout 'soon' is not a duration"),
        (("-c", "wrong.toml"), 78, "wrong.toml:2"),
    ],
)
def test_a_mistake_is_told_before_anything_is_started(
    words: tuple[str, ...],
    code: int,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("srvctl.cli.start.launch", None)  # cannot be called
    Path("wrong.toml").write_text("[server]\nport = 'x'\n")
    assert app.invoke(["start", *words]) == code
    assert said in capsys.readouterr().err
    app.invoke(["start", "--json", *words])
    assert json.loads(capsys.readouterr().out)["code"] == code


# -- where the log is ----------------------------------------------------------------------------------


def test_output_is_appended_to_a_file_of_the_group(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    uid = os.geteuid()
    for words in ("first\n", "second\n"):
        place = LogPlace.open("web", "-", {"STATE_DIRECTORY": str(state)}, uid)
        os.write(place.fd, words.encode())
        os.close(place.fd)
        assert place.said() == words
        assert place.log == str(state / "web.log")
    assert (state / "web.log").read_text() == "first\nsecond\n"
    assert (state / "web.log").stat().st_mode & 0o137 == 0


def test_a_directory_that_is_missing_is_made_for_its_owner(tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path)}
    place = LogPlace.open("web", "-", home, os.geteuid()) if os.geteuid() else None
    if place is None:  # root has a directory of its own
        place = LogPlace.open("web", "-", {"STATE_DIRECTORY": str(tmp_path / ".local")}, 0)
    os.close(place.fd)
    assert place.path is not None
    assert place.path.is_relative_to(tmp_path)
    assert place.path.parent.stat().st_mode & 0o777 == 0o700


def test_a_log_elsewhere_is_shown_and_read_as_well(tmp_path: Path) -> None:
    log = tmp_path / "other.log"
    log.write_text("before\n")
    (tmp_path / "state").mkdir()
    place = LogPlace.open("web", str(log), {"STATE_DIRECTORY": str(tmp_path / "state")}, os.geteuid())
    os.write(place.fd, b"early\n")
    with log.open("a") as file:
        file.write("late\n")
    os.close(place.fd)
    assert (place.log, place.said()) == (str(log), "early\nlate\n")
    log.write_text("new\n")  # shorter: another file by now
    assert place.said() == "early\nnew\n"


def test_without_any_directory_the_output_is_kept_until_the_end(tmp_path: Path) -> None:
    """And what was said can be shown, if nothing else."""
    place = LogPlace.open("web", "-", {}, 12345)
    try:
        os.write(place.fd, b"why\n")
        assert (place.path, place.log, place.said()) == (None, "", "why\n")
        assert place.reason == "there is no home directory"
    finally:
        os.close(place.fd)


def test_a_link_in_the_place_of_the_log_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("")
    (tmp_path / "web.log").symlink_to(target)
    place = LogPlace.open("web", "syslog", {"STATE_DIRECTORY": str(tmp_path)}, os.geteuid())
    os.write(place.fd, b"x")
    os.close(place.fd)
    assert target.read_text() == ""
    assert place.log == "syslog"


# -- who may be restarted ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cgroup", "command"),
    [
        ("0::/system.slice/srvctl@blog.service\n", "systemctl restart srvctl@blog.service"),
        ("0::/system.slice/web.service/workers\n", "systemctl restart web.service"),
        (
            "0::/user.slice/user-1000.slice/user@1000.service/app.slice/web.service\n",
            "systemctl --user restart web.service",
        ),
        ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/vte-1.scope\n", ""),
        ("12:cpu:/\n1:name=systemd:/system.slice/web.service\n", "systemctl restart web.service"),
        ("0::/\n", ""),
        ("nonsense", ""),
        (None, ""),
    ],
)
def test_the_unit_is_known_by_the_cgroup(tmp_path: Path, cgroup: str | None, command: str) -> None:
    (tmp_path / "7").mkdir()
    if cgroup is not None:
        (tmp_path / "7" / "cgroup").write_text(cgroup)
    assert unit_of(7, tmp_path) == command


def test_only_what_was_started_in_the_background_is_restarted(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "cgroup").write_text("0::/system.slice/web.service\n")
    assert refusal("web", 7, "start", tmp_path) == ""
    assert refusal("web", 7, "service", tmp_path).endswith("use `systemctl restart web.service`")
    assert "belongs to a service manager" in refusal("web", 8, "service", tmp_path)
    assert "runs in the foreground" in refusal("web", 7, "run", tmp_path)
    assert "`srvctl reload`" in refusal("web", 7, "", tmp_path)  # an older master does not say
