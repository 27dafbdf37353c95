"""MemoryMax= of a unit, enforced by a real kernel in a machine that is emulated: `make test-machine`.

A container may have no memory controller, so only a whole machine shows it everywhere. It takes minutes.
"""

from __future__ import annotations

import json
import os
import re
from typing import Any

import pytest

from tests.support.machine_root import DEMO, NoMachine
from tests.support.machine_service import SRVCTL, UNITS
from tests.support.virtual_machine import run

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(2400),
    pytest.mark.skipif(
        not os.environ.get("SRVCTL_TEST_MACHINE"), reason="boots a whole machine: make test-machine"
    ),
]

#: Takes memory at /eat until the kernel ends it.
APP = """
import os

async def app(scope, receive, send):
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    eaten = []
    while scope["path"] == "/eat":
        eaten.append(b"x" * 2**23)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"%d\\n" % os.getpid()})
"""
CONFIG = """
app.target = "eater:app"
server.bind = ["127.0.0.1:8001"]
workers.count = 2
timeouts.boot = 600
health.hang_timeout = 600
"""
#: Everything takes long in there; so much memory that srvctl itself has enough.
DROP_IN = f"""
[Service]
WorkingDirectory={DEMO}
TimeoutStartSec=900
WatchdogSec=0
MemoryMax=400M
MemorySwapMax=0
"""
SCRIPT = f"""
systemd-sysusers
systemd-tmpfiles --create srvctl.conf
systemctl daemon-reload
systemctl start srvctl@blog.service
shown() {{ systemctl show -p MainPID,NRestarts,ActiveState,Result srvctl@blog.service | tr '\\n' ' '; echo; }}
group=/sys/fs/cgroup$(systemctl show -p ControlGroup --value srvctl@blog.service)
shown
asked() {{
    bash -c 'exec 3<>/dev/tcp/127.0.0.1/8001; printf "GET $0 HTTP/1.0\\r\\n\\r\\n" >&3; cat <&3' "$1"
}}
asked /eat || true
grep -w oom_kill "$group/memory.events"
for try in $(seq 60); do
    {SRVCTL} why --name blog --json >/run/deaths || true
    grep -q pid /run/deaths && break
    sleep 2
done
echo deaths; cat /run/deaths; echo; echo end of deaths
for try in $(seq 60); do
    {SRVCTL} status --name blog --json >/run/status
    [ "$(grep -c '"state": "ready"' /run/status)" = 2 ] && break
    sleep 2
done
echo ready $(grep -c '"state": "ready"' /run/status)
{SRVCTL} why --name blog
asked /
shown
journalctl -o cat -u srvctl@blog.service | tail -20
"""


def test_a_worker_killed_for_memory_is_replaced_and_the_unit_goes_on() -> None:
    """OOMPolicy=continue: systemd restarts nothing, the master does; and srvctl why says what it was."""
    units = {"srvctl@.service": "/etc/systemd/system/srvctl@.service"}
    units |= {f"srvctl.{kind}.conf": f"/etc/{kind}.d/srvctl.conf" for kind in ("sysusers", "tmpfiles")}
    files = {place: (UNITS / name).read_text() for name, place in units.items()}
    files[f"{DEMO}/eater.py"] = APP
    files["/etc/srvctl/blog.toml"] = CONFIG
    files["/etc/systemd/system/srvctl@blog.service.d/memory.conf"] = DROP_IN
    try:
        said = run(SCRIPT, files)
    except NoMachine as reason:
        pytest.skip(f"no machine to test on: {reason}")
    shown = re.findall(r"^(?=.*MainPID=(\d+))(?=.*NRestarts=0)(?=.*ActiveState=active)", said, re.MULTILINE)
    assert len(shown) == 2, said
    assert shown[0] == shown[1]
    assert re.search(r"^oom_kill [1-9]", said, re.MULTILINE), said
    deaths: list[dict[str, Any]] = json.loads(said.partition("deaths\n")[2].partition("end of deaths")[0])
    assert [death["oom"] for death in deaths] == [True], deaths
    assert "killed by the kernel's OOM killer" in said
    assert "\nready 2\n" in said
    assert "200 OK" in said
