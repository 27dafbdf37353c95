"""Every option of the uvicorn that is installed: its name, its variable, its default and what it comes to.

Where srvctl differs, the table in docs/how-to/uvicorn.md says so; this reads it, so neither can drift.
"""

from __future__ import annotations

import re
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import uvicorn
from uvicorn.main import main as uvicorn_command

from srvctl.cli.app import invoke
from srvctl.errors import ExitCode
from srvctl.settings.catalog import Setting, catalog
from srvctl.settings.display import format_value
from srvctl.settings.load import load
from srvctl.settings.service import Service

if TYPE_CHECKING:
    import click

GUIDE = Path(__file__).parents[2] / "docs/how-to/uvicorn.md"
OPTIONS = {str(param.name): param for param in uvicorn_command.params}
BY_NAME = {
    name: setting
    for setting in catalog().values()
    for name in (*filter(None, setting.flags), *setting.option.aliases)
}
#: What a sample of an option's value is; any number does for the others.
SAMPLES = {
    "host": "::1",
    "uds": "/tmp/a.sock",
    "loop": "uvloop",
    "http": "h11",
    "ws": "wsproto",
    "forwarded_allow_ips": "10.0.0.1,10.0.0.0/8",
    "root_path": "/api",
    "ssl_keyfile": "key.pem",
    "ssl_certfile": "cert.pem",
    "ssl_keyfile_password": "secret",
    "ssl_cert_reqs": "2",
    "ssl_ca_certs": "ca.pem",
    "ssl_ciphers": "ECDHE+AESGCM",
    "headers": "X-A:1,2",
    "app_dir": "src",
    "reload_includes": "*.html",
    "reload_excludes": "build",
    "ws_per_message_deflate": "no",
    "ssl_version": "16",
    "h11_max_incomplete_event_size": "5000",
}


class Row(NamedTuple):
    """A line of the guide's table: defaults are uvicorn's and srvctl's, one where they agree."""

    key: str
    defaults: list[str]
    difference: str


def table() -> dict[str, Row]:
    found = re.findall(
        r"^\| `(--[\w-]+|APP)`.*? \| (.*?) \| (.*?) \| (.*?) \|$", GUIDE.read_text("utf-8"), re.MULTILINE
    )
    return {
        name: Row(key.strip("`"), re.findall("`(.*?)`", defaults), difference)
        for name, key, defaults, difference in found
    }


def label(param: click.Parameter) -> str:
    return "APP" if param.name == "app" else param.opts[0]


def setting_of(param: click.Parameter) -> Setting | None:
    return catalog()["app.target"] if param.name == "app" else BY_NAME.get(param.opts[0])


COMPARED = [name for name, param in OPTIONS.items() if label(param) != "--version"]


def read(*argv: str) -> Any:
    """What uvicorn reads, by name."""
    return uvicorn_command.make_context("uvicorn", list(argv)).params


def same(ours: object, theirs: object) -> bool:
    if isinstance(ours, tuple) and isinstance(theirs, str):
        return ",".join(ours) == theirs
    unset: tuple[object, ...] = (None, "", 0, ())
    return ours == theirs or (theirs in unset and ours in unset and ours is not False and theirs is not False)


def sample(param: Any, directory: Path) -> str:
    """A value that is not the default."""
    choices = getattr(param.type, "choices", None)
    if choices:
        return str(list(choices)[-1])
    if getattr(param.type, "exists", False):
        return str(directory)
    return SAMPLES.get(param.name, "17")


@pytest.fixture(autouse=True)
def _in_an_environment_without_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (*(f"UVICORN_{name.upper()}" for name in OPTIONS), "WEB_CONCURRENCY", "FORWARDED_ALLOW_IPS"):
        monkeypatch.delenv(name, raising=False)
    for check in ("surroundings", "logs"):  # would miss the files
        monkeypatch.setattr(f"srvctl.cli.running.check_{check}", lambda given: given)


def test_uvicorns_table_was_found() -> None:
    assert {"app", "port", "reload_dirs", "headers", "reset_contextvars"} <= set(OPTIONS)


@pytest.mark.parametrize("name", OPTIONS)
def test_each_name_is_a_flag_of_run_or_refused(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["run", "--help"]) is ExitCode.OK
    words = capsys.readouterr().out.replace(",", " ").split()
    param = OPTIONS[name]
    for option in [label(param), *param.opts[1:], *param.secondary_opts]:
        assert option in words
    assert label(param) in table(), "the guide does not mention it"


@pytest.mark.parametrize("name", COMPARED)
def test_a_default_that_differs_is_documented(name: str) -> None:
    param, row = OPTIONS[name], table()[label(OPTIONS[name])]
    setting = setting_of(param)
    assert setting is not None
    assert row.key == setting.key
    theirs = read("a:b")[name] if name != "app" else None
    if theirs is None and name != "log_config":  # there, it is all that is logged by itself
        theirs = getattr(uvicorn.Config("a:b", log_config=None), name, None) if name != "app" else None
    shown = "unset" if theirs is None else str(theirs)
    if same(setting.default, theirs):
        assert len(row.defaults) <= 1, "the guide says that they differ"
    else:
        assert row.defaults == [shown, format_value(setting, setting.default)]
        assert row.difference.strip()


@pytest.mark.parametrize("name", COMPARED)
def test_the_same_words_mean_the_same(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the command line, and in the variable."""
    param, setting = OPTIONS[name], setting_of(OPTIONS[name])
    assert setting is not None
    value = attrgetter(setting.key)
    text = sample(param, tmp_path)
    lines = [[param.opts[0], text]]
    if name == "app":
        lines = []
    elif getattr(param, "is_flag", False):
        lines = [[option] for option in (*param.opts, *param.secondary_opts)]
    elif param.multiple:
        lines += [[param.opts[0], text, param.opts[0], text]]
    for argv in lines:
        service = invoke(["run", "a:b", *argv])
        assert isinstance(service, Service)
        assert same(value(service.settings), read("a:b", *argv)[name])
    variable = f"UVICORN_{name.upper()}"
    for written in (
        ("1", "false", "on", "No") if getattr(param, "is_flag", False) else (text, "a:b")[name == "app" :][:1]
    ):
        monkeypatch.setenv(variable, written)
        theirs = read(*([] if name == "app" else ["a:b"]))[name]
        assert same(value(load({}, {variable: written}, None).settings), theirs)


@pytest.mark.parametrize("written", ["INFO", "Info", "info"])
def test_words_may_be_written_in_any_case(written: str) -> None:
    """Uvicorn takes small letters only."""
    assert load({"log.level": written}, {}, None).settings.log.level == "info"


def test_the_guide_names_options_of_uvicorns_alone() -> None:
    rows = table()
    assert not (set(rows) - {label(param) for param in OPTIONS.values()}), "in the guide, but not uvicorn's"
