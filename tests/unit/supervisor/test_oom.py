"""Evidence for the OOM killer, from the files that kernels of both versions of cgroups have."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from srvctl.supervisor.oom import OomClaims, OomWatch

if TYPE_CHECKING:
    from pathlib import Path

V2 = "31 23 0:28 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n"
V1 = "32 23 0:29 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
OWN_V2 = "sys/fs/cgroup/app/memory.events"
OWN_V1 = "sys/fs/cgroup/memory/app/memory.oom_control"
EVENTS = "low 0\nhigh 7\nmax 9\noom 4\noom_kill {}\noom_group_kill 0\n"
CONTROL = "oom_kill_disable 0\nunder_oom 0\noom_kill {}\n"
KILLED = "killed by SIGKILL"


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.mark.parametrize(
    ("files", "counter", "text"),
    [
        pytest.param(
            {"proc/self/cgroup": "0::/app\n", "proc/self/mountinfo": V2}, OWN_V2, EVENTS, id="version 2"
        ),
        pytest.param(
            {
                "proc/self/cgroup": "0::/app\n",
                "proc/self/mountinfo": V2,
                OWN_V2: EVENTS.format(0),
            },
            OWN_V2 + ".local",
            EVENTS,
            id="version 2, only the own cgroup counts",
        ),
        pytest.param(
            {"proc/self/cgroup": "4:memory:/app\n", "proc/self/mountinfo": V1},
            OWN_V1,
            CONTROL,
            id="version 1",
        ),
        pytest.param(
            {
                "proc/self/cgroup": "4:memory:/app\n0::/app\n",
                "proc/self/mountinfo": V1 + V2.replace("/sys/fs/cgroup ", "/sys/fs/cgroup/unified "),
                "sys/fs/cgroup/unified/app/cgroup.events": "populated 1\n",
            },
            OWN_V1,
            CONTROL,
            id="both, and memory is in version 1",
        ),
        pytest.param(
            {"proc/self/cgroup": "0::/\n", "proc/self/mountinfo": V2},
            "proc/vmstat",
            "pgfault 3\noom_kill {}\ndrop_pagecache 0\n",
            id="the root of version 2 does not count",
        ),
        pytest.param({}, "proc/vmstat", "oom_kill {}\n", id="no cgroups"),
        pytest.param(
            {
                "proc/self/cgroup": "4:memory:/app\n",
                "proc/self/mountinfo": V1,
                OWN_V1: "oom_kill_disable 0\nunder_oom 0\n",
            },
            "proc/vmstat",
            "oom_kill {}\n",
            id="version 1 before Linux 4.13",
        ),
    ],
)
def test_what_the_kernel_counts_since_the_last_look(
    tmp_path: Path, files: dict[str, str], counter: str, text: str
) -> None:
    write(tmp_path, {**files, counter: text.format(5)})
    watch = OomWatch(tmp_path)
    assert tmp_path / counter in watch.files
    assert (watch.delta(), watch.total()) == (0, 0)
    write(tmp_path, {counter: text.format(7)})
    assert (watch.delta(), watch.delta(), watch.total()) == (2, 0, 2)
    write(tmp_path, {counter: text.format(8)})
    assert (watch.delta(), watch.total()) == (1, 3)


def test_kills_in_cgroups_below_count(tmp_path: Path) -> None:
    """memory.events counts them, memory.events.local does not."""
    files = {"proc/self/cgroup": "0::/app\n", "proc/self/mountinfo": V2}
    write(tmp_path, {**files, OWN_V2: EVENTS.format(2), OWN_V2 + ".local": EVENTS.format(1)})
    watch = OomWatch(tmp_path)
    write(tmp_path, {OWN_V2: EVENTS.format(3)})
    assert watch.delta() == 1


@pytest.mark.parametrize(
    "text", ["", "oom_kill\n", "oom_kill many\n", "oom_kill -3\n", "oom_kill " + "9" * 5000]
)
def test_a_counter_that_makes_no_sense_counts_nothing(tmp_path: Path, text: str) -> None:
    files = {"proc/self/cgroup": "0::/app\n", "proc/self/mountinfo": V2, OWN_V2: EVENTS.format(5)}
    write(tmp_path, files)
    watch = OomWatch(tmp_path)
    write(tmp_path, {OWN_V2: text})
    assert (watch.delta(), watch.total()) == (0, 0)


def test_a_counter_that_cannot_be_read_once_is_no_evidence(tmp_path: Path) -> None:
    """As when the master has no descriptor left: else the next look would see all kills of all time."""
    write(tmp_path, {"proc/vmstat": "oom_kill 5\n"})
    watch = OomWatch(tmp_path)
    (tmp_path / "proc/vmstat").unlink()
    assert watch.delta() == 0
    write(tmp_path, {"proc/vmstat": "oom_kill 6\n"})
    assert (watch.delta(), watch.total()) == (1, 1)


def test_a_counter_that_goes_back_begins_anew(tmp_path: Path) -> None:
    write(tmp_path, {"proc/vmstat": "oom_kill 5\n"})
    watch = OomWatch(tmp_path)
    write(tmp_path, {"proc/vmstat": "oom_kill 1\n"})
    assert watch.delta() == 0
    write(tmp_path, {"proc/vmstat": "oom_kill 2\n"})
    assert (watch.delta(), watch.total()) == (1, 1)


def test_where_the_kernel_does_not_count_there_is_no_evidence(tmp_path: Path) -> None:
    watch = OomWatch(tmp_path)
    assert (watch.files, watch.delta(), watch.total()) == ((), 0, 0)


def test_the_real_machine_can_be_asked() -> None:
    assert OomWatch().delta() >= 0


class TestClaims:
    def test_a_kill_explains_one_death(self) -> None:
        claims = OomClaims()
        claims.note(1, now=10.0)
        assert claims.claim(KILLED)
        assert not claims.claim(KILLED)

    @pytest.mark.parametrize("cause", ["killed by SIGTERM", "killed by SIGSEGV", "exit code 137"])
    def test_only_sigkill_is_its_way(self, cause: str) -> None:
        claims = OomClaims()
        claims.note(1, now=10.0)
        assert not claims.claim(cause)
        assert claims.claim(KILLED)

    def test_what_the_master_killed_was_not_killed_by_it(self) -> None:
        claims = OomClaims()
        claims.note(1, now=10.0)
        assert not claims.claim(KILLED, is_own_kill=True)
        assert claims.claim(KILLED)

    def test_a_kill_of_long_ago_explains_nothing(self) -> None:
        """It killed something else: what a worker had started, for example."""
        claims = OomClaims()
        claims.note(2, now=10.0)
        claims.note(0, now=39.0)
        assert claims.claim(KILLED)
        claims.note(0, now=41.0)
        assert not claims.claim(KILLED)

    def test_a_counter_gone_wild_costs_no_memory(self) -> None:
        claims = OomClaims()
        claims.note(2**64, now=10.0)
        assert sum(claims.claim(KILLED) for _ in range(5000)) == 1024
