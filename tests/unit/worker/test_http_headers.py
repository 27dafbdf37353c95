"""Response fields: what goes out, what is left out, what is refused, and that memory changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from srvctl.worker.http import headers
from srvctl.worker.http.headers import CLOSE, DATE, SERVER, HeaderError, encode_fields, status_line

if TYPE_CHECKING:
    from collections.abc import Iterator

PAIRS = [(b"X-One", b"1"), (b"content-length", b"3"), (b"x-one", b"2"), (b"Set-Cookie", b"a=b")]
BLOCK = b"X-One: 1\r\ncontent-length: 3\r\nx-one: 2\r\nSet-Cookie: a=b\r\n"


@pytest.fixture(autouse=True)
def no_memory() -> Iterator[None]:
    """Begin as a new process does."""
    headers._encoded.clear()
    headers._known.clear()
    yield
    headers._encoded.clear()
    headers._known.clear()


def test_order_and_spelling_are_the_applications() -> None:
    """Repeated names keep their places, too."""
    assert encode_fields(PAIRS, 200) == (BLOCK, 3, 0)


@pytest.mark.parametrize("status", [200, 304, 500])
def test_a_section_that_is_remembered_is_the_same(status: int) -> None:
    """A hit equals the miss before it."""
    first = encode_fields(PAIRS, status)
    assert headers._encoded
    assert encode_fields(list(PAIRS), status) == first
    assert encode_fields(tuple(PAIRS), 200) == first


def test_204_has_no_length_whatever_is_remembered() -> None:
    """RFC 9110 section 8.6; neither answer is taken for the other."""
    without = b"X-One: 1\r\nx-one: 2\r\nSet-Cookie: a=b\r\n"
    assert encode_fields(PAIRS, 204)[0] == without
    assert encode_fields(PAIRS, 200)[0] == BLOCK
    assert encode_fields(PAIRS, 204)[0] == without
    assert encode_fields(PAIRS, 200)[0] == BLOCK


def test_pairs_may_be_lists_and_the_whole_an_iterator() -> None:
    """ASGI says iterable of two-item iterables."""
    assert encode_fields([list(pair) for pair in PAIRS], 200)[0] == BLOCK  # type: ignore[misc]
    assert encode_fields(iter(PAIRS), 200)[0] == BLOCK
    assert encode_fields((), 200) == (b"", None, 0)


@pytest.mark.parametrize("evil", [b"\r", b"\n", b"\0", b"\r\n", b"a\r\nx-evil: 1", b"\nx-evil: 1", b"a\0b"])
@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("others", [[], PAIRS])
def test_nothing_smuggles_a_line(evil: bytes, place: int, others: list[tuple[bytes, bytes]]) -> None:
    """CR, LF and NUL are refused in names and values, again and again."""
    pair = (evil, b"v") if place == 0 else (b"x", evil)
    for _ in range(2):
        with pytest.raises(HeaderError):
            encode_fields([*others, pair], 200)
        with pytest.raises(HeaderError):
            encode_fields([list(pair)], 200)  # type: ignore[list-item]


def test_a_cr_here_does_not_make_up_for_an_lf_there() -> None:
    """Every one is counted."""
    with pytest.raises(HeaderError):
        encode_fields([(b"x", b"\r"), (b"y", b"\n")], 200)


@pytest.mark.parametrize("name", [b"", b" ", b"a b", b"a:", b":a", b"a ", b"\xe4", b"a\t", b"(a)", b"a\x7f"])
def test_a_name_is_a_token(name: bytes) -> None:
    """RFC 9110 section 5.6.2."""
    with pytest.raises(HeaderError):
        encode_fields([(name, b"v")], 200)


@pytest.mark.parametrize("pair", [("x", b"v"), (b"x", "v"), (b"x", None), (b"x", 1), (None, b"v")])
def test_only_bytes_are_taken(pair: Any) -> None:
    """Text has no encoding that would be right for every application."""
    with pytest.raises((TypeError, AttributeError)):
        encode_fields([pair], 200)


@pytest.mark.parametrize("value", [b"", b"-1", b"+1", b"1 ", b" 1", b"1,1", b"0x1", b"1_0", b"\xb2", b"a"])
def test_a_length_is_a_number(value: bytes) -> None:
    """Anything else would be read in two ways."""
    with pytest.raises(HeaderError):
        encode_fields([(b"Content-Length", value)], 200)


@pytest.mark.parametrize("second", [b"3", b"4"])
def test_two_lengths_are_refused(second: bytes) -> None:
    """Even equal ones (RFC 9112 section 6.3)."""
    with pytest.raises(HeaderError):
        encode_fields([(b"content-length", b"3"), (b"Content-Length", second)], 200)
    with pytest.raises(HeaderError):
        encode_fields([(b"content-length", b"3"), (b"Content-Length", second)], 204)


@pytest.mark.parametrize("name", [b"transfer-encoding", b"Transfer-Encoding", b"TRANSFER-ENCODING"])
def test_the_transfer_coding_is_the_servers(name: bytes) -> None:
    """ASGI: servers ignore it."""
    assert encode_fields([(b"a", b"b"), (name, b"chunked"), (b"c", b"d")], 200) == (
        b"a: b\r\nc: d\r\n",
        None,
        0,
    )


@pytest.mark.parametrize(
    ("value", "says"),
    [(b"close", CLOSE), (b"Close", CLOSE), (b"x, close", CLOSE), (b"keep-alive", 0), (b"upgrade", 0)],
)
def test_the_connection_field_is_the_servers_but_close_is_obeyed(value: bytes, says: int) -> None:
    """The server writes its own."""
    assert encode_fields([(b"Connection", value)], 200) == (b"", None, says)


def test_a_date_and_a_server_of_its_own_are_noticed() -> None:
    """The server then adds none."""
    assert encode_fields([(b"Date", b"d")], 200) == (b"Date: d\r\n", None, DATE)
    assert encode_fields([(b"SERVER", b"s")], 200) == (b"SERVER: s\r\n", None, SERVER)
    assert encode_fields([(b"server", b"s"), (b"date", b"d"), (b"connection", b"close")], 200)[2] == (
        DATE | SERVER | CLOSE
    )


def test_what_is_remembered_is_bounded() -> None:
    """An application that never repeats itself costs no memory."""
    for number in range(3000):
        encode_fields([(b"x-%d" % number, b"v")], 200)
    encode_fields([(b"x-long", b"v" * 10_000)], 200)
    assert len(headers._encoded) <= headers._REMEMBERED_SECTIONS
    assert len(headers._known) <= headers._REMEMBERED_NAMES
    assert sum(len(block) for block, _, _ in headers._encoded.values()) < 512 * 1024
    assert encode_fields([(b"X-New", b"v")], 200)[0] == b"X-New: v\r\n"


def test_a_faulty_section_is_not_remembered() -> None:
    """The second attempt fails like the first."""
    for _ in range(2):
        with pytest.raises(HeaderError):
            encode_fields([(b"x", b"\n")], 200)
    assert not headers._encoded


@pytest.mark.parametrize(
    ("status", "line"),
    [
        (200, b"HTTP/1.1 200 OK\r\n"),
        (404, b"HTTP/1.1 404 Not Found\r\n"),
        (299, b"HTTP/1.1 299 \r\n"),
        (999, b"HTTP/1.1 999 \r\n"),
    ],
)
def test_status_lines(status: int, line: bytes) -> None:
    """The blank before an empty reason stays (RFC 9112 section 4)."""
    assert status_line(status) == line


@pytest.mark.parametrize("status", [0, 99, 100, 101, 103, 199, 1000, -200])
def test_only_final_statuses_end_a_response(status: int) -> None:
    """An interim one would leave the client waiting."""
    with pytest.raises(ValueError, match="not the status of a final response"):
        status_line(status)
