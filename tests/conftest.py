"""What every process test promises: it leaves no process and no descriptor behind."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from hypothesis import HealthCheck, settings

from tests.support.server import ServerProcess

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

_PROCESS_TESTS = Path(__file__).parent / "process"

# An example that took long says that the machine was busy, and nothing about the product.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


def pytest_configure() -> None:
    """Obey the keys of a terminal, as a shell's own programs do, also when this runs in the background.

    There a shell has SIGINT ignored, and nohup(1) SIGHUP, and every program that a test starts would inherit
    that (execve(2)).
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


def _descriptors() -> dict[int, str]:
    """What is open, without the descriptor that lists it."""
    found = {}
    for link in Path("/proc/self/fd").iterdir():
        try:
            found[int(link.name)] = str(link.readlink())
        except FileNotFoundError:
            continue
    return found


@pytest.fixture(autouse=True)
def nothing_is_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Compare processes and descriptors before and after each process test."""
    if not request.path.is_relative_to(_PROCESS_TESTS):
        yield
        return
    children, descriptors = set(psutil.Process().children(recursive=True)), _descriptors()
    yield
    left = set(psutil.Process().children(recursive=True)) - children
    assert not left, f"processes left behind: {left}"
    opened = {fd: name for fd, name in _descriptors().items() if fd not in descriptors}
    assert not opened, f"descriptors left open: {opened}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show with a failure what the servers that several tests share have written."""
    report = yield
    if report.failed:
        report.sections += [("stderr of srvctl", server.stderr.text) for server in ServerProcess.running]
    return report
