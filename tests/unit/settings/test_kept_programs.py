"""Programs as one version of srvctl leaves them to another, and as anybody may see them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srvctl.settings.catalog import PROGRAM, program_catalog
from srvctl.settings.groups import ProgramSettings, Settings
from srvctl.settings.keeping import flat, in_force, kept, shown

QUEUE = ProgramSettings(name="queue", command=("rq", "worker"), environment=("A=secret", "B="), bind=(":80",))
NODE = ProgramSettings(name="node", command=("node", "a.js"), count=3, after=("queue",), ready="exit",
                       restart="never")  # fmt: skip
BOTH = Settings(program=(QUEUE, NODE))


def through_json(values: Any) -> Any:
    return json.loads(json.dumps(values))


def test_they_stay_as_they_were() -> None:
    values = through_json(flat(BOTH))
    assert kept(values, BOTH) == (BOTH, ())
    found, notes = kept(values, Settings())
    assert found == BOTH
    assert notes == ("Settings have changed; a reload brings the new ones: program.",)


def test_there_were_none() -> None:
    assert kept(through_json(flat(Settings())), BOTH)[0].program == ()


def test_a_version_without_programs_says_nothing_about_them() -> None:
    values = through_json(flat(BOTH))
    del values[PROGRAM]
    assert kept(values, BOTH) == (BOTH, ())


def test_what_another_version_has_besides_is_passed_over() -> None:
    values = through_json(flat(BOTH))
    values[PROGRAM][0]["priority"] = 1
    del values[PROGRAM][0]["stop_timeout"]
    assert kept(values, BOTH) == (BOTH, ())


def test_what_is_not_understood_is_as_it_is_now() -> None:
    values = through_json(flat(BOTH))
    values[PROGRAM][0]["restart"] = "on-abort"
    values[PROGRAM][1] = 5
    now = Settings(program=(replace(QUEUE, restart="never"),))
    found, notes = kept(values, now)
    assert found.program == (replace(QUEUE, restart="never"),)
    assert notes == (
        'program "queue".restart cannot be kept as it was; it is as it is read now.',
        "A program cannot be kept as it was; it is left out until the next reload.",
    )


def test_a_reload_brings_those_of_the_file() -> None:
    assert in_force(Settings(program=(NODE,)), BOTH).program == (NODE,)


def test_values_of_variables_are_nobodys_business() -> None:
    values = shown(BOTH)
    assert "secret" not in json.dumps(values)
    assert values[PROGRAM][0]["environment"] == ("A=(hidden)", "B=(hidden)")
    assert values[PROGRAM][0]["command"] == ("rq", "worker")


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
_table = st.dictionaries(st.sampled_from([*program_catalog(), "new"]), _json, max_size=5)


@given(st.one_of(_json, st.lists(st.one_of(_table, _json), max_size=3)))
@settings(deadline=None, max_examples=60)
def test_whatever_was_left_comes_to_settings(left: object) -> None:
    found, notes = kept({PROGRAM: left}, BOTH)
    assert all(isinstance(program, ProgramSettings) for program in found.program)
    assert all(isinstance(note, str) for note in notes)
    assert kept(through_json(flat(found)), found)[0] == found


@pytest.mark.parametrize("key", list(program_catalog()))
def test_each_key_is_kept(key: str) -> None:
    assert list(flat(BOTH)[PROGRAM][0]) == list(program_catalog())
    assert through_json(flat(BOTH)[PROGRAM][1])[key] == through_json(getattr(NODE, key))
