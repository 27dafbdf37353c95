"""Workers that are replaced although they serve well: the new one first, one at a time, nothing lost."""

from __future__ import annotations

import os
import time

import pytest

from tests.support.client_load import PATIENT, Load
from tests.support.supervised import AILING, StatusLog, Supervised, wait_until

#: Replacements that are waited for, and the least time between two: much more than they take by themselves.
SOME, SPACING = 4, 2
ONE = r"Worker \[(\d+)\] is to be replaced \({}\); slot (\d) gets a new one first"


@pytest.mark.parametrize(
    ("count", "flags", "why"),
    [
        (1, ("--max-lifetime", "0.5", "--max-lifetime-jitter", "0.2"), r"max_lifetime: \d+ s"),
        (2, ("--max-requests", "100", "--max-requests-jitter", "100"), r"max_requests: (\d+) served"),
    ],
    ids=["one worker by its age", "two workers by their requests"],
)
def test_a_limit_costs_no_request_and_no_worker(count: int, flags: tuple[str, ...], why: str) -> None:
    """Never fewer serve than are wanted, never more than one is made beside them, and not all at once."""
    spacing = ("--recycle-spacing", str(SPACING), "--workers", str(count))
    began = time.monotonic()
    with Supervised(AILING, *flags, *spacing, *PATIENT) as server:
        with Load(("127.0.0.1", server.port)) as load, StatusLog(server) as log:
            assert server.stderr.wait(ONE.format(why), count=SOME)[0].at - began > (SOME - 1) * SPACING
            gone = [server.wait_line(ONE.format(why), count=nth) for nth in range(1, SOME + 1)]
            for match in gone[:-1]:
                death = server.death(int(match[1]))
                assert (death.cause, death.state, death.in_flight, death.cut) == (
                    "exit code 0",
                    "draining",
                    0,
                    0,
                )
            wait_until(lambda: len(load.pids) > count, "no new worker answers")
            load.wait_answered(100)
        assert not load.lost, load
        assert min(log.serving) == count
        assert max(log.held) <= count + 1 <= server.most_at_once()
        if "requests" in why:
            assert all(int(match[2]) >= 100 for match in gone)
        assert not server.lines("ERROR|WARNING")


def test_a_worker_that_is_too_heavy_goes_and_one_that_an_operator_names() -> None:
    """A leak of the one, the word of the operator for the other; who is neither stays."""
    flags = ("--workers", "3", "--max-memory", "128M", "--recycle-spacing", "0.1")
    with Supervised(AILING, *flags, *PATIENT) as server, server.one_each(3) as to:
        [heavy, named, other] = to
        assert to[heavy].get("/leak?n=128").pid == heavy
        for client in to.values():
            client.socket.close()
        with Load(("127.0.0.1", server.port)) as load, StatusLog(server) as log:
            done = server.command("recycle", f"pid:{os.getpid()}")
            assert done.returncode == 5, done
            assert f"No worker is pid {os.getpid()}; there are " in done.stderr
            done = server.command("recycle", f"pid:{named}")
            assert (done.returncode, done.stdout[:9]) == (0, "Replaced "), done
            assert server.death(named).asked_by.startswith("srvctl recycle")
            server.wait_line(ONE.format(r"max_memory: 1\d\d MiB"))
            death = server.death(heavy)
            assert death.asked_by.startswith("max_memory: ")
            assert death.rss > 128 * 2**20
            assert (death.cause, death.in_flight, death.cut) == ("exit code 0", 0, 0)
            load.wait_answered(100)
        assert not load.lost, load
        assert min(log.serving) == 3
        assert max(log.held) <= 4 <= server.most_at_once()
        assert other in server.workers()
        assert len(server.lines("is to be replaced")) == 2


def test_all_are_replaced_at_an_operators_word_one_by_one() -> None:
    """As many at a time as the surge allows, without waiting for the spacing of limits."""
    flags = ("--workers", "3", "--max-surge", "2", "--recycle-spacing", "60")
    with Supervised(AILING, *flags, *PATIENT) as server:
        old = set(server.workers())
        with Load(("127.0.0.1", server.port)) as load, StatusLog(server) as log:
            done = server.command("recycle", "all")
            assert (done.returncode, done.stdout[:10]) == (0, "Replaced 3"), done
            load.wait_answered(100)
        assert not load.lost, load
        assert min(log.serving) == 3
        assert max(log.held) <= 5
        assert not old & set(server.wait_workers(3))
