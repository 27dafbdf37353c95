"""One request with a known right answer, sent before each load: a wrong answer is no result, however fast."""

from __future__ import annotations

import ssl
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import TYPE_CHECKING

from benchmarks.errors import WrongAnswerError

if TYPE_CHECKING:
    from benchmarks.workloads import Workload

_TIMEOUT_SECONDS = 20.0
_SHOWN_BYTES = 60


def check(workload: Workload, port: int, path: str | None = None) -> None:
    """Send the workload's request once, or one for another path, and compare status and body.

    Raises:
        WrongAnswerError: There is no answer, or it is not the expected one.
    """
    path = path or workload.path
    connection = _connection(port, is_tls=workload.is_tls)
    body = b"x" * workload.body_size or None
    try:
        connection.request(workload.method, path, body=body, headers=dict(workload.headers))
        response = connection.getresponse()
        answer = response.read()
    except (OSError, HTTPException) as error:
        raise WrongAnswerError(f"No answer to {workload.method} {path}: {error!r}.") from error
    finally:
        connection.close()
    if response.status != 200:
        raise WrongAnswerError(f"Status {response.status} instead of 200: {answer[:_SHOWN_BYTES]!r}.")
    if answer != workload.answer:
        raise WrongAnswerError(
            f"A body of {len(answer)} bytes instead of {len(workload.answer)}, or other ones:"
            f" {answer[:_SHOWN_BYTES]!r} instead of {workload.answer[:_SHOWN_BYTES]!r}."
        )


def _connection(port: int, *, is_tls: bool) -> HTTPConnection:
    if not is_tls:
        return HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_SECONDS)
    context = ssl.create_default_context()
    context.check_hostname = False  # the certificate was made a moment ago, by us
    context.verify_mode = ssl.CERT_NONE
    return HTTPSConnection("127.0.0.1", port, timeout=_TIMEOUT_SECONDS, context=context)
