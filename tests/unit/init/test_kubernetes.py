"""What `srvctl init kubernetes` makes, and that users find the same in ``configs/kubernetes``."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from srvctl.cli.app import invoke
from srvctl.console.figures import FIGURES
from srvctl.errors import ExitCode
from srvctl.init.plan import Plan
from srvctl.settings.load import load
from tests.support.manifests import Application, read, validate

if TYPE_CHECKING:
    from collections.abc import Callable

KUBERNETES = Path(__file__).parents[3] / "configs" / "kubernetes"
SECRET = "0123456789abcdef"


@pytest.fixture(autouse=True)
def _in_an_empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SRVCTL_CONFIG", raising=False)


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    def make(*words: str) -> str:
        assert invoke(["init", "kubernetes", *(words or ("main:app",))]) is ExitCode.OK
        return capsys.readouterr().out

    return make


@pytest.fixture
def made(
    printed: Callable[..., str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Application]:
    """The objects, and the settings that the command in them has."""

    def make(*words: str) -> Application:
        objects = read(printed(*words))
        [deployment] = [each for each in objects if each["kind"] == "Deployment"]
        [container] = deployment["spec"]["template"]["spec"]["containers"]
        command = [word.replace("$$", "$") for word in container["command"]]
        assert command[:2] == ["srvctl", "run"]
        assert invoke(["init", "config", *command[2:]]) is ExitCode.OK
        file = tmp_path / "as-in-the-pod.toml"
        file.write_text(capsys.readouterr().out, encoding="utf-8")
        return Application(objects, load({}, {}, file).settings)

    return make


@pytest.mark.parametrize(
    "words",
    [
        ("main:app",),
        ("main:app", "--workers", "4", "--max-memory", "1GiB", "--max-surge", "2", "--console-token", SECRET),
        ("main:app", "--workers", "auto", "--console", "127.0.0.1:9100", "--port", "80"),
        ("main:app", "--bind", "127.0.0.1:7000", "--bind", ":9000", "--bind", ":9443", "--console", ":9999"),
        ("main:app", "--timeout-boot", "5m", "--drain-delay", "20s", "--timeout-graceful-shutdown", "2m"),
        ("main:app", "--name", "404"),
        ("main:app", "--header", "X-Price: $(HOME) $5", "--name", "on"),
    ],
    ids=" ".join,
)
def test_the_objects_hang_together(made: Callable[..., Application], words: tuple[str, ...]) -> None:
    application = made(*words)
    validate(application.objects)
    assert application.faults() == []


def test_what_it_prints_is_complete(printed: Callable[..., str]) -> None:
    text = printed("main:app", "--console-token", SECRET)
    assert [each["kind"] for each in read(text)] == [
        "ServiceAccount",
        "Deployment",
        "Service",
        "PodDisruptionBudget",
        "HorizontalPodAutoscaler",
        "NetworkPolicy",
    ]
    assert SECRET not in text
    assert "# kind: ServiceMonitor\n" in text


def test_the_monitor_in_the_comments_is_one(
    printed: Callable[..., str], made: Callable[..., Application]
) -> None:
    """Whoever takes away the ``#`` gets what the component in configs has."""
    text = printed("main:app", "--name", "web")
    lines = text[text.index("# ---\n") :].splitlines()
    [monitor] = read("\n".join(line.removeprefix("# ") for line in lines))
    component = KUBERNETES / "components" / "service-monitor" / "servicemonitor.yaml"
    assert monitor == yaml.safe_load(component.read_text())
    application = made("main:app", "--name", "web")
    assert Application([*application.objects, monitor], application.settings).faults() == []


def test_own_delay_and_console_are_kept(made: Callable[..., Application]) -> None:
    application = made("main:app", "--drain-delay", "20s", "--console", ":9999")
    assert application.pod["terminationGracePeriodSeconds"] == 70
    assert "--drain-delay=5s" not in application.container["command"]
    assert "--console=:9999" in application.container["command"]


def test_ports_that_nobody_reaches_are_not_named(made: Callable[..., Application]) -> None:
    application = made("main:app", "--bind", "127.0.0.1:7000", "--bind", ":9000", "--bind", ":9443")
    assert [port["containerPort"] for port in application.container["ports"]] == [9000, 9443, 9100]


@pytest.mark.parametrize("name", ["404", "on", "null", "8-ball"])
def test_a_name_is_a_text_for_yaml_and_a_name_for_dns(made: Callable[..., Application], name: str) -> None:
    assert {each["metadata"]["name"] for each in made("main:app", "--name", name).objects} == {f"app-{name}"}


