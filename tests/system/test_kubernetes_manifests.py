"""The overlays and the chart of ``configs/kubernetes``, rendered by the programs that users have for it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from srvctl.init.plan import Plan
from srvctl.settings.load import load
from tests.support.kube_tools import CHART, KUBERNETES, HelmRefused, kustomized, lint, rendered
from tests.support.manifests import Application, Object, read, validate

if TYPE_CHECKING:
    from pathlib import Path

    from srvctl.settings.groups import Settings

pytestmark = pytest.mark.system

PRODUCTION = KUBERNETES / "overlays" / "production"


def settings_in(objects: list[Object], folder: Path) -> Settings:
    """The settings that srvctl reads in the pod."""
    [data] = [each["data"] for each in objects if each["kind"] == "ConfigMap"]
    [(name, text)] = data.items()
    file = folder / name
    file.write_text(text, encoding="utf-8")
    [deployment] = [each for each in objects if each["kind"] == "Deployment"]
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    assert container["command"] == ["srvctl", "run", f"--config=/etc/srvctl/{name}"]
    assert {"name": "settings", "mountPath": "/etc/srvctl", "readOnly": True} in container["volumeMounts"]
    return load({}, {}, file).settings


# -- kustomize -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", [KUBERNETES / "base", PRODUCTION], ids=lambda folder: folder.name)
def test_what_kustomize_makes_hangs_together(folder: Path, tmp_path: Path) -> None:
    objects = read(kustomized(folder))
    validate(objects)
    assert Application(objects, settings_in(objects, tmp_path)).faults() == []


def test_the_overlay_changes_what_it_says(tmp_path: Path) -> None:
    objects = read(kustomized(PRODUCTION))
    application = Application(objects, settings_in(objects, tmp_path))
    assert application.container["image"] == "registry.example.com/shop:1.4.2"
    assert application.settings.app.target == "shop.main:app"
    assert application.container["env"]  # a patch must not have replaced it
    assert application.one("ServiceMonitor")["metadata"]["namespace"] == "shop"
    base = read(kustomized(KUBERNETES / "base"))
    assert not [each for each in base if each["kind"] == "ServiceMonitor"]


# -- Helm ----------------------------------------------------------------------------------------------------

APP = {"config": {"app": {"target": "shop.main:app"}}}


def chart(folder: Path, values: dict[str, Any] | None = None) -> Application:
    """What the chart makes of such values."""
    files = rendered(values)
    objects = [each for name, text in files.items() if not name.endswith("NOTES.txt") for each in read(text)]
    return Application(objects, settings_in(objects, folder))


EVERYTHING: dict[str, Any] = {
    "image": {"repository": "registry.example.com/shop", "tag": "1.10"},
    "imagePullSecrets": [{"name": "registry"}],
    "fullnameOverride": "shop-web",
    "config": {
        "app": {"target": "shop.main:app"},
        "server": {"bind": ["unix:/tmp/shop.sock", "0.0.0.0:8443"], "backlog": 4096},
        "workers": {"count": 4, "max_memory": "1GiB", "max_surge": 2},
        "limits": {"request_body_size": 10_485_760_000},
        "timeouts": {"boot": "2m", "graceful_shutdown": 90, "drain_delay": "7500ms"},
        "hooks": {"timeout": "30s"},
        "console": {"bind": ":9443", "quorum": 2},
    },
    "ports": {"http": 8443, "console": 9443},
    "env": [{"name": "DATABASE", "value": "db"}],
    "envFrom": [{"secretRef": {"name": "shop"}}],
    "resources": {"requests": {"cpu": "4", "memory": "6272Mi"}, "limits": {"memory": "6272Mi"}},
    "autoscaling": {"minReplicas": 3, "maxReplicas": 30, "inFlight": "2500m", "cpu": None},
    "podDisruptionBudget": {"maxUnavailable": "25%"},
    "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
    "service": {"port": 443, "annotations": {"a": "b"}},
    "ingress": {
        "enabled": True,
        "className": "nginx",
        "annotations": {"a": "b"},
        "hosts": ["shop.example.com", "www.example.com"],
        "tls": [{"secretName": "shop-tls", "hosts": ["shop.example.com"]}],
    },
    "serviceAccount": {"annotations": {"a": "b"}},
    "podAnnotations": {"a": "b"},
    "podLabels": {"tier": "front"},
    "nodeSelector": {"disk": "ssd"},
    "tolerations": [{"key": "web", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
    "priorityClassName": "high",
    "extraVolumes": [{"name": "media", "persistentVolumeClaim": {"claimName": "media"}}],
    "extraVolumeMounts": [{"name": "media", "mountPath": "/srv/media"}],
}
FEWEST: dict[str, Any] = {
    **APP,
    "autoscaling": {"enabled": False},
    "networkPolicy": {"enabled": False},
    "replicas": 4,
}


@pytest.mark.parametrize("values", [{}, EVERYTHING, FEWEST], ids=["defaults", "everything", "fewest"])
def test_what_helm_makes_hangs_together(values: dict[str, Any], tmp_path: Path) -> None:
    application = chart(tmp_path, values)
    validate(application.objects)
    assert application.faults() == []


def test_values_find_their_place(tmp_path: Path) -> None:
    application = chart(tmp_path, EVERYTHING)
    assert {each["metadata"]["name"] for each in application.objects} == {"shop-web"}
    assert application.container["image"] == "registry.example.com/shop:1.10"
    assert application.settings.limits.request_body_size == 10_485_760_000
    assert application.settings.server.bind == ("unix:/tmp/shop.sock", "0.0.0.0:8443")
    assert application.settings.log.format == "json"  # of the defaults, beside what was given
    assert {"name": "DATABASE", "value": "db"} in application.container["env"]
    assert {"name": "media", "mountPath": "/srv/media"} in application.container["volumeMounts"]
    [metric] = application.one("HorizontalPodAutoscaler")["spec"]["metrics"]
    assert metric["pods"]["target"]["averageValue"] == "2500m"
    hosts = [rule["host"] for rule in application.one("Ingress")["spec"]["rules"]]
    assert hosts == ["shop.example.com", "www.example.com"]
    for rule in application.one("Ingress")["spec"]["rules"]:
        backend = rule["http"]["paths"][0]["backend"]["service"]
        assert backend == {"name": "shop-web", "port": {"name": "http"}}
    assert chart(tmp_path, FEWEST).one("Deployment")["spec"]["replicas"] == 4


@pytest.mark.parametrize(
    "timeouts",
    [
        {},
        {"drain_delay": "1.5s", "graceful_shutdown": "500ms", "lifespan_shutdown": ".5m"},
        {"drain_delay": 0, "graceful_shutdown": 2_000_000, "lifespan_shutdown": 0.25, "boot": " 1 h"},
        {"drain_delay": "10", "graceful_shutdown": "1d", "boot": "0.1s"},
    ],
)
def test_helm_computes_the_times_as_srvctl_does(timeouts: dict[str, Any], tmp_path: Path) -> None:
    values = {"config": {"timeouts": timeouts}}
    application = chart(tmp_path, values)
    plan = Plan("", application.settings, {})
    assert application.pod["terminationGracePeriodSeconds"] == plan.seconds_to_stop()
    probe = application.container["startupProbe"]
    assert 0 <= probe["failureThreshold"] * probe["periodSeconds"] - plan.seconds_to_start < 2


def test_programs_have_their_time(tmp_path: Path) -> None:
    programs = [
        {"name": "queue", "command": ["true"], "stop_timeout": "2m", "after": ["workers"]},
        {"name": "cache", "command": ["true"]},
    ]
    application = chart(tmp_path, {"config": {"program": programs}})
    assert application.pod["terminationGracePeriodSeconds"] == 185
    assert application.faults() == []
    own = chart(tmp_path, {"terminationGracePeriodSeconds": 600})
    assert own.pod["terminationGracePeriodSeconds"] == 600


def test_other_settings_are_a_rollout(tmp_path: Path) -> None:
    def annotations(values: dict[str, Any]) -> dict[str, str]:
        template = chart(tmp_path, values).one("Deployment")["spec"]["template"]
        return dict(template["metadata"]["annotations"])

    first, same, other = map(annotations, ({}, {}, {"config": {"http": {"server_header": False}}}))
    assert first == same
    assert first["checksum/settings"] != other["checksum/settings"]
    monitored = annotations({"serviceMonitor": {"enabled": True}})
    assert set(first) - set(monitored) == {"prometheus.io/scrape", "prometheus.io/port"}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"config": {"app": {"target": ""}}}, "/config/app/target"),
        ({"config": {"timeouts": {"drain_delay": "5 seconds"}}}, "/config/timeouts/drain_delay"),
        ({"config": {"workers": {"count": 0}}}, "/config/workers/count"),
        ({"ports": {"http": 80}}, "/ports/http"),
        ({"replica": 3}, "replica"),
        ({"image": {"tag": 1.1}}, "/image/tag"),
        ({"autoscaling": {"inFlight": None, "cpu": None}}, "autoscaling needs a metric"),
        (
            {"config": {"server": {"port": 9000}}},
            r"config\.server\.port: the container listens on ports\.http",
        ),
        (
            {"config": {"server": {"bind": [":9000", "unix:/tmp/a"]}}},
            "name :8000 there, or change ports.http",
        ),
        ({"config": {"server": {"bind": "127.0.0.1:8000"}}}, "name :8000 there, or change ports.http"),
        ({"config": {"console": {"bind": "127.0.0.1:9100"}}}, "write :9100 there, or change ports.console"),
        ({"config": {"console": {"bind": ":9101"}}}, "write :9100 there, or change ports.console"),
    ],
)
def test_values_that_make_no_sense(values: dict[str, Any], said: str) -> None:
    with pytest.raises(HelmRefused, match=said):
        rendered(values)


@pytest.mark.parametrize("values", [{}, EVERYTHING, FEWEST], ids=["defaults", "everything", "fewest"])
def test_helm_finds_nothing_to_complain_of(values: dict[str, Any]) -> None:
    report = lint(values)
    assert report["errors"] == []
    assert [each["error"] for each in report["messages"]] in ([], ["icon is recommended"])


def test_the_notes_warn_of_what_costs_requests() -> None:
    def notes(values: dict[str, Any]) -> str:
        [text] = [text for name, text in rendered(values).items() if name.endswith("NOTES.txt")]
        return text

    assert "WARNING" not in notes({})
    assert "WARNING: timeouts.drain_delay is 0" in notes({"config": {"timeouts": {"drain_delay": 0}}})
    auto = {"config": {"workers": {"count": "auto"}}}
    assert "WARNING: workers.count is auto" in notes(auto)
    assert "WARNING" not in notes({**auto, "resources": {"limits": {"cpu": "2"}}})


def test_the_schema_knows_every_value() -> None:
    """It refuses unknown ones, so what it forgets could not be given."""
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    known = yaml.safe_load((CHART / "values.schema.json").read_text())["properties"]
    assert set(values) == set(known) - {"global"}
    for name, table in known.items():
        if table.get("additionalProperties") is False:
            assert set(values[name]) == set(table["properties"]), name


def test_the_values_of_the_documentation_are_such(tmp_path: Path) -> None:
    page = (KUBERNETES.parents[1] / "docs" / "how-to" / "kubernetes.md").read_text()
    [example] = re.findall(r"^```yaml[^\n]*\n(image: .*?)^```$", page, re.MULTILINE | re.DOTALL)
    application = chart(tmp_path, yaml.safe_load(example))
    assert application.faults() == []
    assert application.settings.workers.count == 4


def test_the_chart_is_what_the_base_is(tmp_path: Path) -> None:
    """But for labels and names, which are the release's."""
    folder = tmp_path / "base"
    folder.mkdir()
    objects = read(kustomized(KUBERNETES / "base"))
    ours, theirs = Application(objects, settings_in(objects, folder)), chart(tmp_path)
    for name in (
        "livenessProbe",
        "readinessProbe",
        "startupProbe",
        "resources",
        "securityContext",
        "env",
        "ports",
    ):
        assert ours.container[name] == theirs.container[name], name
    for name in ("securityContext", "terminationGracePeriodSeconds", "enableServiceLinks"):
        assert ours.pod[name] == theirs.pod[name], name
    for kind in ("HorizontalPodAutoscaler", "NetworkPolicy", "PodDisruptionBudget"):
        wanted, found = ours.one(kind)["spec"], theirs.one(kind)["spec"]
        for spec in (wanted, found):
            for name in ("selector", "podSelector", "scaleTargetRef"):
                spec.pop(name, None)
        assert wanted == found, kind
    assert ours.settings.timeouts == theirs.settings.timeouts
    assert ours.settings.workers == theirs.settings.workers
    assert ours.settings.log == theirs.settings.log
