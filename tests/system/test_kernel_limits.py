"""A whole srvctl with too little of something: of processes, of memory, of the CPU, of the disk."""

from __future__ import annotations

import os
import shutil
import subprocess
from signal import SIGKILL
from typing import TYPE_CHECKING

import pytest

from srvctl.ipc.verdicts import verdict
from tests.support.cgroup import control_group
from tests.support.client_load import PATIENT, Load
from tests.support.supervised import AILING, Supervised

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.system

QUOTA = {True: "cpu.cfs_quota_us", False: "cpu.max"}
PIDS = {True: "pids.max", False: "pids.max"}
MEMORY = {True: "memory.limit_in_bytes", False: "memory.max"}
FILL = 'mount -t tmpfs -o size=16k none "$0" && head -c 99999 /dev/zero > "$0/fill" 2>&-; exec "$@"'
REFUSED = "Resource temporarily unavailable"


def test_a_service_that_may_not_fork_goes_on_and_catches_up() -> None:
    """Neither its mold can fork a worker nor the master a mold; nothing is lost, and every line says why."""
    with (
        control_group("pids", PIDS) as group,
        Supervised(AILING, "--workers", "2", *PATIENT, prefix=group.prefix) as server,
    ):
        [killed, well] = server.wait_workers(2)
        [mold] = server.molds()
        (group.folder / "pids.max").write_text("1")
        os.kill(killed, SIGKILL)
        server.wait_line(f"ERROR: +Could not start a worker: {REFUSED}", count=2)
        os.kill(mold, SIGKILL)
        server.wait_line(
            rf"ERROR: +Could not start the process that workers are forked from: .*{REFUSED}", count=2
        )
        with Load(("127.0.0.1", server.port)) as load:
            load.wait_answered(100)
        assert not load.lost, load
        assert load.pids == {well}
        (group.folder / "pids.max").write_text("max")
        assert well in server.wait_workers(2)
        assert len(server.lines("ERROR|WARNING")) < 30
        assert server.stop() == 0


def test_a_worker_that_the_kernel_ends_for_want_of_memory_is_told_as_that() -> None:
    """Its siblings and the master live on; a worker that somebody else kills is not taken for one."""
    limit = str(200 * 2**20)
    with control_group("memory", MEMORY) as group:
        group.limit(
            {"memory.limit_in_bytes": limit, "memory.memsw.limit_in_bytes": limit},
            {"memory.max": limit, "memory.swap.max": "0"},
        )
        flags = ("--workers", "2", "--oom-score", "500")
        with Supervised(AILING, *flags, prefix=group.prefix) as server, server.one_each(2) as to:
            [greedy, other] = to
            to[greedy].send_get("/leak?n=400")
            death = server.death(greedy)
            assert (death.cause, death.oom, death.in_flight) == ("killed by SIGKILL", True, 1)
            assert to[other].get().pid == other
            os.kill(other, SIGKILL)
            assert not server.death(other).oom
            assert not {greedy, other} & set(server.wait_workers(2))
            assert len(server.lines("killed by the kernel's OOM killer")) == 1
            assert server.stop() == 0


def test_a_worker_whose_cpu_is_rationed_is_no_blocked_one() -> None:
    """A request takes three times the timeout, most of which the kernel gives it no CPU."""
    with control_group("cpu", QUOTA) as group:
        group.limit({"cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "10000"}, {"cpu.max": "10000 100000"})
        with Supervised(AILING, "--workers", "2", "--hang-timeout", "1", *PATIENT) as server:
            workers = server.wait_workers(2)
            for pid in workers:
                group.take(pid)
            with server.one_each(2) as to:
                for client in to.values():
                    client.send_get("/compute_in_the_loop?n=0.15")
                for client in to.values():
                    assert client.read_response().text == "harmed"
            assert server.workers() == workers
            assert not server.lines("ERROR|WARNING")


def test_a_full_disk_costs_what_would_be_written_there_and_no_more(tmp_path: Path) -> None:
    """The pid in the pid file, and deaths in the ledger; one line each, and the service goes on."""
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("unshare is not installed")
    inside = (unshare, "--mount", "sh", "-c", FILL, str(tmp_path))
    tried = subprocess.run([*inside, "true"], capture_output=True, text=True, timeout=30, check=False)
    if tried.returncode:
        pytest.skip(f"no file system can be mounted here: {tried.stderr.strip()}")
    flags = ("--pid-file", str(tmp_path / "web.pid"), "--ledger-file", str(tmp_path / "web.ledger"))
    with Supervised(AILING, "--workers", "2", *flags, prefix=inside) as server:
        for _ in range(3):
            victim = server.wait_workers(2)[0]
            os.kill(victim, SIGKILL)
            server.wait_death(victim, "killed by SIGKILL")
        server.wait_workers(2)
        full = server.lines("No space left on device")
        assert len([line for line in full if "the pid cannot be written into it" in line.text]) == 1
        assert len([line for line in full if "Deaths of workers are not recorded" in line.text]) == 1
        assert len(full) == 2
        assert server.stop() == 0


def test_a_worker_that_grew_is_replaced_before_the_memory_is_used_up() -> None:
    """Beyond the watermark no worker is added, and the largest goes; below it, all is as before."""
    with control_group("memory", MEMORY) as group:
        group.limit({"memory.limit_in_bytes": str(600 * 2**20)}, {"memory.max": str(600 * 2**20)})
        flags = (
            "--workers",
            "2",
            "--max-workers",
            "3",
            "--scale-in-flight",
            "1",
            "--scale-down-delay",
            "600",
        )
        limits = ("--memory-watermark", "50", "--recycle-spacing", "0.1")
        with (
            Supervised(AILING, *flags, *limits, *PATIENT, prefix=group.prefix) as server,
            server.one_each(2) as to,
        ):
            [greedy, other] = to
            assert to[greedy].get("/leak?n=300").pid == greedy
            for client in to.values():
                client.socket.close()
            with Load(("127.0.0.1", server.port), keeping=4, renewing=4) as load:
                server.wait_line(
                    r"WARNING: +\d+ % of 600 MiB memory are used \(50 % at most, workers.memory_w"
                )
                server.wait_line(
                    rf"Worker \[{greedy}\] is to be replaced \(memory_watermark: \d+ % of 600 MiB"
                )
                death = server.death(greedy)
                assert (death.cause, death.in_flight, death.cut) == ("exit code 0", 0, 0)
                server.wait_line(r"INFO: +\d+ % of 600 MiB memory are used: there is room for workers again")
                load.wait_answered(100)
            assert not load.lost, load
            assert verdict(death).startswith("recycled: memory_watermark")
            assert other in server.workers()
            assert server.status()["restarts"]["memory_watermark"] == 1
            assert len(server.lines("is to be replaced")) == 1
