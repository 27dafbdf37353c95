"""Which worker, how many, and whether enough are ready: what users write, and what is meant by it."""

from __future__ import annotations

from typing import Any

import pytest

from srvctl.cli.commands.healthcheck import verdict
from srvctl.cli.commands.scale import wish
from srvctl.cli.targets import NoSuchWorkerError, target_of
from srvctl.errors import ExitCode, UsageError

STATUS: dict[str, Any] = {
    "name": "web",
    "state": "running",
    "workers": [
        {"slot": 0, "pid": 1, "state": "ready"},
        {"slot": 1, "pid": 4102, "state": "ready"},
        {"slot": 2, "pid": None, "state": "forking"},
    ],
}


@pytest.mark.parametrize(
    ("word", "target"),
    [
        ("0", "slot:0"),
        ("1", "slot:1"),
        ("4102", "pid:4102"),
        ("pid:1", "pid:1"),
        ("slot:01", "slot:1"),
        ("2", "slot:2"),
    ],
)
def test_a_bare_number_is_a_slot_if_there_is_one(word: str, target: str) -> None:
    assert target_of(word, STATUS) == target


@pytest.mark.parametrize(
    ("word", "what"), [("7", "slot or pid 7"), ("slot:4102", "slot 4102"), ("pid:0", "pid 0")]
)
def test_those_there_are_are_named(word: str, what: str) -> None:
    with pytest.raises(NoSuchWorkerError) as caught:
        target_of(word, STATUS)
    assert str(caught.value) == f"no worker has {what}; there are 1 (slot 0), 4102 (slot 1)"
    assert caught.value.exit_code is ExitCode.REFUSED


@pytest.mark.parametrize("status", [{}, {"workers": "x"}, {"workers": [{"slot": 7, "pid": "\x1b"}, 3]}])
def test_a_master_that_says_other_things(status: dict[str, Any]) -> None:
    with pytest.raises(NoSuchWorkerError) as caught:
        target_of("0", status)
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize("word", ["", "all", "-1", "slot:", "slot:x", "pid:-3", "1.5", "٣", "1" * 10])
def test_what_names_no_worker(word: str) -> None:
    with pytest.raises(UsageError, match="names no worker"):
        target_of(word, STATUS)


@pytest.mark.parametrize(
    ("text", "args"),
    [("4", {"count": 4}), ("+1", {"change": 1}), ("-2", {"change": -2}), ("010", {"count": 10})],
)
def test_how_many(text: str, args: dict[str, int]) -> None:
    assert wish(text) == args


@pytest.mark.parametrize("text", ["", "0", "+0", "-0", "two", "1.5", "++1", "+", "4 ", "٣"])
def test_what_is_no_number_of_workers(text: str) -> None:
    with pytest.raises(UsageError, match="is no number of workers"):
        wish(text)


@pytest.mark.parametrize(
    ("status", "quorum", "code", "text"),
    [
        (STATUS, 2, ExitCode.OK, "web is running; ready workers: 2, needed: 2"),
        (STATUS, 3, ExitCode.REFUSED, "web is running; ready workers: 2, needed: 3"),
        ({**STATUS, "state": "leaving"}, 1, ExitCode.REFUSED, "web is leaving; ready workers: 2, needed: 1"),
        ({}, 1, ExitCode.REFUSED, "? is ?; ready workers: 0, needed: 1"),
    ],
)
def test_whether_it_is_well(status: dict[str, Any], quorum: int, code: ExitCode, text: str) -> None:
    done = verdict(status, quorum)
    assert (done.code, done.message) == (code, text)
    assert done.ok is (code is ExitCode.OK)
