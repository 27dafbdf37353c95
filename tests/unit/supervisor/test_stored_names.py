"""The names of kept sockets: systemd takes each of them, and each is understood again."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srvctl.settings.binds import Bind, FdBind, SystemdBind, TcpBind, UnixBind, parse_bind
from srvctl.supervisor.stored_names import (
    LONGEST,
    bind_part,
    file_of_place,
    is_kept,
    is_name,
    name_for,
    parts_of,
    place_of_file,
)

LABELS = st.text("abcxyz-09_", min_size=1, max_size=60)
HOSTS = st.lists(LABELS, min_size=1, max_size=4).map(".".join) | st.sampled_from(
    ["", "::", "::1", "fe80::1%eth0", "127.0.0.1"]
)
ACCOUNTS = st.none() | st.text("abc,;%~é", min_size=1, max_size=8)
PATHS = st.text(min_size=1, max_size=107).filter(
    lambda text: (
        text.isprintable()
        and "?" not in text
        and not text.startswith(("@", "//"))
        and len(text.encode()) <= 107
    )
)
WORDS = {"unix", "fd", "systemd"}
BINDS: st.SearchStrategy[Bind] = st.builds(
    TcpBind, HOSTS.filter(lambda host: host not in WORDS and len(host) < 254), st.integers(0, 65535)
) | st.builds(UnixBind, PATHS, st.none() | st.integers(0, 0o777), ACCOUNTS, ACCOUNTS)
PLACES = st.sampled_from(
    ["127.0.0.1", "0.0.0.0", "::", "fe80::ffff:ffff:ffff:ffff%enp0s31f6n1234"]
) | st.builds(place_of_file, st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))


@given(BINDS, PLACES)
def test_systemd_takes_it_and_it_is_understood_again(bind: Bind, place: str) -> None:
    """fdname_is_valid() of systemd: printable ASCII without a colon, at most 255 characters."""
    name = name_for(bind, place)
    assert re.fullmatch(r"[ -9;-~]+", name)
    assert len(name) <= LONGEST
    assert is_name(name)
    assert parts_of(name) == (bind_part(bind), place)


@given(BINDS, BINDS)
def test_two_binds_have_two_names(one: Bind, other: Bind) -> None:
    assert (bind_part(one) == bind_part(other)) == (str(one) == str(other))


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_a_file_is_found_again(device: int, inode: int) -> None:
    assert file_of_place(place_of_file(device, inode)) == (device, inode)


@given(st.text())
def test_nothing_is_read_into_names_of_others(text: str) -> None:
    assert is_name(text) == (text == "srvctl" or text.startswith("srvctl,"))
    bind, place = parts_of(text)
    assert bool(bind or place) <= (text.count(",") == 2)
    assert file_of_place(text) is None or re.fullmatch("[0-9]+-[0-9]+", text)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("localhost:8000", "srvctl,localhost%3A8000,P"),
        ("[::1]:80", "srvctl,[%3A%3A1]%3A80,P"),
        ("unix:/run/a b,c.sock?mode=660&user=www", "srvctl,unix%3A/run/a%20b%2Cc.sock?mode=660&user=www,P"),
        ("unix:/" + "é" * 50, "srvctl,~d7d294dcfdfea1a3bf831cb6b4410036434b22427b96d354f5bfd63160cbc6b4,P"),
    ],
)
def test_what_people_see(text: str, name: str) -> None:
    """And what the next version has to understand."""
    assert name_for(parse_bind(text), "P") == name


@pytest.mark.parametrize(
    ("bind", "is_ours"),
    [
        (TcpBind("", 80), True),
        (TcpBind("", 0), False),
        (UnixBind("/s"), True),
        (FdBind(3), False),
        (SystemdBind("web"), False),
    ],
)
def test_which_are_kept(bind: Bind, is_ours: bool) -> None:
    assert is_kept(bind) == is_ours