def test_kubernetes_replaces_nothing_in_the_command(made: Callable[..., Application]) -> None:
    """It reads $(NAME) as a variable, and $$ as $."""
    application = made("main:app", "--header", "X-Price: $(HOME) $5")
    assert "--header=X-Price: $$(HOME) $$5" in application.container["command"]
    assert application.settings.http.headers == ("X-Price: $(HOME) $5",)


# -- programs take their time, too ---------------------------------------------------------------------------

PROGRAM = '[[program]]\nname = "{}"\ncommand = ["true"]\nstop_timeout = {}\nafter = {}\n'


def end_of(tmp_path: Path, *programs: str, workers: str = "") -> int:
    """How long a stop may take with these programs, and workers that have 20 s."""
    file = tmp_path / "programs.toml"
    timeouts = "[timeouts]\ngraceful_shutdown = 15\nlifespan_shutdown = 5\n"
    file.write_text(f'[app]\ntarget = "a:b"\n{timeouts}{workers}{"".join(programs)}')
    return Plan("", load({}, {}, file).settings, {}).seconds_to_stop(0) - 10


def test_programs_end_beside_the_workers_or_after_them(tmp_path: Path) -> None:
    """A stop is over when the longest chain of those that come after each other is."""
    assert end_of(tmp_path, PROGRAM.format("one", 7, [])) == 20
    assert end_of(tmp_path, PROGRAM.format("one", 7, ["workers"])) == 27
    assert end_of(tmp_path, PROGRAM.format("one", 50, [])) == 50
    chain = (PROGRAM.format("one", 7, []), PROGRAM.format("two", 30, ["one"]), PROGRAM.format("three", 1, []))
    assert end_of(tmp_path, *chain) == 37
    assert end_of(tmp_path, *chain, workers='[workers]\nafter = ["two"]\n') == 57


# -- the base ------------------------------------------------------------------------------------------------


def base() -> Application:
    """The base as kustomize would put it together, but for the name of the ConfigMap."""
    folder = KUBERNETES / "base"
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
    objects = [yaml.safe_load((folder / name).read_text()) for name in kustomization["resources"]]
    [generator] = kustomization["configMapGenerator"]
    settings = {name: (folder / name).read_text() for name in generator["files"]}
    objects.append(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": generator["name"]}, "data": settings}
    )
    return Application(objects, load({}, {}, folder / "srvctl.toml").settings)


def test_the_base_hangs_together() -> None:
    validate(base().objects)
    assert base().faults() == []


def test_every_file_of_the_base_is_used() -> None:
    folder = KUBERNETES / "base"
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
    [generator] = kustomization["configMapGenerator"]
    assert {"kustomization.yaml", *kustomization["resources"], *generator["files"]} == {
        path.name for path in folder.iterdir()
    }


def test_the_base_is_what_init_makes(made: Callable[..., Application]) -> None:
    """But for where the settings come from: here from a ConfigMap, there from flags and the image."""
    ours = base()
    theirs = made(
        "main:app", "--name", "web", "--workers", "2", "--max-memory", "256MiB", "--drain-delay", "5s"
    )
    for kind in (
        "ServiceAccount",
        "Service",
        "PodDisruptionBudget",
        "HorizontalPodAutoscaler",
        "NetworkPolicy",
    ):
        assert ours.one(kind) == theirs.one(kind)
    without = copy.deepcopy(ours.one("Deployment"))
    [container] = without["spec"]["template"]["spec"]["containers"]
    pod = without["spec"]["template"]["spec"]
    pod["volumes"] = [volume for volume in pod["volumes"] if volume["name"] != "settings"]
    container["volumeMounts"] = [one for one in container["volumeMounts"] if one["name"] != "settings"]
    container |= {name: theirs.container[name] for name in ("image", "command")}
    assert without == theirs.one("Deployment")


def test_the_adapter_is_told_of_a_metric_that_there_is() -> None:
    """Its rule, the HorizontalPodAutoscaler and the console name the same one, by the labels that it has."""
    values = yaml.safe_load((KUBERNETES / "prometheus-adapter.yaml").read_text())
    [rule] = values["rules"]["custom"]
    [figure] = [each for each in FIGURES if each.full_name == rule["name"]["as"]]
    assert rule["seriesQuery"].startswith(f"{figure.full_name}{{")
    assert rule["name"]["matches"] == f"^{figure.full_name}$"
    assert set(figure.labels) == {"slot"}
    assert "by (<<.GroupBy>>, slot)" in rule["metricsQuery"]
    metrics: list[dict[str, Any]] = base().one("HorizontalPodAutoscaler")["spec"]["metrics"]
    assert [one["pods"]["metric"]["name"] for one in metrics if "pods" in one] == [figure.full_name]
