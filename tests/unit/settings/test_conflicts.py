"""Development and a number of workers: which source wins, and when both together are a mistake."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from srvctl.errors import ConfigError, SrvctlError, UsageError
from srvctl.settings.conflicts import without_most
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
        (
            {**RELOAD, "workers.max": "4"},
            {},
            "",
            UsageError,
            "--max-workers cannot be combined with --reload: ",
        ),
        (
            {},
            {},
            "[workers]\nmax = 1\n[reload]\nenabled = true",
            ConfigError,
            "{file}:2: workers.max cannot be combined with reload.enabled (line 4): ",
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


@pytest.mark.parametrize("file", ["[workers]\nmin = 2\nmax = 4", "[workers]\nmax = 4"])
def test_reload_overrules_bounds_of_lower_sources(file: str, tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text(file, encoding="utf-8")
    workers = load(RELOAD, {}, path).settings.workers
    assert (workers.count, workers.min, workers.max) == (1, 1, 0)


@pytest.mark.parametrize(
    ("cli", "environ", "file", "line"),
    [
        (
            {"workers.min": "4", "workers.max": "2"},
            {},
            "",
            (
                "--min-workers: workers.min: 4 is more than workers.max (2, command line --max-workers); "
                "write 2 or less"
            ),
        ),
        (
            {"workers.max": "2"},
            {"SRVCTL_WORKERS__MIN": "3"},
            "[workers]\nmin = 1\nmax = 9",
            (
                "SRVCTL_WORKERS__MIN: workers.min: 3 is more than workers.max (2, command line "
                "--max-workers); write 2 or less"
            ),
        ),
        (
            {},
            {},
            "[workers]\nmin = 3\nmax = 2",
            "{file}:2: workers.min: 3 is more than workers.max (2, {file}:3); write 2 or less",
        ),
    ],
)
def test_the_fewest_workers_are_not_more_than_the_most(
    cli: Mapping[str, object], environ: Mapping[str, str], file: str, line: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.toml"
    path.write_text(file, encoding="utf-8")
    with pytest.raises(SrvctlError) as caught:
        load(cli, environ, path)
    assert str(caught.value) == line.format(file=path)


@pytest.mark.parametrize(
    "cli",
    [
        {"workers.min": "4"},
        {"workers.min": "4", "workers.max": "0"},
        {"workers.min": "2", "workers.max": "2"},
    ],
)
def test_bounds_that_bind_nothing_or_meet_are_fine(cli: Mapping[str, object]) -> None:
    assert load(cli, {}, None).settings.workers.min == int(str(cli["workers.min"]))


@pytest.mark.parametrize(("most", "lines"), [("0", 2), ("4", 0)])
def test_flags_that_only_scaling_obeys_are_told_where_it_is_off(most: str, lines: int) -> None:
    given = {"workers.min": "2", "workers.scale_in_flight": "5", "workers.max": most}
    told = list(without_most(load(given, {}, None)))
    assert len(told) == lines
    assert all(line.endswith(" has no effect without --max-workers") for line in told)


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
