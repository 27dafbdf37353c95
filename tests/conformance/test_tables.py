"""HTTP/1.1 as it is on the wire: exact bytes to a real server, and exactly what has to come back.

Each case names the clause it holds the server to. After an answer that keeps the connection, a further
request on it must be answered; after one that does not, the connection must end.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.conformance import test_application, test_steps  # noqa: F401 - they cover rules
from tests.conformance.cases import Case, method_of, parameters
from tests.conformance.refusals import AS_MANY_FIELDS, FRAMING, REFUSALS
from tests.conformance.requests import BODIES, CONNECTIONS, SCOPES
from tests.conformance.responses import RESPONSES
from tests.conformance.rules import RULES, covered
from tests.conformance.wire import PROBE, Wire, send_quietly

if TYPE_CHECKING:
    from tests.support.server import ServerProcess

#: Which cases of the tables hold srvctl to which of the rules.
CASES = {
    "1.0 is never sent chunks": (1,),
    "HEAD has no body and keeps the length": (2,),
    "204 has neither body nor length": (3,),
    "304 has no body": (3,),
    "Transfer-Encoding of the application": (4,),
    "Transfer-Encoding and Content-Length of the application": (4,),
    "shorter than its length": (5,),
    "longer than its length": (6,),
    "CR LF in a value": (7,),
    "NUL in a value": (7,),
    "LF in a value": (7,),
    "CR LF in a name": (7,),
    "exception before the start": (8,),
    "return without a response": (9,),
    "order and spelling of fields": (12, 13),
    "names in lower case, order and repetitions kept": (14,),
    "unknown message": (19,),
    "path, raw path and query": (20,),
    "absolute form beats Host": (21,),
    "no Host": (22,),
    "two Hosts": (22,),
    "addresses": (25,),
    "version 1.0": (26,),
    "version 1.1": (26,),
    "versions of the specification": (27,),
    "trailers never become fields": (28,),
    "unread small body": (30,),
    "unread chunks": (30,),
    "Upgrade is declined": (49,),
    "Date and Server of the application": (50,),
    "Date and Server": (50,),
    "bytearray": (51,),
    "memoryview": (51,),
    "text as body": (51,),
}
ALL = [*RESPONSES, *SCOPES, *BODIES, *CONNECTIONS, *REFUSALS, AS_MANY_FIELDS, *FRAMING]


def test_every_rule_is_covered() -> None:
    """By a case of the tables, or by a test of its own."""
    assert CASES.keys() <= {case.name for case in ALL}
    by_cases = {number for numbers in CASES.values() for number in numbers}
    assert by_cases | covered.keys() == RULES.keys()


@parameters(ALL)
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
