"""What is remembered of request heads: never for long, never much, never a secret."""

from __future__ import annotations

import pytest

from srvctl.worker.http import request_head
from srvctl.worker.http.protocol import ProtocolError
from srvctl.worker.http.request_head import make_head, parse_fields, parse_line

MOST = 1024
KNOWN = (
    request_head._plain_fields,
    request_head._special_fields,
    request_head._names,
    request_head._hosts,
)


@pytest.fixture(autouse=True)
def _forgetful() -> None:
    for known in KNOWN:
        known.clear()


def test_a_field_is_the_same_at_second_sight() -> None:
    """In lower case, without the blanks around its value."""
    for _ in range(2):
        fields, _ = parse_fields(b"X-One: \ta b \r\nx-two:", 2)
        assert fields == [(b"x-one", b"a b"), (b"x-two", b"")]
    assert set(request_head._plain_fields) == {b"X-One: \ta b ", b"x-two:"}


def test_special_fields_are_found_at_every_sight() -> None:
    """Each of them, with its repetitions and in order, also when its line is too long to be remembered."""
    long = b"t" * 200
    section = b"A: b\r\nHost: h\r\nTE: %b\r\nC: d\r\nhost: h\r\nHost: h" % long
    for _ in range(3):
        fields, special = parse_fields(section, 6)
        assert special == [(b"host", b"h"), (b"te", long), (b"host", b"h"), (b"host", b"h")]
        assert fields == [(b"a", b"b"), *special[:2], (b"c", b"d"), *special[2:]]
    assert set(request_head._plain_fields) == {b"A: b", b"C: d"}
    assert set(request_head._special_fields) == {b"Host: h", b"host: h"}


@pytest.mark.parametrize("fields", [b"", b"Host: h\r\nHost: h", b"Host: h\r\nHost: i", b"Connection: h"])
def test_one_known_host_excuses_no_other_number_of_hosts(fields: bytes) -> None:
    """RFC 9112 section 3.2: exactly one, whatever was valid before; also what another field says is none."""
    line = parse_line(b"GET / HTTP/1.1")
    for host in (b"h", b"i"):
        assert make_head(line, parse_fields(b"Host: " + host, 1)).is_plain
    with pytest.raises(ProtocolError):
        make_head(line, parse_fields(fields, 2))


@pytest.mark.parametrize("line", [b"A : b", b"A", b": b", b"A: \0", b"A: b\rc", b"A: b\nC: d", b" A: b", b""])
def test_a_bad_field_is_bad_again_and_again(line: bytes) -> None:
    """RFC 9112 section 5: 400, and nothing is remembered of it."""
    for _ in range(2):
        with pytest.raises(ProtocolError) as refused:
            parse_fields(line + b"\r\nA: b", 2)
        assert refused.value.status == 400
    assert not request_head._plain_fields


def test_no_more_fields_than_allowed() -> None:
    """RFC 6585 section 5: 431, known fields or not."""
    assert len(parse_fields(b"A: b\r\nA: b", 2)[0]) == 2
    with pytest.raises(ProtocolError) as refused:
        parse_fields(b"A: b\r\nA: b\r\nA: b", 2)
    assert refused.value.status == 431
    assert parse_fields(b"", 0) == ([], [])


@pytest.mark.parametrize("name", [b"Cookie", b"AUTHORIZATION", b"proxy-authorization"])
def test_no_secret_is_remembered(name: bytes) -> None:
    """It would outlive its request in the memory of the process."""
    parse_fields(name + b": secret", 1)
    assert not request_head._plain_fields
    assert not request_head._special_fields
    assert not any(b"secret" in sent for sent in request_head._names)


def test_not_much_is_remembered() -> None:
    """Neither many of anything nor what is long."""
    line = parse_line(b"GET / HTTP/1.1")
    for number in range(3 * MOST):
        make_head(line, parse_fields(b"Host: h%d\r\nA%d: b" % (number, number), 2))
        assert all(len(known) <= MOST for known in KNOWN)
    for known in KNOWN:
        assert known
        known.clear()
    make_head(line, parse_fields(b"Host: " + b"h" * 1000 + b"\r\n" + b"a" * 1000 + b": b", 2))
    assert set(request_head._names) == {b"Host"}
    assert not any(known for known in KNOWN if known is not request_head._names)
