"""The commands as a user types them: what they print, where, and the exit code."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from srvctl import __main__, __version__
from srvctl.cli.app import everything, invoke
from srvctl.cli.surface import SECTIONS
from srvctl.errors import BindError, ExitCode
from srvctl.settings.catalog import PROGRAM, Kind, catalog, groups, title
from srvctl.settings.service import Service

if TYPE_CHECKING:
    from srvctl.settings.groups import Settings


@pytest.fixture(autouse=True)
def _in_an_empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("SRVCTL_CONFIG", raising=False)


def run(*argv: str) -> Settings:
    result = invoke(["run", *argv])
    assert isinstance(result, Service)
    return result.settings


def test_run_returns_what_to_serve() -> None:
    assert run("main:app").app.target == "main:app"


# workers.after names programs of a file: tests/unit/settings/test_programs.py
@pytest.mark.parametrize("key", [key for key in catalog() if key != "workers.after"])
def test_every_setting_can_be_given_on_the_command_line(
    key: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each flag reaches its own key and no other: all others keep their defaults."""
    monkeypatch.setattr("srvctl.cli.running.check_surroundings", lambda _: None)  # would miss files and user
    monkeypatch.setattr("srvctl.cli.running.check_logs", lambda given: given)  # and that file
    setting = catalog()[key]
    on, off = setting.flags
    valid = {"server.bind": ":80", "http.headers": "X-A: 1", "app.target": "a:b", "server.host": "::1"}
    valid |= {"tls.cert_reqs": "2", "proxy.forwarded_allow_ips": "10.0.0.0/8", "proxy.fields": "host"}
    valid |= {"log.access_format": "%h %s", "broadcast.buffer": "64K", "broadcast.url": "redis://h"}
    valid |= {"workers.scale_utilization": "80", "workers.memory_watermark": "80"}
    valid |= {"limits.http2_window": "1M"}
    valid |= {"workers.nice": "5", "workers.oom_score": "500", "ledger.size": "64K"}
    valid |= {"workers.umask": "027", "workers.loop": "asyncio", "workers.rlimits": "nofile=1024"}
    valid |= {f"hooks.{name}": "a:b" for name in ("on_boot", "pre_fork", "post_fork")}
    valid |= {f"hooks.{name}": "a:b" for name in ("on_ready", "on_drain", "on_exit")}
    valid |= {"console.bind": "127.0.0.1:9100", "console.hosts": "a.example", "log.buffer": "64K"}
    valid |= {"console.token": "0123456789abcdef"}
    valid |= {"metrics.statsd": "127.0.0.1:8125", "metrics.otlp": "http://127.0.0.1:4318/v1/metrics"}
    text = valid.get(key) or (setting.choices[-1] if setting.choices else "3000")
    match setting.kind:
        case Kind.FLAG if setting.is_switch:
            lines = [[on], [off]] if off else [[on]]
        case Kind.FLAG:
            lines = [[on, "true"], [f"{on}=false"]]
        case Kind.LIST:
            lines = [[on, text], [on, text, on, text]]
        case _:
            lines = [[on, text], [f"{on}={text}"]] if on else [[text]]
    for argv in lines:
        assert invoke(["check", *argv, "--json"]) is ExitCode.OK
        origins = {key: entry["origin"] for key, entry in json.loads(capsys.readouterr().out).items()}
        assert origins.pop(key).startswith("command line ")
        assert set(origins.values()) == {"default"}


