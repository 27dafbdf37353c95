"""The name of a request: what the client or a proxy calls it, or a new one. It joins the logs of services."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from srvctl.worker.http.protocol import Headers

NAME: Final = b"x-request-id"
#: What may be trusted to do no harm in a log, a header field or a query of whoever reads them.
_VALID: Final = re.compile(rb"[A-Za-z0-9._~+/=:@-]{1,128}")
_SIZE: Final = 16  #: bytes of randomness in one: two alike are as likely as for a UUID
_POOL: Final = 64  #: made with one system call


class RequestIds:
    """Names requests; one for each worker."""

    __slots__ = ("_pool",)

    def __init__(self) -> None:
        self._pool: list[bytes] = []
        os.register_at_fork(after_in_child=self._pool.clear)  # or parent and child would give the same names

    def of(self, headers: Headers) -> bytes:
        """Return the name of a request with these header fields: its own if proper, else a new one."""
        for name, value in headers:
            if name == NAME:
                return value if _VALID.fullmatch(value) else self._new()
        return self._new()

    def _new(self) -> bytes:
        if not self._pool:
            digits = os.urandom(_SIZE * _POOL).hex().encode()
            step = 2 * _SIZE
            self._pool += [digits[start : start + step] for start in range(0, len(digits), step)]
        return self._pool.pop()


def with_id(headers: Headers, request_id: bytes) -> Headers:
    """Return header fields that have this name of the request and no other, for the application to see."""
    return [*(field for field in headers if field[0] != NAME), (NAME, request_id)]
