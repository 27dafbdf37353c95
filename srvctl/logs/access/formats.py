"""Turns the text of a format into a function from records to lines. Pure.

A format is the name of one, or a text with atoms in Apache's spelling (``%h``, ``%{Referer}i``) or gunicorn's
(``%(h)s``, ``%({Referer}i)s``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NoReturn

from srvctl.logs.access import atoms
from srvctl.logs.access.escape import plain
from srvctl.logs.access.lines import Line, json_line, uvicorn_line

if TYPE_CHECKING:
    from srvctl.logs.access.atoms import Atom
    from srvctl.logs.access.record import AccessRecord

_COMMON: Final = '%h %l %u %t "%r" %>s %b'
NAMED: Final = {"common": _COMMON, "combined": f'{_COMMON} "%{{Referer}}i" "%{{User-Agent}}i"'}
_NAMES: Final = ("uvicorn", *NAMED, "json")
_ATOM: Final = re.compile(
    r"""%(?:
        (?P<percent>%)
      | \((?:(?P<long>[A-Za-z]+)|\{(?P<long_name>[^}]*)\}(?P<long_kind>[A-Za-z]))\)s
      | \{(?P<name>[^}]*)\}(?P<kind>[A-Za-z])
      | (?P<short>>?[A-Za-z])
      | (?P<unknown>.?)
    )""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPES: Final = {r"\t": "\t", r"\"": '"', r"\\": "\\"}
_ESCAPE: Final = re.compile(r'\\[t"\\]')
_CLOCK: Final = frozenset("DMTLt")  #: atoms that need to know how long the request took


class FormatError(ValueError):
    """The text of a format makes no sense; the message says what would."""


@dataclass(frozen=True, slots=True)
class Format:
    """A format, ready for use.

    Attributes:
        line: Returns the line of a record, with its end; pure ASCII where the format's own text is.
        needs_times: It shows ``duration`` or ``time``; else both may be left 0.
        needs_details: It shows any field of a record from ``size`` on; else all may be left out.
    """

    line: Line
    needs_times: bool
    needs_details: bool = True


def check_format(text: str) -> None:
    """Raise unless the text is a format.

    Raises:
        FormatError: It is none (a ValueError).
    """
    compile_format(text)


def compile_format(text: str, *, use_colors: bool = False) -> Format:
    """Return a format by its name or its text.

    Args:
        text: ``uvicorn``, ``common``, ``combined``, ``json``, or a text with at least one atom.
        use_colors: Colours the line of uvicorn; the others are for machines.

    Raises:
        FormatError: The text has an unknown atom, none, or a character that would break lines.
    """
    if text == "uvicorn":
        return Format(uvicorn_line(use_colors=use_colors), needs_times=False, needs_details=False)
    if text == "json":
        return Format(json_line(), needs_times=True)
    return _compile(NAMED.get(text, text))


def _compile(text: str) -> Format:
    _check_literal(text)
    parsed: list[Atom] = []
    pattern: list[str] = []  # for the % operator, with %s for each atom
    needs_times = False
    tables = _Tables()
    end = 0
    for found in _ATOM.finditer(text):
        pattern.append(_literal(text[end : found.start()]))
        end = found.end()
        if found["percent"]:
            pattern.append("%%")
        else:
            parsed.append(tables.find(found))
            pattern.append("%s")
            kind = found["short"] or found["long"] or found["kind"] or found["long_kind"]
            needs_times = needs_times or kind in _CLOCK
    if not parsed:
        names = ", ".join(_NAMES)
        raise FormatError(
            f'"{plain(text)}" is neither the name of a format ({names}) nor a text with atoms such as %h.'
        )
    pattern.append(f"{_literal(text[end:])}\n")
    return Format(_join("".join(pattern), tuple(parsed)), needs_times)


def _join(pattern: str, parts: tuple[Atom, ...]) -> Line:
    def line(record: AccessRecord) -> str:
        return pattern % tuple([part(record) for part in parts])

    return line


def _check_literal(text: str) -> None:
    for char in text:
        if char != "\t" and not char.isprintable():
            raise FormatError(
                f"{plain(char)} in the format of the access log would break its lines; leave it out."
            )


def _literal(text: str) -> str:
    r"""Return what stands between atoms; ``\t`` is a tab, ``\"`` a quotation mark, as in Apache's files."""
    return _ESCAPE.sub(lambda found: _ESCAPES[found[0]], text).replace("%", "%%")


class _Tables:
    """The atoms of one format."""

    def __init__(self) -> None:
        self._short = atoms.atoms()
        self._long = self._short | atoms.gunicorn_atoms()
        self._times = atoms.time_atoms()

    def find(self, found: re.Match[str]) -> Atom:
        """Return the atom that was found in a text.

        Raises:
            FormatError: There is none of this name.
        """
        kind = found["kind"] or found["long_kind"]
        if kind:
            atom = self._of_kind(kind, found["name"] or found["long_name"] or "")
        elif found["long"]:
            atom = self._long.get(found["long"])
        else:
            atom = self._short.get(found["short"] or "")
        return atom or self._unknown(found[0])

    def _of_kind(self, kind: str, name: str) -> Atom | None:
        if kind == "i" and name:
            return atoms.header(name)
        if kind == "o" and name:
            return atoms.response_header(name)
        if kind == "t":
            return self._times.get(name)
        if kind == "e":
            raise FormatError(f"The access log shows no environment variables: %{{{plain(name)}}}e.")
        return None

    def _unknown(self, text: str) -> NoReturn:
        known = " ".join(
            [
                *(f"%{name}" for name in self._short),
                "%{NAME}i %{NAME}o",
                *(f"%{{{name}}}t" for name in self._times),
                "%%",
            ]
        )
        raise FormatError(f'"{plain(text)}" is no atom of the access log; there are {known}.')
