"""The programs that users render manifests with: kubectl and Helm. Both are among the tests' dependencies."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.support.server_waits import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Mapping

KUBERNETES: Final = Path(__file__).parents[2] / "configs" / "kubernetes"
CHART: Final = KUBERNETES / "chart"
_OLDEST_KUSTOMIZE: Final = 5  #: the first with `labels` and components that can be relied upon
#: In a process of its own: a library of Go brings its threads and signal handlers along.
_HELM: Final = """
import json, sys
import helm_python as helm
work, chart, options = json.load(sys.stdin)
try:
    if work == "lint":
        done = helm.lint(chart, options.get("values"), strict=True)
    else:
        with helm.Chart.load(chart) as loaded:
            done = loaded.render(**options)
except helm.HelmError as error:
    done = {"refused": str(error)}
json.dump(done, sys.stdout)
"""


class HelmRefused(Exception):  # noqa: N818 - an outcome, not always an error
    """Helm did not render the chart with these values."""


def kustomized(directory: Path) -> str:
    """Return what kubectl makes of an overlay; skip the test where there is no kubectl that can."""
    done = subprocess.run(
        [_kubectl(), "kustomize", str(directory)],
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def rendered(values: Mapping[str, Any] | None = None, name: str = "shop") -> dict[str, str]:
    """Return what Helm makes of the chart, by the file's name.

    Raises:
        HelmRefused: The values are not as the chart wants them.
    """
    options = {"values": values or {}, "name": name, "namespace": "shop"}
    return dict(_helm("render", options))


def lint(values: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return what ``helm lint --strict`` says of the chart."""
    return dict(_helm("lint", {"values": values or {}}))


def _helm(work: str, options: Mapping[str, Any]) -> Any:
    if importlib.util.find_spec("helm_python") is None:
        pytest.skip("there is no Helm here (helm-python-sdk)")
    done = subprocess.run(
        [sys.executable, "-c", _HELM],
        input=json.dumps([work, str(CHART), options]),
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    if "refused" in answer:
        raise HelmRefused(answer["refused"])
    return answer


@cache
def _kubectl() -> str:
    beside = Path(sys.executable).with_name("kubectl")
    found = str(beside) if beside.exists() else shutil.which("kubectl")
    if found is None:
        pytest.skip("kubectl is not installed")
    command = [found, "version", "--client", "--output=json"]
    said = subprocess.run(command, check=False, capture_output=True, text=True, timeout=PATIENCE)
    version = json.loads(said.stdout or "{}").get("kustomizeVersion", "v0")
    if int(version.removeprefix("v").partition(".")[0]) < _OLDEST_KUSTOMIZE:
        pytest.skip(f"kubectl is too old: {found} has kustomize {version}")
    return found
