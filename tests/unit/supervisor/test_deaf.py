"""A worker that does not answer at all may not read what it is sent, so it is told to leave by a signal."""

from __future__ import annotations

from dataclasses import replace

from srvctl.supervisor.actions import Drain, Kill
from srvctl.supervisor.events import Probed, Started
from srvctl.supervisor.policy import HealthPolicy, RecyclePolicy
from tests.support.scene import POLICY, TERM, Scene, up

#: Probes are sent at once and then each second; the first that goes wrong is enough.
POLICY_OF_PROBES = replace(
    POLICY,
    health=HealthPolicy(path="/health", interval=1.0, timeout=1.0, threshold=1),
    recycle=RecyclePolicy(spacing=0.0),
)


def probed() -> Scene:
    """Probe 1 was sent to the only worker."""
    scene = Scene(count=1, policy=POLICY_OF_PROBES)
    scene.tell(Started(), *up(1))
    scene.live(2.0)
    assert scene.worker(1).health.probe == 1
    return scene


def test_it_is_sent_a_signal_once_its_successor_serves() -> None:
    """A message would let it serve on until it is killed, with all that it holds."""
    scene = probed()
    scene.live(4.0)
    assert scene.worker(1).leaves_because == "health probe: no answer"
    assert scene.tell(*up(2)) == [Kill(1, "TERM")]
    assert scene.worker(1).asked_by == "health probe: no answer"
    assert scene.worker(1).deadline == scene.now + POLICY.drain


def test_one_that_answers_is_sent_a_message_however_unwell_it_is() -> None:
    """It reads what it is sent."""
    scene = probed()
    scene.tell(Probed(1, 1, 503))
    assert scene.tell(*up(2)) == [Drain(1)]


def test_one_that_answers_again_is_not_deaf_any_more() -> None:
    """The last probe counts."""
    health = replace(POLICY_OF_PROBES.health, threshold=9)
    scene = Scene(count=1, policy=replace(POLICY_OF_PROBES, health=health))
    scene.tell(Started(), *up(1))
    scene.live(5.0)
    assert scene.worker(1).health.is_deaf
    while not (probe := scene.worker(1).health.probe):
        scene.live(0.5)
    scene.tell(Probed(1, probe, 200))
    assert scene.tell(TERM)[-1] == Drain(1, last=True)
