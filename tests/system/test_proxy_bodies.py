"""A gigabyte through every proxy, as the sample files have it: all of it arrives, and nobody holds it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.front_programs import NAMES, front
from tests.support.proxy_bodies import HUGE, LARGE, Memory, download, summary, upload
from tests.support.proxy_header import MIRROR
from tests.support.server import ServerProcess

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.system

#: What a worker may grow by: some buffers of limits.request_buffer and the allocator's slack, not the body.
FEW = 32 << 20


@pytest.mark.timeout(180)
@pytest.mark.parametrize("name", NAMES)
def test_a_gigabyte_goes_through(name: str, tmp_path: Path) -> None:
    """Both ways; the sample of nginx has a location for it, in which no copy of it is made on the disk."""
    flags = ("--forwarded-allow-ips", "unix", "--no-access-log")
    with (
        ServerProcess(MIRROR, *flags, bind=f"unix:{tmp_path}/s") as server,
        front(name, server, tmp_path) as proxy,
    ):
        proxy.wait_status(200)
        [worker] = server.workers()
        with Memory(worker) as memory:
            assert upload(proxy, "/stream/digest") == summary(HUGE)
            assert download(proxy, "/stream/bytes") == summary(LARGE)
        assert memory.growth < FEW
        assert server.workers() == [worker]
        assert not any(path.stat().st_size > FEW for path in tmp_path.rglob("*") if path.is_file())
