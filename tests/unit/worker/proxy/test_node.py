"""How a hop may be written."""

from __future__ import annotations

import pytest

from srvctl.worker.proxy.node import pack, read_node, read_port

V4 = b"\xc0\x00\x02\x01"
V6 = b"\x20\x01\x0d\xb8" + bytes(11) + b"\x01"


@pytest.mark.parametrize(
    ("text", "address", "packed"),
    [
        ("192.0.2.1", ("192.0.2.1", 0), V4),
        ("192.0.2.1:80", ("192.0.2.1", 80), V4),
        ("192.0.2.1:0", ("192.0.2.1", 0), V4),
        ("192.0.2.1:_x", ("192.0.2.1", 0), V4),
        ("2001:db8::1", ("2001:db8::1", 0), V6),
        ("2001:DB8::1", ("2001:DB8::1", 0), V6),
        ("[2001:db8::1]", ("2001:db8::1", 0), V6),
        ("[2001:db8::1]:443", ("2001:db8::1", 443), V6),
        ("[2001:db8::1]:_hidden", ("2001:db8::1", 0), V6),
        ("::ffff:192.0.2.1", ("::ffff:192.0.2.1", 0), V4),
        ("[::ffff:192.0.2.1]:1", ("::ffff:192.0.2.1", 1), V4),
        ("unknown", ("unknown", 0), b""),
        ("Unknown", ("Unknown", 0), b""),
        ("unknown:80", ("unknown", 80), b""),
        ("_hidden", ("_hidden", 0), b""),
        ("_SEVKISEK:65535", ("_SEVKISEK", 65535), b""),
        ("unix:", ("unix:", 0), b""),
    ],
)
def test_forms(text: str, address: tuple[str, int], packed: bytes) -> None:
    assert read_node(text) == (address, packed)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        ":",
        ":80",
        "::80:",
        "[",
        "[]",
        "[]:80",
        "[::1",
        "::1]",
        "[::1]80",
        "[::1]:",
        "[::1]:x",
        "[::1]:65536",
        "[192.0.2.1]",
        "[192.0.2.1]:80",
        "[_hidden]",
        "[::1%eth0]",
        "fe80::1%eth0",
        "192.0.2.1:",
        "192.0.2.1:65536",
        "192.0.2.1:-1",
        "192.0.2.1:+1",
        "192.0.2.1: 1",
        "192.0.2.1:\u0661",
        "192.0.2.1:000080",
        "192.0.2.1 ",
        "192.0.2",
        "192.0.2.01",
        "192.0.2.256",
        "0x7f000001",
        "2130706433",
        "localhost",
        "example.com",
        "unix",
        "unix:/a",
        "_",
        "_a b",
        "unknown!",
        "\0",
        "1.2.3.4\0",
        "\xe4",
        "<script>",
    ],
)
def test_what_is_no_hop(text: str) -> None:
    assert read_node(text) is None


def test_rfc_7239_wants_brackets() -> None:
    assert read_node("2001:db8::1", takes_bare_ipv6=False) is None
    assert read_node("[2001:db8::1]", takes_bare_ipv6=False) == (("2001:db8::1", 0), V6)
    assert read_node("192.0.2.1:80", takes_bare_ipv6=False) == (("192.0.2.1", 80), V4)


def test_addresses_are_packed() -> None:
    assert pack("192.0.2.1") == pack("::ffff:c000:201") == V4
    assert pack("2001:db8:0::1") == V6
    assert pack("::192.0.2.1") == bytes(12) + V4
    assert pack("") == pack("x") == pack("\0") == b""


def test_ports() -> None:
    assert [read_port(text) for text in ("1", "080", "65535")] == [1, 80, 65535]
    assert [read_port(text) for text in ("", "0", "65536", "123456", " 1", "-1", "\u0661")] == [None] * 7
