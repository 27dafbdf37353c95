"""On which line a key stands, in all the ways a key can be written."""

from __future__ import annotations

import json
import tomllib

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from srvctl.settings.locate import Path, line_of, locate_toml, locate_yaml, yaml_duplicates

_TOML = '''\
# [not] = "a table"
top.dotted = 1
"quoted key" = 2

[workers]  # [not.this]
count = 4
'literal' = """
[inside]
fake = 1 \\""" still
"""
list = [  # ]
  "a = 1",
  { x = 1 },
]
after = '\\'
[ spaced . "in\\tside" ]
key = { inner = 1, "]" = 2 }
[[program]]
name = "x"
[[program]]
name = "y"
raw = \'\'\'
[raw]
''\'\'\'
last = 1'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("top", "dotted"), 2),
        (("top",), 2),
        (("quoted key",), 3),
        (("workers",), 5),
        (("workers", "count"), 6),
        (("workers", "literal"), 7),
        (("workers", "list"), 11),
        (("workers", "after"), 15),
        (("spaced", "in\tside"), 16),
        (("spaced",), 16),
        (("spaced", "in\tside", "key"), 17),
        (("spaced", "in\tside", "key", "inner"), 17),
        (("program",), 18),
        (("program", 0), 18),
        (("program", 0, "name"), 19),
        (("program", 0, "last"), 18),
        (("program", 1), 20),
        (("program", 1, "name"), 21),
        (("program", 1, "last"), 25),
        (("program", 2, "name"), 18),
        (("nowhere",), 1),
    ],
)
def test_lines_of_toml(path: Path, line: int) -> None:
    tomllib.loads(_TOML)  # the document is one
    assert line_of(locate_toml(_TOML), path) == line


def test_a_table_below_an_array_is_about_its_latest_one() -> None:
    text = "[[a]]\n[[a]]\n[a.b]\nx = 1\n[[a.c]]\n[[a.c]]\ny = 1\n[[a]]\nb.x = 1\n[[d.a]]\nz = 1\n"
    tomllib.loads(text)
    assert locate_toml(text) == {
        ("a", 0): 1,
        ("a", 1): 2,
        ("a", 1, "b"): 3,
        ("a", 1, "b", "x"): 4,
        ("a", 1, "c", 0): 5,
        ("a", 1, "c", 1): 6,
        ("a", 1, "c", 1, "y"): 7,
        ("a", 2): 8,
        ("a", 2, "b", "x"): 9,
        ("d", "a", 0): 10,
        ("d", "a", 0, "z"): 11,
    }


def test_nothing_inside_a_value_is_taken_for_a_key() -> None:
    parts = {part for path in locate_toml(_TOML) for part in path if isinstance(part, str)}
    assert parts.isdisjoint({"not", "inside", "fake", "a", "x", "inner", "raw "})


_key = st.one_of(
    st.from_regex(r"[A-Za-z0-9_-]{1,5}", fullmatch=True), st.text(st.characters(codec="ascii"), max_size=5)
)
_value = st.sampled_from(
    [
        "1",
        '"= [x]"',
        "'''\n[a]\nb = 1\n'''",
        '"""\nc = 1\n\\"""\n"""',
        "[\n 1, # ]\n]",
        "{ d = 1 }",
        "1979-05-27",
    ]
)


@given(
    st.dictionaries(_key, st.dictionaries(_key, _value, max_size=3), max_size=3),
    st.sampled_from(["\n", "\r\n", "\n# c = [\n"]),
)
def test_each_key_of_a_document_is_found_on_its_line(tables: dict[str, dict[str, str]], newline: str) -> None:
    text = ""
    expected: dict[Path, int] = {}
    for table, entries in tables.items():
        expected[(table,)] = text.count("\n") + 1
        text += f"[{json.dumps(table)}]{newline}"
        for key, value in entries.items():
            expected[(table, key)] = text.count("\n") + 1
            text += f"{json.dumps(key)} = {value}{newline}"
    try:
        tomllib.loads(text)
    except ValueError:
        return  # a control character that JSON allows and TOML does not
    assert locate_toml(text) == expected


_YAML = """\
app: {target: "a:b",
      dir: x}
workers:
  count: 1

  "loop": auto
  <<: *base
program:
  - name: x
    command: y
  # one more
  -

    name: z
  - 5
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("app",), 1),
        (("app", "target"), 1),
        (("app", "dir"), 2),
        (("workers",), 3),
        (("workers", "loop"), 6),
        (("workers", "merged"), 3),
        (("program",), 8),
        (("program", 0), 9),
        (("program", 0, "name"), 9),
        (("program", 0, "command"), 10),
        (("program", 1), 14),
        (("program", 1, "name"), 14),
        (("program", 2), 15),
        (("program", 2, "name"), 15),
    ],
)
def test_lines_of_yaml(path: Path, line: int) -> None:
    root = yaml.compose(_YAML.replace("*base", "{}"), Loader=yaml.SafeLoader)
    assert line_of(locate_yaml(root), path) == line


def test_repeated_keys_of_yaml() -> None:
    root = yaml.compose("a: {x: 1, x: 2}\nb: {x: 1}\na: {y: 1}\n", Loader=yaml.SafeLoader)
    assert yaml_duplicates(root) == [(("a", "x"), 1, 1), (("a",), 3, 1)]


def test_a_key_given_twice_in_a_table_of_a_list() -> None:
    root = yaml.compose("a: [{x: 1}, {x: 1, x: 2}]\na: [{y: 1}]\n", Loader=yaml.SafeLoader)
    assert yaml_duplicates(root) == [(("a", 1, "x"), 1, 1), (("a",), 2, 1)]


def test_a_mapping_that_contains_itself_ends() -> None:
    root = yaml.compose("a: &a\n  b: *a\n? [*a]\n: 1\n", Loader=yaml.SafeLoader)
    assert locate_yaml(root) == {("a",): 1, ("a", "b"): 2}
