"""Limits, umasks, users and groups: what the texts mean, and what is said of one that means none."""

from __future__ import annotations

import pytest

from srvctl.settings.checks import CHECKS
from srvctl.settings.process_values import (
    RLIMIT_NAMES,
    UNLIMITED,
    Rlimit,
    parse_id,
    parse_rlimit,
    parse_umask,
    spell_limit,
)


@pytest.mark.parametrize(
    ("text", "mask"), [("027", 0o27), ("0", 0), ("0o077", 0o77), ("777", 0o777), ("0022", 0o22)]
)
def test_umask(text: str, mask: int) -> None:
    """In octal, as umask(1) takes it."""
    assert parse_umask(text) == mask


@pytest.mark.parametrize("text", ["", "8", "1777", "u=rwx", "-1", "0x1f", "٠٢٢"])
def test_what_is_no_umask(text: str) -> None:
    """Others are a mistake: 1777 is a mode."""
    with pytest.raises(
        ValueError, match=r"^is not a umask; write up to three octal digits, for example 027$"
    ):
        parse_umask(text)


@pytest.mark.parametrize(
    ("text", "meant"), [("www-data", "www-data"), ("33", 33), ("0", 0), ("a.b$", "a.b$"), (" root ", "root")]
)
def test_users_and_groups(text: str, meant: int | str) -> None:
    """By name or number."""
    assert parse_id(text) == meant


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is no user or group; write a name or a number"),
        ("-1", "is no user or group; write a name or a number"),
        ("www:data", "is no user or group; write a name or a number"),
        ("a b", "is no user or group; write a name or a number"),
        ("a\0", "is no user or group; write a name or a number"),
        ("4294967295", "is no number of a user or group; the largest is 4294967294"),
    ],
)
def test_what_is_no_user(text: str, message: str) -> None:
    """(uid_t) -1 would leave root in place."""
    with pytest.raises(ValueError) as caught:
        parse_id(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("nofile=1024", Rlimit("nofile", 1024, None)),
        ("nofile=1024:4096", Rlimit("nofile", 1024, 4096)),
        ("RLIMIT_CORE = unlimited", Rlimit("core", UNLIMITED, None)),
        ("core=0:infinity", Rlimit("core", 0, UNLIMITED)),
        ("as=2GiB", Rlimit("as", 2 * 1024**3, None)),
        ("stack=8M:16M", Rlimit("stack", 8 * 1024**2, 16 * 1024**2)),
        ("cpu=60", Rlimit("cpu", 60, None)),
    ],
)
def test_limits(text: str, limit: Rlimit) -> None:
    """With the names of setrlimit(2), and units where it counts bytes."""
    assert parse_rlimit(text) == limit


def test_the_hard_limit_stays_unless_it_is_named_or_too_low() -> None:
    """So that nofile=1024 takes nothing away that the application may ask for later."""
    assert Rlimit("nofile", 1024, None).hard_over(4096) == 4096
    assert Rlimit("nofile", 1024, None).hard_over(512) == 1024
    assert Rlimit("nofile", 1024, 2048).hard_over(4096) == 2048
    assert Rlimit("nofile", UNLIMITED, None).hard_over(4096) == UNLIMITED


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nofile", "is not a limit; write NAME=SOFT or NAME=SOFT:HARD, for example nofile=65536"),
        ("files=1", f"names a limit there is not; write one of {', '.join(RLIMIT_NAMES)}"),
        ("nofile=", 'has "" for a limit; write a number, or unlimited'),
        ("nofile=1k", 'has "1k" for a limit; write a number, or unlimited'),
        ("nofile=1:", 'has "" for a limit; write a number, or unlimited'),
        ("nofile=-1", 'has "-1" for a limit; write a number, or unlimited'),
        ("as=much", 'has "much" for a limit; write a size such as 512MiB, or unlimited'),
        ("nofile=2:1", "has a soft limit above the hard one; write nofile=1:2"),
        ("core=unlimited:1", "has a soft limit above the hard one; write core=1:unlimited"),
        ("nofile=9223372036854775808", "has a limit that is too large; write unlimited"),
    ],
)
def test_what_is_no_limit(text: str, message: str) -> None:
    """Nothing reaches the kernel that it would refuse without a word about what is wrong."""
    with pytest.raises(ValueError) as caught:
        parse_rlimit(text)
    assert str(caught.value) == message


def test_limits_are_spelled_as_they_are_read() -> None:
    """For sentences."""
    assert (spell_limit(5), spell_limit(UNLIMITED)) == ("5", "unlimited")


@pytest.mark.parametrize(
    ("key", "right", "wrong"),
    [
        ("workers.cpu_affinity", "auto", "all"),
        ("workers.umask", "077", "8"),
        ("workers.rlimits", "core=0", "core"),
        ("workers.user", "root", "a:b"),
        ("workers.group", "root", "a:b"),
        ("workers.supplementary_groups", "0", ""),
        ("hooks.on_boot", "a.b:c.d", "a.b"),
        ("hooks.pre_fork", "a:b", "a"),
        ("hooks.post_fork", "a:b", "a:b:c"),
        ("hooks.on_ready", "a:b", "./a.py:b"),
        ("hooks.on_drain", "a:b", ":b"),
        ("hooks.on_exit", "a:b", "a:"),
    ],
)
def test_a_mistake_is_told_when_the_settings_are_read(key: str, right: str, wrong: str) -> None:
    """Not when a worker is forked."""
    CHECKS[key](right)
    with pytest.raises(ValueError, match=r"; write "):
        CHECKS[key](wrong)