@pytest.mark.parametrize(
    ("argv", "key", "value"),
    [
        (["--workers", "auto"], "workers.count", "auto"),
        (["--port=9000"], "server.port", 9000),
        (["--no-access-log"], "log.access", False),
        (["--access-log"], "log.access", True),
        (["--use-colors"], "log.use_colors", True),
        (["--no-use-colors"], "log.use_colors", False),
        (["--factory"], "app.factory", True),
        (["--header", "A: 1", "--header", "B: 2"], "http.headers", ["A: 1", "B: 2"]),
        (["--bind", ":80", "--bind", "unix:/a"], "server.bind", [":80", "unix:/a"]),
        (["--root-path", ""], "app.root_path", ""),
        (["--timeout-boot", "2m"], "timeouts.boot", 120.0),
        (["a:b"], "app.target", "a:b"),
    ],
)
def test_check_names_the_flag_of_each_value(
    argv: list[str], key: str, value: object, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(["check", "--json", *argv]) is ExitCode.OK
    printed = json.loads(capsys.readouterr().out)
    assert list(printed) == [*catalog(), PROGRAM]
    label = catalog()[key].label if value is not False else argv[0]
    assert printed.pop(key) == {"value": value, "origin": f"command line {label}"}
    assert {entry["origin"] for entry in printed.values()} == {"default"}


def test_check_prints_every_value_and_its_origin(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("srvctl.toml").write_text('[log]\n\nlevel = "debug"\n', encoding="utf-8")
    monkeypatch.setenv("WEB_CONCURRENCY", "3")
    assert invoke(["check", "-c", "srvctl.toml", "--limit-request-head-size", "16k"]) is ExitCode.OK
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["KEY", *catalog()]
    column = lines[0].index("FROM")
    origins = {line.split()[0]: line[column:] for line in lines[1:]}
    values = {line.split()[0]: line[lines[0].index("VALUE") : column].strip() for line in lines[1:]}
    assert {key: origin for key, origin in origins.items() if origin != "default"} == {
        "log.level": "srvctl.toml:3",
        "workers.count": "environment WEB_CONCURRENCY",
        "limits.request_head_size": "command line --limit-request-head-size",
    }
    assert (values["limits.request_head_size"], values["workers.count"]) == ("16KiB", "3")
    assert (values["server.uds"], values["server.bind"], values["app.dir"]) == ("unset", "none", '""')
    assert (values["timeouts.boot"], values["log.access"]) == ("60s", "true")


def test_the_file_can_be_named_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("a.yaml").write_text("app: {target: 'a:b'}", encoding="utf-8")
    Path("b.toml").write_text('[app]\ntarget = "b:b"', encoding="utf-8")
    monkeypatch.setenv("SRVCTL_CONFIG", "a.yaml")
    assert run().app.target == "a:b"
    assert run("-c", "b.toml").app.target == "b:b"
    monkeypatch.setenv("SRVCTL_CONFIG", "")
    assert run("c:c").app.target == "c:c"


@pytest.mark.parametrize(
    ("argv", "code", "message"),
    [
        (
            ["run"],
            ExitCode.USAGE,
            "nothing to serve: give APP (module:attribute) or -c FILE with [app] target",
        ),
        (["run", "main"], ExitCode.NEVER_UP, 'APP: app.target: "main" is not of the form module:attribute; '),
        (["run", "a:b", "--port", "x"], ExitCode.USAGE, '--port: server.port: "x" is not a whole number; '),
        (
            ["run", "a:b", "--uds", "x", "--port", "1"],
            ExitCode.USAGE,
            "--uds cannot be combined with --port: ",
        ),
        (
            ["run", "a:b", "--prot", "1"],
            ExitCode.USAGE,
            "srvctl run has no option --prot; did you mean --port?",
        ),
        (["run", "a:b", "--port"], ExitCode.USAGE, "--port needs a value: --port N"),
        (
            ["run", "a:b", "--access-log=no"],
            ExitCode.USAGE,
            "--access-log takes no value; write --access-log or --no-",
        ),
        (
            ["run", "a:b", "--reload=1"],
            ExitCode.USAGE,
            "--reload takes no value; write --reload alone, or leave it",
        ),
        (
            ["run", "a:b", "c"],
            ExitCode.USAGE,
            "srvctl run takes no further argument, but there is c; a:b is ",
        ),
        (["run", "a:b", "c:d"], ExitCode.USAGE, "a:b and c:d cannot be served by one instance; "),
        (
            ["run", "a:b", "--wrokers", "2"],
            ExitCode.USAGE,
            "srvctl run has no option --wrokers; did you mean --w",
        ),
        (
            ["run", "a:b", "--frobnicate"],
            ExitCode.USAGE,
            "srvctl run has no option --frobnicate; srvctl run --help",
        ),
        (
            ["run", "a:b", "--http", "a.b:C"],
            ExitCode.USAGE,
            '--http: http.codec: "a.b:C" names a class, and ',
        ),
        (["run", "a:b", "--ws", "a.b:C"], ExitCode.USAGE, '--ws: ws.protocol: "a.b:C" names a class, and '),
        (
            ["run", "a:b", "--loop", "zuvloop"],
            ExitCode.USAGE,
            '--loop: workers.loop: "zuvloop" is no event loop; ',
        ),
        (
            ["run", "a:b", "--reload", "--workers", "4"],
            ExitCode.USAGE,
            "--workers cannot be combined with --reload: ",
        ),
        (
            ["run", "a:b", "--ssl-keyfile", "k"],
            ExitCode.USAGE,
            "--ssl-keyfile: tls.keyfile: has no effect without ",
        ),
        (["chek"], ExitCode.USAGE, "srvctl has no command chek; did you mean check?"),
        (["relod"], ExitCode.USAGE, "srvctl has no command relod; did you mean reload?"),
        (["stop", "--nmae", "x"], ExitCode.USAGE, "srvctl stop has no option --nmae; did you mean --name?"),
        (["stop", "x"], ExitCode.USAGE, "srvctl stop takes no further argument, but there is x"),
        (
            ["completion", "tcsh"],
            ExitCode.USAGE,
            "argument bash|zsh|fish: invalid choice: 'tcsh' (choose from ",
        ),
        (
            ["src/shop/main.py"],
            ExitCode.USAGE,
            "srvctl has no command src/shop/main.py; to serve it, write for ",
        ),
        (["serve"], ExitCode.USAGE, "srvctl has no command serve; srvctl --help lists those there are; "),
        (
            ["-c", "x", "stop"],
            ExitCode.USAGE,
            "srvctl has no option -c of its own; write it behind a command",
        ),
        (
            ["run", "a:b", "-c", "no.toml"],
            ExitCode.CONFIG,
            "no.toml: cannot be read: No such file or directory",
        ),
    ],
)
def test_a_mistake_is_one_line_on_stderr(
    argv: list[str], code: ExitCode, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(argv) is code
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"srvctl: error: {message}")
    assert printed.err.count("\n") == 1


def test_several_mistakes_are_one_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    Path("srvctl.toml").write_text("[workers]\ncuont = 1\ncount = 0\n", encoding="utf-8")
    assert invoke(["check", "-c", "srvctl.toml"]) is ExitCode.CONFIG
    assert capsys.readouterr().err.splitlines() == [
        'srvctl: error: srvctl.toml:2: workers.cuont: unknown key; did you mean "count"?',
        "srvctl: error: srvctl.toml:3: workers.count: 0 is too small; write a whole number ≥ 1 or auto",
    ]


@pytest.mark.parametrize(
    "argv", [["version"], ["--version"], ["run", "--version"], ["run", "a:b", "--version"]]
)
def test_the_version(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(argv) is ExitCode.OK
    assert capsys.readouterr().out == f"srvctl {__version__}\n"


@pytest.mark.parametrize(("command", "columns"), [("run", 80), ("check", 120), ("run", 20)])
def test_help_shows_every_flag_whole_under_the_title_of_its_group(
    command: str, columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    assert invoke([command, "--help"]) is ExitCode.OK
    text = capsys.readouterr().out
    lines = text.splitlines()
    assert max(map(len, lines)) < max(columns, 90)
    assert all(f"{title(group)}:" in lines for group in groups())
    words = text.replace(",", " ").split()
    names = [name for setting in catalog().values() for name in (*setting.flags, *setting.option.aliases)]
    assert set(filter(None, names)) <= set(words)
    flat = " ".join(words)
    assert "Host to listen on when no --bind is given. Default: 127.0.0.1." in flat
    assert "Default: 64KiB." in flat
    assert "One of critical error warning info debug trace." in flat
    assert "--interface auto|asgi3|asgi2|wsgi" in flat
    assert "SRVCTL_CONFIG" in flat


def test_the_overview_has_each_command_under_the_heading_of_its_kind(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert invoke(["-h"]) is ExitCode.OK
    text = capsys.readouterr().out
    headings = re.findall("^[A-Z].*:$", text, re.MULTILINE)
    assert headings == [f"{section}:" for section in (*SECTIONS, "Options")]
    for command in everything():
        start = text.index(f"\n  {command.name} ")
        flat = " ".join(text[start:].split())
        assert flat.startswith(f"{command.name} {command.help.partition(chr(10))[0]}")
        assert re.findall("^[A-Z].*:$", text[:start], re.MULTILINE)[-1] == f"{command.section}:"


def test_every_help_can_be_read(capsys: pytest.CaptureFixture[str]) -> None:
    for command in everything():
        assert invoke([command.name, "-h"]) is ExitCode.OK
        text = capsys.readouterr().out
        assert all(name in text for flag in command.flags for name in flag.names)


def test_flags_that_only_development_obeys_are_remarked_on(capsys: pytest.CaptureFixture[str]) -> None:
    run("a:b", "--reload-dir", "src", "--reload-browser")
    assert capsys.readouterr().err.splitlines() == [
        "srvctl: warning: --reload-dir has no effect without --reload",
        "srvctl: warning: --reload-browser has no effect without --reload",
    ]
    Path("src").mkdir()
    run("a:b", "--reload", "--reload-dir", "src")
    assert capsys.readouterr().err == ""


def test_without_a_command_help_is_shown_and_the_usage_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke([]) is ExitCode.USAGE
    printed = capsys.readouterr()
    assert "Usage: srvctl" in printed.out
    assert printed.err == ""


@pytest.mark.parametrize("argv", [["run", "a:b", "--port", "0"], ["a:b", "--port=0"], ["--port", "0", "a:b"]])
def test_the_program_serves_what_run_resolved(argv: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    served: list[Service] = []
    monkeypatch.setattr("sys.argv", ["srvctl", *argv])

    def serve(service: Service, *_: object) -> int:
        served.append(service)
        return 3

    monkeypatch.setattr("srvctl.launch.serve", serve)
    assert __main__.main() == 3
    assert [service.settings.app.target for service in served] == ["a:b"]
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, ()) & {signal.SIGTERM, signal.SIGINT}


def test_an_error_while_serving_ends_with_its_message_and_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> int:
        raise BindError("port 80 is taken")

    monkeypatch.setattr("sys.argv", ["srvctl", "run", "a:b"])
    monkeypatch.setattr("srvctl.launch.serve", fail)
    assert __main__.main() == ExitCode.NEVER_UP
    assert capsys.readouterr().err == "srvctl: error: port 80 is taken\n"


def test_other_commands_run_in_the_process_itself(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["srvctl", "version"])
    assert __main__.main() == 0
    assert capsys.readouterr().out.startswith("srvctl ")


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_check_never_shows_a_secret(form: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["check", "--ssl-keyfile-password", "open sesame", *form]) is ExitCode.OK
    shown = capsys.readouterr().out
    assert "open sesame" not in shown
    assert "(hidden)" in shown


def test_a_directory_that_is_to_be_watched_has_to_be_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["check", "--reload", "--reload-dir", "nowhere"]) is ExitCode.USAGE
    why = "there is no directory 'nowhere'; create it, or name another one."
    assert capsys.readouterr().err == f"srvctl: error: --reload-dir: reload.dirs: {why}\n"
    assert invoke(["check", "--reload-dir", "nowhere"]) is ExitCode.OK  # nothing is watched
