"""Comparing an instance that runs with what is on disk."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.support.commands import srvctl
from tests.support.server import BASIC, ServerProcess

if TYPE_CHECKING:
    from pathlib import Path

FILE = """
[server]
name = "shop"
port = 0
[app]
target = "{target}"
[workers]
count = {count}
[console]
token = "0123456789abcdef"
"""


def test_what_a_reload_would_change(tmp_path: Path) -> None:
    """Judged by the command line, the directory and the environment of the instance, not by ours."""
    file = tmp_path / "shop.toml"
    file.write_text(FILE.format(target=BASIC, count=1))
    own = {"SRVCTL_TIMEOUTS__KEEP_ALIVE": "7s"}
    with ServerProcess(BASIC, "-c", str(file), bind=None, env=own) as shop:
        env = shop._directories.environ
        done = srvctl("config", "diff", "--name", "shop", env=env)
        assert (done.returncode, done.stdout.count("\n")) == (0, 1), done.stderr
        assert "Instance shop runs with what is on disk now" in done.stdout

        file.write_text(FILE.format(target=BASIC, count=2))
        done = srvctl("config", "diff", "-c", str(file), "--json", env=env)
        assert done.returncode == 5
        assert json.loads(done.stdout) == {
            "differences": [{"key": "workers.count", "running": 1, "on_disk": 2, "change": "live"}]
        }

        done = srvctl("config", "show", "--running", "--changed", "--json", env=env)
        values = json.loads(done.stdout)
        assert values["timeouts.keep_alive"] == 7.0
        assert values["console.token"] == "(hidden)"
        assert "workers.count" not in values  # still the default

        file.write_text("[server]\nport = 'x'\n")
        done = srvctl("config", "diff", env=env)
        assert done.returncode == 5
        assert f"{file}:2" in done.stderr
        assert "a reload of instance shop" in done.stderr
