"""Workers that live but do not serve, and workers that only look like it: who is replaced, who never is."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from tests.support.apps.written import write_app
from tests.support.client_load import PATIENT, Load
from tests.support.connections import has_answer
from tests.support.debugger import attached
from tests.support.server_waits import Gate
from tests.support.supervised import AILING, StatusLog, Supervised, any_cpu, burners

HANG = 1.0
SOON = ("--hang-timeout", f"{HANG:g}")
BLOCKED = r"ERROR: +Worker \[{}\] has been blocked for \d+\.\d s \(health.hang_timeout\); slot \d gets a new"
#: What blocks a loop. The stacks name the function.
WAYS = ("sleep_in_the_loop?n=600", "spin_in_the_loop", "lock_twice_in_the_loop", "lock_twice_in_c")


def test_a_blocked_loop_is_replaced_whatever_blocks_it_and_the_stacks_tell_where() -> None:
    """Five of six workers hang, one each way; the sixth and the new ones answer everybody."""
    with Supervised(AILING, "--workers", "6", *SOON, *PATIENT) as server, server.one_each(6) as to:
        [well, stopped, *others] = to
        ways = dict(zip(others, WAYS, strict=True))
        for pid, way in ways.items():
            to[pid].send_get(f"/{way}")
        os.kill(stopped, signal.SIGSTOP)
        for pid in (stopped, *ways):
            server.wait_line(BLOCKED.format(pid))
            assert to[well].get().pid == well
        with Load(("127.0.0.1", server.port)) as load:
            load.wait_answered(300)
            deaths = {pid: server.death(pid) for pid in (stopped, *ways)}
            load.wait_answered(300)
        assert not load.lost, load
        for pid, death in deaths.items():
            assert (death.cause, death.state) == ("killed by SIGKILL", "dying")
            assert death.asked_by.startswith("hang: its loop was blocked for ")
            assert not death.oom
            if pid in ways:  # one that SIGSTOP stopped can write nothing
                assert death.in_flight == 1
                assert ways[pid].partition("?")[0] in Path(death.stack).read_text()
        assert well in server.wait_workers(6)
        assert len(server.lines("ERROR")) == 5


def test_a_worker_that_comes_to_itself_in_time_loses_nothing() -> None:
    """Its successor serves meanwhile; it answers what it holds, accepts nothing more, and ends."""
    with Gate() as gate, Supervised(AILING, *SOON, *PATIENT) as server, server.connect() as client:
        [blocked] = server.workers()
        client.send_get(f"/wait_in_the_loop?n={gate.port}")
        visitor = gate.wait_visitor()
        server.wait_line(BLOCKED.format(blocked))
        assert server.get().pid != blocked
        visitor.let_pass()
        answer = client.read_response()
        assert (answer.pid, answer.text) == (blocked, "harmed")
        client.socket.close()
        server.wait_line(rf"WARNING: +Worker \[{blocked}\] came to itself; it finishes its requests")
        death = server.death(blocked)
        assert (death.cause, death.served, death.in_flight, death.cut) == ("exit code 0", 1, 0, 0)
        assert "wait_in_the_loop" in Path(death.stack).read_text()


def test_what_only_looks_blocked_is_left_alone() -> None:
    """A debugger, short pauses, slow requests; then all of srvctl stands still, then the master alone."""
    flags = ("--workers", "3", *SOON, "--health-path", "/health", *PATIENT)
    with Supervised(AILING, *flags) as server, server.one_each(3) as to:
        [debugged, pausing, slow] = to
        to[slow].send_get(f"/slow?{2 * HANG}")
        with attached(debugged):
            until = time.monotonic() + 2 * HANG
            while time.monotonic() < until:
                to[pausing].get(f"/sleep_in_the_loop?n={HANG / 2}")
                to[pausing].get("/collect_in_the_loop?n=100000")
            assert not has_answer(to[debugged])
        assert to[slow].read_response().text == "slow"
        server.signal_group(signal.SIGSTOP)
        time.sleep(2.5 * HANG)  # for that long nothing happens
        server.signal_group(signal.SIGCONT)
        for pid, client in to.items():
            assert client.get().pid == pid
        server.signal(signal.SIGSTOP)  # the master alone
        time.sleep(1.5 * HANG)
        server.signal(signal.SIGCONT)
        time.sleep(HANG)  # for the master to look around
        assert set(server.workers()) == set(to)
        assert not server.lines("ERROR|WARNING")


def test_a_worker_that_is_starved_is_left_alone_and_one_that_is_blocked_as_well_is_not() -> None:
    """With a tenth of a CPU, requests take many times the timeout; a lock is still told from that."""
    cpu = any_cpu()
    flags = ("--workers", "3", *SOON, "--cpu-affinity", str(cpu), "--nice", "10", *PATIENT)
    with Supervised(AILING, *flags) as server, server.one_each(3) as to, burners(2, cpu):
        [computing, slow, blocked] = to
        to[slow].send_get("/slow?4")
        to[computing].send_get("/compute_in_the_loop?n=0.2")
        to[blocked].send_get("/lock_twice_in_the_loop")
        server.wait_line(BLOCKED.format(blocked))
        assert to[computing].read_response().text == "harmed"
        assert to[slow].read_response().text == "slow"
        assert server.death(blocked).in_flight == 1
        assert {computing, slow} <= set(server.workers())
        assert len(server.lines("ERROR")) == 1


def test_unwell_workers_are_replaced_first_and_let_go_then() -> None:
    """One that answers its probes 503 and one that does not answer: under load nothing is lost."""
    # The time is one in which a busy machine lets every worker that is well answer.
    health = ("--health-path", "/health", "--health-interval", "0.1", "--health-timeout", "4")
    flags = ("--workers", "3", "--health-threshold", "2", *health, *PATIENT)
    with Supervised(AILING, *flags, "--recycle-spacing", "0") as server, server.one_each(3) as to:
        [failing, silent, well] = to
        with Load(("127.0.0.1", server.port)) as load, StatusLog(server) as log:
            load.wait_answered(100)
            for pid, status in ((failing, 503), (silent, 0)):
                assert to[pid].get(f"/be_unwell?n={status}").pid == pid
                to[pid].socket.close()
            for pid, why in ((failing, "status 503"), (silent, r"The application took longer than 4 s\.")):
                for times in (1, 2):
                    said = rf"\[{pid}\] failed its health probe of /health: {why} \({times} of 2\)"
                    server.wait_line(f"WARNING: +Worker {said}")
                server.wait_line(rf"Worker \[{pid}\] is to be replaced \(health probe: {why}\)")
                death = server.death(pid)
                assert (death.cause, death.state) == ("exit code 0", "draining")
            load.wait_answered(300)
        assert not load.lost, load
        assert min(log.serving) == 3
        assert max(log.held) <= 4 <= server.most_at_once()
        assert well in server.workers()
        assert not server.lines("ERROR")


def test_new_code_that_says_it_is_unwell_is_not_taken(tmp_path: Path) -> None:
    """The first worker of a reload is probed before any other is replaced; the reload fails."""
    write_app(
        tmp_path, "old", before="from tests.support.apps import ailing", after="app = ailing.make_app()"
    )
    with Supervised("site_app:app", "--workers", "2", "--health-path", "/health", cwd=tmp_path) as server:
        old = set(server.wait_workers(2))
        write_app(
            tmp_path,
            "new",
            before="from tests.support.apps import ailing",
            after="app = ailing.make_app('503')",
        )
        done = server.command("reload")
        assert done.returncode == 5, done
        said = "Reload failed: the health probe of a new worker failed: status 503. The old workers go on."
        assert said in done.stderr
        assert set(server.wait_workers(2)) == old
        assert server.status()["generation"] == 1
