"""The shipped unit files, judged by systemd's own checker."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from srvctl.cli.systemd_analyze import version
from tests.support.front_proxy import program

UNITS = Path(__file__).parents[2] / "systemd"
SHIPPED = ("srvctl@.service", "srvctl@.socket", "srvctl-console@.socket")
OF_USERS = ("user/srvctl@.service", "user/srvctl@.socket")
DROP_IN = "srvctl@.service.d/hardened.conf"
#: What older ones do not know; the unit tells what to write there.
TOO_NEW = re.compile(r"ignoring: notify-reload|Unknown key.* '(RestartSteps|RestartMaxDelaySec)'")
FIRST_TO_KNOW_ALL = 254

pytestmark = pytest.mark.system


@pytest.fixture
def analyze() -> str:
    return program("systemd-analyze")


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """Copies of all units, which start a program that exists."""
    binary = tmp_path / "srvctl"
    binary.write_text("#!/bin/sh\n")
    binary.chmod(0o755)
    for name in (*SHIPPED, *OF_USERS, DROP_IN):
        text = (UNITS / name).read_text()
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(re.sub(r"(?<=^ExecStart=)\S+", str(binary), text, flags=re.MULTILINE))
    return tmp_path


def complaints(analyze: str, folder: Path, names: tuple[str, ...] = SHIPPED) -> list[str]:
    """What `systemd-analyze verify` says of units, less what it says of others on this machine."""
    whose = ["--user"] if names == OF_USERS else []
    done = subprocess.run(
        [analyze, *whose, "verify", "--man=no", *(folder / name for name in names)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        env={"XDG_RUNTIME_DIR": str(folder), **os.environ},
    )
    said = [line for line in done.stdout.splitlines() if "srvctl" in line]
    if done.returncode and not said:
        said = [f"exit code {done.returncode}: {done.stdout}"]
    return said


@pytest.mark.parametrize("names", [SHIPPED, OF_USERS])
def test_systemd_accepts_the_units(analyze: str, units: Path, names: tuple[str, ...]) -> None:
    """With the drop-in that hardens, which lies beside."""
    said = complaints(analyze, units, names)
    if version() < FIRST_TO_KNOW_ALL:
        assert [line for line in said if TOO_NEW.search(line)]
        said = [line for line in said if not TOO_NEW.search(line)]
    assert said == []


@pytest.mark.parametrize("names", [SHIPPED, OF_USERS])
def test_systemd_accepts_what_the_unit_says_to_write_for_an_older_one(
    analyze: str, units: Path, names: tuple[str, ...]
) -> None:
    """The alternatives in the comments make a unit, too."""
    service = units / names[0]
    text = service.read_text()
    older = re.findall(r"# systemd before \d+ .*; there:\n((?:#   .+\n)+)((?:[^#\n].*\n)+)", text)
    assert len(older) == 2
    for instead, newer in older:
        text = text.replace(newer, instead.replace("#   ", ""))
    assert "\nType=notify\nExecReload=/bin/kill -HUP $MAINPID\n" in text
    assert "\nRestartSec=2\n" in text
    service.write_text(text)
    assert complaints(analyze, units, names) == []


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


def test_the_checker_reads_the_drop_in(analyze: str, units: Path) -> None:
    (units / DROP_IN).write_text("[Service]\nProtectHom=yes\n")
    assert any("ProtectHom" in said for said in complaints(analyze, units))


def test_the_sockets_start_the_service_of_the_same_instance(units: Path) -> None:
    """Without Service= systemd starts the unit of the same name."""
    assert "Service=" not in (units / "srvctl@.socket").read_text()
    assert "\nService=srvctl@%i.service\n" in (units / "srvctl-console@.socket").read_text()
