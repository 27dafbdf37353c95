"""Values as an operator reads them: in error messages, in ``srvctl check`` and in the reference."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from srvctl.settings.catalog import Kind, Setting

_LONGEST_TEXT: Final = 60
_ESCAPES: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}


def format_duration(seconds: float) -> str:
    """Write ``seconds`` so that `parse_duration` reads the same number back: ``60s``, ``0.25s``."""
    return f"{Decimal(repr(seconds)).normalize():f}s"


def format_size(size: int) -> str:
    """Write ``size`` so that `parse_size` reads the same number back: ``64KiB``, ``1000``."""
    for power, unit in ((4, "TiB"), (3, "GiB"), (2, "MiB"), (1, "KiB")):
        if size and size % 1024**power == 0:
            return f"{size // 1024**power}{unit}"
    return str(size)


def format_value(setting: Setting, value: object) -> str:
    """Write a valid value of ``setting`` the way it may be written in a file or on the command line."""
    match setting.kind, value:
        case _, None:
            return "unset"
        case _, bool():
            return "true" if value else "false"
        case Kind.DURATION, float():
            return format_duration(value)
        case Kind.SIZE, int():
            return format_size(value)
        case _, tuple():
            return ", ".join(str(item) for item in value) or "none"
        case _:
            return str(value) or '""'


def quote(value: object) -> str:
    """Show a raw value of any type in an error message: short, on one line, never a whole container."""
    match value:
        case None:
            shown = "an empty value"
        case bool():
            shown = "true" if value else "false"
        case int():
            # str() refuses integers of thousands of digits, and so would the reader.
            shown = str(value) if abs(value) < 10**_LONGEST_TEXT else "a huge number"
        case float():
            shown = str(value)
        case dict():
            shown = "a table"
        case list() | tuple() | set():
            shown = "a list"
        case _:
            text = _one_line(str(value))
            shown = f'"{text[:_LONGEST_TEXT]}…"' if len(text) > _LONGEST_TEXT else f'"{text}"'
    return shown


def quote_key(part: str) -> str:
    """Show one part of a key: bare where TOML would allow it bare, else quoted."""
    return (
        part if part and part.isascii() and part.replace("_", "").replace("-", "").isalnum() else quote(part)
    )


def name_of(key: object) -> str:
    """Return a key's name; YAML has keys that are no text."""
    return key if isinstance(key, str) else quote(key)


def _one_line(text: str) -> str:
    """Escape whatever would break the line or the terminal."""
    return "".join(
        _ESCAPES.get(char) or (char if char.isprintable() else char.encode("unicode_escape").decode())
        for char in text
    )
