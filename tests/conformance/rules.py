"""What servers are known to get wrong, numbered; a case that holds srvctl to one says so.

Those about WebSockets are in `websocket_rules`; HTTP/2 is held to the same by `test_http2_parity`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

RULES: Final = {
    1: "an HTTP/1.0 client never gets chunks",
    2: "the answer to HEAD has no body and keeps its length",
    3: "204, 304 and 1xx have no body, and 204 no length",
    4: "Transfer-Encoding of the application is ignored",
    5: "a body shorter than its length ends the connection",
    6: "a body never exceeds its length",
    7: "CR, LF and NUL in header fields are refused before any byte",
    8: "an exception before the response is answered 500",
    9: "returning without a response is answered 500",
    10: "returning inside a response breaks the connection off",
    11: "an exception inside a response breaks the connection off",
    12: "repeated response fields keep their order",
    13: "response field names keep their spelling",
    14: "request field names are in lower case, in order, with repetitions",
    15: "receive() after the response says http.disconnect, again and again",
    16: "send() after the client left raises OSError",
    18: "send() after the response is an error",
    19: "an unknown message is an error",
    20: "path is decoded, raw_path and query_string are not",
    21: "the authority of an absolute form beats Host",
    22: "exactly one valid Host",
    23: "path begins with root_path",
    24: "on a Unix socket server is (path, None) and client None",
    25: "ports are integers",
    26: "http_version is 1.0 or 1.1",
    27: "spec_version is true",
    28: "trailers of a request never become header fields",
    29: "100 Continue only when the application reads",
    30: "an unread body is taken in within bounds, or the connection closed",
    31: "a half-closed client gets its answers",
    32: "http.disconnect comes as soon as the client left",
    33: "state is copied for each request, and shallowly",
    34: "an application without lifespan is served, and the log says so",
    35: "a startup that fails is logged, and ends the process",
    36: "the lifespan ends after the last request",
    48: "extensions are offered only where they can be used",
    49: "an unsupported Upgrade is ignored",
    50: "Date and Server are added only where the application has none",
    51: "bytearray and memoryview are accepted, anything else refused",
}
covered: Final[dict[int, list[str]]] = {}  #: the names of the tests, by rule

Test = TypeVar("Test", bound="Callable[..., object]")


def noting_in(covered: dict[int, list[str]]) -> Callable[..., Callable[[Test], Test]]:
    """Return a decorator that notes which rules, by their numbers, a test holds srvctl to."""

    def rule(*numbers: int) -> Callable[[Test], Test]:
        def note(test: Test) -> Test:
            for number in numbers:
                covered.setdefault(number, []).append(test.__name__)
            return test

        return note

    return rule


rule: Final = noting_in(covered)
