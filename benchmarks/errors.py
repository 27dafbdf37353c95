"""What can go wrong in a benchmark, as whole sentences.

BenchmarkError
├── WrkMissingError    the load generator is not installed     ends the run, exit 2
├── WrkError           one run of it gave no usable figures    leaves the server out
├── NoMessagesError    no WebSocket message was answered      leaves the server out
├── NotStartedError    a server did not come up                leaves the server out
├── ServerGoneError    a server exited during the run          leaves the server out
└── WrongAnswerError   a server answered something else        leaves the server out
"""

from __future__ import annotations


class BenchmarkError(Exception):
    """Base of every error a benchmark reports in one line instead of a traceback."""


class WrkMissingError(BenchmarkError):
    """``wrk`` is not on the PATH."""


class WrkError(BenchmarkError):
    """A run of ``wrk`` failed or printed no figures."""


class NoMessagesError(BenchmarkError):
    """A load of WebSocket messages gave no usable figures."""


class NotStartedError(BenchmarkError):
    """A server exited, or did not listen before its deadline."""


class ServerGoneError(BenchmarkError):
    """A server exited although nobody stopped it."""


class WrongAnswerError(BenchmarkError):
    """A server's answer to the workload's request is not the expected one."""
