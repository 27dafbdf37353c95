"""Every test here sets up the loggers of the process; the next finds them as they were."""

from __future__ import annotations

import contextlib
import io
import logging
from typing import TYPE_CHECKING

import pytest

from srvctl.logs.loggers import NAMES, TWINS

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _loggers_as_they_were() -> Iterator[None]:
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


class Streams:
    """What stdout and stderr are while logging is set up."""

    def __init__(self) -> None:
        self.out, self.err = io.StringIO(), io.StringIO()

    @contextlib.contextmanager
    def redirected(self) -> Iterator[None]:
        with contextlib.redirect_stdout(self.out), contextlib.redirect_stderr(self.err):
            yield


@pytest.fixture
def streams() -> Streams:
    return Streams()


class Listener(logging.Handler):
    """Keeps what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    @property
    def texts(self) -> list[str]:
        return [record.getMessage() for record in self.records]

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture
def listener() -> Listener:
    return Listener()
