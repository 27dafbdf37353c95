"""The files that `srvctl init` makes: read back by whoever will read them, where that can be done here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from srvctl.cli.app import invoke
from srvctl.errors import ExitCode
from srvctl.migrate.dockerfile import read
from srvctl.settings.load import load

ROOT = Path(__file__).parents[3]
SECRET = "0123456789abcdef"


@pytest.fixture(autouse=True)
def _in_an_empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SRVCTL_CONFIG", raising=False)


@pytest.fixture
def made(capsys: pytest.CaptureFixture[str]) -> Any:
    def make(kind: str, *words: str) -> str:
        assert invoke(["init", kind, "shop.main:app", *words]) is ExitCode.OK
        return capsys.readouterr().out

    return make


def test_a_dockerfile_is_understood_by_migrate(made: Any) -> None:
    """It can be reached from outside, by no port that needs rights, and starts nothing by a shell."""
    text = made("docker", "--workers", "3", "--port", "80")
    command = read(text, "Dockerfile")
    (words,) = command.commands
    assert [word.text for word in words] == [
        "srvctl",
        "run",
        "shop.main:app",
        "--workers=3",
        "--bind=:8000",
    ]
    assert "\nUSER 10001:10001\n" in text
    assert 'CMD ["srvctl", "healthcheck"]' in text
    assert "--stop-timeout 50 -p 80:8000" in text


def test_a_file_of_settings_goes_into_the_image(made: Any, tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "shop.toml").write_text("[server]\nport = 9000\n")
    text = made("docker", "-c", "etc/shop.toml")
    assert '"shop.main:app", "--bind=:9000", "--config=etc/shop.toml"' in text


@pytest.mark.parametrize(
    ("words", "server"),
    [
        ((), "127.0.0.1:8000"),
        (("--bind", ":9000"), "127.0.0.1:9000"),
        (("--bind", "[::1]:9000"), "[::1]:9000"),
        (("--bind", "unix:/run/a b.sock?mode=660"), "unix:/run/a b.sock"),
        (("--bind", "fd://3"), "127.0.0.1:8000"),
    ],
)
def test_where_nginx_finds_it(made: Any, words: tuple[str, ...], server: str) -> None:
    text = made("nginx", *words)
    assert text.count(f'    server "{server}" max_fails=0;\n') == 4
    assert ("--forwarded-allow-ips unix" in text) == server.startswith("unix")


GIVEN = (
    *("--workers", "auto", "--timeout-boot", "90s", "--max-memory", "64MiB"),
    *("--header", "X-A: 'é \"'", "--no-access-log"),
)


@pytest.mark.parametrize("form", [(), ("--full",)])
def test_a_file_of_settings_reads_back_as_it_was(made: Any, tmp_path: Path, form: tuple[str, ...]) -> None:
    text = made("config", *GIVEN, *form, "--console-token", SECRET)
    assert SECRET not in text
    file = tmp_path / "made.toml"
    file.write_text(text, encoding="utf-8")
    again = load({}, {}, file).settings
    assert again.app.target == "shop.main:app"
    assert (again.workers.count, again.timeouts.boot, again.workers.max_memory) == ("auto", 90.0, 2**26)
    assert again.http.headers == ("X-A: 'é \"'",)
    assert again.log.access is False
    assert again.console.token is None
    assert (text.count(" = ") > 100) == bool(form)


def test_a_file_that_is_there_is_not_replaced(
    made: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "Dockerfile").write_text("precious\n")
    assert invoke(["init", "docker", "a:b", "-o", "Dockerfile"]) is ExitCode.REFUSED
    assert "Dockerfile is there already; --force replaces it" in capsys.readouterr().err
    assert (tmp_path / "Dockerfile").read_text() == "precious\n"
    assert made("docker", "-o", "Dockerfile", "--force") == "Wrote Dockerfile.\nWrote .dockerignore.\n"
    assert "shop.main:app" in (tmp_path / "Dockerfile").read_text()
    assert invoke(["init", "docker", "a:b", "-o", "nowhere/Dockerfile"]) is ExitCode.REFUSED


@pytest.mark.parametrize(
    ("words", "said"), [(["dokcer", "a:b"], "dokcer is not known"), (["docker"], "nothing to serve")]
)
def test_what_makes_no_sense(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["init", *words]) is ExitCode.USAGE
    assert said in capsys.readouterr().err
