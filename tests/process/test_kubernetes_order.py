"""The order in which a cluster does things, with real pods: SIGTERM comes before the nodes know of it.

No API server is needed for that: what matters is who is told what, and when.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from srvctl.init.plan import Plan
from srvctl.settings.load import load
from tests.support.client_load import PATIENT, Load
from tests.support.kubelet import Endpoints, Pod
from tests.support.server_waits import FACTOR, Gate
from tests.support.supervised import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

#: drain_delay of the pods: longer than a busy machine may hold up a client that is just being connected.
DELAY = 10 * FACTOR
LAG = 0.4  #: until the endpoints lose a pod that is being deleted
SERVICE = ("web.shop.svc", 80)
FLAGS = ("--drain-delay", f"{DELAY:g}", *PATIENT, "--timeout-graceful-shutdown", f"{10 * FACTOR:g}")

#: What the kubelet waits before SIGKILL, as our manifests have it.
GRACE = Plan(
    "",
    load(
        {"timeouts.drain_delay": f"{DELAY:g}", "timeouts.graceful_shutdown": f"{10 * FACTOR:g}"}, {}, None
    ).settings,
    {},
).seconds_to_stop()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def test_a_rolling_update_loses_no_request(stack: ExitStack) -> None:
    """maxSurge 1, maxUnavailable 0: a new pod is ready, and an old one goes while connections come to it."""
    gate = stack.enter_context(Gate())
    endpoints = stack.enter_context(Endpoints())
    old = [stack.enter_context(Pod(*FLAGS)) for _ in range(2)]
    for pod in old:
        endpoints.add(pod)
    leaving = {worker for pod in old for worker in pod.workers()}

    clients = stack.enter_context(Load(SERVICE, keeping=1, renewing=1, connect=endpoints.connect))
    clients.wait_answered(50)
    held = stack.enter_context(old[0].connect())
    held.send_get(f"/hold?gate={gate.port}")
    visitor = gate.wait_visitor()
    for pod in old:
        endpoints.add(stack.enter_context(Pod(*FLAGS)))
        pod.delete()
        endpoints.drop_late(pod, LAG, connections=5)
        unready = pod.wait_probe("/readyz", 503)
        assert unready - pod.deleted < DELAY, "no load balancer that asks could have noticed"
        livez = pod.probe("/livez")
        assert livez is not None
        assert livez.status == 200, "the kubelet would kill it in the middle of its requests"
    old[0].wait_line("Shutting down")  # the delay is over, and one request goes on
    visitor.let_pass()
    assert held.read_response().text == "held"
    for pod in old:
        assert pod.wait_exit(GRACE - (time.monotonic() - pod.deleted)) == 0
        assert pod.lines(r"Stopped: served \d+, cut 0\.")
        assert endpoints.late[pod] >= 5, "there was no race"
    clients.wait_answered(50)
    clients.finish()
    assert clients.lost == []
    assert len(leaving) == 2
    assert leaving < clients.pids, "both old pods and new ones have answered"


def test_without_a_drain_delay_requests_are_refused(stack: ExitStack) -> None:
    """The same race, lost: so that the test above can fail."""
    endpoints = stack.enter_context(Endpoints())
    leaving, staying = (stack.enter_context(Pod(*PATIENT)) for _ in range(2))
    for pod in (leaving, staying):
        endpoints.add(pod)
    clients = stack.enter_context(Load(SERVICE, keeping=0, renewing=1, connect=endpoints.connect))
    clients.wait_answered(20)
    leaving.delete()
    wait_until(lambda: any(lost.how == "refused" for lost in clients.lost), "a connection that is refused")
    endpoints.drop(leaving)
    assert leaving.wait_exit() == 0
    clients.wait_answered(20)
