"""Every death is told in the ledger, in the log, by ``srvctl why``; what cannot be written costs no more."""

from __future__ import annotations

import json
import os
import resource
import signal
from pathlib import Path

from srvctl.supervisor.ledger import read_deaths
from tests.support.commands import srvctl
from tests.support.supervised import AILING, Supervised


def test_a_crash_is_told_with_all_that_is_known(tmp_path: Path) -> None:
    """A request crashes its worker in C: the end, the last words, the numbers and the place."""
    file = tmp_path / "web.ledger"
    flags = ("--ledger-file", str(file), "--workers", "2", "--rlimit", "core=0")
    with Supervised(AILING, *flags) as server, server.one_each(2) as to:
        [crashing, other] = to
        to[crashing].send_get("/crash_in_c")
        assert to[crashing].read_until_end() == b""
        server.wait_death(crashing, "killed by SIGSEGV")
        [death] = read_deaths(file)
        assert (death.pid, death.state, death.asked_by, death.oom) == (crashing, "ready", "", False)
        assert (death.in_flight, death.generation, death.master) == (1, 1, server.pid)
        assert death.served >= 1
        assert death.rss > 2**20
        assert death.stderr[-1] == "before the crash"
        os.kill(other, signal.SIGKILL)
        server.wait_death(other, "killed by SIGKILL")
        server.wait_workers(2)
    # The master is gone; the next one goes on in the same file.
    done = srvctl("why", "--json", "--pid", str(crashing), "--ledger-file", str(file))
    assert done.returncode == 0, done
    [told] = json.loads(done.stdout)
    assert "segmentation fault (SIGSEGV)" in told["verdict"]
    assert told["is_expected"] is False
    assert "crash_in_c" in Path(told["stack"]).read_text()
    with Supervised(AILING, *flags) as server:
        server.command("recycle", "slot:0")
    deaths = read_deaths(file)
    assert [deaths[0].cause, deaths[1].cause] == ["killed by SIGSEGV", "killed by SIGKILL"]
    assert len({death.master for death in deaths}) == 2
    assert any(death.asked_by.startswith("srvctl recycle") for death in deaths)


def test_a_ledger_that_cannot_grow_costs_the_record_and_one_line(tmp_path: Path) -> None:
    """Files may have no more bytes: workers are replaced as ever."""
    file = tmp_path / "web.ledger"
    file.write_bytes(b"x" * 200_000 + b"\n")
    with Supervised(AILING, "--ledger-file", str(file), "--workers", "2") as server:
        # More than a board has, less than the ledger has by now.
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (150_000, 150_000))
        for _ in range(3):
            victim = server.wait_workers(2)[0]
            os.kill(victim, signal.SIGKILL)
            server.wait_death(victim, "killed by SIGKILL")
        assert len(server.wait_workers(2)) == 2
        [line] = server.lines("Deaths of workers are not recorded")
        assert line.text.endswith(f"{file}: File too large.")
        assert read_deaths(file) == []
        assert server.stop() == 0
