"""What a master hands over to the program that it becomes: the lock of its pid file, its control socket."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

import pytest

from srvctl.errors import AlreadyRunning
from srvctl.ipc.control import Command, Done, Progress, Request
from srvctl.ipc.control_client import Connection
from srvctl.supervisor.pidfile import PidFile
from tests.support.server_waits import PATIENCE

BEFORE: Final = """
import json, os, sys
from pathlib import Path
from srvctl.supervisor.pidfile import PidFile
from tests.support.admin import opened
directory, after = Path(sys.argv[1]), sys.argv[2]
held = PidFile.take(directory / "web.pid")
admin = opened(directory)
print(flush=True)
while True:
    for event in admin._poller.turn(None):
        admin.progress(event.client, "before")
        for fd in (held.fd, *admin.fds()):
            os.set_inheritable(fd, True)
        state = json.dumps(admin.state())
        os.execv(sys.executable, [sys.executable, "-c", after, str(directory), str(held.fd), state])
"""
AFTER: Final = """
import json, sys
from pathlib import Path
from srvctl.supervisor.admin import Admin
from srvctl.supervisor.pidfile import PidFile
from tests.support.admin import Selector
directory = Path(sys.argv[1])
held = PidFile.inherit(directory / "web.pid", int(sys.argv[2]))
admin = Admin.inherit(json.loads(sys.argv[3]), {}, Selector())
admin.reply(1, True, "after")
while True:
    for event in admin._poller.turn(None):
        admin.reply(event.client, True, "stopping")
        held.release()
        admin.close()
        sys.exit()
"""


def test_nobody_notices() -> None:
    """Who asked is answered by the new program, and at no moment could another master have started."""
    with (
        tempfile.TemporaryDirectory(dir="/tmp") as name,
        subprocess.Popen(
            [sys.executable, "-c", BEFORE, name, AFTER], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
        ) as process,
    ):
        directory = Path(name)
        assert process.stdout is not None
        process.stdout.readline()
        with Connection(directory / "web.sock", PATIENCE) as client:
            answers = client.replies(Request(Command.UPGRADE), PATIENCE)
            assert next(answers) == Progress("before")
            with pytest.raises(AlreadyRunning, match=f"as pid {process.pid},"):
                PidFile.take(directory / "web.pid")
            assert next(answers) == Done(ok=True, message="after")
            with pytest.raises(AlreadyRunning, match=f"as pid {process.pid},"):
                PidFile.take(directory / "web.pid")
        with Connection(directory / "web.sock", PATIENCE) as client:
            assert client.peer == process.pid
            assert client.ask(Request(Command.STOP)).message == "stopping"
            client.wait_end(PATIENCE)
        assert process.wait(PATIENCE) == 0
        assert list(directory.iterdir()) == []
