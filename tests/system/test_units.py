"""The shipped unit files, judged by systemd's own checker."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNITS = Path(__file__).parents[2] / "systemd"
PROGRAM = "/opt/srvctl/bin/srvctl"
#: What systemd before 253 says of the type, at whose name the unit file tells what to write there.
TOO_NEW = re.compile(r"Failed to parse service type, ignoring: notify-reload")
FIRST_WITH_NOTIFY_RELOAD = 253

pytestmark = pytest.mark.system


@pytest.fixture
def analyze() -> str:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed")
    return program


@pytest.fixture
def version(analyze: str) -> int:
    return int(subprocess.check_output([analyze, "--version"], text=True).split()[1])


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """Copies of both units, which start a program that exists."""
    program = tmp_path / "srvctl"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    for name in ("srvctl@.service", "srvctl@.socket"):
        text = (UNITS / name).read_text()
        (tmp_path / name).write_text(text.replace(PROGRAM, str(program)))
    return tmp_path


def complaints(analyze: str, folder: Path) -> list[str]:
    """What `systemd-analyze verify` says of the units, less what it says of others on this machine."""
    done = subprocess.run(
        [analyze, "verify", "--man=no", folder / "srvctl@.service", folder / "srvctl@.socket"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    said = [line for line in done.stdout.splitlines() if "srvctl" in line]
    if done.returncode and not said:
        said = [f"exit code {done.returncode}: {done.stdout}"]
    return said


def test_systemd_accepts_the_units(analyze: str, version: int, units: Path) -> None:
    said = complaints(analyze, units)
    if version < FIRST_WITH_NOTIFY_RELOAD:
        assert len([line for line in said if TOO_NEW.search(line)]) >= 1
        said = [line for line in said if not TOO_NEW.search(line)]
    assert said == []


def test_systemd_accepts_what_the_unit_says_to_write_for_an_older_one(analyze: str, units: Path) -> None:
    """The alternative in the comment is a unit too."""
    service = units / "srvctl@.service"
    text = service.read_text()
    older = re.findall(r"^#   (.+=.+)$", text[: text.index("\nType=")], re.MULTILINE)
    assert [line.partition("=")[0] for line in older] == ["Type", "ExecReload"]
    service.write_text(text.replace("\nType=notify-reload\n", "\n" + "\n".join(older) + "\n"))
    assert complaints(analyze, units) == []


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("ExecStart=/opt/missing/srvctl-program", "is not executable"),
        ("KillMod=mixed", "KillMod"),
        ("TimeoutStopSec=soon", "ignoring: soon"),
    ],
)
def test_the_checker_sees_mistakes(analyze: str, units: Path, line: str, complaint: str) -> None:
    """Else the tests above would prove nothing."""
    service = units / "srvctl@.service"
    text = service.read_text()
    if line.startswith("ExecStart="):
        text = re.sub(r"^ExecStart=.*$", line, text, flags=re.MULTILINE)
    else:
        text = text.replace("[Service]\n", f"[Service]\n{line}\n")
    service.write_text(text)
    assert any(complaint in said for said in complaints(analyze, units))


def test_the_socket_starts_the_service_of_the_same_instance(units: Path) -> None:
    """Without Service= systemd starts the unit of the same name; a stray one would start another."""
    assert "Service=" not in (units / "srvctl@.socket").read_text()
