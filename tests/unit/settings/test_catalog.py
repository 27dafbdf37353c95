"""The declarations fit together: each has what its presentations need, and no two collide."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import pytest

from srvctl.settings.catalog import Setting, catalog
from srvctl.settings.explain import validated
from srvctl.settings.layer import Given, Layer, Origin, Source

_ALL = list(catalog().values())


def test_no_flag_and_no_variable_means_two_settings() -> None:
    flags = Counter(flag for setting in _ALL for flag in setting.flags if flag)
    variables = Counter(name for setting in _ALL for name in (setting.variable, *setting.option.env))
    assert [name for name, times in (flags + variables).items() if times > 1] == []


@pytest.mark.parametrize("setting", _ALL, ids=lambda setting: setting.key)
def test_a_declaration_is_complete(setting: Setting) -> None:
    assert setting.option.help.endswith(".")
    assert setting.label
    assert setting.option.flag.startswith("--") or setting.key == "app.target"
    assert setting.expects


@pytest.mark.parametrize("setting", _ALL, ids=lambda setting: setting.key)
def test_a_default_is_a_valid_value(setting: Setting) -> None:
    layer = Layer(Source.FILE, {setting.key: Given(setting.default, Origin(Source.FILE, "f", 1))})
    assert validated(layer) == {setting.key: setting.default}
    assert layer.problems == []


def test_declarations_are_imported_without_pydantic() -> None:
    code = (
        "import sys, srvctl.settings.groups, srvctl.settings.catalog\n"
        "print([m for m in ('pydantic', 'pydantic_core', 'asyncio', 'yaml') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
