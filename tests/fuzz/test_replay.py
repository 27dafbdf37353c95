"""A short look with the fuzzer's eyes, the same one each time, without atheris."""

from __future__ import annotations

import random

import pytest

from tests.fuzz.streams import SEEDS, WORDS, read_alike


@pytest.mark.parametrize("number", range(len(SEEDS)))
def test_every_reader_reads_alike(number: int) -> None:
    """The seeds, and each a few times with a word put in, a piece taken out, or a byte changed."""
    seed, dice = SEEDS[number], random.Random(number)
    read_alike(seed)
    for _ in range(20):
        at, end = sorted(dice.choices(range(len(seed) + 1), k=2))
        read_alike(seed[:at] + dice.choice(WORDS) + seed[at:])
        read_alike(seed[:at] + seed[min(end, at + dice.randrange(8)) :])
        read_alike(seed[:at] + dice.randbytes(1) + seed[at + 1 :])
        read_alike(seed[:at] + seed[at:end] * 2 + dice.choice(SEEDS))
