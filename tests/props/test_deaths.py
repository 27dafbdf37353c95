"""The lines of the ledger: what is put in comes back, and whatever a file holds is read without an error."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, fields

from hypothesis import example, given, settings
from hypothesis import strategies as st

from srvctl.ipc.deaths import MAX_LINE, Death, from_line, from_lines, to_line, trimmed
from srvctl.ipc.verdicts import is_expected, log_line, verdict

texts = st.text(st.characters(), max_size=30)  # lone surrogates, too: stderr is bytes
counts = st.integers(0, 2**63 - 1)
seconds = st.floats(0, 1e11)
causes = st.sampled_from(["exit code 0", "exit code 3", "killed by SIGKILL", "killed by signal 42"]) | texts
asked = st.sampled_from(["", "reload", "max_memory: 612 MiB PSS", "hang: x", "SIGTERM"]) | texts


def deaths_of(
    texts: st.SearchStrategy[str], counts: st.SearchStrategy[int], seconds: st.SearchStrategy[float]
) -> st.SearchStrategy[Death]:
    return st.builds(
        Death,
        at=seconds,
        master=counts,
        worker=counts,
        slot=counts,
        generation=counts,
        pid=counts,
        state=st.sampled_from(["booting", "ready", "draining", "dying"]) | texts,
        cause=causes | texts,
        asked_by=asked | texts,
        uptime=seconds,
        oom=st.booleans(),
        is_measured=st.booleans(),
        rss=counts,
        rss_trend=st.lists(counts, max_size=16).map(tuple),
        lag=seconds,
        lag_max=seconds,
        served=counts,
        in_flight=counts,
        cut=counts,
        stderr=st.lists(texts, max_size=20).map(tuple),
        stack=texts,
    )


deaths = deaths_of(texts, counts, seconds)
wild_deaths = deaths_of(st.text(st.characters()), st.integers(), st.floats())
names = st.sampled_from([field.name for field in fields(Death)])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)


@given(deaths)
def test_a_death_that_makes_sense_comes_back_as_it_was(death: Death) -> None:
    line = to_line(death)
    assert from_line(line) == trimmed(death) == death
    assert line.count(b"\n") == 1


@given(wild_deaths)
def test_any_death_has_a_short_line_that_can_be_read(death: Death) -> None:
    """Boards are written by workers, and clocks are set by anybody."""
    line = to_line(death)
    assert len(line) <= MAX_LINE
    assert from_line(line) == trimmed(death) == trimmed(trimmed(death))


@settings(max_examples=200)
@given(deaths, st.dictionaries(names, values, max_size=3))
def test_a_line_with_any_value_in_any_field_is_a_death_or_none(
    death: Death, wrong: dict[str, object]
) -> None:
    read = from_line(json.dumps({**asdict(death), **wrong}).encode())
    assert read is None or from_line(to_line(read)) == trimmed(read)


@given(st.lists(deaths, max_size=3), st.binary(max_size=200), st.integers(0, 3))
def test_garbage_between_deaths_hides_none_of_them(known: list[Death], garbage: bytes, place: int) -> None:
    """Only lines of their own may: what is in the garbage after its last newline is a line that began."""
    lines = [to_line(death) for death in known]
    lines.insert(place, b"\n" + garbage + b"\n")
    found = from_lines(b"".join(lines))
    assert found == known


@given(deaths, st.integers(0, 10_000))
def test_a_torn_line_is_skipped(death: Death, cut: int) -> None:
    line = to_line(death)
    torn = line[: cut % (len(line) - 1)]
    assert from_lines(torn) == []
    assert from_lines(torn + b"\n" + line) == [death]


@example(Death(at=0.0, master=0, worker=0, slot=0, generation=0, pid=0, state="", cause=""))
@given(deaths | wild_deaths)
def test_any_death_has_words_on_one_line(death: Death) -> None:
    assert verdict(death)
    assert is_expected(death) in {True, False}
    line = log_line(death)
    assert line.isprintable()
    pairs = re.findall(r'(\w+)=("(?:[^"\\]|\\.)*"|[^\s"=]+)(?: |$)', line)
    assert " ".join(f"{key}={value}" for key, value in pairs) == line
    assert len(pairs) == 22
