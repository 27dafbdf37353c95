"""The pod of ``configs/kubernetes/base`` run by a real OCI runtime, with what a kubelet would give it.

That is the user, the rights, the read-only root file system, the memory, the variables and the mounts of the
manifest: volumes that belong to the group of `fsGroup`, settings that change below a link.
"""

from __future__ import annotations

import os
import shutil
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

import pytest

from tests.support.client import Connection
from tests.support.container_base import IMAGE
from tests.support.kube_tools import KUBERNETES, kustomized
from tests.support.machine_root import CHECKOUT, VENV, layers
from tests.support.manifests import Object, read
from tests.support.podman import podman
from tests.support.supervised import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.container import Container

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]  # the first time, Debian is fetched

CONSOLE: Final = 9100
OWN: Final = "/opt/own"  #: where srvctl itself is, beside what it depends on


class Volumes:
    """The volumes of a pod, as directories of this machine.

    Args:
        folder: Where they are.
        pod: The spec of the pod.
        data: What the ConfigMap has.
    """

    def __init__(self, folder: Path, pod: Object, data: dict[str, str]) -> None:
        self._group: int = pod["securityContext"]["fsGroup"]
        self._folder = folder
        for volume in pod["volumes"]:
            made = folder / volume["name"]
            made.mkdir()
            os.chown(made, 0, self._group)
            made.chmod(0o2777)  # https://kubernetes.io/docs/concepts/storage/volumes/#emptydir
        self.update(data)

    def update(self, data: dict[str, str]) -> None:
        """Change the settings as a kubelet does: at once, by a link to another directory."""
        settings = self._folder / "settings"
        place = settings / f"..{len(list(settings.iterdir()))}"
        place.mkdir()
        for name, text in data.items():
            (place / name).write_text(text, encoding="utf-8")
            if not (settings / name).is_symlink():
                (settings / name).symlink_to(f"..data/{name}")
        (settings / "..new").symlink_to(place.name)
        (settings / "..new").rename(settings / "..data")

    def flag(self, mount: Object) -> str:
        """Return what mounts one of them."""
        suffix = ":ro" if mount.get("readOnly") else ""
        return f"--volume={self._folder / mount['name']}:{mount['mountPath']}{suffix}"


def flags_of(pod: Object, volumes: Volumes) -> list[str]:
    """Return the flags of ``podman run`` for what the manifest wants."""
    [container] = pod["containers"]
    whole, own = pod["securityContext"], container["securityContext"]
    assert own["readOnlyRootFilesystem"]
    assert own["allowPrivilegeEscalation"] is False
    return [
        *("--read-only", "--read-only-tmpfs=false", "--security-opt=no-new-privileges"),
        f"--user={whole['runAsUser']}:{whole['runAsGroup']}",
        f"--group-add={whole['fsGroup']}",
        *(f"--cap-drop={name}" for name in own["capabilities"]["drop"]),
        f"--memory={container['resources']['limits']['memory'].removesuffix('i')}",
        *(f"--env={one['name']}={one['value']}" for one in container["env"]),
        *map(volumes.flag, container["volumeMounts"]),
    ]


@pytest.fixture
def pod(tmp_path: Path) -> Iterator[tuple[Container, Volumes, dict[str, str]]]:
    """The pod of the base, and its ConfigMap; its image is the base of images, srvctl and an application."""
    objects = {each["kind"]: each for each in read(kustomized(KUBERNETES / "base"))}
    spec: Object = objects["Deployment"]["spec"]["template"]["spec"]
    data: dict[str, str] = objects["ConfigMap"]["data"]
    code = tmp_path / "app"
    code.mkdir()
    shutil.copy(CHECKOUT / "tests/support/apps/basic.py", code / "main.py")
    volumes = Volumes(tmp_path, spec, data)
    with ExitStack() as stack:
        runtime = stack.enter_context(podman())
        srvctl, debian = stack.enter_context(layers())
        [packages] = (srvctl / VENV[1:] / "lib").glob("python3*/site-packages")
        image = [
            *(f"--volume={debian}{VENV}:{VENV}:ro", f"--volume={srvctl}{VENV}:{OWN}:ro"),
            *(f"--volume={code}:/app:ro", "--workdir=/app"),
            f"--env=PATH={OWN}/bin:/usr/bin:/bin",
            f"--env=PYTHONPATH={OWN}/{packages.relative_to(srvctl / VENV[1:])}",
        ]
        [command] = [one["command"] for one in spec["containers"]]
        flags = [*image, *flags_of(spec, volumes)]
        yield stack.enter_context(runtime.container(IMAGE, *command, flags=flags)), volumes, data


def status_of(container: Container, path: str) -> int | None:
    """What a probe of the kubelet is answered; None while nobody answers."""
    try:
        with container.network(), Connection(("127.0.0.1", CONSOLE)) as kubelet:
            return kubelet.get(path).status
    except OSError:
        return None


def test_the_pod_of_the_manifest_lives_as_it_should(
    pod: tuple[Container, Volumes, dict[str, str]], tmp_path: Path
) -> None:
    container, volumes, data = pod
    container.wait_ready()
    wait_until(lambda: status_of(container, "/readyz") == 200, "the pod is ready")
    assert status_of(container, "/livez") == 200
    assert container.get().status == 200
    container.execute("sh", "-c", "! touch /app/x && ! touch /etc/x && touch /tmp/x")

    # What an operator asks by kubectl exec, with the pod's own variables.
    workers = container.status()["workers"]
    assert [worker["state"] for worker in workers] == ["ready", "ready"]
    container.execute("kill", "-KILL", str(workers[0]["pid"]))
    wait_until(lambda: "killed by SIGKILL" in container.execute("srvctl", "why"), "the death is written down")
    assert list((tmp_path / "state").rglob("*.ledger")), "it would not outlive the container"

    # A ConfigMap that keeps its name changes in place. The delay is longer than what is looked at meanwhile.
    changes = {"count = 2": "count = 3", 'drain_delay = "5s"': 'drain_delay = "15s"'}
    for old, new in changes.items():
        assert any(old in text for text in data.values())
        data = {name: text.replace(old, new) for name, text in data.items()}
    volumes.update(data)
    container.execute("srvctl", "reload")
    assert [worker["state"] for worker in container.status()["workers"]].count("ready") == 3

    container.signal("TERM")
    wait_until(lambda: status_of(container, "/readyz") == 503, "the pod is not ready any more")
    assert status_of(container, "/livez") == 200
    assert container.get().status == 200, "the endpoints have not noticed yet"
    assert container.wait_exit() == 0
    assert container.lines("Stopped: served ")
    assert not list((tmp_path / "run" / "own").iterdir())
