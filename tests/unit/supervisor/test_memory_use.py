"""How much memory is used, by both versions of the kernel's control groups, and without any."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from srvctl.supervisor.events import Memory
from srvctl.supervisor.memory_use import MemoryUse

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MIB = 2**20
MEMINFO = "MemTotal:       1048576 kB\nMemFree:  1 kB\nMemAvailable:    786432 kB\nHugePages_Total:       0\n"
V2 = {
    "proc/self/cgroup": "0::/app/web\n",
    "proc/self/mountinfo": "30 1 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
}
V1 = {
    "proc/self/cgroup": "4:memory:/app\n1:name=systemd:/\n",
    "proc/self/mountinfo": "30 1 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n",
}


def used(root: Path, files: Mapping[str, str]) -> Memory | None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return MemoryUse(root).read()


def v2(folder: str, limit: str, size: int, cached: int = 0) -> dict[str, str]:
    where = f"sys/fs/cgroup/{folder}"
    return {
        f"{where}/memory.max": f"{limit}\n",
        f"{where}/memory.current": f"{size}\n",
        f"{where}/memory.stat": f"anon 5\ninactive_file {cached}\nactive_file 7\n",
    }


@pytest.mark.parametrize(
    ("files", "found"),
    [
        pytest.param({}, None, id="nothing"),
        pytest.param({"proc/meminfo": MEMINFO}, Memory(256 * MIB, 1024 * MIB), id="the machine"),
        pytest.param({"proc/meminfo": "MemTotal: 5 kB\n"}, None, id="an old kernel"),
        pytest.param(V2 | v2("app/web", "400", 300, 100), Memory(200, 400), id="v2"),
        pytest.param(
            V2 | v2("app/web", "max", 300) | v2("app", "1000", 900), Memory(900, 1000), id="v2, of the parent"
        ),
        pytest.param(
            V2 | v2("app/web", "400", 390) | v2("app", "1000", 900), Memory(390, 400), id="v2, the nearest"
        ),
        pytest.param(
            V2 | v2("app/web", "max", 300) | {"proc/meminfo": MEMINFO},
            Memory(256 * MIB, 1024 * MIB),
            id="no limit",
        ),
        pytest.param(
            V2 | v2("app/web", str(2048 * MIB), 300) | {"proc/meminfo": MEMINFO},
            Memory(256 * MIB, 1024 * MIB),
            id="more than there is",
        ),
        pytest.param(V2 | v2("app/web", "400", 90, 100), Memory(0, 400), id="read at different moments"),
        pytest.param(V2 | {"sys/fs/cgroup/app/web/memory.max": "400"}, None, id="use is not told"),
        pytest.param(V2 | v2("app/web", "nonsense", 300), None, id="nonsense"),
        pytest.param(V2 | v2("app/web", "0", 300), None, id="nothing allowed"),
        pytest.param(
            V1
            | {
                "sys/fs/cgroup/memory/app/memory.limit_in_bytes": "1000\n",
                "sys/fs/cgroup/memory/app/memory.usage_in_bytes": "900\n",
                "sys/fs/cgroup/memory/app/memory.stat": "inactive_file 1\ntotal_inactive_file 100\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{2**63 - 4096}\n",
                "sys/fs/cgroup/memory/memory.usage_in_bytes": "90000\n",
            },
            Memory(800, 1000),
            id="v1",
        ),
    ],
)
def test_the_nearest_bound_counts(tmp_path: Path, files: Mapping[str, str], found: Memory | None) -> None:
    """Without what is only a copy of files."""
    assert used(tmp_path, files) == found


def test_a_limit_that_is_changed_counts_at_the_next_look(tmp_path: Path) -> None:
    """As container engines do while a container runs."""
    assert used(tmp_path, V2 | v2("app/web", "400", 300)) == Memory(300, 400)
    gauge = MemoryUse(tmp_path)
    (tmp_path / "sys/fs/cgroup/app/web/memory.max").write_text("600\n")
    assert gauge.read() == Memory(300, 600)


def test_the_kernel_of_this_machine_tells() -> None:
    found = MemoryUse().read()
    assert found is not None
    assert 0 < found.used < 2 * found.limit
