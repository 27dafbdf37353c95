"""The profile "restricted" of Kubernetes' Pod Security Standards, as a pure function of a pod.

https://kubernetes.io/docs/concepts/security/pod-security-standards/, Linux pods. What the admission
controller of a namespace would refuse is told in the words of the standard.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_VOLUMES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
}
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_SYSCTLS = {
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_wmem",
}
_SELINUX_TYPES = {"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"}
_CONFINED = {"RuntimeDefault", "Localhost"}


def violations(pod: Mapping[str, Any]) -> list[str]:
    """Return what the profile forbids of this pod.

    Args:
        pod: Its spec.
    """
    whole = pod.get("securityContext", {})
    found = [f"hostNamespaces: {name}" for name in ("hostNetwork", "hostPID", "hostIPC") if pod.get(name)]
    found += [
        f"restrictedVolumes: {volume['name']}"
        for volume in pod.get("volumes", ())
        if not set(volume) - {"name"} <= _VOLUMES
    ]
    found += [f"sysctls: {one['name']}" for one in whole.get("sysctls", ()) if one["name"] not in _SYSCTLS]
    found += _of_context("pod", whole)
    for kind in ("containers", "initContainers", "ephemeralContainers"):
        for container in pod.get(kind, ()):
            found += _of_container(container, whole)
    return found


def _of_context(name: str, context: Mapping[str, Any]) -> Iterator[str]:
    """Judge what pods and containers can both say."""
    selinux = context.get("seLinuxOptions", {})
    if selinux.get("type", "") not in _SELINUX_TYPES or selinux.get("user") or selinux.get("role"):
        yield f"seLinuxOptions: {name}"
    if context.get("windowsOptions", {}).get("hostProcess"):
        yield f"hostProcess: {name}"
    if context.get("appArmorProfile", {"type": "RuntimeDefault"})["type"] not in _CONFINED:
        yield f"appArmorProfile: {name}"
    if context.get("runAsUser") == 0:
        yield f"runAsUser: {name}"


def _of_container(container: Mapping[str, Any], whole: Mapping[str, Any]) -> Iterator[str]:
    name, own = container["name"], container.get("securityContext", {})
    yield from _of_context(name, own)
    if own.get("privileged"):
        yield f"privileged: {name}"
    if own.get("procMount", "Default") != "Default":
        yield f"procMount: {name}"
    if own.get("allowPrivilegeEscalation") is not False:
        yield f"allowPrivilegeEscalation: {name}"
    if own.get("runAsNonRoot", whole.get("runAsNonRoot")) is not True:
        yield f"runAsNonRoot: {name}"
    if own.get("seccompProfile", whole.get("seccompProfile", {})).get("type") not in _CONFINED:
        yield f"seccompProfile: {name}"
    capabilities = own.get("capabilities", {})
    if "ALL" not in capabilities.get("drop", ()) or not set(capabilities.get("add", ())) <= {
        "NET_BIND_SERVICE"
    }:
        yield f"capabilities: {name}"
    if any(port.get("hostPort") for port in container.get("ports", ())):
        yield f"hostPorts: {name}"
    if any(_names_host(container.get(probe, {})) for probe in _PROBES) or any(
        map(_names_host, container.get("lifecycle", {}).values())
    ):
        yield f"hostProbes: {name}"


def _names_host(action: Mapping[str, Any]) -> bool:
    return any(action.get(kind, {}).get("host") for kind in ("httpGet", "tcpSocket"))
