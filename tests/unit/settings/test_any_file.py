"""Whatever is in the file: settings or one `ConfigError`, never another exception, never a broken line."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from srvctl.errors import ConfigError
from srvctl.settings.catalog import PROGRAM, catalog, groups, program_catalog
from srvctl.settings.groups import Settings
from srvctl.settings.load import load


def check(name: str, content: bytes) -> None:
    with TemporaryDirectory() as directory:
        path = Path(directory) / name
        path.write_bytes(content)
        try:
            assert isinstance(load({}, {}, path).settings, Settings)
        except ConfigError as error:
            lines = str(error).split("\n")
            assert all(line.startswith(str(path)) and line.isprintable() for line in lines), lines


_scalar = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.dates(), st.binary(max_size=9)
)
_value = st.recursive(
    _scalar,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=4,
)
_group = st.one_of(st.sampled_from(list(groups())), st.text(max_size=5))
_key = st.one_of(st.sampled_from([setting.name for setting in catalog().values()]), _scalar)
_text = st.text(max_size=5)
_plausible = st.one_of(
    st.sampled_from(["a", "b", "workers", "exit", "fd:3", "always", "x 'y", ":80", "A=1", "0", "KILL"]), _text
)
_program = st.dictionaries(
    st.one_of(st.sampled_from(list(program_catalog())), _scalar),
    st.one_of(_value, _plausible, st.lists(_plausible, max_size=3)),
    max_size=6,
)
_programs = st.one_of(_value, st.lists(st.one_of(_program, _program, _value), max_size=4))
_document = st.dictionaries(_group, st.one_of(_value, st.dictionaries(_key, _value, max_size=4)), max_size=3)


@pytest.mark.parametrize("name", ["f.toml", "f.yaml"])
@given(st.one_of(st.binary(), st.text().map(lambda text: text.encode("utf-8", "surrogatepass"))))
@example(b"\xef\xbb\xbf[app]\n")
@example(b"a = 1" + b"0" * 5000)
@example(b"a: &a [*a]\n")
@example(b"app: &a {dir: *a}\n")
@example(b"workers: {count: !!int ''}\n")
@example(b"workers: {? !!set {a} : 1}\n")
@example("a: b\u2028c: \u0085d\n".encode())
@settings(deadline=None)
def test_any_bytes(name: str, content: bytes) -> None:
    check(name, content)


@given(_document)
@settings(deadline=None, max_examples=60)
def test_any_document_of_yaml(document: dict[Any, Any]) -> None:
    check("f.yaml", yaml.safe_dump(document, allow_unicode=True).encode("utf-8", "surrogatepass"))


_toml_value = st.one_of(
    st.sampled_from(
        ["inf", "nan", "-0.0", "1979-05-27", "07:32:00", "[[[]]]", "{}", "'''\n'''", "0xffffffffffffffffff"]
    ),
    st.one_of(st.integers(), st.text(), st.booleans(), st.lists(st.text())).map(json.dumps),
)


@given(st.lists(st.tuples(st.sampled_from(list(catalog())), _toml_value), max_size=5))
@settings(deadline=None)
def test_any_document_of_toml(entries: list[tuple[str, str]]) -> None:
    check("f.toml", "".join(f"{key} = {value}\n" for key, value in entries).encode("utf-8", "surrogatepass"))


@given(_programs, st.lists(_plausible, max_size=2))
@example([{"name": "a", "command": "x", "after": ["b"]}, {"name": "b", "command": "x", "after": ["a"]}], [])
@settings(deadline=None, max_examples=150)
def test_any_programs_of_yaml(programs: Any, after: list[str]) -> None:
    text = yaml.safe_dump({PROGRAM: programs, "workers": {"after": after}}, allow_unicode=True)
    check("f.yaml", text.encode("utf-8", "surrogatepass"))


@given(
    st.lists(
        st.lists(st.tuples(st.sampled_from(list(program_catalog())), _toml_value), max_size=5), max_size=3
    )
)
@settings(deadline=None)
def test_any_programs_of_toml(programs: list[list[tuple[str, str]]]) -> None:
    tables = [
        "[[program]]\n" + "".join(f"{key} = {value}\n" for key, value in dict(entries).items())
        for entries in programs
    ]
    check("f.toml", "".join(tables).encode("utf-8", "surrogatepass"))
