"""However lines come and go, none is torn, doubled, reordered or lost without being counted."""

from __future__ import annotations

import json
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from srvctl.supervisor.output import shapes
from srvctl.supervisor.output.backlog import Backlog
from srvctl.supervisor.output.entry import Entry, level_of
from srvctl.supervisor.output.lines import CUT, Cutter

LONGEST = 8


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=10))
def test_lines_are_the_same_however_they_come(data: bytes, cuts: list[int]) -> None:
    """In one piece or in many, and over an upgrade in the middle."""
    whole = Cutter(longest=LONGEST)
    expected = whole.feed(data) + whole.end()
    edges = [0, *sorted(cuts), len(data)]
    found: list[bytes] = []
    rest = b""
    for start, end in pairwise(edges):
        cutter = Cutter(rest, longest=LONGEST)
        found += cutter.feed(data[start:end])
        rest = cutter.rest
    found += Cutter(rest, longest=LONGEST).end()
    assert found == expected
    assert max(map(len, found), default=0) <= LONGEST + len(CUT)


@given(st.binary(max_size=200).filter(lambda data: CUT not in data))
def test_nothing_of_a_line_is_lost(data: bytes) -> None:
    cutter = Cutter(longest=LONGEST)
    lines = cutter.feed(data) + cutter.end()
    joined = b"".join(line.removesuffix(CUT) if line.endswith(CUT) else line + b"\n" for line in lines)
    assert joined.removesuffix(b"\n") == data.removesuffix(b"\n")


steps = st.one_of(
    st.tuples(st.just("put"), st.integers(1, 12)),
    st.tuples(st.just("take"), st.integers(0, 30), st.integers(0, 30)),
)


@given(st.integers(1, 40), st.lists(steps, max_size=60))
def test_a_backlog(limit: int, todo: list[tuple[str, int] | tuple[str, int, int]]) -> None:
    """What is written, and what still waits, is what was put, in order, but for what is counted."""
    backlog = Backlog(limit)
    kept: list[bytes] = []
    written = b""
    number = lost = 0
    for step in todo:
        if step[0] == "put":
            number += 1
            line = (b"%03d" % number) + b"." * step[1] + b"\n"
            backlog.put(line)
            if backlog.lost == lost:
                kept.append(line)
            lost = backlog.lost
        else:
            data = backlog.take(step[1])
            taken = min(step[2], len(data))  # type: ignore[misc]
            written += data[:taken]
            if data[taken:]:
                backlog.give_back(data[taken:])
        assert len(backlog) == sum(map(len, backlog.pieces))
        assert len(backlog) <= max(limit, len(backlog.pieces[0]) if backlog.pieces else 0)
    assert written + b"".join(backlog.pieces) == b"".join(kept)
    assert backlog.lost + len(kept) == number


@given(st.binary(max_size=300).filter(lambda line: b"\n" not in line), st.sampled_from(["stdout", "stderr"]))
def test_every_line_is_one_object_of_json(line: bytes, stream: str) -> None:
    entry = Entry(0.0, 0, 1, stream, line)
    shaped = shapes.as_json(entry)
    assert b"\n" not in shaped
    assert isinstance(json.loads(shaped), dict)
    assert level_of(entry)
    shapes.as_local_syslog(entry)
    shapes.as_journal(entry)
