"""Translates a source as the command does, and says what came of it in plain values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from srvctl.migrate.checked import checked
from srvctl.migrate.command import File
from srvctl.migrate.source import from_text, from_words

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from srvctl.migrate.kinds import Kind
    from srvctl.migrate.result import Migration


class Read:
    """What a source became."""

    def __init__(self, migration: Migration) -> None:
        entries = checked(migration)
        self.migration = migration
        self.values = {e.setting.key: e.value for e in entries if not e.is_default}
        self.defaults = {e.setting.key for e in entries if e.is_default}
        self.different = {entry.what for entry in migration.different}
        self.missing = {entry.what: entry.why for entry in migration.missing}
        self.attention = {entry.what: entry.why for entry in migration.attention}


def read_line(line: str, files: Mapping[str, str] | None = None) -> Read:
    return Read(from_words([line] if " " in line else [f"{line} "], _reader(files)))


def read_words(*words: str) -> Read:
    return Read(from_words(words, _reader(None)))


def read_text(kind: Kind, text: str, files: Mapping[str, str] | None = None) -> Read:
    return Read(from_text(kind, text, "file", _reader(files)))


def _reader(files: Mapping[str, str] | None) -> Callable[[str], File | None]:
    return lambda path: File(path, files[path]) if files and path in files else None
