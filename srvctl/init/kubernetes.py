"""A Deployment, a Service and a PodDisruptionBudget of Kubernetes, for the image of `srvctl.init.docker`.

No preStop hook: srvctl itself goes on accepting for `timeouts.drain_delay`, while /readyz says no. Texts are
written as JSON, which YAML reads as the same.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Final

from srvctl.init.docker import RUNTIME, STATE, USER_ID, config_in_container
from srvctl.init.plan import commented

if TYPE_CHECKING:
    from srvctl.init.plan import Plan

#: Seconds until every proxy of a cluster has heard that a pod leaves: what people put into preStop hooks.
_DRAIN_DELAY: Final = 5.0
_CONSOLE_PORT: Final = 9100
_MEMORY: Final = 256 * 2**20
_PERIOD: Final = 2


def files(plan: Plan) -> dict[str, str]:
    """Return the manifest, all three objects in one file."""
    return {f"{plan.label}.yaml": "---\n".join((_deployment(plan), _service(plan), _budget(plan)))}


def _deployment(plan: Plan) -> str:
    settings = plan.settings
    further: dict[str, object] = {}
    if not settings.timeouts.drain_delay:
        further["timeouts.drain_delay"] = f"{_DRAIN_DELAY:g}s"
    console = _console_port(plan)
    if not console:
        console = _CONSOLE_PORT
        further["console.bind"] = f":{console}"
    delay = settings.timeouts.drain_delay or _DRAIN_DELAY
    command = ["srvctl", "run", *plan.words_in_container(config_in_container(plan), further)]
    workers = settings.workers.count if isinstance(settings.workers.count, int) else 1
    memory = math.ceil((settings.workers.max_memory or _MEMORY) * (workers + 1) / 2**20)
    variables = "".join(
        f"            - name: {name}\n"
        f"              valueFrom: {{secretKeyRef: {{name: {plan.label}, key: {json.dumps(name)}}}}}\n"
        for name in plan.secrets
    )
    head = [
        f"kubectl apply -f {plan.label}.yaml, with your image: srvctl init docker writes a Dockerfile.",
        *(f"Put {name} into the Secret {plan.label}: it is not written here." for name in plan.secrets),
    ]
    return (
        commented(head)
        + f"""\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {plan.label}
  labels: {{app.kubernetes.io/name: {plan.label}}}
spec:
  replicas: 2
  selector:
    matchLabels: {{app.kubernetes.io/name: {plan.label}}}
  strategy:
    rollingUpdate: {{maxSurge: 1, maxUnavailable: 0}}
  template:
    metadata:
      labels: {{app.kubernetes.io/name: {plan.label}}}
      annotations:
        prometheus.io/scrape: "true"
        prometheus.io/port: "{console}"
    spec:
      # Longer than drain_delay, graceful_shutdown and lifespan_shutdown together: less cuts requests off.
      terminationGracePeriodSeconds: {plan.seconds_to_stop(delay)}
      automountServiceAccountToken: false
      securityContext:
        runAsNonRoot: true
        runAsUser: {USER_ID}
        runAsGroup: {USER_ID}
        fsGroup: {USER_ID}
        seccompProfile: {{type: RuntimeDefault}}
      containers:
        - name: srvctl
          image: registry.example.com/{plan.label}:latest
          command: {json.dumps(command, ensure_ascii=False)}
          env:
            - {{name: RUNTIME_DIRECTORY, value: {RUNTIME}/own}}
            - {{name: STATE_DIRECTORY, value: {STATE}/own}}
{variables}\
          ports:
            - {{name: http, containerPort: {plan.port_in_container}}}
            - {{name: console, containerPort: {console}}}
          # Of the master: a worker that hangs or dies is its business, and no reason to restart everything.
          livenessProbe:
            httpGet: {{path: /livez, port: console}}
            timeoutSeconds: 5
            failureThreshold: 3
          readinessProbe:
            httpGet: {{path: /readyz, port: console}}
            periodSeconds: {_PERIOD}
            failureThreshold: 1
          # As long as timeouts.boot lets the workers take.
          startupProbe:
            httpGet: {{path: /readyz, port: console}}
            periodSeconds: {_PERIOD}
            failureThreshold: {math.ceil(plan.seconds_to_start / _PERIOD)}
          resources:
            requests: {{cpu: "{workers}", memory: {memory}Mi}}
            limits: {{memory: {memory}Mi}}
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities: {{drop: [ALL]}}
          volumeMounts:
            - {{name: run, mountPath: {RUNTIME}}}
            - {{name: state, mountPath: {STATE}}}
            - {{name: tmp, mountPath: /tmp}}
      volumes:
        - {{name: run, emptyDir: {{medium: Memory}}}}
        - {{name: state, emptyDir: {{}}}}
        - {{name: tmp, emptyDir: {{}}}}
"""
    )


def _console_port(plan: Plan) -> int:
    """Return the port of the console; 0 where there is none that a kubelet can reach."""
    host, _, port = (plan.settings.console.bind or "").rpartition(":")
    if host.startswith(("127.", "localhost", "[::1]", "unix")) or not port.isdecimal():
        return 0
    return int(port)


def _service(plan: Plan) -> str:
    return f"""\
apiVersion: v1
kind: Service
metadata:
  name: {plan.label}
spec:
  selector: {{app.kubernetes.io/name: {plan.label}}}
  ports:
    - {{name: http, port: 80, targetPort: http}}
"""


def _budget(plan: Plan) -> str:
    return f"""\
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {plan.label}
spec:
  maxUnavailable: 1
  selector:
    matchLabels: {{app.kubernetes.io/name: {plan.label}}}
"""
