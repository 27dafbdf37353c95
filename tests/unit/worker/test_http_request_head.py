"""What is remembered of request heads: never for long, never much, never a secret."""

from __future__ import annotations

import pytest

from srvctl.worker.http import request_head
from srvctl.worker.http.protocol import ProtocolError
from srvctl.worker.http.request_head import make_head, parse_fields, parse_line

MOST = 1024


@pytest.fixture(autouse=True)
def _forgetful() -> None:
    request_head._fields.clear()
    request_head._hosts.clear()


def test_a_field_is_the_same_at_second_sight() -> None:
    """In lower case, without the blanks around its value."""
    for _ in range(2):
        assert parse_fields(b"X-One: \ta b \r\nx-two:", 2) == [(b"x-one", b"a b"), (b"x-two", b"")]
    assert set(request_head._fields) == {b"X-One: \ta b ", b"x-two:"}


@pytest.mark.parametrize("line", [b"A : b", b"A", b": b", b"A: \0", b"A: b\rc", b"A: b\nC: d", b" A: b", b""])
def test_a_bad_field_is_bad_again_and_again(line: bytes) -> None:
    """RFC 9112 section 5: 400, and nothing is remembered of it."""
    for _ in range(2):
        with pytest.raises(ProtocolError) as refused:
            parse_fields(line + b"\r\nA: b", 2)
        assert refused.value.status == 400
    assert not request_head._fields


def test_no_more_fields_than_allowed() -> None:
    """RFC 6585 section 5: 431, known fields or not."""
    assert len(parse_fields(b"A: b\r\nA: b", 2)) == 2
    with pytest.raises(ProtocolError) as refused:
        parse_fields(b"A: b\r\nA: b\r\nA: b", 2)
    assert refused.value.status == 431
    assert parse_fields(b"", 0) == []


@pytest.mark.parametrize("name", [b"Cookie", b"AUTHORIZATION", b"proxy-authorization"])
def test_no_secret_is_remembered(name: bytes) -> None:
    """It would outlive its request in the memory of the process."""
    parse_fields(name + b": secret", 1)
    assert not request_head._fields


def test_not_much_is_remembered() -> None:
    """Neither many fields and hosts nor long ones."""
    line = parse_line(b"GET / HTTP/1.1")
    for number in range(3 * MOST):
        make_head(line, parse_fields(b"Host: h%d" % number, 1))
        assert len(request_head._fields) <= MOST
        assert len(request_head._hosts) <= MOST
    request_head._fields.clear()
    request_head._hosts.clear()
    make_head(line, parse_fields(b"Host: " + b"h" * 1000, 1))
    assert not request_head._fields
    assert not request_head._hosts
