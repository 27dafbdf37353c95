"""What an instance is called, and where its files may be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from srvctl.settings.groups import Settings
from srvctl.settings.groups.app import AppSettings
from srvctl.settings.groups.server import ServerSettings
from srvctl.settings.instance import (
    Instance,
    control_paths,
    file_name,
    identify,
    instance_name,
    ledger_paths,
    numbered,
    runtime_directories,
    state_directories,
)

OF_APP = Settings(app=AppSettings(target="shop.web:app"))
NAMED = replace(OF_APP, server=ServerSettings(name="the shop"))


@pytest.mark.parametrize(
    ("settings", "config", "name"),
    [
        (OF_APP, None, "shop.web"),
        (OF_APP, Path("etc/billing.toml"), "billing"),
        (NAMED, Path("etc/billing.toml"), "the-shop"),
        (NAMED, None, "the-shop"),
        (Settings(), None, "srvctl"),
    ],
)
def test_it_is_called_as_told_or_like_its_file_or_like_its_application(
    settings: Settings, config: Path | None, name: str
) -> None:
    assert instance_name(settings, config) == name


def test_who_it_is() -> None:
    assert identify(NAMED, Path("/etc/billing.toml")) == Instance(
        "the-shop", is_named=True, config="/etc/billing.toml", target="shop.web:app"
    )
    assert identify(OF_APP, Path("billing.toml")).config == str(Path.cwd() / "billing.toml")
    assert identify(OF_APP, None) == Instance("shop.web", target="shop.web:app")
    assert identify(Settings(), None) == Instance("srvctl")


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ("web", "web"),
        ("../../etc/passwd", "etc-passwd"),
        ("..", "srvctl"),
        (".hidden.", "hidden"),
        ("größe", "gr-e"),
        ("a\nb\0c", "a-b-c"),
        ("", "srvctl"),
        ("/", "srvctl"),
        ("x" * 200, "x" * 48),
    ],
)
def test_a_name_is_safe_as_that_of_a_file(given: str, made: str) -> None:
    assert file_name(given) == made


def test_names_that_come_again_are_numbered() -> None:
    assert [numbered("web", number) for number in (1, 2, 3)] == ["web", "web-2", "web-3"]


def test_directories_of_a_service_manager_come_first() -> None:
    environ = {
        "RUNTIME_DIRECTORY": "/run/a:/run/b",
        "XDG_RUNTIME_DIR": "/run/user/0",
        "STATE_DIRECTORY": "/var/lib/a:/var/lib/b",
        "XDG_STATE_HOME": "/state",
        "HOME": "/root",
    }
    assert [str(path) for path in runtime_directories(environ, 0)] == [
        "/run/a",
        "/run/srvctl",
        "/run/user/0/srvctl",
        "/tmp/srvctl-0",
        "/dev/shm/srvctl-0",
    ]
    assert [str(path) for path in state_directories(environ, 0)] == [
        "/var/lib/a",
        "/var/lib/srvctl",
        "/state/srvctl",
        "/root/.local/state/srvctl",
    ]


def test_a_user_has_no_part_in_the_directories_of_root() -> None:
    assert runtime_directories({}, 1000, ["/var/tmp"]) == (Path("/var/tmp/srvctl-1000"),)
    assert state_directories({}, 1000) == ()


def test_relative_directories_are_ignored() -> None:
    """As the XDG Base Directory Specification demands."""
    environ = dict.fromkeys(
        ("RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR", "STATE_DIRECTORY", "XDG_STATE_HOME", "HOME"), "here"
    )
    assert runtime_directories(environ, 1000) == (Path("/tmp/srvctl-1000"), Path("/dev/shm/srvctl-1000"))
    assert state_directories(environ, 1000) == ()


def test_paths_are_those_of_the_directories_or_the_one_chosen_or_none() -> None:
    environ = {"XDG_RUNTIME_DIR": "/run/user/7", "HOME": "/home/x"}
    assert control_paths("auto", "web", environ, 7) == (
        Path("/run/user/7/srvctl/web.sock"),
        Path("/tmp/srvctl-7/web.sock"),
        Path("/dev/shm/srvctl-7/web.sock"),
    )
    assert ledger_paths("auto", "web", environ, 7) == (
        Path("/home/x/.local/state/srvctl/web.ledger"),
        Path("/dev/shm/srvctl-7/web.ledger"),
    )
    assert control_paths("auto", "web", environ, 7, "/etc/shop/web.toml")[-1] == Path("/etc/shop/web.sock")
    assert control_paths("here.sock", "web", environ, 7) == (Path.cwd() / "here.sock",)
    assert ledger_paths("/there", "web", environ, 7) == (Path("/there"),)
    assert control_paths("none", "web", environ, 7) == ledger_paths("none", "web", environ, 7) == ()
