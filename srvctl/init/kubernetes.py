"""What Kubernetes is told of one service: a Deployment and what stands around it, for the image of `docker`.

No preStop hook: srvctl itself goes on accepting for `timeouts.drain_delay`, while /readyz says no. Texts are
written as JSON, which YAML reads as the same. ``configs/kubernetes`` has the same objects for those who keep
settings in the cluster; a test compares them.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Final

from srvctl.init.docker import RUNTIME, STATE, USER_ID, config_in_container
from srvctl.init.kubernetes_objects import (
    Ports,
    autoscaler,
    budget,
    monitor,
    network_policy,
    service,
    service_account,
)
from srvctl.init.plan import commented

if TYPE_CHECKING:
    from collections.abc import Mapping

    from srvctl.init.plan import Plan

#: Seconds until every proxy of a cluster has heard that a pod leaves: what people put into preStop hooks.
_DRAIN_DELAY: Final = 5.0
_CONSOLE_PORT: Final = 9100
_MIB: Final = 2**20
_WORKER: Final = 256 * _MIB
#: Bytes for the master, the mold and the console: they have 50 MiB, without what workers share with the mold.
_BESIDE_WORKERS: Final = 128 * _MIB
#: Workers for which there is room where their number follows the limit of CPUs.
_AUTO: Final = 2
_PERIOD: Final = 2


def files(plan: Plan) -> dict[str, str]:
    """Return the manifest, all objects in one file."""
    ports = Ports(tuple(plan.ports_in_container), _console_port(plan) or _CONSOLE_PORT)
    objects = (
        service_account(plan.label),
        _deployment(plan, ports),
        service(plan.label, ports, outside=443 if plan.settings.tls.certfile else 80),
        budget(plan.label),
        autoscaler(plan.label, _workers(plan)),
        network_policy(plan.label, ports),
    )
    head = [
        f"kubectl apply -f {plan.label}.yaml, with your image: srvctl init docker writes a Dockerfile.",
        *(f"Put {name} into the Secret {plan.label}: it is not written here." for name in plan.secrets),
    ]
    return {f"{plan.label}.yaml": commented(head) + "---\n".join(objects) + monitor(plan.label)}


def _deployment(plan: Plan, ports: Ports) -> str:
    return f"""\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {plan.label}
  labels: {{app.kubernetes.io/name: {plan.label}}}
spec:
  # No replicas: the HorizontalPodAutoscaler says how many there are.
  minReadySeconds: 5
  selector:
    matchLabels: {{app.kubernetes.io/name: {plan.label}}}
  strategy:
    rollingUpdate: {{maxSurge: 25%, maxUnavailable: 0}}
  template:
    metadata:
      labels: {{app.kubernetes.io/name: {plan.label}}}
      annotations:
        prometheus.io/scrape: "true"
        prometheus.io/port: "{ports.console}"
    spec:
      serviceAccountName: {plan.label}
      automountServiceAccountToken: false
      # Without it, a Service called "uvicorn" would set UVICORN_PORT, which srvctl reads.
      enableServiceLinks: false
      # Longer than drain_delay, graceful_shutdown and lifespan_shutdown together: less cuts requests off.
      terminationGracePeriodSeconds: {plan.seconds_to_stop(_drain_delay(plan))}
      topologySpreadConstraints:
{_spread(plan.label, "kubernetes.io/hostname")}\
{_spread(plan.label, "topology.kubernetes.io/zone")}\
      securityContext:
        runAsNonRoot: true
        runAsUser: {USER_ID}
        runAsGroup: {USER_ID}
        fsGroup: {USER_ID}
        seccompProfile: {{type: RuntimeDefault}}
      containers:
{_container(plan, ports)}\
      volumes:
        - {{name: run, emptyDir: {{medium: Memory, sizeLimit: 16Mi}}}}
        - {{name: state, emptyDir: {{}}}}
        - {{name: tmp, emptyDir: {{}}}}
