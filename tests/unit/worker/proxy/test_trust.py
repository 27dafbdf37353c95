"""Who is trusted, whether it is the peer or a hop that it names."""

from __future__ import annotations

import pytest

from srvctl.worker.proxy.node import pack
from srvctl.worker.proxy.trust import Trust


def matched(host: str, *entries: str) -> str | None:
    """The answer for a hop, which must be that for a peer of the same address."""
    trust = Trust(entries)
    answer = trust.match(host, pack(host))
    if pack(host):
        assert trust.match_peer(host, is_unix=False) == answer
    return answer


@pytest.mark.parametrize(
    ("host", "entries", "entry"),
    [
        ("127.0.0.1", ("127.0.0.1", "::1"), "127.0.0.1"),
        ("::1", ("127.0.0.1", "::1"), "::1"),
        ("0:0:0:0:0:0:0:1", ("::1",), "::1"),
        ("127.0.0.2", ("127.0.0.1", "::1"), None),
        ("10.255.0.1", ("10.0.0.0/8",), "10.0.0.0/8"),
        ("11.0.0.0", ("10.0.0.0/8",), None),
        ("10.1.2.3", ("10.0.0.0/8", "10.1.0.0/16", "10.1.2.3"), "10.1.2.3"),
        ("2001:db8::1", ("2001:db8::/32",), "2001:db8::/32"),
        ("2001:db9::1", ("2001:db8::/32",), None),
        ("::ffff:10.0.0.1", ("10.0.0.0/8",), "10.0.0.0/8"),
        ("10.0.0.1", ("::ffff:10.0.0.0/104",), "::ffff:10.0.0.0/104"),
        ("::a00:1", ("10.0.0.0/8",), None),
        ("10.0.0.1", ("::/0",), None),
        ("::1", ("0.0.0.0/0",), None),
        ("192.0.2.1", ("0.0.0.0/0",), "0.0.0.0/0"),
        ("192.0.2.1", ("*",), "*"),
        ("192.0.2.1", ("10.0.0.0/8", "*"), "*"),
        ("_edge", ("_edge",), "_edge"),
        ("_other", ("_edge",), None),
        ("unknown", ("0.0.0.0/0", "::/0", "unix"), None),
        ("unknown", ("*",), "*"),
        ("unix:", ("unix",), "unix"),
        ("unix:", ("127.0.0.1",), None),
        ("127.0.0.1", (), None),
    ],
)
def test_matches(host: str, entries: tuple[str, ...], entry: str | None) -> None:
    assert matched(host, *entries) == entry


def test_a_peer_on_a_unix_socket_is_told_by_the_socket() -> None:
    """A TCP client without an address has just left; whoever it was, it did not come by the Unix socket."""
    trust = Trust(["unix"])
    assert trust.match_peer(None, is_unix=True) == "unix"
    assert trust.match_peer(None, is_unix=False) is None
    assert Trust(["127.0.0.1"]).match_peer(None, is_unix=True) is None
    assert Trust(["*"]).match_peer(None, is_unix=True) == "*"
    assert Trust(["*"]).match_peer(None, is_unix=False) == "*"


@pytest.mark.parametrize("host", ["", "unix", "unix:", "_edge", "localhost"])
def test_a_peer_is_never_trusted_by_a_name(host: str) -> None:
    assert Trust(["unix", "_edge"]).match_peer(host, is_unix=False) is None


def test_the_zone_of_a_peer_does_not_count() -> None:
    assert Trust(["fe80::/10"]).match_peer("fe80::1%eth0", is_unix=False) == "fe80::/10"


def test_settings_may_hold_lists() -> None:
    trust = Trust.from_settings(["127.0.0.1,10.0.0.0/8", "unix"])
    assert trust.match_peer("10.1.1.1", is_unix=False) == "10.0.0.0/8"
    assert trust.match_peer(None, is_unix=True) == "unix"


def test_a_wrong_entry_is_named() -> None:
    with pytest.raises(ValueError, match=r'^"10\.0\.0\.1/8" is a host of a network, .* write 10\.0\.0\.0/8$'):
        Trust.from_settings(["::1", "unix,10.0.0.1/8"])
