"""How numbers are written, and that columns never get wider than what is told of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srvctl.cli import quantities
from srvctl.cli.quantities import count, duration, latency, rate, share, short_duration, short_size

if TYPE_CHECKING:
    from collections.abc import Callable

KIB, MIB, GIB = 2**10, 2**20, 2**30


@pytest.mark.parametrize(
    ("how", "amount", "text"),
    [
        (duration, 0, "0.0 s"),
        (duration, 59.94, "59.9 s"),
        (duration, 60, "1 min 0 s"),
        (duration, 3599.9, "59 min 59 s"),
        (duration, 3600, "1 h 0 min"),
        (duration, 86399, "23 h 59 min"),
        (duration, 86400, "1 d 0 h"),
        (duration, 10**9, "11574 d 1 h"),
        (short_duration, 0.9, "0s"),
        (short_duration, 59.9, "59s"),
        (short_duration, 302, "5m02s"),
        (short_duration, 7505, "2h05m"),
        (short_duration, 4 * 86400 + 7 * 3600, "4d07h"),
        (latency, 0, "0.0ms"),
        (latency, 0.00025, "0.25ms"),
        (latency, 0.0084, "8.4ms"),
        (latency, 0.00996, "10ms"),
        (latency, 0.12, "120ms"),
        (latency, 0.9996, "1.0s"),
        (latency, 1.25, "1.2s"),
        (latency, 125, "2m05s"),
        (short_size, 850 * KIB, "850K"),
        (short_size, 1023 * KIB, "1M"),
        (short_size, 64 * MIB, "64M"),
        (short_size, 1000 * MIB, "1.0G"),
        (short_size, 1.5 * GIB, "1.5G"),
        (short_size, 120 * GIB, "120G"),
        (count, 99999, "99999"),
        (count, 123456, "123k"),
        (count, 12 * 10**6, "12M"),
        (rate, 0, "0"),
        (rate, 0.34, "0.3"),
        (rate, 99.97, "100"),
        (rate, 123456, "123k"),
        (share, 0.034, "3%"),
        (share, 1.5, "150%"),
    ],
)
def test_numbers(how: Callable[[float], str], amount: float, text: str) -> None:
    assert how(amount) == text


@pytest.mark.parametrize(
    ("name", "most", "width"),
    [
        ("short_duration", 999 * 86400, 7),
        ("latency", 3599, 6),
        ("short_size", 999 * GIB, 4),
        ("count", 10**9, 5),
        ("rate", 10**9, 5),
    ],
)
@given(st.data())
def test_columns_stay_narrow(name: str, most: float, width: int, data: st.DataObject) -> None:
    amount = data.draw(st.floats(0, most))
    assert len(getattr(quantities, name)(amount)) <= width
