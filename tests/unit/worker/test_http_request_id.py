"""The names of requests."""

from __future__ import annotations

import os
import re

import pytest

from srvctl.worker.http.request_id import RequestIds, with_id


@pytest.mark.parametrize("name", [b"1", b"a" * 128, b"AZaz09._~+/=:@-"])
def test_a_proper_name_is_kept(name: bytes) -> None:
    """The client's, or that of a proxy."""
    assert RequestIds().of([(b"host", b"x"), (b"x-request-id", name)]) == name


@pytest.mark.parametrize("name", [b"", b"a" * 129, b"a b", b'a"', b"a\n", b"\xe9", b"a,b", b"a;b"])
def test_any_other_is_replaced(name: bytes) -> None:
    """By one of 32 hexadecimal digits."""
    assert re.fullmatch(rb"[0-9a-f]{32}", RequestIds().of([(b"x-request-id", name)]))


def test_new_names_differ() -> None:
    """Beyond the pool of random bytes, too."""
    ids = RequestIds()
    assert len({ids.of([]) for _ in range(1000)}) == 1000


def test_a_fork_gives_other_names() -> None:
    """What was drawn in advance is the parent's."""
    ids = RequestIds()
    ids.of([])
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(writing, ids.of([]))
        os._exit(0)
    os.close(writing)
    os.waitpid(pid, 0)
    with os.fdopen(reading, "rb") as pipe:
        assert pipe.read() != ids.of([])


def test_the_application_sees_one_name() -> None:
    """Whatever the client sent; its own list stays as it was."""
    headers = [(b"x-request-id", b"a b"), (b"host", b"x"), (b"x-request-id", b"2")]
    assert with_id(headers, b"7") == [(b"host", b"x"), (b"x-request-id", b"7")]
    assert len(headers) == 3
