"""The files that `srvctl init` makes: read back by whoever will read them, where that can be done here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from srvctl.cli.app import invoke
from srvctl.errors import ExitCode
from srvctl.init.systemd import quoted
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


def test_a_unit_waits_as_long_as_the_settings_do(made: Any) -> None:
    text = made("systemd", "--drain-delay", "7s", "--timeout-boot", "2m", "--name", "shop", "--port", "80")
    assert "TimeoutStartSec=140\n" in text
    assert "TimeoutStopSec=57\n" in text
    assert "RuntimeDirectory=srvctl/shop\n" in text
    assert "AmbientCapabilities=CAP_NET_BIND_SERVICE\n" in text
    assert "--name=shop" in text


def test_a_unit_is_as_hardened_as_the_template(made: Any) -> None:
    template = (ROOT / "systemd" / "srvctl@.service").read_text()
    begin = template.index("NoNewPrivileges=")
    assert template[begin : template.index("\n\n", begin)] in made("systemd")


def test_a_socket_of_systemd_has_a_unit_of_its_own(made: Any, tmp_path: Path) -> None:
    text = made("systemd", "--bind", "systemd:web", "--name", "shop", "-o", "shop.service")
    assert text.splitlines() == ["Wrote shop.service.", "Wrote shop.socket."]
    assert "FileDescriptorName=web\n" in (tmp_path / "shop.socket").read_text()
    assert "Requires=shop.socket\n" in (tmp_path / "shop.service").read_text()


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
    assert "\nUSER 10001\n" in text
    assert 'CMD ["srvctl", "healthcheck"]' in text
    assert "--stop-timeout 50 -p 80:8000" in text


def test_a_file_of_settings_goes_into_the_image(made: Any, tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "shop.toml").write_text("[server]\nport = 9000\n")
    text = made("docker", "-c", "etc/shop.toml")
    assert '"shop.main:app", "--bind=:9000", "--config=etc/shop.toml"' in text


@pytest.mark.parametrize("words", [(), ("--workers", "4", "--max-memory", "1GiB", "--console-token", SECRET)])
def test_kubernetes_takes_the_manifest(made: Any, words: tuple[str, ...]) -> None:
    text = made("kubernetes", *words)
    documents = list(yaml.safe_load_all(text))
    for document in documents:
        kubernetes_validate.validate(document, "1.29", strict=True)
    assert [document["kind"] for document in documents] == ["Deployment", "Service", "PodDisruptionBudget"]
    pod = documents[0]["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] == 55
    command = pod["containers"][0]["command"]
    assert {"--bind=:8000", "--drain-delay=5s", "--console=:9100"} <= set(command)
    assert invoke(["check", *command[2:]]) is ExitCode.OK
    assert SECRET not in text


def test_own_delay_and_console_are_kept(made: Any) -> None:
    text = made("kubernetes", "--drain-delay", "20s", "--console", ":9999")
    pod = next(iter(yaml.safe_load_all(text)))["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] == 70
    assert {"name": "console", "containerPort": 9999} in pod["containers"][0]["ports"]
    assert "--drain-delay=5s" not in pod["containers"][0]["command"]


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
    assert f'    server "{server}";\n' in text
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
    assert made("docker", "-o", "Dockerfile", "--force") == "Wrote Dockerfile.\n"
    assert "shop.main:app" in (tmp_path / "Dockerfile").read_text()
    assert invoke(["init", "docker", "a:b", "-o", "nowhere/Dockerfile"]) is ExitCode.REFUSED


@pytest.mark.parametrize(
    ("words", "said"), [(["dokcer", "a:b"], "dokcer is not known"), (["docker"], "nothing to serve")]
)
def test_what_makes_no_sense(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["init", *words]) is ExitCode.USAGE
    assert said in capsys.readouterr().err
