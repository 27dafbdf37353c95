"""Development and a number of workers: which source wins, and when both together are a mistake."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from srvctl.errors import ConfigError, SrvctlError, UsageError
from srvctl.settings.load import load

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

RELOAD = {"reload.enabled": True}
WHY = "with --reload there is one worker; leave one of the two out"


def loaded(cli: Mapping[str, object], environ: Mapping[str, str], file: Path | None) -> tuple[bool, object]:
    settings = load(cli, environ, file).settings
    return settings.reload.enabled, settings.workers.count


@pytest.mark.parametrize(
    ("cli", "environ", "file"),
    [
        (RELOAD, {}, "[workers]\ncount = 4"),
        (RELOAD, {"WEB_CONCURRENCY": "4"}, ""),
        (RELOAD, {"WEB_CONCURRENCY": "many"}, ""),  # overruled, so it is no business of ours
        (RELOAD, {"UVICORN_WORKERS": "auto"}, "[workers]\ncount = 4"),
        (RELOAD, {"SRVCTL_WORKERS__COUNT": "4"}, ""),
        ({**RELOAD, "workers.count": "1"}, {"SRVCTL_WORKERS__COUNT": "4"}, ""),
        ({}, {"UVICORN_RELOAD": "1"}, "[workers]\ncount = 4"),
        ({"workers.count": "1"}, {"SRVCTL_RELOAD__ENABLED": "Yes", "SRVCTL_WORKERS__COUNT": "3"}, ""),
        ({}, {}, "[workers]\ncount = 1\n[reload]\nenabled = true"),
    ],
)
def test_who_turns_reload_on_overrules_lower_sources(
    cli: Mapping[str, object], environ: Mapping[str, str], file: str, tmp_path: Path
) -> None:
    (tmp_path / "a.toml").write_text(file, encoding="utf-8")
    assert loaded(cli, environ, tmp_path / "a.toml") == (True, 1)


@pytest.mark.parametrize(
    ("cli", "environ", "file", "kind", "line"),
    [
        (
            {**RELOAD, "workers.count": "4"},
            {},
            "",
            UsageError,
            "--workers cannot be combined with --reload: ",
        ),
        (
            {**RELOAD, "workers.count": "auto"},
            {},
            "",
            UsageError,
            "--workers cannot be combined with --reload: ",
        ),
        (
            {"workers.count": "2"},
            {"UVICORN_RELOAD": "true"},
            "",
            UsageError,
            "--workers cannot be combined with UVICORN_RELOAD: ",
        ),
        (
            {},
            {"UVICORN_RELOAD": "true", "WEB_CONCURRENCY": "2"},
            "",
            ConfigError,
            "WEB_CONCURRENCY cannot be combined with UVICORN_RELOAD: ",
        ),
        (
            {},
            {"WEB_CONCURRENCY": "2"},
            "[reload]\nenabled = true",
            ConfigError,
            "WEB_CONCURRENCY cannot be combined with {file}:2: ",
        ),
        (
            {},
            {},
            "[workers]\ncount = 2\n[reload]\nenabled = true",
            ConfigError,
            "{file}:2: workers.count cannot be combined with reload.enabled (line 4): ",
        ),
    ],
)
def test_more_workers_from_the_same_source_or_a_higher_one_are_a_mistake(
    cli: Mapping[str, object],
    environ: Mapping[str, str],
    file: str,
    kind: type[SrvctlError],
    line: str,
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.toml"
    path.write_text(file, encoding="utf-8")
    with pytest.raises(kind) as caught:
        load(cli, environ, path)
    assert str(caught.value) == line.format(file=path) + WHY


@pytest.mark.parametrize(
    ("cli", "environ"),
    [
        ({"workers.count": "4"}, {}),
        ({"workers.count": "4", "reload.enabled": False}, {"UVICORN_RELOAD": "true"}),
        ({"workers.count": "4"}, {"UVICORN_RELOAD": "off"}),
    ],
)
def test_without_reload_there_may_be_as_many_as_one_likes(
    cli: Mapping[str, object], environ: Mapping[str, str]
) -> None:
    assert loaded(cli, environ, None) == (False, 4)


def test_a_wrong_number_is_told_once() -> None:
    with pytest.raises(UsageError) as caught:
        load({**RELOAD, "workers.count": "x"}, {}, None)
    assert str(caught.value).count("\n") == 0


@pytest.mark.parametrize(
    ("name", "value", "key", "items"),
    [
        ("UVICORN_HEADERS", "A:1,2 B:3", "http.headers", ("A:1,2", "B:3")),
        ("UVICORN_RELOAD_DIRS", "a b:c", "reload.dirs", ("a b", "c")),
        ("UVICORN_RELOAD_INCLUDES", "*.html a,b", "reload.include", ("*.html", "a,b")),
        ("UVICORN_RELOAD_EXCLUDES", "x y", "reload.exclude", ("x", "y")),
    ],
)
def test_lists_of_uvicorn_are_divided_as_uvicorn_does(
    name: str, value: str, key: str, items: tuple[str, ...]
) -> None:
    group, _, field = key.partition(".")
    assert getattr(getattr(load({}, {name: value}, None).settings, group), field) == items
