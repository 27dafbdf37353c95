"""The files that `srvctl init` makes, judged by the programs they are for."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from srvctl.cli.systemd_analyze import judge, version
from tests.support.commands import srvctl
from tests.support.front_proxy import program

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.system


@pytest.mark.parametrize(
    "flags",
    [
        ("--bind", ":80"),
        ("--bind", "systemd:web", "--bind", "systemd:other", "--console", "systemd:console"),
        ("--hardened", "--bind", ":443", "--bind", "unix:/srv/sockets/shop.sock"),
        ("--user-unit", "--bind", "systemd:web"),
    ],
)
def test_systemd_takes_the_units(tmp_path: Path, flags: tuple[str, ...]) -> None:
    """Without a word: they are for the version that is here."""
    analyze = program("systemd-analyze")
    done = srvctl("init", "systemd", "shop.main:app", "--name", "shop", *flags, "-o", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "systemd-analyze verify finds no fault." in done.stdout
    units = [str(path) for path in sorted(tmp_path.iterdir())]
    whose = ["--user"] if "--user-unit" in flags else []
    words = [analyze, *whose, "verify", *units]
    environ = {"XDG_RUNTIME_DIR": str(tmp_path), **os.environ}
    judged = subprocess.run(words, check=False, capture_output=True, text=True, env=environ)
    assert [line for line in judged.stderr.splitlines() if "shop" in line] == []


def test_what_systemd_does_not_take_is_found(tmp_path: Path) -> None:
    program("systemd-analyze")
    unit = tmp_path / "shop.service"
    unit.write_text("[Service]\nExecStart=/missing/srvctl\nKillMod=mixed\n")
    opinion = judge([unit], is_users=False)
    assert any("/missing/srvctl" in problem for problem in opinion.problems)
    assert any("KillMod" in problem for problem in opinion.problems)


def test_a_machine_without_systemd_has_no_opinion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert version() == 0
    assert "is not installed" in judge([tmp_path / "shop.service"], is_users=False).failure


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
