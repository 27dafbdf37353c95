"""The units that `srvctl init systemd` makes, beside the templates that are shipped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from srvctl.cli import init as command
from srvctl.cli import init_units
from srvctl.cli.app import invoke
from srvctl.cli.systemd_analyze import Opinion
from srvctl.errors import ExitCode
from srvctl.init.systemd import quoted

SYSTEMD = Path(__file__).parents[3] / "systemd"
NEW, OLD = 257, 252
#: What is made for one service, and general in the templates.
OF_ONE = frozenset(
    {"Description", "ExecStart", "EnvironmentFile", "WorkingDirectory", "User", "Group", "TimeoutStartSec"}
)


@pytest.fixture(autouse=True)
def _in_an_empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SRVCTL_CONFIG", raising=False)
    monkeypatch.setattr(command, "version", lambda: NEW)
    monkeypatch.setattr(init_units, "judge", lambda units, *, is_users: Opinion())


@pytest.fixture
def made(capsys: pytest.CaptureFixture[str]) -> Any:
    def make(*words: str) -> str:
        assert invoke(["init", "systemd", "shop.main:app", "--name", "shop", *words]) is ExitCode.OK
        return capsys.readouterr().out

    return make


def lines_of(text: str) -> list[str]:
    """What it says, but for what is of one service: it may be in another order."""
    lines = [line for line in text.splitlines() if line and line[0] not in "#["]
    return sorted(line for line in lines if line.partition("=")[0] not in OF_ONE)


def template(name: str) -> list[str]:
    return lines_of((SYSTEMD / name).read_text().replace("%i", "shop"))


def test_it_says_what_the_template_says(made: Any) -> None:
    assert lines_of(made()) == template("srvctl@.service")


def test_it_says_what_the_template_of_users_says(made: Any) -> None:
    assert lines_of(made("--user-unit")) == template("user/srvctl@.service")


def test_it_is_as_hardened_as_the_drop_in(made: Any) -> None:
    strict = template("srvctl@.service.d/hardened.conf")
    replaced = {line.partition("=")[0] for line in strict}
    kept = [line for line in template("srvctl@.service") if line.partition("=")[0] not in replaced]
    text = made("--hardened")
    found = [line for line in lines_of(text) if not line.startswith("ProtectHome=")]
    assert found == sorted([*kept, *(line for line in strict if not line.startswith("ProtectHome="))])


def test_what_is_hardened_can_still_do_what_it_was_asked_to(made: Any) -> None:
    text = made("--hardened", "--bind", ":80", "--bind", "unix:/srv/sockets/a.sock")
    assert "CapabilityBoundingSet=CAP_NET_BIND_SERVICE\n" in text
    assert "\nAmbientCapabilities=CAP_NET_BIND_SERVICE\n" in text
    assert "\nAmbientCapabilities=\n" not in text
    assert "PrivateUsers=" not in text
    assert "\nReadWritePaths=/srv/sockets\n" in text


@pytest.mark.parametrize(("place", "how"), [("/home/ada/shop", "read-only"), ("/srv/shop", "yes")])
def test_homes_are_hidden_unless_it_lives_in_one(
    made: Any, monkeypatch: pytest.MonkeyPatch, place: str, how: str
) -> None:
    monkeypatch.setattr(command, "_program", lambda: f"{place}/venv/bin/srvctl")
    monkeypatch.setattr(Path, "cwd", lambda: Path(place))
    assert f"\nProtectHome={how}\n" in made("--hardened")


def test_an_older_systemd_is_told_what_it_knows(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "version", lambda: OLD)
    text = made()
    assert "\nType=notify\nExecReload=/bin/kill -HUP $MAINPID\n" in text
    assert "\nRestartSec=2\n" in text
    assert "notify-reload" not in text
    assert "RestartSteps" not in text


def test_without_a_systemd_a_comment_tells_what_an_older_one_needs(
    made: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for a unit that is made in a container, for another machine."""
    monkeypatch.setattr(command, "version", lambda: 0)
    text = made()
    assert "\nType=notify-reload\n" in text
    assert "\n#   Type=notify\n" in text
    assert "\n#   RestartSec=2\n" in text


def test_it_waits_as_long_as_the_settings_do(made: Any) -> None:
    text = made("--drain-delay", "7s", "--timeout-boot", "2m", "--hang-timeout", "1m", "--port", "80")
    assert "TimeoutStartSec=140\n" in text
    assert "TimeoutStopSec=57\n" in text
    assert "WatchdogSec=120\n" in text
    assert "RuntimeDirectory=srvctl/shop\n" in text
    assert "AmbientCapabilities=CAP_NET_BIND_SERVICE\n" in text
    assert "--name=shop" in text


def test_each_name_of_a_socket_has_a_unit(made: Any, tmp_path: Path) -> None:
    binds = ("--bind", "systemd:web", "--bind", "systemd:a b%", "--console", "systemd:console")
    said = made(*binds, "-o", "web.service").splitlines()
    units = ["web.service", "web.socket", "web-a-b-.socket", "web-console.socket"]
    assert said[:4] == [f"Wrote {unit}." for unit in units]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(units)
    first, second, third = [(tmp_path / unit).read_text() for unit in units[1:]]
    assert "\nListenStream=8000\nBacklog=2048\nFileDescriptorName=web\nService=web.service\n" in first
    assert "\nListenStream=8001\nBacklog=2048\nFileDescriptorName=a b%%\nService=web.service\n" in second
    assert "\nListenStream=127.0.0.1:9100\nFileDescriptorName=console\n" in third
    assert f"\nRequires={' '.join(units[1:])}\n" in (tmp_path / "web.service").read_text()


def test_it_says_what_comes_next(made: Any, tmp_path: Path) -> None:
    said = made("--bind", "systemd:web", "-o", str(tmp_path)).splitlines()
    assert said[2] == "systemd-analyze verify finds no fault."
    copied = f"cp {tmp_path}/shop.service {tmp_path}/shop.socket /etc/systemd/system/"
    started = "systemctl daemon-reload && systemctl enable --now shop.socket shop.service"
    assert said[3:] == [f"Next: {copied} && {started}"]


def test_what_systemd_finds_is_told_line_by_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(init_units, "judge", lambda units, *, is_users: Opinion(("a: bad", "b: worse")))
    assert invoke(["init", "systemd", "shop.main:app", "-o", "shop.service"]) is ExitCode.REFUSED
    said, failure = capsys.readouterr()
    assert said.splitlines()[1:] == ["systemd-analyze verify: a: bad", "systemd-analyze verify: b: worse"]
    assert "systemd finds fault with shop.service" in failure


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--hardened", "--user", "www-data"], "--hardened and workers.user exclude each other"),
        (["--user-unit", "--user", "www-data"], "--user-unit and workers.user exclude each other"),
        (["--user-unit", "--hardened"], "--hardened and --user-unit exclude each other"),
        (["-o", "shop.txt"], "a unit's file ends in .service"),
    ],
)
def test_what_makes_no_sense(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["init", "systemd", "shop.main:app", *words]) is ExitCode.USAGE
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["/bin/srvctl", "a:b"], "/bin/srvctl a:b"),
        (["--name=a b"], '"--name=a b"'),
        (["--bind=unix:/s?mode=660&group=w"], "--bind=unix:/s?mode=660&group=w"),
        (["100%", "$HOME"], '100%% "$$HOME"'),
        (['say "hi"\\'], '"say \\"hi\\"\\\\"'),
    ],
)
def test_words_of_a_unit(words: list[str], line: str) -> None:
    assert quoted(words) == line
