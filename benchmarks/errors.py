"""What can go wrong in a benchmark, as whole sentences.

BenchmarkError
├── ToolMissingError   a load generator is not installed       ends the run, exit 2
│   ├── WrkMissingError
│   └── H2loadMissingError
├── WrkError           one run of it gave no usable figures    leaves the server out
├── NoMessagesError    no WebSocket message was answered      leaves the server out
├── NotStartedError    a server did not come up                leaves the server out
├── ServerGoneError    a server exited during the run          leaves the server out
└── WrongAnswerError   a server answered something else        leaves the server out
"""

from __future__ import annotations


class BenchmarkError(Exception):
    """Base of every error a benchmark reports in one line instead of a traceback."""


class ToolMissingError(BenchmarkError):
    """A program that makes load is not on the PATH."""


class WrkMissingError(ToolMissingError):
    """``wrk`` is not."""


class H2loadMissingError(ToolMissingError):
    """``h2load`` and ``nghttp``, which come together, are not."""


class WrkError(BenchmarkError):
    """A run of ``wrk`` or ``h2load`` failed or printed no figures."""


class NoMessagesError(BenchmarkError):
    """A load of WebSocket messages gave no usable figures."""


class NotStartedError(BenchmarkError):
    """A server exited, or did not listen before its deadline."""


class ServerGoneError(BenchmarkError):
    """A server exited although nobody stopped it."""


class WrongAnswerError(BenchmarkError):
    """A server's answer to the workload's request is not the expected one."""
