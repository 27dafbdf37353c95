"""Finds at once what would keep every worker from speaking TLS: a missing file, a key that does not match."""

from __future__ import annotations

from typing import TYPE_CHECKING

from srvctl.settings.groups import TlsSettings
from srvctl.settings.layer import Problem
from srvctl.settings.load import raise_all

if TYPE_CHECKING:
    from srvctl.settings.load import Loaded


def check_tls(loaded: Loaded) -> None:
    """Read the certificates and keys as the workers will.

    Raises:
        UsageError: One cannot be used, and the command line names it.
        ConfigError: One cannot be used, and the environment or the file names it.
    """
    if loaded.settings.tls == TlsSettings():
        return
    from srvctl.worker.tls import context  # noqa: PLC0415 - without TLS, ssl need not be loaded
    from srvctl.worker.tls.errors import TlsError  # noqa: PLC0415

    try:
        context.check(loaded.settings.tls)
    except TlsError as error:
        raise_all([Problem.at(loaded.origins[error.key], error.key, error.reason)])
