"""Every test here sets up the loggers of the process; the next finds them as they were."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from srvctl.logs.loggers import NAMES, TWINS

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _loggers_as_they_were() -> Iterator[None]:
    loggers = [logging.root, *(logging.getLogger(name) for name in (*NAMES, *TWINS))]
    before = [
        (one.__class__, one.level, one.propagate, one.disabled, one.handlers[:], one.filters[:])
        for one in loggers
    ]
    raises = logging.raiseExceptions
    yield
    logging.raiseExceptions = raises
    for one, (kind, level, propagate, disabled, handlers, filters) in zip(loggers, before, strict=True):
        one.__class__ = kind
        one.setLevel(level)
        one.propagate, one.disabled = propagate, disabled
        one.handlers[:], one.filters[:] = handlers, filters
