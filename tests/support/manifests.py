"""What the objects of one application in Kubernetes must agree in, beyond what the API's schemas say. Pure.

A manifest of which each object is valid can still be useless: a probe of a port that there is not, a Service
without pods, a grace period shorter than srvctl's own deadlines. `faults` says so in words.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import kubernetes_validate
import yaml

from srvctl.init.plan import Plan
from tests.support.pod_security import violations

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from srvctl.settings.groups import Settings

Object = dict[str, Any]

OLD = "1.29"  #: whoever is older is not supported by anybody
NEW = kubernetes_validate.latest_version()
_MONITOR = "ServiceMonitor"  #: not of the API, but of Prometheus Operator
_MIB = 2**20


def read(text: str) -> list[Object]:
    """Return the objects of a manifest."""
    return [document for document in yaml.safe_load_all(text) if document]


def validate(objects: Iterable[Object]) -> None:
    """Compare objects with the schemas of the API, an old and the newest, unknown fields refused."""
    for each in objects:
        if each["kind"] != _MONITOR:
            _validate(json.dumps(each))


@cache  # it reads all schemas anew each time, and most objects come again
def _validate(text: str) -> None:
    for version in (OLD, str(NEW)):
        kubernetes_validate.validate(json.loads(text), version, strict=True)


@dataclass(frozen=True)
class Application:
    """The objects of one application.

    Attributes:
        objects: All of them.
        settings: Those that srvctl runs with.
    """

    objects: list[Object]
    settings: Settings

    def one(self, kind: str) -> Object:
        """Return the only object of a kind."""
        [found] = self.of(kind)
        return found

    def of(self, kind: str) -> list[Object]:
        """Return the objects of a kind."""
        return [each for each in self.objects if each["kind"] == kind]

    @property
    def pod(self) -> Object:
        """The spec of its pods."""
        spec: Object = self.one("Deployment")["spec"]["template"]["spec"]
        return spec

    @property
    def container(self) -> Object:
        """The container that srvctl runs in."""
        [container] = self.pod["containers"]
        return dict(container)

    # -- judged -----------------------------------------------------------------------------------------

    def faults(self) -> list[str]:
        """Return what does not hang together, and what the profile "restricted" forbids."""
        parts = (
            violations(self.pod),
            self._ports(),
            self._selectors(),
            self._names(),
            self._times(),
            self._rights(),
            self._rollout(),
            self._scaling(),
            self._memory(),
        )
        return [fault for part in parts for fault in part]

    def _ports(self) -> Iterator[str]:
        ports = {port["name"]: port["containerPort"] for port in self.container["ports"]}
        console = int((self.settings.console.bind or ":0").rpartition(":")[2])
        if ports.get("console") != console:
            yield f"the console listens on {console}, and not on {ports.get('console')}"
        for kind, path in (
            ("livenessProbe", "/livez"),
            ("readinessProbe", "/readyz"),
            ("startupProbe", "/readyz"),
        ):
            asked = self.container.get(kind, {}).get("httpGet")
            if asked != {"path": path, "port": "console"}:
                yield f"{kind} asks {asked}"
        service = self.one("Service")["spec"]["ports"]
        yield from (f"the Service leads to {port}" for port in service if port["targetPort"] not in ports)
        for policy in self.of("NetworkPolicy"):
            named = {port["port"] for rule in policy["spec"]["ingress"] for port in rule["ports"]}
            yield from (f"the NetworkPolicy shuts {port}" for port in set(ports) - named)
        for monitor in self.of(_MONITOR):
            asked = [(one["port"], one["path"]) for one in monitor["spec"]["endpoints"]]
            if asked != [("console", "/metrics")] or "console" not in {port["name"] for port in service}:
                yield f"the ServiceMonitor asks {asked}"

    def _selectors(self) -> Iterator[str]:
        spec = self.one("Deployment")["spec"]
        labels = spec["template"]["metadata"]["labels"].items()
        service = self.one("Service")
        wanted = {
            "Deployment": spec["selector"]["matchLabels"],
            "Service": service["spec"]["selector"],
            "PodDisruptionBudget": self.one("PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        }
        for policy in self.of("NetworkPolicy"):
            wanted["NetworkPolicy"] = policy["spec"]["podSelector"]["matchLabels"]
        for spread in self.pod["topologySpreadConstraints"]:
            wanted[spread["topologyKey"]] = spread["labelSelector"]["matchLabels"]
        for who, selector in wanted.items():
            if not selector or not selector.items() <= labels:
                yield f"{who} selects {selector}"
        for monitor in self.of(_MONITOR):
            if (
                not monitor["spec"]["selector"]["matchLabels"].items()
                <= service["metadata"]["labels"].items()
            ):
                yield "the ServiceMonitor does not select the Service"

    def _names(self) -> Iterator[str]:
        accounts = {each["metadata"]["name"] for each in self.of("ServiceAccount")}
        if self.pod["serviceAccountName"] not in accounts:
            yield f"there is no ServiceAccount {self.pod['serviceAccountName']}"
        maps = {each["metadata"]["name"] for each in self.of("ConfigMap")}
        volumes = {volume["name"]: volume for volume in self.pod["volumes"]}
        for volume in volumes.values():
            if "configMap" in volume and volume["configMap"]["name"] not in maps:
                yield f"there is no ConfigMap {volume['configMap']['name']}"
        yield from (
            f"nothing is mounted at {mount['mountPath']}"
            for mount in self.container["volumeMounts"]
            if mount["name"] not in volumes
        )
        for scaler in self.of("HorizontalPodAutoscaler"):
            target = scaler["spec"]["scaleTargetRef"]
            if (target["kind"], target["name"]) != ("Deployment", self.one("Deployment")["metadata"]["name"]):
                yield f"the HorizontalPodAutoscaler is for {target}"
        if len({each["metadata"].get("namespace") for each in self.objects}) != 1:
            yield "the objects are in several namespaces"

    def _times(self) -> Iterator[str]:
        plan = Plan("", self.settings, {})
        if not self.settings.timeouts.drain_delay:
            yield "there is no drain_delay"
        grace = self.pod.get("terminationGracePeriodSeconds", 30)
        if grace < plan.seconds_to_stop():
            yield f"a stop may take {plan.seconds_to_stop()} s, and the kubelet waits {grace} s"
        probe = self.container["startupProbe"]
        patience = probe["failureThreshold"] * probe.get("periodSeconds", 10)
        if patience < plan.seconds_to_start:
            yield f"a start may take {plan.seconds_to_start} s, and the kubelet waits {patience} s"

    def _rights(self) -> Iterator[str]:
        if self.pod.get("automountServiceAccountToken") is not False:
            yield "pods are given a token"
        if any(each.get("automountServiceAccountToken") is not False for each in self.of("ServiceAccount")):
            yield "the account gives a token to pods"
        if self.pod.get("enableServiceLinks") is not False:
            yield "Services set variables"
        if self.container["securityContext"].get("readOnlyRootFilesystem") is not True:
            yield "the root file system can be written"
        mounts = {mount["mountPath"] for mount in self.container["volumeMounts"]}
        named = {one["name"]: one.get("value", "") for one in self.container["env"]}
        for name in ("RUNTIME_DIRECTORY", "STATE_DIRECTORY"):
            if not any(named.get(name, "").startswith(f"{mount}/") for mount in mounts):
                yield f"{name} cannot be written"
        if "/tmp" not in mounts:
            yield "/tmp cannot be written"

    def _rollout(self) -> Iterator[str]:
        if self.one("Deployment")["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] != 0:
            yield "a rollout takes pods away first"
        budget = self.one("PodDisruptionBudget")["spec"].get("maxUnavailable")
        if not budget:
            yield "no node can be emptied"

    def _scaling(self) -> Iterator[str]:
        has_replicas = "replicas" in self.one("Deployment")["spec"]
        if has_replicas == bool(self.of("HorizontalPodAutoscaler")):
            yield "the number of pods is said twice, or not at all"
        for scaler in self.of("HorizontalPodAutoscaler"):
            spec = scaler["spec"]
            if not 2 <= spec["minReplicas"] <= spec["maxReplicas"]:
                yield f"there may be {spec['minReplicas']} pods"
            named = [one["pods"]["metric"]["name"] for one in spec["metrics"] if one["type"] == "Pods"]
            yield from (f"srvctl does not tell {name}" for name in named if name != "srvctl_in_flight")

    def _memory(self) -> Iterator[str]:
        resources, workers = self.container["resources"], self.settings.workers
        limits, requests = resources["limits"], resources["requests"]
        if limits["memory"] != requests["memory"]:
            yield "the node may have less memory than the pod's limit"
        if workers.count == "auto":
            if "cpu" not in limits:
                yield "there are as many workers as the node has CPUs"
            return
        needed = (workers.max_memory or 256 * _MIB) * (workers.count + workers.max_surge) + 128 * _MIB
        given = int(limits["memory"].removesuffix("Mi"))
        if given < math.ceil(needed / _MIB):
            yield f"the workers may need {needed / _MIB:g} MiB, and have {given}"
