"""What is wrong with TLS as it is configured, in one sentence that names the setting and the file."""

from __future__ import annotations

from srvctl.errors import ConfigError


class TlsError(ConfigError):
    """A file or a value of the table ``[tls]`` cannot be used.

    Attributes:
        key: The setting, for example ``tls.certfile``.
        reason: What is wrong with it.
    """

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(f"{key}: {reason}")
        self.key = key
        self.reason = reason
