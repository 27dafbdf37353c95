r"""What strangers send, made fit for a line: whoever reads the log sees no line that we did not write.

Two ways: `plain` for uvicorn's line, which only loses what could forge or hide a line, and `quoted` for
formats whose values stand in quotation marks, as Apache escapes them since 2.0.46.
"""

from __future__ import annotations

from typing import Final

_FIRST_PRINTABLE, _LAST_PRINTABLE = 0x20, 0x7E
_PLAIN: Final = {
    code: f"\\x{code:02x}" for code in range(256) if not _FIRST_PRINTABLE <= code <= _LAST_PRINTABLE
}
_NAMED: Final = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\v": "\\v", "\f": "\\f", "\r": "\\r"}
_QUOTED: Final = _PLAIN | {ord(char): text for char, text in _NAMED.items()} | {0x22: '\\"', 0x5C: "\\\\"}


def plain(text: str) -> str:
    r"""Return the text with control characters and all beyond ASCII as ``\xhh``."""
    if text.isascii() and text.isprintable():
        return text
    return text.translate(_PLAIN).encode("ascii", "backslashreplace").decode()


def quoted(text: str) -> str:
    r"""Return the text as it may stand between quotation marks; those in it and backslashes get a ``\``."""
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return text
    return text.translate(_QUOTED).encode("ascii", "backslashreplace").decode()


def quoted_bytes(data: bytes) -> str:
    r"""Return bytes that way: those beyond ASCII as ``\xhh``, one by one."""
    return quoted(data.decode("latin-1"))