"""


def _spread(label: str, key: str) -> str:
    return f"""\
        - maxSkew: 1
          topologyKey: {key}
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels: {{app.kubernetes.io/name: {label}}}
          matchLabelKeys: [pod-template-hash]
"""


def _container(plan: Plan, ports: Ports) -> str:
    variables = "".join(
        f"            - name: {name}\n"
        f"              valueFrom: {{secretKeyRef: {{name: {plan.label}, key: {json.dumps(name)}}}}}\n"
        for name in plan.secrets
    )
    listed = "".join(
        f"            - {{name: {name}, containerPort: {port}}}\n" for name, port in ports.named.items()
    )
    return f"""\
        - name: srvctl
          image: registry.example.com/{plan.label}:latest
          command: {json.dumps(_command(plan, ports), ensure_ascii=False)}
          env:
            - {{name: RUNTIME_DIRECTORY, value: {RUNTIME}/own}}
            - {{name: STATE_DIRECTORY, value: {STATE}/own}}
{variables}\
          ports:
{listed}\
          # Of the master: a worker that hangs or dies is its business, and no reason to restart everything.
          livenessProbe:
            httpGet: {{path: /livez, port: console}}
            timeoutSeconds: 5
            failureThreshold: 3
          readinessProbe:
            httpGet: {{path: /readyz, port: console}}
            periodSeconds: {_PERIOD}
            timeoutSeconds: 3
            failureThreshold: 2
          # As long as timeouts.boot lets the workers take.
          startupProbe:
            httpGet: {{path: /readyz, port: console}}
            periodSeconds: {_PERIOD}
            timeoutSeconds: 3
            failureThreshold: {math.ceil(plan.seconds_to_start / _PERIOD)}
{_resources(plan)}\
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities: {{drop: [ALL]}}
          terminationMessagePolicy: FallbackToLogsOnError
          volumeMounts:
            - {{name: run, mountPath: {RUNTIME}}}
            - {{name: state, mountPath: {STATE}}}
            - {{name: tmp, mountPath: /tmp}}
"""


def _resources(plan: Plan) -> str:
    """Return what the container is given: memory for all workers and those that replace others, and the rest.

    There is a limit of CPUs only where the number of workers follows it, lest it follows the node's.
    """
    settings, workers = plan.settings.workers, _workers(plan)
    most = max(workers, settings.max) + settings.max_surge
    memory = (settings.max_memory or _WORKER) * most + _BESIDE_WORKERS
    limits = {"memory": f"{math.ceil(memory / _MIB)}Mi"}
    requests = {"cpu": str(workers), **limits}
    if settings.count == "auto":
        limits = requests
    return f"""\
          resources:
            requests: {_flow(requests)}
            limits: {_flow(limits)}
"""


def _flow(values: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{name}: {json.dumps(value)}" for name, value in values.items()) + "}"


def _workers(plan: Plan) -> int:
    count = plan.settings.workers.count
    return count if isinstance(count, int) else _AUTO


def _drain_delay(plan: Plan) -> float:
    return plan.settings.timeouts.drain_delay or _DRAIN_DELAY


def _command(plan: Plan, ports: Ports) -> list[str]:
    further: dict[str, object] = {}
    if not plan.settings.timeouts.drain_delay:
        further["timeouts.drain_delay"] = f"{_DRAIN_DELAY:g}s"
    if not _console_port(plan):
        further["console.bind"] = f":{ports.console}"
    words = plan.words_in_container(config_in_container(plan), further)
    return ["srvctl", "run", *(word.replace("$", "$$") for word in words)]  # $(NAME) would be replaced there


def _console_port(plan: Plan) -> int:
    """Return the port of the console; 0 where there is none that a kubelet can reach."""
    host, _, port = (plan.settings.console.bind or "").rpartition(":")
    if host.startswith(("127.", "localhost", "[::1]", "unix")) or not port.isdecimal():
        return 0
    return int(port)
