"""Words of command lines: quotes, variables and their defaults, and what a shell would run beside them."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from srvctl.migrate.shellwords import Word, commands_of


def texts(line: str, **known: str) -> list[list[str]]:
    return [[word.text for word in command] for command in commands_of(line, known)]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a b  c", [["a", "b", "c"]]),
        ("a 'b c' \"d e\" f\\ g", [["a", "b c", "d e", "f g"]]),
        ("a \\\n  b", [["a", "b"]]),
        ("a '' \"\"", [["a", "", ""]]),
        ("x='a b'c", [["x=a bc"]]),
        ("a && b; c || d | e & f", [["a"], ["b"], ["c"], ["d"], ["e"], ["f"]]),
        ("a > /dev/null 2>&1 b", [["a", "b"]]),
        ("a 8000 2> file", [["a", "8000"]]),
        ("a b#c # a comment", [["a", "b#c"]]),
        ("a '$B' \\$C \"\\$D\"", [["a", "$B", "$C", "$D"]]),
        ("a\nb", [["a"], ["b"]]),
        ("a 'never closed", [["a", "never closed"]]),
        ("100%$", [["100%$"]]),
    ],
)
def test_a_line_is_split_as_a_shell_does(line: str, expected: list[list[str]]) -> None:
    assert texts(line) == expected


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("$PORT", Word("", ("PORT",), is_known=False, raw="$PORT")),
        ("${PORT}", Word("", ("PORT",), is_known=False, raw="${PORT}")),
        ("0:${PORT:-80}", Word("0:80", ("PORT",), raw="0:${PORT:-80}")),
        ('"${PORT-80}"', Word("80", ("PORT",), raw="${PORT-80}")),
        ("${SET:-80}", Word("9", ("SET",), raw="${SET:-80}")),
        ("${EMPTY:-80}", Word("80", ("EMPTY",), raw="${EMPTY:-80}")),
        ("${EMPTY-80}", Word("", ("EMPTY",), raw="${EMPTY-80}")),
        ("$SET$SET", Word("99", ("SET",), raw="$SET$SET")),
        ("${SET:+--x}", Word("--x", ("SET",), raw="${SET:+--x}")),
        ("$(nproc)", Word("", (), is_known=False, raw="$(nproc)")),
        ("$((2 * $(nproc) + 1))", Word("", (), is_known=False, raw="$((2 * $(nproc) + 1))")),
        ("'$PORT'", Word("$PORT")),
    ],
)
def test_a_variable_has_its_value_or_its_default_or_is_unknown(line: str, word: Word) -> None:
    assert commands_of(line, {"SET": "9", "EMPTY": ""}) == [[word]]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1))
@example(["\\\n"])
def test_words_that_are_quoted_come_back(words: list[str]) -> None:
    assert texts(shlex.join(words)) == [words]


@given(st.text("ab$`{}()'\"\\:-;&|><# \n="))
def test_any_line_ends(line: str) -> None:
    assert all(isinstance(word, Word) for command in commands_of(line) for word in command)
