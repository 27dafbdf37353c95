"""Every test here sets up the loggers of the process; the next finds them as they were."""

from __future__ import annotations

import contextlib
import io
import logging
from typing import TYPE_CHECKING

import pytest

from tests.support.loggers import loggers_as_they_were

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _loggers_as_they_were() -> Iterator[None]:
    with loggers_as_they_were():
        yield


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
