"""HTTP/1.1 as it is on the wire: exact bytes to a real server, and exactly what has to come back.

Each case names the clause it holds the server to. After an answer that keeps the connection, a further
request on it must be answered; after one that does not, the connection must end.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.conformance.cases import Case, method_of, parameters
from tests.conformance.refusals import AS_MANY_FIELDS, FRAMING, REFUSALS
from tests.conformance.requests import BODIES, CONNECTIONS, SCOPES
from tests.conformance.responses import RESPONSES
from tests.conformance.wire import PROBE, Wire, send_quietly

if TYPE_CHECKING:
    from tests.support.server import ServerProcess


@parameters([*RESPONSES, *SCOPES, *BODIES, *CONNECTIONS, *REFUSALS, AS_MANY_FIELDS, *FRAMING])
@pytest.mark.parametrize("is_first", [True, False], ids=["first", "second"])
def test_wire(server: ServerProcess, case: Case, is_first: bool) -> None:
    """On a new connection, and behind another request."""
    with Wire(server) as wire:
        if not is_first:
            wire.send(PROBE)
            wire.answer()
        send_quietly(wire, case.sent)
        answers = [wire.answer(method_of(case.sent)) for _ in case.expected]
        assert tuple(answer.status for answer in answers) == case.expected, answers
        if case.check is not None:
            case.check(*answers)
        wire.check_end(case.end)


@parameters(
    [
        *SCOPES[:5],
        *BODIES,
        *CONNECTIONS[-5:],
        *(case for case in REFUSALS if len(case.sent) < 300),
        *FRAMING[:20],
    ]
)
def test_wire_in_pieces(server: ServerProcess, case: Case) -> None:
    """Cut in the middle, the answer is the same."""
    with Wire(server) as wire:
        middle = len(case.sent) // 2
        wire.send(case.sent[:middle])
        time.sleep(0.002)
        send_quietly(wire, case.sent[middle:])
        answers = [wire.answer(method_of(case.sent)) for _ in case.expected]
        assert tuple(answer.status for answer in answers) == case.expected
        if case.check is not None:
            case.check(*answers)
        wire.check_end(case.end)
