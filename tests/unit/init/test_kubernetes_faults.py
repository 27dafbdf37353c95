"""That what judges the manifests sees what is wrong with one: each rule, by one thing that breaks it."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import kubernetes_validate
import pytest

from srvctl.settings.load import load
from tests.support.manifests import Application, read, validate
from tests.support.pod_security import violations

if TYPE_CHECKING:
    from collections.abc import Callable

BASE: Final = Path(__file__).parents[3] / "configs" / "kubernetes" / "base"
GOOD: Final = Application(
    [
        *(each for path in sorted(BASE.glob("[!k]*.yaml")) for each in read(path.read_text())),
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web-settings"}},
        {
            "kind": "ServiceMonitor",
            "metadata": {"name": "web"},
            "spec": {
                "selector": {"matchLabels": {"app.kubernetes.io/name": "web"}},
                "endpoints": [{"port": "console", "path": "/metrics"}],
            },
        },
    ],
    load({}, {}, BASE / "srvctl.toml").settings,
)

Pod = dict[str, Any]


def of_pod(change: Callable[[Pod, Pod], object]) -> Application:
    """The good application, its pod and its container changed."""
    application = copy.deepcopy(GOOD)
    change(application.pod, application.pod["containers"][0])
    return application


#: What each does to the pod and its container, and the control of the standard that forbids it.
FORBIDDEN: Final[list[tuple[str, Callable[[Pod, Pod], object]]]] = [
    ("hostNamespaces", lambda pod, _: pod.update(hostNetwork=True)),
    ("hostNamespaces", lambda pod, _: pod.update(hostPID=True)),
    ("hostNamespaces", lambda pod, _: pod.update(hostIPC=True)),
    ("restrictedVolumes", lambda pod, _: pod["volumes"].append({"name": "h", "hostPath": {"path": "/"}})),
    ("restrictedVolumes", lambda pod, _: pod["volumes"].append({"name": "n", "nfs": {"server": "s"}})),
    ("sysctls", lambda pod, _: pod["securityContext"].update(sysctls=[{"name": "kernel.msgmax"}])),
    ("seLinuxOptions", lambda pod, _: pod["securityContext"].update(seLinuxOptions={"type": "spc_t"})),
    ("seLinuxOptions", lambda _, one: one["securityContext"].update(seLinuxOptions={"role": "sysadm_r"})),
    ("hostProcess", lambda pod, _: pod["securityContext"].update(windowsOptions={"hostProcess": True})),
    ("appArmorProfile", lambda _, one: one["securityContext"].update(appArmorProfile={"type": "Unconfined"})),
    ("runAsUser", lambda pod, _: pod["securityContext"].update(runAsUser=0)),
    ("runAsUser", lambda _, one: one["securityContext"].update(runAsUser=0)),
    ("privileged", lambda _, one: one["securityContext"].update(privileged=True)),
    ("procMount", lambda _, one: one["securityContext"].update(procMount="Unmasked")),
    ("allowPrivilegeEscalation", lambda _, one: one["securityContext"].pop("allowPrivilegeEscalation")),
    ("runAsNonRoot", lambda pod, _: pod["securityContext"].pop("runAsNonRoot")),
    ("runAsNonRoot", lambda _, one: one["securityContext"].update(runAsNonRoot=False)),
    ("seccompProfile", lambda pod, _: pod["securityContext"].pop("seccompProfile")),
    ("seccompProfile", lambda _, one: one["securityContext"].update(seccompProfile={"type": "Unconfined"})),
    ("capabilities", lambda _, one: one["securityContext"].pop("capabilities")),
    ("capabilities", lambda _, one: one["securityContext"]["capabilities"].update(add=["SYS_PTRACE"])),
    ("hostPorts", lambda _, one: one["ports"][0].update(hostPort=80)),
    ("hostProbes", lambda _, one: one["livenessProbe"]["httpGet"].update(host="10.0.0.1")),
    ("hostProbes", lambda _, one: one.update(lifecycle={"preStop": {"tcpSocket": {"host": "a", "port": 1}}})),
]


@pytest.mark.parametrize(("control", "change"), FORBIDDEN)
def test_what_the_restricted_profile_forbids(control: str, change: Callable[[Pod, Pod], object]) -> None:
    pod = of_pod(change).pod
    assert {fault.partition(":")[0] for fault in violations(pod)} == {control}


@pytest.mark.parametrize("kind", ["initContainers", "ephemeralContainers"])
def test_the_profile_is_for_every_container(kind: str) -> None:
    pod = of_pod(lambda pod, _: pod.update({kind: [{"name": "other"}]})).pod
    assert violations(pod) == ["allowPrivilegeEscalation: other", "capabilities: other"]


def test_what_the_profile_allows() -> None:
    def change(pod: Pod, one: Pod) -> None:
        one["securityContext"]["capabilities"]["add"] = ["NET_BIND_SERVICE"]
        one["securityContext"]["seccompProfile"] = {"type": "Localhost", "localhostProfile": "p"}
        one["securityContext"]["runAsNonRoot"] = True
        pod["securityContext"].pop("runAsNonRoot")
        pod["securityContext"]["sysctls"] = [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}]

    assert violations(of_pod(change).pod) == []


#: What each does to the pod and its container, and what is then said.
WRONG: Final[list[tuple[str, Callable[[Pod, Pod], object]]]] = [
    (
        "the console listens on 9100, and not on 9000",
        lambda _, one: one["ports"][1].update(containerPort=9000),
    ),
    ("livenessProbe asks", lambda _, one: one["livenessProbe"]["httpGet"].update(path="/readyz")),
    ("readinessProbe asks None", lambda _, one: one.pop("readinessProbe")),
    ("the Service leads to", lambda _, one: one["ports"][0].update(name="web")),
    ("there is no ServiceAccount default", lambda pod, _: pod.update(serviceAccountName="default")),
    ("there is no ConfigMap other", lambda pod, _: pod["volumes"][0]["configMap"].update(name="other")),
    ("nothing is mounted at /tmp", lambda pod, _: pod["volumes"].pop()),
    ("/tmp cannot be written", lambda _, one: one["volumeMounts"].pop()),
    (
        "a stop may take 55 s, and the kubelet waits 54 s",
        lambda p, _: p.update(terminationGracePeriodSeconds=54),
    ),
    ("and the kubelet waits 30 s", lambda pod, _: pod.pop("terminationGracePeriodSeconds")),
    ("a start may take 80 s, and", lambda _, one: one["startupProbe"].update(failureThreshold=39)),
    ("pods are given a token", lambda pod, _: pod.pop("automountServiceAccountToken")),
    ("Services set variables", lambda pod, _: pod.pop("enableServiceLinks")),
    ("the root file system can be", lambda _, one: one["securityContext"].pop("readOnlyRootFilesystem")),
    ("RUNTIME_DIRECTORY cannot be written", lambda _, one: one["env"].pop(0)),
    ("STATE_DIRECTORY cannot be written", lambda _, one: one["env"][1].update(value="/srv/own")),
    ("the workers may need 896 MiB, and have 512", lambda _, one: one["resources"].update(both("512Mi"))),
    ("less memory than the pod's limit", lambda _, one: one["resources"]["requests"].update(memory="1Mi")),
    (
        "kubernetes.io/hostname selects",
        lambda p, _: p["topologySpreadConstraints"][0].update(labels("other")),
    ),
]


def both(memory: str) -> Pod:
    return {"requests": {"cpu": "1", "memory": memory}, "limits": {"memory": memory}}


def labels(name: str) -> Pod:
    return {"labelSelector": {"matchLabels": {"app.kubernetes.io/name": name}}}


@pytest.mark.parametrize(("said", "change"), WRONG)
def test_a_pod_that_does_not_fit(said: str, change: Callable[[Pod, Pod], object]) -> None:
    assert said in "; ".join(of_pod(change).faults())


#: A kind, what is done to the object, and what is then said.
ASTRAY: Final[list[tuple[str, Callable[[Pod], object], str]]] = [
    ("Service", lambda each: each["spec"]["selector"].update(tier="front"), "Service selects"),
    ("Service", lambda each: each["metadata"].update(labels={}), "ServiceMonitor does not select"),
    ("Service", lambda each: each["spec"]["ports"].pop(), "the ServiceMonitor asks"),
    ("ServiceMonitor", lambda each: each["spec"]["endpoints"][0].update(port="http"), "ServiceMonitor asks"),
    ("PodDisruptionBudget", lambda each: each["spec"].update(selector={"matchLabels": {}}), "Budget selects"),
    ("PodDisruptionBudget", lambda each: each["spec"].update(maxUnavailable=0), "no node can be emptied"),
    ("NetworkPolicy", lambda each: each["spec"]["ingress"].pop(), "the NetworkPolicy shuts console"),
    ("NetworkPolicy", lambda each: each["spec"].update(podSelector={"matchLabels": {"a": "b"}}), "selects"),
    ("ServiceAccount", lambda each: each.pop("automountServiceAccountToken"), "gives a token"),
    ("ServiceAccount", lambda each: each["metadata"].update(namespace="other"), "several namespaces"),
    ("Deployment", lambda each: each["spec"].update(replicas=3), "said twice"),
    (
        "Deployment",
        lambda each: each["spec"]["strategy"]["rollingUpdate"].update(maxUnavailable=1),
        "takes pods away",
    ),
    (
        "HorizontalPodAutoscaler",
        lambda each: each["spec"]["scaleTargetRef"].update(name="other"),
        "is for {'apiV",
    ),
    ("HorizontalPodAutoscaler", lambda each: each["spec"].update(minReplicas=1), "there may be 1 pods"),
    (
        "HorizontalPodAutoscaler",
        lambda each: each["spec"]["metrics"][0]["pods"]["metric"].update(name="requests"),
        "srvctl does not tell requests",
    ),
]


@pytest.mark.parametrize(("kind", "change", "said"), ASTRAY)
def test_objects_that_do_not_fit(kind: str, change: Callable[[Pod], object], said: str) -> None:
    application = copy.deepcopy(GOOD)
    change(application.one(kind))
    assert said in "; ".join(application.faults())


def test_what_is_right_is_called_right() -> None:
    assert GOOD.faults() == []


def test_a_field_that_the_api_does_not_know_is_seen() -> None:
    application = of_pod(lambda _, one: one["livenessProbe"].update(interval=5))
    with pytest.raises(kubernetes_validate.ValidationError):
        validate(application.of("Deployment"))
