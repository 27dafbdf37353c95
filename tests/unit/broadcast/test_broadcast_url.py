"""Which URLs of a server are taken, and that one which is not is never shown: it may hold a password."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from srvctl.errors import ConfigError, SrvctlError
from srvctl.settings.checks import check_broadcast_url
from srvctl.settings.load import load

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    "url",
    [
        *("", "redis://localhost", "redis://localhost:6379", "redis://localhost:6379/", "redis://h/15"),
        *("redis://user:pass@h:1/0", "redis://[::1]:6379/0", "rediss://h:6380/0?ssl_cert_reqs=none"),
        *("unix:///run/redis.sock", "unix:///run/redis.sock?db=1", "unix://user:pass@/run/redis.sock"),
    ],
)
def test_forms_that_are_taken(url: str) -> None:
    check_broadcast_url(url)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("localhost:6379", "is none of redis://"),
        ("http://localhost", "is none of redis://"),
        ("redis://", "names no host or port"),
        ("redis://:6379", "names no host or port"),
        ("redis://h:0", "names no host or port"),
        ("redis://h:x", "is no URL: Port"),
        ("redis://h:70000", "is no URL: Port"),
        ("redis://[::1", "is no URL: "),
        ("redis://h/room", "names no database by its number"),
        ("unix://", "names no socket"),
        ("unix://run/redis.sock", "names no socket"),
    ],
)
def test_forms_that_are_not(url: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        check_broadcast_url(url)


def test_a_wrong_one_is_not_shown(tmp_path: Path) -> None:
    file = tmp_path / "srvctl.toml"
    file.write_text('[broadcast]\nurl = "redis://:sesame@h:port"\n')
    with pytest.raises(SrvctlError) as failed:
        load({}, {}, file)
    assert isinstance(failed.value, ConfigError)
    assert "sesame" not in str(failed.value)
    assert "broadcast.url: the value is no URL" in str(failed.value)
