"""The entries of the group proxy: what they name, and what is said about one that names nothing."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from srvctl.settings.trusted import check_fields, check_peers, items_of, parse_field, parse_peer

ALLOWED = "an IP address, a network such as 10.0.0.0/8, unix, * or a name such as _edge (RFC 7239)"


@pytest.mark.parametrize("name", ["*", "unix", "_edge", "_a.b-c_d"])
def test_names_are_themselves(name: str) -> None:
    assert parse_peer(name) == name


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("10.0.0.1", "10.0.0.1/32"),
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("10.0.0.0/255.0.0.0", "10.0.0.0/8"),
        ("::1", "::1/128"),
        ("2001:DB8::/32", "2001:db8::/32"),
        ("::ffff:10.0.0.1", "10.0.0.1/32"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ("::ffff:0:0/96", "0.0.0.0/0"),
        ("::/0", "::/0"),
    ],
)
def test_addresses_are_networks_and_mapped_ones_what_they_stand_for(text: str, network: str) -> None:
    assert parse_peer(text) == ip_network(network)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("localhost", f"is not {ALLOWED}"),
        ("10.0.0.256", f"is not {ALLOWED}"),
        ("10.0.0.0/33", f"is not {ALLOWED}"),
        ("010.0.0.1", f"is not {ALLOWED}"),
        ("/run/a.sock", f"is not {ALLOWED}"),
        ("unix:", f"is not {ALLOWED}"),
        ("_", f"is not {ALLOWED}"),
        ("10.1.0.0/8", "is a host of a network, not a network; write 10.0.0.0/8"),
        ("2001:db8::1/32", "is a host of a network, not a network; write 2001:db8::/32"),
        ("fe80::1%eth0", "has a zone, which cannot be compared; write fe80::1"),
        ("%", "has a zone, which cannot be compared; write fe80::/10"),
    ],
)
def test_what_names_no_one_is_refused(text: str, message: str) -> None:
    """Above all what uvicorn takes for a name that nothing ever matches."""
    with pytest.raises(ValueError) as caught:
        parse_peer(text)
    assert str(caught.value) == message


def test_values_hold_lists() -> None:
    assert list(items_of(["a, b", "c", "", " ,d,"])) == ["a", "b", "c", "d"]


def test_fields_are_taken_in_any_case() -> None:
    assert [parse_field(name) for name in ("for", "Proto", "HOST", "port", "prefix")] == [
        "for",
        "proto",
        "host",
        "port",
        "prefix",
    ]


def test_checks_tell_the_entry_from_the_value() -> None:
    check_peers("127.0.0.1, unix,10.0.0.0/8")
    check_fields("for, proto")
    with pytest.raises(ValueError, match=r"^is not an IP address, "):
        check_peers("x")
    with pytest.raises(ValueError, match=r'^holds "x", which is not an IP address, '):
        check_peers("::1, x")
    with pytest.raises(ValueError, match=r"^is not one of for, proto, host, port, prefix$"):
        check_fields("by")
    with pytest.raises(ValueError, match=r'^holds "by", which is not one of '):
        check_fields("for,by")
