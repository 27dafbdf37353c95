"""Words of a command line as a shell or systemd makes them, with the variables in them. Pure.

`shlex` drops the difference between a quoted dollar sign and a variable, so the words are read here. It is
not a shell: of ``a && exec b`` it makes two commands, and what it cannot know (``$(...)``) stays unknown.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_VARIABLE: Final = re.compile(
    r"\$(?:\{(?P<braced>[A-Za-z_]\w*)(?:(?P<operator>:?[-=+?])(?P<word>[^}]*))?\}|(?P<bare>[A-Za-z_]\w*))"
)
#: ``$(nproc)`` and ``$((2 * $(nproc) + 1))``: brackets three deep.
_SUBSTITUTION: Final = re.compile(r"\$\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)|`[^`]*`")
_OPERATOR: Final = re.compile(r"&&|\|\||[;|&\n]|[0-9]*>{1,2}(?:&[0-9-])?|<")
_BLANK: Final = " \t"
_CONTINUED: Final = "\\\n"
_ESCAPED_IN_QUOTES: Final = '"\\$`\n'


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a command.

    Attributes:
        text: With the values of its variables, as far as they are known, and with nothing for the others.
        variables: The names of all variables in it.
        is_known: Whether each of them has a value: from outside, or a default of its own.
        raw: The word as it was written, without its quotation marks.
    """

    text: str
    variables: tuple[str, ...] = ()
    is_known: bool = True
    raw: str = ""

    def __str__(self) -> str:
        return self.raw or self.text

    def partition(self, separator: str) -> tuple[str, Word]:
        """Return what stands before the separator, and the rest as a word with the same variables."""
        head, _, rest = self.text.partition(separator)
        raw = self.raw.partition(separator)[2] if self.raw else ""
        return head, Word(rest, self.variables, self.is_known, raw)


def commands_of(text: str, known: Mapping[str, str] | None = None) -> list[list[Word]]:
    """Return the commands of a line of shell, each as its words.

    Args:
        text: The line; it may have several, behind ``&&``, ``;`` or ``|``.
        known: Variables whose values are known.
    """
    return _Reader(text, known or {}).commands()


def words_of(texts: list[str], known: Mapping[str, str] | None = None) -> list[Word]:
    """Return words that are split already, with the variables in them looked up."""
    return [_word(text, known or {}) for text in texts]


def _word(text: str, known: Mapping[str, str]) -> Word:
    piece = _Piece(known)
    piece.expand(text)
    return piece.word()


class _Piece:
    """A word while it is read."""

    def __init__(self, known: Mapping[str, str]) -> None:
        self._known = known
        self._text: list[str] = []
        self._raw: list[str] = []
        self._variables: list[str] = []
        self._is_known = True
        self.is_begun = False

    def literal(self, text: str) -> None:
        self.is_begun = True
        self._text.append(text)
        self._raw.append(text)

    def expand(self, text: str) -> None:
        """Add a text in which variables mean their values."""
        self.is_begun = True
        self._raw.append(text)
        if _SUBSTITUTION.search(text):
            self._is_known = False
        self._text.append(_VARIABLE.sub(self._value, _SUBSTITUTION.sub("", text)))

    def _value(self, found: re.Match[str]) -> str:
        name = found["braced"] or found["bare"]
        if name not in self._variables:
            self._variables.append(name)
        value = self._known.get(name)
        operator = found["operator"] or ""
        if operator.endswith("+"):  # the word stands for a variable that is set
            return "" if value is None else found["word"]
        if value or (value is not None and not operator.startswith(":")):
            return value
        if operator.endswith(("-", "=")):
            return found["word"].strip("\"'")
        self._is_known = False
        return ""

    def word(self) -> Word:
        text, raw = "".join(self._text), "".join(self._raw)
        return Word(text, tuple(self._variables), self._is_known, raw if raw != text else "")


class _Reader:
    """Reads one line from its beginning to its end."""

    def __init__(self, text: str, known: Mapping[str, str]) -> None:
        self._text = text
        self._known = known
        self._at = 0

    def commands(self) -> list[list[Word]]:
        commands: list[list[Word]] = [[]]
        piece = _Piece(self._known)
        while self._at < len(self._text):
            char = self._text[self._at]
            operator = _OPERATOR.match(self._text, self._at)
            if operator and (not operator[0][0].isdigit() or not piece.is_begun):
                self._end(piece, commands[-1])
                piece = _Piece(self._known)
                self._at = operator.end()
                if operator[0][-1] in "><":
                    self._skip_file()
                elif ">" not in operator[0]:
                    commands.append([])
            elif (blank := self._blank()) > 0:
                self._end(piece, commands[-1])
                piece = _Piece(self._known)
                self._at += blank
            elif char == "#" and not piece.is_begun:
                self._at = self._find("\n", self._at)
            else:
                self._take(piece, char)
        self._end(piece, commands[-1])
        return [command for command in commands if command]

    def _blank(self) -> int:
        """Return how long what parts words is; a line that goes on does, too, unless quotes are around it."""
        if self._text.startswith(_CONTINUED, self._at):
            return len(_CONTINUED)
        return int(self._text[self._at] in _BLANK)

    @staticmethod
    def _end(piece: _Piece, command: list[Word]) -> None:
        if piece.is_begun:
            command.append(piece.word())

    def _skip_file(self) -> None:
        """Leave out the file that output goes to."""
        skipped = re.compile(r"(?:[ \t]|\\\n)*[^\s;&|]*").match(self._text, self._at)
        self._at = skipped.end() if skipped else self._at

    def _find(self, what: str, begin: int) -> int:
        found = self._text.find(what, begin)
        return len(self._text) if found < 0 else found

    def _take(self, piece: _Piece, char: str) -> None:
        if char == "'":
            end = self._find("'", self._at + 1)
            piece.literal(self._text[self._at + 1 : end])
            self._at = end + 1
        elif char == '"':
            self._take_quoted(piece)
        elif char == "\\":
            self._take_escaped(piece)
        else:
            self._take_plain(piece, char)

    def _take_quoted(self, piece: _Piece) -> None:
        piece.literal("")
        self._at += 1
        while self._at < len(self._text) and (char := self._text[self._at]) != '"':
            if char == "\\" and self._text[self._at + 1 : self._at + 2] in _ESCAPED_IN_QUOTES:
                self._take_escaped(piece)
            else:
                self._take_plain(piece, char)
        self._at += 1

    def _take_escaped(self, piece: _Piece) -> None:
        if not self._text.startswith(_CONTINUED, self._at):  # which in double quotes is nothing at all
            piece.literal(self._text[self._at + 1 : self._at + 2])
        self._at += 2

    def _take_plain(self, piece: _Piece, char: str) -> None:
        if char in "$`":
            self._take_variable(piece)
        else:
            piece.literal(char)
            self._at += 1

    def _take_variable(self, piece: _Piece) -> None:
        for form in (_VARIABLE, _SUBSTITUTION):
            if found := form.match(self._text, self._at):
                piece.expand(found[0])
                self._at = found.end()
                return
        piece.literal(self._text[self._at])
        self._at += 1
