"""The files that `srvctl init` makes, judged by the programs they are for."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.commands import srvctl
from tests.support.front_proxy import program

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.system

#: What systemd before 253 says of the type, at whose name the unit tells what to write there.
TOO_NEW = "Failed to parse service type, ignoring: notify-reload"


@pytest.mark.parametrize("bind", [":80", "systemd:web"])
def test_systemd_takes_the_units(tmp_path: Path, bind: str) -> None:
    analyze = program("systemd-analyze")
    unit = tmp_path / "shop.service"
    done = srvctl("init", "systemd", "shop.main:app", "--name", "shop", "--bind", bind, "-o", str(unit))
    assert done.returncode == 0, done.stderr
    units = [str(path) for path in sorted(tmp_path.iterdir())]
    judged = subprocess.run([analyze, "verify", *units], check=False, capture_output=True, text=True)
    said = [line for line in judged.stderr.splitlines() if str(tmp_path) in line or "shop." in line]
    assert [line for line in said if TOO_NEW not in line] == []


@pytest.mark.parametrize("bind", [":8000", "unix:/run/shop.sock?mode=660"])
def test_nginx_takes_the_site(tmp_path: Path, bind: str) -> None:
    nginx = program("nginx")
    site = tmp_path / "shop.conf"
    done = srvctl("init", "nginx", "shop.main:app", "--bind", bind, "-o", str(site))
    assert done.returncode == 0, done.stderr
    whole = tmp_path / "nginx.conf"
    whole.write_text(f"pid {tmp_path}/pid;\nevents {{}}\nhttp {{ access_log off; include {site}; }}\n")
    words = [nginx, "-t", "-e", str(tmp_path / "errors"), "-p", str(tmp_path), "-c", str(whole)]
    judged = subprocess.run(words, check=False, capture_output=True, text=True)
    assert judged.returncode == 0, judged.stderr
