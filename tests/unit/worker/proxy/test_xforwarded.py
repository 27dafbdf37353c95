"""X-Forwarded-*: whose word counts, and how much of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, cast

import pytest

from srvctl.settings.trusted import ForwardedField, items_of
from srvctl.worker.proxy.trust import Trust
from srvctl.worker.proxy.xforwarded import XForwarded

if TYPE_CHECKING:
    from srvctl.worker.proxy.view import View

PROXIES = ("127.0.0.1", "10.0.0.0/8", "::1")
CLIENT = "203.0.113.7"


def read(
    *fields: tuple[str, str], trusted: tuple[str, ...] = PROXIES, believed: str = "for,proto,host,port,prefix"
) -> View:
    names = [cast("ForwardedField", name) for name in items_of([believed])]
    found = [(b"x-forwarded-" + name.encode(), value.encode("latin-1")) for name, value in fields]
    style = XForwarded(Trust(trusted), names)
    found = [field for field in found if field[0] in style.names]
    steps: list[str] = []
    view = style.read(found)
    assert style.read(found, steps) == view, "reasons change nothing"
    assert all(step.isprintable() for step in steps)
    return view


class TestFor:
    #: value, trusted, client. What uvicorn 0.54 makes of them, recorded; tests/props compares them live.
    AS_UVICORN = (
        ("203.0.113.7", PROXIES, ("203.0.113.7", 0)),
        ("203.0.113.7:4000", PROXIES, ("203.0.113.7", 4000)),
        ("2001:db8::1", PROXIES, ("2001:db8::1", 0)),
        ("[2001:db8::1]", PROXIES, ("2001:db8::1", 0)),
        ("[2001:db8::1]:443", PROXIES, ("2001:db8::1", 443)),
        ("192.0.2.9, 203.0.113.7", PROXIES, ("203.0.113.7", 0)),
        ("192.0.2.9, 203.0.113.7, 10.0.0.1, 127.0.0.1", PROXIES, ("203.0.113.7", 0)),
        ("10.0.0.3, 10.0.0.2:80,10.0.0.1", PROXIES, ("10.0.0.3", 0)),
        ("10.0.0.3:81,10.0.0.1", PROXIES, ("10.0.0.3", 81)),
        ("203.0.113.7,[::1]:9", PROXIES, ("203.0.113.7", 0)),
        ("203.0.113.7, unknown", PROXIES, ("unknown", 0)),
        ("203.0.113.7, _hidden, 10.0.0.1", PROXIES, ("_hidden", 0)),
        ("203.0.113.7, _edge, 10.0.0.1", (*PROXIES, "_edge"), ("203.0.113.7", 0)),
        ("192.0.2.9:5, 203.0.113.7", ("*",), ("192.0.2.9", 5)),
        ("unknown, 203.0.113.7", ("*",), ("unknown", 0)),
        ("", PROXIES, None),
        ("", ("*",), None),
        ("203.0.113.7,", PROXIES, None),
    )

    @pytest.mark.parametrize(("value", "trusted", "client"), AS_UVICORN)
    def test_the_client_is_the_one_that_uvicorn_finds(
        self, value: str, trusted: tuple[str, ...], client: tuple[str, int] | None
    ) -> None:
        assert read(("for", value), trusted=trusted).client == client

    @pytest.mark.parametrize(
        ("value", "client"),
        [
            ('"203.0.113.7"', ("203.0.113.7", 0)),
            ('"[2001:db8::1]:443"', ("2001:db8::1", 443)),
            ("203.0.113.7, unix:", ("unix:", 0)),
            ("203.0.113.7, ::ffff:10.0.0.1", ("203.0.113.7", 0)),
            ("203.0.113.7 \t,\t 10.0.0.1 ", ("203.0.113.7", 0)),
        ],
    )
    def test_what_uvicorn_reads_otherwise(self, value: str, client: tuple[str, int]) -> None:
        assert read(("for", value)).client == client

    @pytest.mark.parametrize("garbage", ["", "x", "<script>", '"', '"203.0.113.8', "10.0.0.1:x", "10.0.0.1;"])
    def test_nothing_left_of_garbage_counts(self, garbage: str) -> None:
        """The client is then the hop that passed it on: nobody is invented, and nobody believed."""
        assert read(("for", f"203.0.113.7, {garbage}, 10.0.0.2, 10.0.0.1")).client == ("10.0.0.2", 0)
        assert read(("for", f"203.0.113.7, {garbage}")).client is None
        assert read(("for", f"203.0.113.7, {garbage}, 192.0.2.9"), trusted=("*",)).client == ("192.0.2.9", 0)

    def test_repeated_fields_are_one_list(self) -> None:
        assert read(("for", "192.0.2.9"), ("for", CLIENT), ("for", "10.0.0.1")).client == (CLIENT, 0)
        assert read(("for", f"{CLIENT}, 10.0.0.2"), ("for", "10.0.0.1")).client == (CLIENT, 0)

    def test_a_hop_on_a_unix_socket_is_passed_if_it_is_trusted(self) -> None:
        assert read(("for", f"{CLIENT}, unix:"), trusted=("unix",)).client == (CLIENT, 0)

    @pytest.mark.parametrize("entry", ["10.0.0.1", "10.0.0.1:80", "[::1]:80", "x", "", '"', "_", "["])
    def test_a_long_list_takes_time_in_proportion(self, entry: str) -> None:
        """Quadratic, 256 KiB would take minutes."""
        value = f"{entry}," * ((1 << 18) // (len(entry) + 1)) + "10.0.0.1"
        started = time.process_time()
        read(("for", value), ("proto", value), ("prefix", value))
        read(("for", value), trusted=("*",))
        assert time.process_time() - started < 10


class TestProto:
    @pytest.mark.parametrize(
        ("value", "scheme"),
        [
            ("https", "https"),
            ("http", "http"),
            ("wss", "https"),
            ("ws", "http"),
            ("HTTPS", "https"),
            (" https\t", "https"),
            ("", None),
            ("ftp", None),
            ("https ", "https"),
            ("https;", None),
        ],
    )
    def test_schemes(self, value: str, scheme: str | None) -> None:
        assert read(("proto", value)).scheme == scheme

    @pytest.mark.parametrize(
        ("proto", "hops", "scheme"),
        [
            ("https", f"{CLIENT}, 10.0.0.1", "https"),
            ("https,http", f"{CLIENT}, 10.0.0.1", "https"),
            ("https,http", CLIENT, "http"),
            ("https,http,http", f"{CLIENT}, 10.0.0.2, 10.0.0.1", "https"),
            ("http,https,http", f"192.0.2.9, {CLIENT}, 10.0.0.1", "https"),
            ("https,http", f"{CLIENT}, 10.0.0.2, 10.0.0.1", "https"),
            ("http,https,http", f"{CLIENT}, x, 10.0.0.1", "https"),
            ("x,http", f"{CLIENT}, 10.0.0.1", None),
            ("https,http", "x", "http"),
        ],
    )
    def test_the_value_of_the_hop_that_was_reached_counts(self, proto: str, hops: str, scheme: str) -> None:
        assert read(("for", hops), ("proto", proto)).scheme == scheme

    def test_without_for_the_peers_word_counts(self) -> None:
        assert read(("proto", "https"), ("proto", "http")).scheme == "http"
        assert read(("proto", "https,http"), ("for", f"{CLIENT},10.0.0.1"), believed="proto").scheme == "http"


class TestHostPortPrefix:
    @pytest.mark.parametrize(
        "host",
        ["example.com", "example.com:8443", "EX_ample-1", "192.0.2.1:1", "[2001:db8::1]", "[::1]:65535"],
    )
    def test_hosts(self, host: str) -> None:
        assert read(("host", host)).host == host.encode()

    @pytest.mark.parametrize(
        "host",
        [
            "",
            ":80",
            "a b",
            "a:",
            "a:0",
            "a:65536",
            "a:x",
            "a/b",
            "u@a",
            "[::1",
            "[1.2.3.4]",
            "[::g]",
            "[:]",
            "a\x00",
            "ä",
            "a\r",
            "http://a",
            "a:1:2",
            "::1",
            "[]",
            "a%2fb",
            "<a>",
        ],
    )
    def test_no_hosts(self, host: str) -> None:
        assert read(("host", host)).host is None

    def test_ports(self) -> None:
        assert [read(("port", port)).port for port in ("443", "8443", "0", "65536", "x", "")] == [
            443,
            8443,
            None,
            None,
            None,
            None,
        ]

    @pytest.mark.parametrize(
        ("value", "prefix"),
        [
            ("/app", b"/app"),
            ("/app/", b"/app"),
            ("/", b""),
            ("/a/b-c.d~e_f", b"/a/b-c.d~e_f"),
            ("/caf%C3%A9", b"/caf%C3%A9"),
            ("/a:@!$&'()*+;=", b"/a:@!$&'()*+;="),
        ],
    )
    def test_prefixes(self, value: str, prefix: bytes) -> None:
        assert read(("prefix", value)).prefix == prefix

    @pytest.mark.parametrize(
        "value",
        [
            "",
            "app",
            "//",
            "//evil.example",
            "/a//b",
            "/a//",
            "/..",
            "/a/../b",
            "/.",
            "/a/./b",
            "/%2e%2E",
            "/a%2f%2fb",
            "/%2fevil.example",
            "/a%00",
            "/a%0d%0ab",
            "/a\x7f",
            "/a b",
            "/ä",
            "/%ff",
            "/a?b",
            "/a#b",
            "/%",
            "/%4",
            "/\\evil.example",
            "/%5cevil.example",
            "/a%2f..",
            "http://a",
            "/%C2%85",
        ],
    )
    def test_no_prefixes(self, value: str) -> None:
        assert read(("prefix", value)).prefix is None

    def test_prefixes_of_several_hops_are_put_together(self) -> None:
        """Each proxy removes its own, so the application needs them all: the outermost first."""
        hops = ("for", f"192.0.2.9, {CLIENT}, 10.0.0.1")
        assert read(hops, ("prefix", "/a/, /b")).prefix == b"/a/b"
        assert read(hops, ("prefix", "/evil, /a, /b")).prefix == b"/a/b"
        assert read(hops, ("prefix", "/a")).prefix == b"/a"
        assert read(hops, ("prefix", "/a, ..")).prefix is None

    def test_hosts_and_ports_of_the_hop_that_was_reached_count(self) -> None:
        hops = ("for", f"192.0.2.9, {CLIENT}, 10.0.0.1")
        view = read(hops, ("host", "evil, a, b"), ("port", "1, 2, 3"))
        assert (view.host, view.port) == (b"a", 2)


def test_only_the_fields_that_are_believed_have_names() -> None:
    assert XForwarded(Trust([]), ["for", "proto"]).names == {b"x-forwarded-for", b"x-forwarded-proto"}
    assert XForwarded(Trust([]), []).names == frozenset()


def test_the_reasons() -> None:
    steps: list[str] = []
    found = [
        (b"x-forwarded-for", b"x, 203.0.113.7, 10.0.0.1"),
        (b"x-forwarded-proto", b"https"),
        (b"x-forwarded-host", b"a b"),
        (b"x-forwarded-port", b"8443"),
        (b"x-forwarded-prefix", b"/app/"),
    ]
    XForwarded(Trust(PROXIES), ["for", "proto", "host", "port", "prefix"]).read(found, steps)
    assert steps == [
        "10.0.0.1 is trusted: matches 10.0.0.0/8",
        "203.0.113.7 is not trusted: this is the client",
        'X-Forwarded-Proto "https": the scheme is https',
        'X-Forwarded-Host "a b": ignored, not a host with an optional port',
        'X-Forwarded-Port "8443": the port is 8443',
        "X-Forwarded-Prefix: /app is put before the path",
    ]
    steps.clear()
    XForwarded(Trust(PROXIES), ["for"]).read([(b"x-forwarded-for", b"10.0.0.2, 10.0.0.1")], steps)
    assert steps[-1] == "no hop is left, all are trusted: 10.0.0.2 is the client"
    steps.clear()
    XForwarded(Trust(PROXIES), ["for"]).read([(b"x-forwarded-for", b"\x1b[0m" + b"x" * 99)], steps)
    assert steps == [
        '"\\x1b[0m' + "x" * 76 + '…" names no address: neither it nor what is left of it counts, '
        "the client is the peer"
    ]
