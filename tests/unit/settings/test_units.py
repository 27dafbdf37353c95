"""Durations and sizes: what is read, what is refused, and that nothing else happens."""

from __future__ import annotations

import math
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srvctl.settings.display import format_duration, format_size
from srvctl.settings.units import parse_duration, parse_size

_A_CENTURY = 36_500 * 86_400.0


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (30, 30.0),
        (0, 0.0),
        (1.5, 1.5),
        ("30", 30.0),
        ("30s", 30.0),
        (" 30 s ", 30.0),
        (".5", 0.5),
        ("250ms", 0.25),
        ("5m", 300.0),
        ("6h", 21_600.0),
        ("2d", 172_800.0),
        ("36500d", _A_CENTURY),
    ],
)
def test_durations(written: object, seconds: float) -> None:
    assert parse_duration(written) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "written",
    [
        "",
        "soon",
        "s",
        "5 minutes",
        "1e3",
        "-1",
        "+1",
        "٣",
        "5M",
        "1h30m",
        -1,
        -0.1,
        math.nan,
        True,
        None,
        [5],
        "nan",
    ],
)
def test_what_is_not_a_duration(written: object) -> None:
    with pytest.raises(ValueError, match="is not a duration; write seconds"):
        parse_duration(written)


@pytest.mark.parametrize("written", ["36501d", math.inf, 10**400, "9" * 400, _A_CENTURY * 1.01])
def test_durations_no_timer_can_count(written: object) -> None:
    with pytest.raises(ValueError, match="is too long"):
        parse_duration(written)


@pytest.mark.parametrize(
    ("written", "size"),
    [
        (512, 512),
        ("512", 512),
        ("512b", 512),
        ("1k", 1024),
        ("1KB", 1000),
        ("1KiB", 1024),
        ("64 KiB", 65_536),
        ("512MB", 512_000_000),
        ("1.5g", 1_610_612_736),
        ("1GiB", 2**30),
        ("1TB", 10**12),
        ("9223372036854775807", 2**63 - 1),
        (2**63 - 1, 2**63 - 1),
    ],
)
def test_sizes(written: object, size: int) -> None:
    assert parse_size(written) == size


@pytest.mark.parametrize("written", ["", "big", "KiB", "1PB", "-1", -1, 1.5, True, None, "1 kilobyte", "٣"])
def test_what_is_not_a_size(written: object) -> None:
    with pytest.raises(ValueError, match="is not a size; write bytes"):
        parse_size(written)


@pytest.mark.parametrize("written", [2**63, "9223372036854775808", "8388608TiB", "9" * 5000])
def test_sizes_that_do_not_fit(written: object) -> None:
    with pytest.raises(ValueError, match="is too large"):
        parse_size(written)


@given(st.floats(min_value=0, max_value=_A_CENTURY))
def test_a_written_duration_is_read_back(seconds: float) -> None:
    assert parse_duration(format_duration(seconds)) == seconds


@given(st.one_of(st.integers(0, 2**63 - 1), st.integers(0, 2**20).map(lambda n: n * 1024)))
def test_a_written_size_is_read_back(size: int) -> None:
    assert parse_size(format_size(size)) == size


_anything = st.one_of(
    st.text(),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.none(),
    st.from_regex(r"[0-9.]{1,8} ?[a-zA-Z]{0,3}"),
)


@given(_anything)
def test_a_duration_is_a_usable_number_or_a_value_error(written: object) -> None:
    with suppress(ValueError):
        assert 0 <= parse_duration(written) <= _A_CENTURY


@given(_anything)
def test_a_size_is_a_usable_number_or_a_value_error(written: object) -> None:
    with suppress(ValueError):
        assert 0 <= parse_size(written) < 2**63
