"""What `auto` makes of CPUs, quotas and memory: pure counts, trees of fake files, and the machine itself."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from srvctl.supervisor.capacity import Available, Limit, auto_count, available, count_for, explain

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1024 * 1024
V2 = "31 23 0:28 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n"
V1 = (
    "30 23 0:27 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"
    "31 23 0:28 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
    "32 23 0:29 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
)


@pytest.mark.parametrize(
    ("affinity", "cpu_quota", "memory_limit", "count"),
    [
        (8, None, None, 8),
        (1, None, None, 1),
        (0, None, None, 1),
        (8, 2.0, None, 2),
        (8, 2.9, None, 2),
        (8, 0.5, None, 1),
        (2, 64.0, None, 2),
        (8, None, 512 * MIB, 4),
        (8, None, 512 * MIB - 1, 3),
        (8, None, 64 * MIB, 1),
        (8, None, 64 * 1024 * MIB, 8),
        (8, 3.0, 256 * MIB, 2),
        (8, 1.0, 512 * MIB, 1),
    ],
)
def test_the_tightest_bound_decides_and_one_worker_always_fits(
    affinity: int, cpu_quota: float | None, memory_limit: int | None, count: int
) -> None:
    assert count_for(affinity=affinity, cpu_quota=cpu_quota, memory_limit=memory_limit) == count


def test_the_need_of_a_worker_can_be_told() -> None:
    assert count_for(affinity=8, cpu_quota=None, memory_limit=100, memory_per_worker=30) == 3


@pytest.mark.parametrize(
    ("found", "count", "why"),
    [
        (Available(4, 4), 4, "4 of 4 CPUs"),
        (Available(64, 4), 4, "4 of 64 CPUs by CPU affinity"),
        (Available(64, 64, Limit(2.0, "cpu.max")), 2, "2 of 64 CPUs by cgroup cpu.max"),
        (Available(64, 64, Limit(2.5, "cpu.max")), 2, "2 of 64 CPUs by cgroup cpu.max (2.5)"),
        (Available(64, 64, Limit(0.5, "cpu.max")), 1, "1 of 64 CPUs by cgroup cpu.max (0.5)"),
        (Available(64, 4, Limit(8.0, "cpu.max")), 4, "4 of 64 CPUs by CPU affinity"),
        (Available(4, 4, Limit(4.0, "cpu.max"), Limit(2**40, "memory.max")), 4, "4 of 4 CPUs"),
        (
            Available(8, 8, None, Limit(400 * MIB, "memory.max")),
            3,
            "3 by cgroup memory.max: 400 MiB, at 128 MiB a worker, where the CPUs allow 8",
        ),
    ],
)
def test_the_reason_names_the_bound_that_decided(found: Available, count: int, why: str) -> None:
    assert explain(found) == (count, why)


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.mark.parametrize(
    ("files", "quota", "memory"),
    [
        pytest.param({}, None, None, id="no proc at all"),
        pytest.param(
            {
                "proc/self/cgroup": "0::/system.slice/app.service\n",
                "proc/self/mountinfo": V2,
                "sys/fs/cgroup/system.slice/app.service/cpu.max": "200000 100000\n",
                "sys/fs/cgroup/system.slice/app.service/memory.max": "536870912\n",
            },
            Limit(2.0, "cpu.max"),
            Limit(536870912, "memory.max"),
            id="v2, own cgroup",
        ),
        pytest.param(
            {
                "proc/self/cgroup": "0::/a/b\n",
                "proc/self/mountinfo": V2,
                "sys/fs/cgroup/a/b/cpu.max": "max 100000\n",
                "sys/fs/cgroup/a/b/memory.max": "max\n",
                "sys/fs/cgroup/a/cpu.max": "50000 100000\n",
                "sys/fs/cgroup/memory.max": "1048576\n",
            },
            Limit(0.5, "cpu.max"),
            Limit(1048576, "memory.max"),
            id="v2, a parent is tighter",
        ),
        pytest.param(
            {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "100000 100000\n"},
            Limit(1.0, "cpu.max"),
            None,
            id="v2, cgroup namespace, no mountinfo",
        ),
        pytest.param(
            {
                "proc/self/cgroup": "0::/docker/abc/app\n",
                "proc/self/mountinfo": "1 2 0:1 /docker/abc /mnt/c\\040g rw - cgroup2 cgroup2 rw\n",
                "mnt/c g/app/cpu.max": "300000 100000\n",
            },
            Limit(3.0, "cpu.max"),
            None,
            id="v2, the mount shows a part, at a path with a space",
        ),
        pytest.param(
            {
                "proc/self/cgroup": "0::/../other\n",
                "proc/self/mountinfo": V2,
                "sys/fs/cgroup/cpu.max": "100000 50000\n",
                "sys/fs/other/cpu.max": "1 100000\n",
            },
            Limit(2.0, "cpu.max"),
            None,
            id="v2, outside of our namespace",
        ),
        pytest.param(
            {
                "proc/self/cgroup": "0::/docker/abcd\n",
                "proc/self/mountinfo": V2.replace("0:28 / ", "0:28 /docker/abc "),
                "sys/fs/cgroup/cpu.max": "100000 50000\n",
                "sys/fs/cgroup/d/cpu.max": "1 100000\n",
            },
            Limit(2.0, "cpu.max"),
            None,
            id="v2, the mount shows another part",
        ),
        pytest.param(
            {
                "proc/self/cgroup": "5:cpu,cpuacct:/app\n4:memory:/app\n1:name=systemd:/\n0::/\n",
                "proc/self/mountinfo": V1,
                "sys/fs/cgroup/cpu,cpuacct/app/cpu.cfs_quota_us": "150000\n",
                "sys/fs/cgroup/cpu,cpuacct/app/cpu.cfs_period_us": "100000\n",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
                "sys/fs/cgroup/memory/app/memory.limit_in_bytes": "268435456\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
            },
            Limit(1.5, "cpu.cfs_quota_us"),
            Limit(268435456, "memory.limit_in_bytes"),
            id="v1",
        ),
        pytest.param(
            {
                "proc/self/cgroup": "4:memory:/\n0::/app\n",
                "proc/self/mountinfo": V1 + V2.replace("/sys/fs/cgroup ", "/sys/fs/cgroup/unified "),
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "2000000000\n",
                "sys/fs/cgroup/unified/app/memory.max": "1000000000\n",
            },
            None,
            Limit(1000000000, "memory.max"),
            id="both versions, v2 tighter",
        ),
        pytest.param(
            {"proc/self/cgroup": "4:memory:/a\n", "sys/fs/cgroup/memory/a/memory.limit_in_bytes": "1000\n"},
            None,
            Limit(1000, "memory.limit_in_bytes"),
            id="v1, no mountinfo",
        ),
        pytest.param(
            {
                "proc/self/cgroup": "garbage\n\n0::/\n",
                "proc/self/mountinfo": "garbage\n1 2 3 - cgroup2\n" + V2,
                "sys/fs/cgroup/cpu.max": "many 100000\n",
                "sys/fs/cgroup/memory.max": "٣\n",
            },
            None,
            None,
            id="nonsense limits nothing",
        ),
        pytest.param(
            {
                "proc/self/cgroup": "0::/\n",
                "sys/fs/cgroup/cpu.max": "1 0",
                "sys/fs/cgroup/memory.max": "9" * 5000,
            },
            None,
            None,
            id="numbers that are no limits",
        ),
    ],
)
def test_the_smallest_limit_from_the_own_cgroup_to_the_root_counts(
    tmp_path: Path, files: dict[str, str], quota: Limit | None, memory: Limit | None
) -> None:
    write(tmp_path, files)
    found = available(tmp_path)
    assert (found.cpu_quota, found.memory) == (quota, memory)
    assert (found.cpus, found.affinity) == (os.cpu_count(), len(os.sched_getaffinity(0)))


def test_without_affinity_every_cpu_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on macOS."""
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert available(tmp_path) == Available(1, 1)


def test_the_real_machine_gives_a_count_and_a_reason() -> None:
    count, why = auto_count()
    assert 1 <= count <= len(os.sched_getaffinity(0))
    assert why.startswith(f"{count} ")


def test_a_real_affinity_is_obeyed() -> None:
    allowed = os.sched_getaffinity(0)
    if len(allowed) == 1:
        pytest.skip("this machine has one CPU, so no smaller affinity can be set")
    os.sched_setaffinity(0, {min(allowed)})
    try:
        assert auto_count()[0] == 1
    finally:
        os.sched_setaffinity(0, allowed)
