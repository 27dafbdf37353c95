"""Splits words into options and what is none of them, the ways click and argparse do. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from srvctl.migrate.result import Given
from srvctl.migrate.shellwords import Word

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Takes(Enum):
    """What stands behind a flag."""

    VALUE = "a value"
    NOTHING = "nothing: the flag means true"
    NOTHING_FOR_FALSE = "nothing: the flag means false"
    MAYBE = "a value, or nothing"


@dataclass(frozen=True, slots=True)
class Flag:
    """One spelling of an option.

    Attributes:
        text: With its dashes.
        name: The name of the option.
        takes: What stands behind it.
    """

    text: str
    name: str
    takes: Takes = Takes.VALUE


@dataclass(slots=True)
class Parsed:
    """The words of a command line, told apart.

    Attributes:
        options: In their order; a flag given twice is there twice.
        rest: What is no option: the application.
        unknown: Flags that nobody knows, with what seems to be their values.
    """

    options: list[Given] = field(default_factory=list)
    rest: list[Word] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


def parse(words: Sequence[Word], flags: Iterable[Flag], *, may_shorten: bool = False) -> Parsed:
    """Tell options from the rest.

    Args:
        words: What the server is given.
        flags: All spellings it knows.
        may_shorten: Whether ``--work 4`` means ``--workers 4``, as argparse has it.
    """
    return _Parser(words, {flag.text: flag for flag in flags}, may_shorten=may_shorten).parse()


class _Parser:
    def __init__(self, words: Sequence[Word], flags: dict[str, Flag], *, may_shorten: bool) -> None:
        self._words = list(words)
        self._flags = flags
        self._may_shorten = may_shorten
        self._parsed = Parsed()

    def parse(self) -> Parsed:
        """Take words from the front until none is left."""
        while self._words:
            word = self._words.pop(0)
            if word.text == "--":
                self._parsed.rest += self._words
                break
            if word.text.startswith("-") and word.text != "-":
                self._take(word)
            else:
                self._parsed.rest.append(word)
        return self._parsed

    def _take(self, word: Word) -> None:
        text, has_value, _ = word.text.partition("=")
        flag = self._find(text)
        value = word.partition("=")[1] if has_value else None
        if flag is None and not text.startswith("--"):
            flag = self._flags.get(text[:2])
            if flag is not None:
                value = _behind(word)
                if flag.takes is Takes.NOTHING:  # -RD is -R -D
                    self._words.insert(0, _prefixed("-", value))
                    value = None
        if flag is None:
            self._take_unknown(word, has_value=bool(has_value))
        else:
            self._parsed.options.append(self._given(flag, value))

    def _find(self, text: str) -> Flag | None:
        if text in self._flags or not (self._may_shorten and text.startswith("--")):
            return self._flags.get(text)
        names = {flag.name: flag for spelled, flag in self._flags.items() if spelled.startswith(text)}
        return next(iter(names.values())) if len(names) == 1 else None

    def _given(self, flag: Flag, value: Word | None) -> Given:
        if value is None and self._words:
            ahead = self._words[0].text
            if flag.takes is Takes.VALUE or (flag.takes is Takes.MAYBE and not ahead.startswith("-")):
                value = self._words.pop(0)
        if value is None:
            return Given(flag.name, flag.takes is not Takes.NOTHING_FOR_FALSE, flag.text)
        shown = value.text if value.is_known else str(value)
        return Given(flag.name, shown, flag.text, value.variables, value.is_known)

    def _take_unknown(self, word: Word, *, has_value: bool) -> None:
        shown = str(word)
        ahead = self._words[0].text if self._words else "-"
        # The last word, when there is no application yet, is more likely that than a value.
        is_application = not self._parsed.rest and (":" in ahead or len(self._words) == 1)
        if not has_value and not ahead.startswith("-") and not is_application:
            shown = f"{shown} {self._words.pop(0)}"
        self._parsed.unknown.append(shown)


def _behind(word: Word) -> Word:
    """Return what stands behind a short flag: the 4 of ``-w4``."""
    text, raw = word.text[2:], word.raw[2:] if word.raw else ""
    return Word(text.removeprefix("="), word.variables, word.is_known, raw.removeprefix("="))


def _prefixed(prefix: str, word: Word) -> Word:
    return Word(prefix + word.text, word.variables, word.is_known, prefix + word.raw if word.raw else "")
