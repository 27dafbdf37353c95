"""The record of a death: its line, what of it is read back, and the words for it."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest

from srvctl.ipc.deaths import MAX_LINE, Death, from_line, from_lines, to_line, trimmed
from srvctl.ipc.verdicts import is_expected, log_line, verdict

MIB = 2**20
DEATH = Death(
    at=1.75e9,
    master=1,
    worker=7,
    slot=2,
    generation=3,
    pid=4242,
    state="ready",
    cause="killed by SIGKILL",
)
FULL = Death(
    at=1.75e9,
    master=1,
    worker=7,
    slot=2,
    generation=3,
    pid=4242,
    state="dying",
    cause="killed by SIGKILL",
    asked_by="hang: loop blocked for 31 s",
    uptime=12.5,
    oom=True,
    is_measured=False,
    rss=81 * MIB,
    rss_trend=(79 * MIB, 80 * MIB),
    lag=0.25,
    lag_max=31.5,
    served=1000,
    in_flight=3,
    cut=2,
    stderr=("Traceback", "ValueError: \x1b[31m \ud800 é 😀"),
    stack="/var/lib/srvctl/web.ledger.stacks/4242-20261122T101530.123Z.txt",
)


class TestLine:
    @pytest.mark.parametrize("death", [DEATH, FULL])
    def test_what_is_written_is_read(self, death: Death) -> None:
        line = to_line(death)
        assert from_line(line) == death
        assert line.endswith(b"}\n")
        assert line.isascii()
        assert line.count(b"\n") == 1

    def test_fields_of_a_newer_srvctl_are_passed_over(self) -> None:
        line = json.dumps({**asdict(FULL), "numa_node": {"of": [1]}}).encode()
        assert from_line(line) == FULL

    def test_fields_that_an_older_srvctl_did_not_know_have_their_defaults(self) -> None:
        old = {
            name: value for name, value in asdict(DEATH).items() if name not in {"oom", "stderr", "uptime"}
        }
        assert from_line(json.dumps(old).encode()) == DEATH

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("pid", True),
            ("pid", "1"),
            ("pid", 1.0),
            ("pid", -1),
            ("pid", 2**63),
            ("pid", None),
            ("at", float("nan")),
            ("at", float("inf")),
            ("at", -1),
            ("at", 10**400),
            ("at", "now"),
            ("oom", 1),
            ("cause", 3),
            ("stderr", "text"),
            ("stderr", [1]),
            ("rss_trend", [1.5]),
            ("rss_trend", {"0": 1}),
        ],
    )
    def test_a_field_that_makes_no_sense_makes_the_line_none(self, field: str, value: object) -> None:
        assert from_line(json.dumps({**asdict(DEATH), field: value}).encode()) is None

    @pytest.mark.parametrize(
        "line",
        [
            b"",
            b"{}",
            b"[]",
            b"1",
            b"null",
            b"\0" * 100,
            b"\xff\xfe",
            b"[" * 100_000,
            b"9" * 5000,
            b'{"at": 1}',
        ],
    )
    def test_garbage_is_no_death(self, line: bytes) -> None:
        assert from_line(line) is None

    def test_torn_lines_lose_nothing_but_themselves(self) -> None:
        """As after the end of a machine, or of a disk's space."""
        first, last = to_line(DEATH), to_line(FULL)
        for cut in (1, len(first) // 2, len(first) - 2):
            assert from_lines(first[cut:] + last + first[:cut]) == [FULL]
        assert from_lines(first + last[:-1]) == [DEATH, FULL]

    def test_a_number_without_a_fraction_is_a_time(self) -> None:
        assert from_line(json.dumps({**asdict(DEATH), "uptime": 3}).encode()) == replace(DEATH, uptime=3.0)


class TestTrimmed:
    def test_the_largest_line_is_bounded(self) -> None:
        """Even where JSON needs twelve bytes for a character."""
        wide = "😀" * 10_000
        death = replace(FULL, cause=wide, asked_by=wide, state=wide, stack="/" + "x" * 4093)
        death = replace(death, stderr=(wide,) * 1000, rss_trend=(2**62,) * 1000, served=2**63 - 1)
        line = to_line(death)
        assert len(line) <= MAX_LINE
        assert from_line(line) == trimmed(death)

    def test_the_last_lines_of_stderr_are_those_that_stay(self) -> None:
        lines = tuple(f"line {number}" for number in range(30))
        assert trimmed(replace(DEATH, stderr=lines)).stderr == lines[-20:]
        wide = tuple(f"{number} " + "é" * 500 for number in range(20))
        kept = trimmed(replace(DEATH, stderr=wide)).stderr
        assert [line.split()[0] for line in kept] == [str(number) for number in range(20 - len(kept), 20)]
        assert 0 < len(kept) < 20

    def test_a_path_is_whole_or_not_there(self) -> None:
        assert trimmed(replace(DEATH, stack="/" + "x" * 5000)).stack == ""

    def test_numbers_that_make_no_sense_become_some_that_do(self) -> None:
        death = replace(DEATH, at=float("nan"), uptime=float("inf"), lag=-1.0, served=-1, rss=2**70)
        fixed = trimmed(death)
        assert (fixed.at, fixed.uptime, fixed.lag, fixed.served, fixed.rss) == (0.0, 1e11, 0.0, 0, 2**63 - 1)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "killed by SIGKILL from outside: nobody in srvctl asked"),
        ({"oom": True}, "killed by the kernel's OOM killer"),
        (
            {"oom": True, "rss": 612 * MIB, "rss_trend": (80 * MIB, 300 * MIB)},
            "killed by the kernel's OOM killer (memory grew from 80 MiB to 612 MiB)",
        ),
        (
            {"oom": True, "rss": 5 * MIB, "rss_trend": (5 * MIB,)},
            "killed by the kernel's OOM killer (5.0 MiB when it was last measured)",
        ),
        ({"cause": "killed by SIGSEGV"}, "segmentation fault (SIGSEGV)"),
        ({"cause": "killed by SIGABRT"}, "aborted (SIGABRT): Python or a library gave up"),
        ({"cause": "killed by SIGTERM"}, "killed by SIGTERM from outside: nobody in srvctl asked"),
        ({"cause": "killed by signal 42"}, "killed by signal 42 from outside: nobody in srvctl asked"),
        (
            {"cause": "exit code 3"},
            "left by itself with exit code 3: the application or a library called exit",
        ),
        (
            {"cause": "exit code 0"},
            "left by itself with exit code 0: the application or a library called exit",
        ),
        (
            {"cause": "exit code 1"},
            (
                "left by itself with exit code 1: "
                "srvctl failed in it, or the application or a library called exit"
            ),
        ),
        (
            {"cause": "exit code 3", "state": "booting"},
            "never came up: its application could not be imported or started",
        ),
        (
            {"cause": "exit code 9", "state": "booting"},
            "left by itself with exit code 9 before it was ready: the application or a library called exit",
        ),
        (
            {"cause": "exit code 0", "state": "draining"},
            "drained and left: somebody outside of srvctl sent it SIGTERM or SIGINT",
        ),
        ({"cause": "in some new way"}, "in some new way"),
        ({"cause": "exit code " + "9" * 9999}, "exit code " + "9" * 9999),
        (
            {"asked_by": "max_requests", "cause": "exit code 0", "state": "draining"},
            "recycled: max_requests",
        ),
        (
            {"asked_by": "memory_watermark: 91 % of 512 MiB memory are used", "cause": "exit code 0"},
            "recycled: memory_watermark (91 % of 512 MiB memory are used)",
        ),
        (
            {"asked_by": "max_memory: 612 MiB PSS", "cause": "exit code 0"},
            "recycled: max_memory (612 MiB PSS)",
        ),
        ({"asked_by": "reload", "cause": "exit code 0"}, "replaced by a reload"),
        (
            {"asked_by": "reload", "cause": "killed by SIGKILL", "state": "dying"},
            "replaced by a reload, and had to be killed",
        ),
        (
            {"asked_by": "reload", "state": "draining"},
            "replaced by a reload, and killed by SIGKILL from outside before it was done",
        ),
        (
            {"asked_by": "reload", "cause": "exit code 3"},
            "replaced by a reload, and left with exit code 3",
        ),
        (
            {"asked_by": "reload", "cause": "killed by SIGSEGV"},
            "replaced by a reload, and crashed on its way: segmentation fault (SIGSEGV)",
        ),
        (
            {"asked_by": "reload", "cause": "killed by SIGUSR1"},
            "replaced by a reload, and crashed on its way: killed by SIGUSR1",
        ),
        (
            {"asked_by": "hang: loop blocked for 31 s", "state": "dying"},
            "hung: loop blocked for 31 s, so it was killed",
        ),
        (
            {"asked_by": "hang: loop blocked for 31 s", "state": "draining", "cause": "exit code 0"},
            "hung: loop blocked for 31 s, but came to itself and left",
        ),
        (
            {"asked_by": "hang: loop blocked for 31 s", "state": "dying", "cause": "killed by SIGTERM"},
            "hung: loop blocked for 31 s",
        ),
        (
            {"asked_by": "reload; it did not end within 44 s", "state": "dying"},
            "replaced by a reload, and had to be killed: it did not end within 44 s",
        ),
        (
            {"asked_by": "not ready within 60 s (timeouts.boot)", "state": "dying"},
            "ended by srvctl: not ready within 60 s (timeouts.boot), and had to be killed",
        ),
        (
            {"asked_by": "itself, or a signal", "state": "draining", "cause": "exit code 0"},
            "drained by itself, or for a signal that somebody sent it",
        ),
        (
            {"asked_by": "health probe: status 500", "cause": "exit code 0"},
            "replaced: health probe (status 500)",
        ),
        ({"asked_by": "SIGTERM", "cause": "exit code 0"}, "ended by srvctl: SIGTERM"),
        (
            {"asked_by": "SIGTERM", "cause": "killed by SIGTERM", "state": "dying"},
            "ended by srvctl: SIGTERM",
        ),
    ],
)
def test_the_verdict_says_why(changes: dict[str, object], text: str) -> None:
    assert verdict(replace(DEATH, **changes)) == text  # type: ignore[arg-type] # of several types


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"asked_by": "reload", "cause": "exit code 0", "served": 9}, True),
        ({"asked_by": "max_memory: 612 MiB PSS", "cause": "exit code 0"}, True),
        ({"asked_by": "SIGTERM", "cause": "killed by SIGTERM"}, True),
        ({"asked_by": "SIGTERM", "cause": "killed by SIGKILL", "state": "dying"}, True),
        ({"asked_by": "reload", "cause": "exit code 0", "cut": 1}, False),
        ({"asked_by": "reload", "cause": "exit code 0", "in_flight": 1}, False),
        ({"asked_by": "reload", "cause": "exit code 1"}, False),
        ({"asked_by": "reload", "cause": "killed by SIGSEGV"}, False),
        ({"asked_by": "reload", "cause": "killed by SIGKILL", "oom": True}, False),
        ({"asked_by": "hang: loop blocked for 31 s", "cause": "exit code 0"}, False),
        ({"asked_by": "not ready within 60 s (timeouts.boot)", "state": "dying"}, False),
        ({"asked_by": "it broke its channel (x)", "cause": "exit code 0"}, False),
        ({"asked_by": "itself, or a signal", "cause": "exit code 0"}, True),
        ({"asked_by": "health probe: status 500", "cause": "exit code 0"}, False),
        ({"cause": "exit code 0"}, False),
    ],
)
def test_expected_is_what_srvctl_wanted_and_what_cost_nothing(
    changes: dict[str, object], expected: bool
) -> None:
    assert is_expected(replace(DEATH, **changes)) is expected  # type: ignore[arg-type] # of several types


def test_the_line_of_the_log() -> None:
    assert log_line(DEATH) == (
        "event=worker_died worker=7 pid=4242 slot=2 generation=3 master=1 state=ready "
        'cause="killed by SIGKILL" asked_by="" '
        'verdict="killed by SIGKILL from outside: nobody in srvctl asked" expected=no uptime=0.0 oom=no '
        'measured=yes rss=0 rss_trend="" lag=0.0 lag_max=0.0 served=0 in_flight=0 cut=0 stack=""'
    )
    told = log_line(replace(FULL, asked_by='a "b" \\ \n c=d', stack="/var/lib/x.txt"))
    assert r'asked_by="a \"b\" \\ \n c=d"' in told
    assert told.endswith("stack=/var/lib/x.txt")
    assert f"rss_trend={79 * MIB},{80 * MIB}" in told
