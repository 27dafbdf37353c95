"""The loggers of the test process, which setting up logging changes for every test that comes later."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

from srvctl.logs.loggers import NAMES, TWINS, Relay

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def loggers_as_they_were() -> Iterator[None]:
    """Put back, afterwards, what was done to srvctl's and uvicorn's loggers, and to the root."""
    loggers = [logging.root, *(logging.getLogger(name) for name in (*NAMES, *TWINS))]
    before = [(one.__class__, one.level, one.propagate, one.handlers[:], one.filters[:]) for one in loggers]
    every = [one for one in logging.root.manager.loggerDict.values() if isinstance(one, logging.Logger)]
    disabled = [one.disabled for one in every]
    raises = logging.raiseExceptions
    yield
    logging.raiseExceptions = raises
    for one, was_disabled in zip(every, disabled, strict=True):
        one.disabled = was_disabled
    for one, (kind, level, propagate, handlers, filters) in zip(loggers, before, strict=True):
        one.__class__ = kind
        one.setLevel(level)
        one.propagate, one.handlers[:], one.filters[:] = propagate, handlers, filters


def handlers_of(*names: str) -> list[list[logging.Handler]]:
    """Return the handlers of loggers, without those that only pass records on to the twin."""
    loggers = [logging.getLogger(name) for name in names]
    return [[one for one in logger.handlers if not isinstance(one, Relay)] for logger in loggers]
