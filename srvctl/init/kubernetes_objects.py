"""What stands around a Deployment of Kubernetes. Pure: texts from names and numbers, for `kubernetes`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from srvctl.init.plan import commented

#: Requests that one worker is to have at work, on average, before there are more pods.
_IN_FLIGHT: Final = 10


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports of a pod.

    Attributes:
        served: Those that clients are served on, the first one first.
        console: That of the console.
    """

    served: tuple[int, ...]
    console: int

    @property
    def named(self) -> dict[str, int]:
        """All ports by name."""
        first, *others = self.served
        return {"http": first, **{f"http-{port}": port for port in others}, "console": self.console}


def service_account(label: str) -> str:
    """Return an account that may do nothing, so that the pods are not given whatever `default` may do."""
    return f"""\
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {label}
automountServiceAccountToken: false
"""


def service(label: str, ports: Ports, outside: int) -> str:
    """Return the Service.

    Args:
        label: What everything is called.
        ports: Of the pods.
        outside: The port under which others reach the first of them.
    """
    numbers = {name: outside if name == "http" else port for name, port in ports.named.items()}
    listed = "".join(
        f"    - {{name: {name}, port: {port}, targetPort: {name}}}\n" for name, port in numbers.items()
    )
    return f"""\
apiVersion: v1
kind: Service
metadata:
  name: {label}
  labels: {{app.kubernetes.io/name: {label}}}
spec:
  selector: {{app.kubernetes.io/name: {label}}}
  ports:
{listed}"""


def budget(label: str) -> str:
    """Return the PodDisruptionBudget: a node that is emptied takes one pod at a time."""
    return f"""\
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {label}
spec:
  maxUnavailable: 1
  # A pod that serves nobody anyway does not keep a node from being emptied.
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels: {{app.kubernetes.io/name: {label}}}
"""


def autoscaler(label: str, workers: int) -> str:
    """Return the HorizontalPodAutoscaler.

    Args:
        label: What everything is called.
        workers: Of each pod.
    """
    return f"""\
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {label}
spec:
  scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: {label}}}
  minReplicas: 2
  maxReplicas: 10
  metrics:
    # From prometheus-adapter. Where there is none, leave it out: without its value no pod is taken away.
    - type: Pods
      pods:
        metric: {{name: srvctl_in_flight}}
        target: {{type: AverageValue, averageValue: "{_IN_FLIGHT * workers}"}}
    - type: Resource
      resource:
        name: cpu
        target: {{type: Utilization, averageUtilization: 70}}
  behavior:
    # Each pod that goes has its clients connect anew.
    scaleDown:
      policies: [{{type: Pods, value: 1, periodSeconds: 60}}]
"""


def network_policy(label: str, ports: Ports) -> str:
    """Return the NetworkPolicy: everybody reaches the service, and only Prometheus the console."""
    served = ", ".join(f"{{port: {name}}}" for name in ports.named if name != "console")
    return f"""\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {label}
spec:
  podSelector:
    matchLabels: {{app.kubernetes.io/name: {label}}}
  policyTypes: [Ingress]
  ingress:
    - ports: [{served}]
    # The console shows its figures to whoever reaches it. The kubelet's probes always do.
    - from:
        - namespaceSelector:
            matchLabels: {{kubernetes.io/metadata.name: monitoring}}
      ports: [{{port: console}}]
"""


def monitor(label: str) -> str:
    """Return the ServiceMonitor, as comments: not every cluster has Prometheus Operator, which defines it."""
    text = f"""\
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata:
  name: {label}
spec:
  selector:
    matchLabels: {{app.kubernetes.io/name: {label}}}
  endpoints:
    - {{port: console, path: /metrics, interval: 15s}}
"""
    head = ["With Prometheus Operator, this instead of the annotations prometheus.io/...:", "---"]
    return commented([*head, *text.splitlines()])
