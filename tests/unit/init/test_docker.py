"""What `srvctl init docker` and `srvctl init compose` write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from srvctl.cli.app import invoke
from srvctl.errors import ExitCode
from srvctl.init import docker
from srvctl.init.plan import Plan
from srvctl.settings.load import load

SAMPLES = Path(__file__).parents[3] / "configs" / "docker"
SECRET = "0123456789abcdef"


@pytest.fixture(autouse=True)
def _in_an_empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SRVCTL_CONFIG", raising=False)


def plan_of(**settings: Any) -> Plan:
    given = {key.replace("__", "."): value for key, value in settings.items()}
    loaded = load({"app.target": "main:app", **given}, {}, None).settings
    return Plan(name="shop", settings=loaded, given={"app.target": "main:app", **given}, python="3.13")


def compose_of(plan: Plan) -> dict[str, Any]:
    [text] = docker.compose_files(plan).values()
    return dict(yaml.safe_load(text))


def test_the_samples_are_what_it_writes() -> None:
    plan = plan_of(server__name="shop", workers__count="auto")
    made = docker.files(plan) | docker.compose_files(plan)
    assert {name: (SAMPLES / name).read_text() for name in made} == made
    assert {path.name for path in SAMPLES.iterdir()} == set(made)


def test_what_waits_for_it_waits_longer_than_the_settings() -> None:
    plan = plan_of(timeouts__graceful_shutdown=100.0, timeouts__boot=200.0)
    service = compose_of(plan)["services"]["shop"]
    assert service["stop_grace_period"] == f"{plan.seconds_to_stop()}s"
    assert plan.seconds_to_stop() > 100
    assert service["healthcheck"]["start_period"] == f"{plan.seconds_to_start}s"
    assert plan.seconds_to_start > 200
    assert f"--start-period={plan.seconds_to_start}s" in docker.files(plan)["Dockerfile"]


def test_memory_is_for_all_workers_and_their_successors() -> None:
    few = compose_of(plan_of())["services"]["shop"]
    most = compose_of(plan_of(workers__max=7, workers__max_memory=2**30))["services"]["shop"]
    assert most["mem_limit"] == "8192m"  # of all that the load may bring
    many = compose_of(plan_of(workers__count=7, workers__max_memory=2**30))["services"]["shop"]
    assert (few["mem_limit"], many["mem_limit"]) == ("512m", "8192m")
    assert few["memswap_limit"] == few["mem_limit"]


def test_a_low_port_is_one_only_outside() -> None:
    plan = plan_of(server__bind=[":80"])
    assert compose_of(plan)["services"]["shop"]["ports"] == ["80:8000"]
    assert "\nEXPOSE 8000\n" in docker.files(plan)["Dockerfile"]


def test_secrets_come_from_the_environment() -> None:
    plan = plan_of(console__bind=":9100", console__token=SECRET)
    [text] = docker.compose_files(plan).values()
    assert SECRET not in text + docker.files(plan)["Dockerfile"]
    variables = yaml.safe_load(text)["services"]["shop"]["environment"]
    assert variables == {"SRVCTL_CONSOLE__TOKEN": "${SRVCTL_CONSOLE__TOKEN:?is not set}"}


def test_no_word_of_a_label_is_replaced() -> None:
    text = docker.files(plan_of(app__target='a"$HOME:b'))["Dockerfile"]
    assert 'image.description="a\\"\\$HOME:b, served by srvctl"' in text


def test_what_is_beside_is_left_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A Dockerfile is printed alone; what it leaves out may be a file that somebody cares for."""
    assert invoke(["init", "docker", "main:app"]) is ExitCode.OK
    printed = capsys.readouterr().out
    assert ".pytest_cache" not in printed
    (tmp_path / ".dockerignore").write_text("mine\n")
    assert invoke(["init", "docker", "main:app", "-o", "Dockerfile"]) is ExitCode.OK
    assert capsys.readouterr().out == "Wrote Dockerfile.\nLeft .dockerignore as it is.\n"
    assert (tmp_path / "Dockerfile").read_text() == printed
    assert (tmp_path / ".dockerignore").read_text() == "mine\n"
    assert invoke(["init", "docker", "main:app", "-o", "Dockerfile", "--force"]) is ExitCode.OK
    assert ".pytest_cache" in (tmp_path / ".dockerignore").read_text()
