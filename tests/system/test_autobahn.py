"""The Autobahn test suite: every case passed, by both who read frames; RFC 6455 and RFC 7692.

Without it the cases of the same grounds below tests/conformance still decide. `make conformance` runs all.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from tests.support.server import ServerProcess
from tests.system import autobahn

if TYPE_CHECKING:
    from tests.system.autobahn import Verdict

pytestmark = [pytest.mark.system, pytest.mark.timeout(autobahn.TIMEOUT + 600)]

BACKENDS = ["websockets", "wsproto"]
ECHO = "tests.support.apps.websocket_echo:app"


@pytest.fixture(scope="module")
def installed(request: pytest.FixtureRequest) -> None:
    """Install the suite, and show how that goes on."""
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext():
        trouble = autobahn.install()
    if trouble and autobahn.IS_COMPLETE:
        pytest.fail(trouble)
    elif trouble:
        pytest.skip(trouble.splitlines()[-1])


@pytest.fixture(scope="module")
def verdicts(installed: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Verdict]]:
    """Judge both at once: for most of the time each waits for the other side."""
    with contextlib.ExitStack() as stack:
        servers = {
            name: stack.enter_context(ServerProcess(ECHO, "--ws", name, "--no-access-log"))
            for name in BACKENDS
        }
        urls = {name: server.url.replace("http", "ws", 1) for name, server in servers.items()}
        found = autobahn.judge(urls, tmp_path_factory.mktemp("autobahn"))
        for server in servers.values():
            assert "Traceback" not in server.stderr.text
        return found


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_case_is_passed(verdicts: dict[str, list[Verdict]], backend: str) -> None:
    """And strictly so; the cases that only inform have no right answer."""
    found = verdicts[backend]
    failed = [verdict for verdict in found if not verdict.is_passed]
    told = "\n".join(str(verdict) for verdict in failed)
    assert not failed, f"{len(failed)} of {len(found)} cases are not passed:\n{told}"
    assert len(found) == autobahn.CASES
