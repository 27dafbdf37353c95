"""Which source wins, where each value came from, and what is said about every kind of mistake."""

from __future__ import annotations

from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from srvctl.errors import ConfigError, SrvctlError, UsageError
from srvctl.settings.catalog import Kind, catalog
from srvctl.settings.groups import Settings
from srvctl.settings.load import Loaded, load

if TYPE_CHECKING:
    from collections.abc import Mapping


@pytest.fixture(autouse=True)
def _in_an_empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are named as a user names them, so that messages can be compared whole."""
    monkeypatch.chdir(tmp_path)


def load_file(text: str, name: str = "srvctl.toml") -> Loaded:
    Path(name).write_text(text, encoding="utf-8")
    return load({}, {}, Path(name))


def mistakes(
    *, cli: Mapping[str, object] | None = None, env: Mapping[str, str] | None = None, text: str | None = None,
    name: str = "srvctl.toml", error: type[SrvctlError] = ConfigError,
) -> list[str]:  # fmt: skip
    if text is not None:
        Path(name).write_text(text, encoding="utf-8")
    with pytest.raises(error) as caught:
        load(cli or {}, env or {}, Path(name) if text is not None else None)
    return str(caught.value).splitlines()


def test_without_any_source_every_value_is_the_declared_default() -> None:
    loaded = load({}, {}, None)
    assert loaded.settings == Settings()
    assert {str(origin) for origin in loaded.origins.values()} == {"default"}
    assert list(loaded.origins) == list(catalog())


#: All places that can set workers.count, highest first, with the value and the origin each gives.
_COUNT_SOURCES: list[tuple[str, object, str]] = [
    ("cli", 2, "command line --workers"),
    ("SRVCTL_WORKERS__COUNT", 3, "environment SRVCTL_WORKERS__COUNT"),
    ("UVICORN_WORKERS", 4, "environment UVICORN_WORKERS"),
    ("WEB_CONCURRENCY", 5, "environment WEB_CONCURRENCY"),
    ("file", 6, "srvctl.toml:2"),
    ("default", 1, "default"),
]


@pytest.mark.parametrize("first", range(len(_COUNT_SOURCES)))
def test_the_highest_source_wins(first: int) -> None:
    present = {name: value for name, value, _ in _COUNT_SOURCES[first:]}
    if "file" in present:
        Path("srvctl.toml").write_text(f"[workers]\ncount = {present['file']}\n", encoding="utf-8")
    loaded = load(
        {"workers.count": str(present["cli"])} if "cli" in present else {},
        {name: str(value) for name, value in present.items() if name.isupper()},
        Path("srvctl.toml") if "file" in present else None,
    )
    _, value, origin = _COUNT_SOURCES[first]
    assert (loaded.settings.workers.count, str(loaded.origins["workers.count"])) == (value, origin)


@pytest.mark.parametrize(
    ("key", "written", "value"),
    [
        ("workers.count", "auto", "auto"),
        ("workers.count", "AUTO", "auto"),
        ("workers.count", " 4 ", 4),
        ("log.level", "WARNING", "warning"),
        ("log.level", "Debug", "debug"),
        ("log.access", "no", False),
        ("log.access", "0", False),
        ("log.use_colors", "true", True),
        ("server.fd", "3", 3),
        ("timeouts.boot", "2m", 120.0),
        ("timeouts.boot", "0.5", 0.5),
        ("limits.request_head_size", "16KiB", 16_384),
        ("app.root_path", "/api", "/api"),
        ("app.target", "my-app.sub:create.app", "my-app.sub:create.app"),
        ("server.bind", "127.0.0.1:80, [::1]:80", ("127.0.0.1:80", "[::1]:80")),
        ("server.bind", "[::1]:80", ("[::1]:80",)),
        ("server.bind", "[::1]:80 :81", ("[::1]:80", ":81")),
        ("server.bind", '[":80", "unix:/a b"]', (":80", "unix:/a b")),
        ("http.headers", '["X-A: 1, 2"]', ("X-A: 1, 2",)),
    ],
)
def test_texts_of_the_environment(key: str, written: str, value: object) -> None:
    setting = catalog()[key]
    for variable in (setting.variable, setting.variable.lower(), *setting.option.env):
        assert attrgetter(key)(load({}, {variable: written}, None).settings) == value


@pytest.mark.parametrize("key", [key for key, setting in catalog().items() if setting.kind is not Kind.LIST])
def test_an_empty_variable_counts_as_not_set(key: str) -> None:
    setting = catalog()[key]
    empty = dict.fromkeys((setting.variable, *setting.option.env), "")
    assert load({}, empty, None).settings == Settings()


def test_forwarded_allow_ips_says_by_being_empty_that_nobody_is_trusted() -> None:
    """As to uvicorn and gunicorn; UVICORN_FORWARDED_ALLOW_IPS is read by click, which ignores it then."""
    both = {"UVICORN_FORWARDED_ALLOW_IPS": "", "FORWARDED_ALLOW_IPS": ""}
    assert load({}, both, None).settings.proxy.forwarded_allow_ips == ()
    unset = {"UVICORN_FORWARDED_ALLOW_IPS": ""}
    assert load({}, unset, None).settings.proxy.forwarded_allow_ips == ("127.0.0.1", "::1")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("srvctl.toml", ""),
        ("srvctl.toml", "# nothing\n"),
        ("srvctl.toml", "[workers]\n"),
        ("srvctl.yaml", ""),
        ("srvctl.yaml", "---\n"),
        ("srvctl.yml", "# nothing\n"),
        ("srvctl.yaml", "workers:\n  # count: 2\n"),
        ("srvctl.yaml", "server:\n  uds: null\n  fd:\n"),
        ("srvctl.yaml", "{}"),
    ],
)
def test_a_file_that_sets_nothing_leaves_the_defaults(name: str, text: str) -> None:
    assert load_file(text, name).settings == Settings()


def test_yaml_words_that_it_reads_as_booleans_are_still_words() -> None:
    assert load_file("app: {lifespan: off}", "srvctl.yaml").settings.app.lifespan == "off"
    assert load_file("app: {lifespan: on}", "srvctl.yaml").settings.app.lifespan == "on"


def test_merged_mappings_of_yaml_are_read() -> None:
    text = "app: &a {lifespan: off}\nworkers:\n  count: 2\n  <<: {loop: asyncio}\n  <<: {max_surge: 2}\n"
    assert load_file(text, "srvctl.yaml").settings.workers.loop == "asyncio"


def test_a_variable_of_another_tool_is_not_judged_where_it_decides_nothing() -> None:
    environ = {"UVICORN_LOOP": "nonsense", "SRVCTL_WORKERS__LOOP": "asyncio"}
    assert load({}, environ, None).settings.workers.loop == "asyncio"
    assert mistakes(env={"UVICORN_LOOP": "nonsense"}) == [
        (
            'UVICORN_LOOP: workers.loop: "nonsense" is no event loop; write one of auto, uvloop, asyncio, '
            "none, or module:factory"
        )
    ]


_DURATION = "write seconds or a number with a unit: 30, 1.5s, 5m, 6h"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[workers]\ncuont = 2", 'srvctl.toml:2: workers.cuont: unknown key; did you mean "count"?'),
        ("[workers]\nzzzzzz = 2", "srvctl.toml:2: workers.zzzzzz: unknown key"),
        (
            "[workers]\nmax-surge = 2",
            'srvctl.toml:2: workers.max-surge: unknown key; did you mean "max_surge"?',
        ),
        (
            "[server]\nworkers = 2",
            'srvctl.toml:2: server.workers: unknown key; did you mean "workers.count"?',
        ),
        ('[server]\n"a\\nb" = 2', 'srvctl.toml:2: server."a\\nb": unknown key'),
        ("port = 80", 'srvctl.toml:1: port: unknown key; did you mean "server.port"?'),
        ("[worker]\ncount = 2", 'srvctl.toml:1: worker: unknown group; did you mean "workers"?'),
        ("[zzzzzz]", "srvctl.toml:1: zzzzzz: unknown group"),
        ("workers = 4", "srvctl.toml:1: workers: is a group of settings such as count, not 4"),
        ("workers = [1]", "srvctl.toml:1: workers: is a group of settings such as count, not a list"),
        (
            '[workers]\ncount = "many"',
            'srvctl.toml:2: workers.count: "many" is not a whole number; write a whole number ≥ 1 or auto',
        ),
        (
            "[workers]\ncount = 0",
            "srvctl.toml:2: workers.count: 0 is too small; write a whole number ≥ 1 or auto",
        ),
        (
            "[workers]\ncount = true",
            "srvctl.toml:2: workers.count: true is not a whole number; write a whole number ≥ 1 or auto",
        ),
        (
            "[workers]\ncount = 1.5",
            "srvctl.toml:2: workers.count: 1.5 is not a whole number; write a whole number ≥ 1 or auto",
        ),
        (
            "[workers]\ncount = {a = 1}",
            "srvctl.toml:2: workers.count: a table is not a whole number; write a whole number ≥ 1 or auto",
        ),
        (
            "[server]\nport = 65536",
            "srvctl.toml:2: server.port: 65536 is too large; write a whole number from 0 to 65535",
        ),
        (
            f"[server]\nbacklog = {2**31}",
            "srvctl.toml:2: server.backlog: 2147483648 is too large; write a whole number ≥ 1",
        ),
        (
            f"[server]\nbacklog = 0x{'f' * 5000}",
            "srvctl.toml:2: server.backlog: a huge number is too large; write a whole number ≥ 1",
        ),
        ('[timeouts]\nboot = "soon"', f'srvctl.toml:2: timeouts.boot: "soon" is not a duration; {_DURATION}'),
        ("[timeouts]\nboot = -1", f"srvctl.toml:2: timeouts.boot: -1 is not a duration; {_DURATION}"),
        ("[timeouts]\nboot = inf", f"srvctl.toml:2: timeouts.boot: inf is too long; {_DURATION}"),
        (
            "[limits]\nrequest_head_size = 100",
            (
                "srvctl.toml:2: limits.request_head_size: 100 is too small; "
                "write a size ≥ 256: bytes or a number with a unit: 65536, 64KiB, 512MB, 1GiB"
            ),
        ),
        (
            '[log]\nlevel = "loud"',
            (
                'srvctl.toml:2: log.level: "loud" is not one of the known values; '
                "write critical, error, warning, info, debug or trace"
            ),
        ),
        (
            '[log]\naccess = "ja"',
            'srvctl.toml:2: log.access: "ja" is neither true nor false; write true or false',
        ),
        ("[app]\nroot_path = 5", 'srvctl.toml:2: app.root_path: 5 is not a text; write it in quotes: "..."'),
        (
            "[app]\nroot_path = 1979-05-27",
            'srvctl.toml:2: app.root_path: "1979-05-27" is not a text; write it in quotes: "..."',
        ),
        (
            '[app]\ntarget = "app/main.py"',
            (
                'srvctl.toml:2: app.target: "app/main.py" is not of the form module:attribute; '
                "write for example app.main:app"
            ),
        ),
        (
            '[server]\nbind = ":80"',
            'srvctl.toml:2: server.bind: ":80" is not a list of texts; write ["...", "..."]',
        ),
        ("[server]\nbind = [80]", 'srvctl.toml:2: server.bind: 80 is not a text; write ["...", "..."]'),
        (
            '[server]\nbind = [\n  ":80",\n  "localhost",\n]',
            (
                'srvctl.toml:2: server.bind: "localhost" is not an address to listen on: '
                "the port is missing; write localhost:8000, for example"
            ),
        ),
        ('[http]\nheaders = ["X-A"]', 'srvctl.toml:2: http.headers: "X-A" is not a header; write NAME:VALUE'),
        (
            '[http]\nheaders = ["X-A: 1\\r\\nX-B: 2"]',
            'srvctl.toml:2: http.headers: "X-A: 1\\r\\nX-B: 2" is not a header; write NAME:VALUE',
        ),
        (
            "[workers\ncount = 2",
            "srvctl.toml:1: is not valid TOML: Expected ']' at the end of a table declaration",
        ),
        ("[workers]\n\ncount = ", "srvctl.toml:3: is not valid TOML: Invalid value"),
        ("[workers]\ncount = 1\ncount = 2", "srvctl.toml:3: is not valid TOML: Cannot overwrite a value"),
        ("a = " + "[" * 5000, "srvctl.toml: is not valid TOML: it is nested too deeply"),
    ],
)
def test_mistakes_in_a_toml_file(text: str, expected: str) -> None:
    assert mistakes(text=text) == [expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("workers:\n  cuont: 2", 'srvctl.yaml:2: workers.cuont: unknown key; did you mean "count"?'),
        ("workers:\n  5: 2", "srvctl.yaml:2: workers.5: unknown key"),
        ("5: 2", 'srvctl.yaml:1: "5" is not the name of a group'),
        ("app:\n  ? [a]\n  : 1", "srvctl.yaml:2: is not valid YAML: found unhashable key"),
        ("<<: {5: 1}", "srvctl.yaml"),
        ("{log: {level: loud}}", "srvctl.yaml:1: log.level: "),
        (
            "server:\n  port:",
            "srvctl.yaml:2: server.port: an empty value is not a whole number; write a whole number ",
        ),
        ("workers:\n  count: 1\n  count: 2", "srvctl.yaml:3: workers.count: is given twice; first on line 2"),
        ("workers: {}\nworkers: {}", "srvctl.yaml:2: workers: is given twice; first on line 1"),
        ("workers: 4", "srvctl.yaml:1: workers: is a group of settings such as count, not 4"),
        ("http:\n  headers:\n  - X-A: 1", "srvctl.yaml:2: http.headers: a table is not a text; write "),
        (
            "- workers",
            (
                'srvctl.yaml:1: does not hold groups of settings; write for example "workers:" and below it, '
                'indented, "count: 2"'
            ),
        ),
        ("just a text", "srvctl.yaml:1: does not hold groups of settings; "),
        ("workers:\n\tcount: 2", "srvctl.yaml:2: is not valid YAML: "),
        ("workers: [", "srvctl.yaml:1: is not valid YAML: "),
        ("workers: *nobody", "srvctl.yaml:1: is not valid YAML: found undefined alias 'nobody'"),
        ("a: 1\n--- \nb: 2", "srvctl.yaml:2: is not valid YAML: but found another document"),
        (
            "a: !!python/object:os.system x",
            "srvctl.yaml:1: is not valid YAML: could not determine a constructor",
        ),
        ("a: !!bool x", "srvctl.yaml: is not valid YAML: a value does not fit its tag"),
        ("a: !!timestamp x", "srvctl.yaml: is not valid YAML: "),
        ("a: 2024-13-45", "srvctl.yaml: is not valid YAML: month must be in 1..12"),
        ("? [a]\n: 1", "srvctl.yaml:1: a list is not the name of a group"),
        ("[" * 1000, "srvctl.yaml: is not valid YAML: it is nested too deeply"),
        ("a: \x01", "srvctl.yaml: is not valid YAML: "),
    ],
)
def test_mistakes_in_a_yaml_file(text: str, expected: str) -> None:
    [line] = mistakes(text=text, name="srvctl.yaml")
    assert line.startswith(expected)


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        (
            "SRVCTL_WORKERS__COUNT",
            "many",
            'SRVCTL_WORKERS__COUNT: workers.count: "many" is not a whole number; write a whole ',
        ),
        (
            "WEB_CONCURRENCY",
            "-1",
            'WEB_CONCURRENCY: workers.count: "-1" is too small; write a whole number ≥ 1 or auto',
        ),
        (
            "SRVCTL_WORKERS__CUONT",
            "2",
            'SRVCTL_WORKERS__CUONT: unknown key; did you mean "SRVCTL_WORKERS__COUNT"?',
        ),
        (
            "SRVCTL_WORKER__COUNT",
            "2",
            'SRVCTL_WORKER__COUNT: unknown group; did you mean "SRVCTL_WORKERS__COUNT"?',
        ),
        ("SRVCTL_ZZZZZZ__ZZZZZZ", "2", "SRVCTL_ZZZZZZ__ZZZZZZ: unknown group"),
        ("SRVCTL_WORKERS__COUNT__X", "2", "SRVCTL_WORKERS__COUNT__X: unknown key"),
        (
            "SRVCTL_WORKERS_COUNT",
            "2",
            'SRVCTL_WORKERS_COUNT: unknown variable; did you mean "SRVCTL_WORKERS__COUNT"?',
        ),
        ("SRVCTL_LOG", "debug", "SRVCTL_LOG: is a group, not a setting; write for example SRVCTL_LOG__LEVEL"),
        (
            "SRVCTL_SERVER__BIND",
            '["a',
            'SRVCTL_SERVER__BIND: server.bind: is not a JSON list; write ["...", "..."]',
        ),
        (
            "SRVCTL_SERVER__BIND",
            "[ 1 ]",
            'SRVCTL_SERVER__BIND: server.bind: 1 is not a text; write ["...", "..."]',
        ),
        (
            "UVICORN_HEADERS",
            "X-A: 1",
            (
                'UVICORN_HEADERS: http.headers: "1" is not a header; write NAME:VALUE '
                '(a list with spaces in it is written as JSON: ["...", "..."])'
            ),
        ),
    ],
)
def test_mistakes_in_the_environment(variable: str, value: str, expected: str) -> None:
    assert mistakes(env={variable: value})[0].startswith(expected)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SRVCTL_CONFIG", "x.toml"),
        ("SRVCTL_SLOT", "3"),
        # Kubernetes makes these for services named srvctl and srvctl-server.
        ("SRVCTL_PORT", "tcp://10.0.0.1:80"),
        ("SRVCTL_SERVER_PORT", "tcp://10.0.0.1:80"),
        ("SRVCTL_SERVER_SERVICE_HOST", "10.0.0.1"),
        ("UVICORN_SOMETHING_ELSE", "1"),
    ],
)
def test_variables_that_are_none_of_our_settings(variable: str, value: str) -> None:
    assert load({}, {variable: value}, None).settings == Settings()


def test_mistakes_on_the_command_line_alone_are_usage_errors() -> None:
    assert mistakes(cli={"server.port": "http", "log.level": "loud"}, error=UsageError) == [
        '--port: server.port: "http" is not a whole number; write a whole number from 0 to 65535',
        (
            '--log-level: log.level: "loud" is not one of the known values; '
            "write critical, error, warning, info, debug or trace"
        ),
    ]


def test_all_mistakes_of_all_sources_are_told_at_once_in_their_order() -> None:
    text = '[timeouts]\nboot = "soon"\n[workers]\ncuont = 1\n[app]\ntarget = "x"\n'
    lines = mistakes(cli={"server.port": "http"}, env={"SRVCTL_LOG__LEVEL": "loud"}, text=text)
    assert [line.split(": ")[0] for line in lines] == [
        "--port",
        "SRVCTL_LOG__LEVEL",
        "srvctl.toml:2",
        "srvctl.toml:4",
        "srvctl.toml:6",
    ]


def test_a_mistake_in_the_file_is_told_even_where_a_flag_overrules_it() -> None:
    assert mistakes(cli={"workers.count": "2"}, text="[workers]\ncount = 0")[0].startswith("srvctl.toml:2: ")


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(ConfigError) as caught:
        load({}, {}, Path("nowhere.toml"))
    assert str(caught.value) == "nowhere.toml: cannot be read: No such file or directory"


def test_a_directory() -> None:
    Path("conf.toml").mkdir()
    with pytest.raises(ConfigError) as caught:
        load({}, {}, Path("conf.toml"))
    assert str(caught.value) == "conf.toml: is a directory; name a .toml or .yaml file"


def test_a_file_of_an_unknown_kind() -> None:
    with pytest.raises(ConfigError) as caught:
        load({}, {}, Path("srvctl.ini"))
    assert str(caught.value) == "srvctl.ini: is not a known kind of file; name it .toml, .yaml or .yml"


@pytest.mark.parametrize("name", ["srvctl.toml", "srvctl.yaml"])
def test_a_file_that_is_not_text(name: str) -> None:
    Path(name).write_bytes(b"# fine\n# \xff\n")
    with pytest.raises(ConfigError) as caught:
        load({}, {}, Path(name))
    assert str(caught.value) == f"{name}:2: is not UTF-8 text"


def test_no_message_speaks_pydantic() -> None:
    """Every setting, given a value of each wrong type, is answered in our words."""
    wrong: list[object] = ["\x00", -1, 1.5, 10**400, None, True, [1], {"a": 1}, float("nan"), b"x"]
    messages = [message for key in catalog() for value in wrong for message in said_about(key, value)]
    assert len(messages) > 4 * len(catalog())
    assert [message for message in messages if "write " not in message and "listened on" not in message] == []
    assert [
        message for message in messages if "Input should" in message or "unable to parse" in message
    ] == []


def said_about(key: str, value: object) -> list[str]:
    try:
        load({key: value}, {}, None)
    except UsageError as error:
        return str(error).splitlines()
    return []
