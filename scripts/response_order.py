"""In which order an application may send the messages of a response: found by sending each in every state.

The tables in worker/http/response.py say what is accepted; where a message leads depends on what it says, so
a real `RequestCycle` is asked. States that accept the same look the same to an application and are one here.
Called by `diagrams`; talks to no client.
"""

from __future__ import annotations

import itertools
import tempfile
from typing import TYPE_CHECKING, Any, Final

from srvctl.worker.http.cycle import RequestCycle
from srvctl.worker.http.extensions import DEBUG, EARLY_HINT, PATHSEND, TRAILERS, ZEROCOPYSEND
from srvctl.worker.http.protocol import RequestHead
from srvctl.worker.http.response import BEFORE_START, COMPLETE
from srvctl.worker.websocket.session import _ASKED, _OPEN
from tests.unit.worker.recording import FakeHost, FakeServer, step

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    Message = dict[str, Any]
    Call = tuple[str, Message]

_START: Final = "http.response.start"
_BODY: Final = "http.response.body"
#: What an application sees of each state: by what it may send in it.
_NAMES: Final[dict[frozenset[str], str]] = {
    frozenset(BEFORE_START): "asked",
    frozenset({_BODY, PATHSEND, ZEROCOPYSEND}): "started",
    frozenset({_BODY, ZEROCOPYSEND}): "sending",
    frozenset({TRAILERS}): "trailers due",
    frozenset(COMPLETE): "complete",
}
#: Requests whose responses are framed in different ways.
_HEADS: Final = tuple(
    RequestHead(method, b"/", version, (), True, 0, False, takes_trailers)
    for method, version, takes_trailers in itertools.product(("GET", "HEAD"), ("1.0", "1.1"), (False, True))
)


def explored() -> list[tuple[str, str, str]]:
    """Return from where, to where, and by which message, each once."""
    with tempfile.NamedTemporaryFile() as file:
        calls = list(_calls(file))
        found = {move for head in _HEADS for move in _moves(head, calls)}
    order = list(_NAMES.values())
    return sorted(found, key=lambda move: (order.index(move[0]), order.index(move[1]), move[2]))


def websocket_rows() -> list[tuple[str, str]]:
    """Return what may be sent before, while and after a WebSocket is open."""
    named = {"asked for": _ASKED, "open": _OPEN, "closed": COMPLETE}
    return [(state, ", ".join(f"`{name}`" for name in table) or "nothing") for state, table in named.items()]


def _calls(file: Any) -> Iterator[Call]:
    """Yield each message, after what it is called."""
    yield "start", {"type": _START, "status": 200}
    yield "start", {"type": _START, "status": 200, "trailers": True}
    yield "early_hint", {"type": EARLY_HINT, "links": []}
    yield "debug", {"type": DEBUG, "info": {}}
    yield "body", {"type": _BODY, "body": b"a"}
    yield "body with more_body", {"type": _BODY, "body": b"a", "more_body": True}
    yield "pathsend", {"type": PATHSEND, "path": file.name}
    yield "zerocopysend", {"type": ZEROCOPYSEND, "file": file, "offset": 0}
    yield "zerocopysend with more_body", {"type": ZEROCOPYSEND, "file": file, "offset": 0, "more_body": True}
    yield "trailers with more_trailers", {"type": TRAILERS, "headers": [], "more_trailers": True}
    yield "trailers", {"type": TRAILERS, "headers": []}


def _moves(head: RequestHead, calls: Iterable[Call]) -> Iterator[tuple[str, str, str]]:
    """Yield what each message does in each state that can be reached."""
    seen: set[tuple[int, bool]] = set()
    ahead: list[tuple[Message, ...]] = [()]
    while ahead:
        before = ahead.pop()
        cycle = _after(head, before)
        key = (id(cycle._accepts), bool(cycle._accepts is not BEFORE_START and cycle._has_trailers))  # noqa: SLF001 - that is asked
        if key in seen:
            continue
        seen.add(key)
        for name, message in calls:
            if message["type"] in cycle._accepts:  # noqa: SLF001 - that is asked
                ahead.append((*before, message))
                yield _name(cycle), _name(_after(head, ahead[-1])), name


def _after(head: RequestHead, messages: Iterable[Message]) -> RequestCycle:
    """Return a response to which these were sent."""
    scope: dict[str, Any] = {
        "extensions": {name: {} for name in (EARLY_HINT, DEBUG, PATHSEND, ZEROCOPYSEND, TRAILERS)}
    }
    cycle = RequestCycle(FakeHost(), FakeServer(), head, scope)
    for message in messages:
        step(cycle.send(message))
    return cycle


def _name(cycle: RequestCycle) -> str:
    return _NAMES[frozenset(cycle._accepts)]  # noqa: SLF001 - that is asked
