"""The field Forwarded (RFC 7239)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, cast

import pytest

from srvctl.settings.trusted import ForwardedField, items_of
from srvctl.worker.proxy.forwarded import Forwarded, parse_element, split_from_right
from srvctl.worker.proxy.trust import Trust

if TYPE_CHECKING:
    from srvctl.worker.proxy.view import View

PROXIES = ("127.0.0.1", "10.0.0.0/8", "2001:db8:1::/48")


def read(*values: str, trusted: tuple[str, ...] = PROXIES, believed: str = "for,proto,host") -> View:
    names = [cast("ForwardedField", name) for name in items_of([believed])]
    style = Forwarded(Trust(trusted), names)
    found = [(b"forwarded", value.encode("latin-1")) for value in values]
    steps: list[str] = []
    view = style.read(found)
    assert style.read(found, steps) == view, "reasons change nothing"
    assert all(step.isprintable() for step in steps)
    return view


class TestElement:
    @pytest.mark.parametrize(
        ("text", "parameters"),
        [
            ("for=192.0.2.43", {"for": "192.0.2.43"}),
            ('For="[2001:db8:cafe::17]:4711"', {"for": "[2001:db8:cafe::17]:4711"}),
            (
                "for=192.0.2.60;proto=http;by=203.0.113.43",
                {"for": "192.0.2.60", "proto": "http", "by": "203.0.113.43"},
            ),
            ("FOR=_hidden;X-Secret=a", {"for": "_hidden", "x-secret": "a"}),
            ('for="_gazonk"', {"for": "_gazonk"}),
            (r'host="a\"b\\c"', {"host": 'a"b\\c'}),
            ('host=""', {"host": ""}),
            ('a="b;c,d=e"', {"a": "b;c,d=e"}),
            ("for=1.2.3.4 ;\tproto=https", {"for": "1.2.3.4", "proto": "https"}),
            (";;for=1.2.3.4;", {"for": "1.2.3.4"}),
            ("", {}),
            ('a="\xe4\t"', {"a": "\xe4\t"}),
        ],
    )
    def test_grammar(self, text: str, parameters: dict[str, str]) -> None:
        assert parse_element(text) == parameters

    @pytest.mark.parametrize(
        "text",
        [
            "for",
            "for=",
            "=a",
            "for =a",
            "for= a",
            "for=a b",
            "for=[::1]",
            "for=1.2.3.4:80",
            'for="a',
            'for=a"',
            'for="a"b',
            "for='a'b c",
            "for=a;for=b",
            "for=a;FOR=b",
            "for=a,b=c",
            'for="a\x00"',
            '"for"=a',
            'a="\\',
            "a=ä",
            "ä=a",
            "for=a/b",
            'a="\x7f"',
            "for=a;;;b",
        ],
    )
    def test_malformed(self, text: str) -> None:
        assert parse_element(text) is None


class TestList:
    @pytest.mark.parametrize(
        ("text", "elements"),
        [
            ("", []),
            (" , ,", []),
            ("a", ["a"]),
            ("a,b", ["b", "a"]),
            (" a ,\tb\t", ["b", "a"]),
            ('a="x,y",b', ["b", 'a="x,y"']),
            ('a,b="x,y"', ['b="x,y"', "a"]),
            ('a="x,y";b="z,",c="1"', ['c="1"', 'a="x,y";b="z,"']),
            (r'a="\",\"",b', ["b", r'a="\",\""']),
            (r'a="\\",b="\\\"",c', ["c", r'b="\\\""', r'a="\\"']),
        ],
    )
    def test_well_formed_lists_are_split_as_from_the_left(self, text: str, elements: list[str]) -> None:
        assert list(split_from_right(text)) == elements

    @pytest.mark.parametrize(
        ("text", "elements"), [('a="x,b', ['a="x,b']), ('a="x,b="y",c', ["c", 'b="y"', 'a="x']), ('"', ['"'])]
    )
    def test_a_stray_quote_takes_nothing_from_what_stands_right_of_it(
        self, text: str, elements: list[str]
    ) -> None:
        assert list(split_from_right(text))[: len(elements) - 1] == elements[:-1]

    @pytest.mark.parametrize(
        "piece", [",", '"', '",', ',"', "\\", '\\"', 'a="b";', 'a="b",', "a;", " ", "=", "for=10.0.0.1,"]
    )
    @pytest.mark.parametrize("end", ["", '"', ",", "\0"])
    def test_a_long_field_takes_time_in_proportion(self, piece: str, end: str) -> None:
        """Quadratic, 256 KiB would take minutes."""
        value = piece * ((1 << 18) // len(piece)) + end
        started = time.process_time()
        read(value, trusted=("*",))
        read(value)
        assert time.process_time() - started < 10


class TestView:
    @pytest.mark.parametrize(
        ("value", "client"),
        [
            ("for=203.0.113.7", ("203.0.113.7", 0)),
            ('for="203.0.113.7:4000"', ("203.0.113.7", 4000)),
            ('FOR="[2001:db8::1]:443"', ("2001:db8::1", 443)),
            ("for=192.0.2.9, for=203.0.113.7", ("203.0.113.7", 0)),
            ("for=192.0.2.9, for=203.0.113.7, for=10.0.0.1", ("203.0.113.7", 0)),
            ('for=192.0.2.9, for=203.0.113.7, for="[2001:db8:1::1]", for=10.0.0.1', ("203.0.113.7", 0)),
            ("for=10.0.0.2, for=10.0.0.1", ("10.0.0.2", 0)),
            ("for=203.0.113.7, for=unknown", ("unknown", 0)),
            ("for=203.0.113.7, for=_hidden", ("_hidden", 0)),
            ("for=203.0.113.7,,for=10.0.0.1,", ("203.0.113.7", 0)),
            ("for=203.0.113.7, proto=https", None),
            ("for=203.0.113.7, for=x, for=10.0.0.1", ("10.0.0.1", 0)),
            ("for=203.0.113.7, for, for=10.0.0.1", ("10.0.0.1", 0)),
            ("for=203.0.113.7, by=10.0.0.1, for=10.0.0.1", ("10.0.0.1", 0)),
            ('for="2001:db8::1"', None),
            ("for=203.0.113.7:80", None),
            ("", None),
        ],
    )
    def test_client(self, value: str, client: tuple[str, int] | None) -> None:
        assert read(value).client == client

    def test_a_client_cannot_hide_behind_a_quote_it_never_closes(self) -> None:
        """What it sends is left of what the proxy appends, in the same field or in another."""
        honest = 'for="[2001:db8::7]";proto=https'
        for evil in ('for="', 'for="\\', 'for="a\\"', '"', 'for="10.0.0.1, for=10.0.0.2;x="'):
            assert read(f"{evil}, {honest}").client == ("2001:db8::7", 0)
            assert read(evil, honest).client == ("2001:db8::7", 0)
            assert read(evil, honest).scheme == "https"

    def test_fields_are_one_list(self) -> None:
        assert read("for=203.0.113.7", "for=10.0.0.1").client == ("203.0.113.7", 0)

    def test_with_everyone_trusted_the_left_most_is_the_client(self) -> None:
        assert read("for=192.0.2.9, for=_hidden, for=203.0.113.7", trusted=("*",)).client == ("192.0.2.9", 0)

    def test_the_parameters_are_those_of_the_hop_that_was_reached(self) -> None:
        view = read(
            "for=192.0.2.9;proto=http;host=evil, for=203.0.113.7;proto=https;host=a.example, "
            "for=10.0.0.1;proto=http;host=b"
        )
        assert (view.scheme, view.host) == ("https", b"a.example")
        assert read("for=203.0.113.7, for=10.0.0.1;proto=https").scheme is None

    def test_a_proxy_may_tell_the_scheme_and_not_the_client(self) -> None:
        view = read("for=192.0.2.9, proto=https;host=a")
        assert view == (None, "https", b"a", None, None)

    def test_of_a_malformed_element_nothing_counts(self) -> None:
        assert read("for=203.0.113.7;proto=https;host=a;;x y") == (None,) * 5
        assert read("for=203.0.113.7;proto=https;proto=https") == (None,) * 5

    def test_only_what_is_believed_is_taken(self) -> None:
        value = "for=203.0.113.7;proto=https;host=a"
        assert read(value, believed="for") == (("203.0.113.7", 0), None, None, None, None)
        assert read(value, believed="proto") == (None, "https", None, None, None)
        assert read(f"{value}, proto=http", believed="host,proto") == (None, "http", None, None, None)
        assert read("", believed="proto") == (None,) * 5

    def test_values_are_judged_as_those_of_x_forwarded(self) -> None:
        assert read('proto=HTTPS;host="a.example:8443"')[1:3] == ("https", b"a.example:8443")
        assert read('proto=ftp;host="a b"')[1:3] == (None, None)


def test_without_a_parameter_of_this_family_nothing_is_read() -> None:
    assert Forwarded(Trust([]), ["port", "prefix"]).names == frozenset()
    assert Forwarded(Trust([]), ["host"]).names == {b"forwarded"}


def test_the_reasons() -> None:
    steps: list[str] = []
    style = Forwarded(Trust(PROXIES), ["for", "proto"])
    style.read([(b"forwarded", b"x, for=203.0.113.7;proto=https;host=a, for=10.0.0.1")], steps)
    assert steps == [
        "10.0.0.1 is trusted: matches 10.0.0.0/8",
        "203.0.113.7 is not trusted: this is the client",
        'Forwarded proto "https": the scheme is https',
        'Forwarded host is ignored: "host" is not in proxy.fields',
    ]
    steps.clear()
    style.read([(b"forwarded", b"for=203.0.113.7, for")], steps)
    assert steps == [
        '"for" is malformed: not name=value pairs with ; between (RFC 7239)',
        '"for" names no address: neither it nor what is left of it counts, the client is the peer',
    ]
