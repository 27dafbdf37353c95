"""Which certificate belongs to a name."""

from __future__ import annotations

import pytest

from srvctl.worker.tls.names import Entry, Names, normalized, parse_entry


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        ("example.com=/a.pem", Entry("example.com", "/a.pem", None)),
        ("example.com=/a.crt:/a.key", Entry("example.com", "/a.crt", "/a.key")),
        ("example.com=/a.crt:", Entry("example.com", "/a.crt", None)),
        ("*.Example.COM=a.pem", Entry("*.example.com", "a.pem", None)),
        ("example.com.=a.pem", Entry("example.com", "a.pem", None)),
        (" example.com =a=b.pem", Entry("example.com", "a=b.pem", None)),
        ("bücher.example=a.pem", Entry("xn--bcher-kva.example", "a.pem", None)),
        ("_acme.example=a.pem", Entry("_acme.example", "a.pem", None)),
        ("localhost=a.pem", Entry("localhost", "a.pem", None)),
    ],
)
def test_an_entry_is_a_name_and_its_files(text: str, entry: Entry) -> None:
    assert parse_entry(text) == entry


@pytest.mark.parametrize("text", ["", "example.com", "example.com=", "example.com=:/a.key"])
def test_an_entry_needs_a_name_and_a_certificate(text: str) -> None:
    with pytest.raises(ValueError, match=r"^is not of the form NAME=CERTFILE\[:KEYFILE\]$"):
        parse_entry(text)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "*",
        "*.",
        "a.*.com",
        "*a.com",
        ".com",
        "a..com",
        "a b.com",
        "a_b-.com",
        "-a.com",
        "a/b",
        "a" * 64,
        "ü" * 64,
    ],
)
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="which is no server name"):
        parse_entry(f"{name}=a.pem")


def test_a_name_has_a_greatest_length() -> None:
    """RFC 1035 section 2.3.4."""
    longest = ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 61])
    assert parse_entry(f"{longest}=a.pem").name == longest
    with pytest.raises(ValueError, match="no server name"):
        parse_entry(f"{longest}d=a.pem")


NAMES = Names({"example.com": 1, "*.example.com": 2, "www.example.com": 3, "*.deep.example.com": 4})


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("example.com", 1),
        ("EXAMPLE.com.", 1),
        ("www.example.com", 3),
        ("WWW.Example.Com", 3),
        ("other.example.com", 2),
        ("deep.example.com", 2),
        ("a.deep.example.com", 4),
        ("a.b.example.com", None),
        ("*.example.com", 2),
        ("com", None),
        ("", None),
        (".", None),
        (".example.com", 2),
        ("example.org", None),
        ("notexample.com", None),
    ],
)
def test_exact_names_come_first_and_a_wildcard_is_one_label(asked: str, found: int | None) -> None:
    assert NAMES.find(asked) == found


def test_without_a_wildcard_only_the_name_itself_matches() -> None:
    assert Names({"example.com": 1}).find("www.example.com") is None


def test_what_cannot_be_on_the_wire_stays_as_it_is() -> None:
    assert normalized("ü" * 70) == "ü" * 70
    assert NAMES.find("ü" * 70) is None


def test_names_say_what_they_are() -> None:
    assert repr(Names({"a.example": 1, "*.b.example": 2})) == "Names(a.example, *.b.example)"
