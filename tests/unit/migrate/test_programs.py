"""What runs beside the server becomes ``[[program]]``: of a supervisord.conf and of a Procfile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srvctl.migrate.checked import checked, checked_programs
from srvctl.migrate.command import NothingFoundError
from srvctl.migrate.kinds import Kind, kind_of
from srvctl.migrate.source import from_text
from srvctl.migrate.toml import toml
from srvctl.settings.load import load

if TYPE_CHECKING:
    from pathlib import Path

    from srvctl.migrate.result import Migration

_WEB = "[program:web]\ncommand=/venv/bin/uvicorn --workers 2 a:b\n"


def migrated(kind: Kind, text: str) -> tuple[Migration, list[dict[str, Any]]]:
    migration = from_text(kind, text, "file", lambda _: None)
    return migration, [dict(program.values) for program in checked_programs(migration)]


def said(migration: Migration) -> dict[str, str]:
    return {entry.what: entry.why for entry in migration.attention}


def of_supervisord(text: str) -> tuple[dict[str, str], list[dict[str, Any]]]:
    migration, programs = migrated(Kind.SUPERVISORD, _WEB + text)
    return said(migration), programs


def test_the_file_that_comes_of_it_is_read_back(tmp_path: Path) -> None:
    text = (
        "; all\n[supervisord]\nnodaemon=true\n"
        "[program:celery]\n"
        "command = celery -A shop worker -n %(program_name)s --q 'a b' --load 90%%  ; the queue\n"
        "directory=/srv\nnumprocs=2\nuser=www-data\nautorestart=true\nstopsignal=INT\nstopwaitsecs=600\n"
        "environment=A=\"x, y\",URL=redis://h:1/0,B='c',D=\n"
        + _WEB
        + "[program:first]\ncommand=x\npriority=1\n"
    )
    migration = from_text(Kind.SUPERVISORD, text, "file", lambda _: None)
    entries, programs = checked(migration), checked_programs(migration)
    path = tmp_path / "srvctl.toml"
    path.write_text(toml(entries, "file", programs))
    found = load({}, {}, path).settings
    assert (found.app.target, found.workers.count) == ("a:b", 2)
    first, celery = found.program
    assert (first.name, first.command, first.restart) == ("first", ("x",), "on-failure")
    assert celery.command == ("celery", "-A", "shop", "worker", "-n", "celery", "--q", "a b", "--load", "90%")
    assert (celery.directory, celery.count, celery.user) == ("/srv", 2, "www-data")
    assert (celery.restart, celery.stop_signal, celery.stop_timeout) == ("always", "INT", 600.0)
    assert celery.environment == ("A=x, y", "URL=redis://h:1/0", "B=c", "D=")
    assert "who may read it" in said(migration)["file [program:celery]"]


@pytest.mark.parametrize(
    ("value", "restart"),
    [
        ("true", "always"),
        ("false", "never"),
        ("unexpected", "on-failure"),
        ("", "on-failure"),
        ("1", "always"),
    ],
)
def test_when_it_is_started_again(value: str, restart: str) -> None:
    _, [program] = of_supervisord(f"[program:x]\ncommand=x\nautorestart={value}\n")
    assert program.get("restart", "always") == restart


@pytest.mark.parametrize(
    ("text", "what", "why"),
    [
        ("command=x\nautostart=false", "", "autostart=false: was left out"),
        ("command=gunicorn a:b", "", "was left out: one file is for one server"),
        ("command=x %(process_num)02d", " command", "holds %(process_num)s, which is not filled in here"),
        ("command=x '", " command", "has a quote that is not closed"),
        ("autorestart=true", " command", "cannot be taken over: is missing"),
    ],
)
def test_a_program_that_cannot_be_taken_over_is_told(text: str, what: str, why: str) -> None:
    told, programs = of_supervisord(f"[program:x]\n{text}\n")
    assert programs == []
    assert why in told[f"file [program:x]{what}"]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("stopsignal=WINCH", 'cannot be taken over: "WINCH" is not one of the known values'),
        ("startsecs=5", "not needed"),
        ("stdout_logfile=/x", "in the log of srvctl"),
        ("umask=022", "there is none"),
        ("directory=%(here)s", "holds %(here)s"),
    ],
)
def test_a_loss_is_told_and_the_program_taken_over(line: str, why: str) -> None:
    told, [program] = of_supervisord(f"[program:x]\ncommand=y\nprocess_name=%(process_num)s\n{line}\n")
    assert program == {"name": "x", "command": ["y"], "restart": "on-failure"}
    [found] = [text for what, text in told.items() if what.startswith("file [program:x] ")]
    assert why in found


def test_other_sections_are_told() -> None:
    told, programs = of_supervisord("[eventlistener:e]\ncommand=x\n[include]\nfiles=*.conf\n")
    assert programs == []
    assert "no event listeners" in told["file [eventlistener:e]"]
    assert "were not read" in told["file [include]"]


def test_of_variables_that_supervisord_fills_in_the_server_has_those_of_the_shell() -> None:
    text = "[program:web]\ncommand=uvicorn a:b --port %(ENV_PORT)s\nnumprocs=4\n"
    migration, _ = migrated(Kind.SUPERVISORD, text)
    assert "PORT" in said(migration)["--port"]
    assert "workers.count" in said(migration)["file [program:web] numprocs"]


@pytest.mark.parametrize("text", ["", "x", "[program:x]\ncommand=y\n", "[program:x]\n"])
def test_without_a_server_there_is_nothing(text: str) -> None:
    with pytest.raises(NothingFoundError, match=r"^file "):
        migrated(Kind.SUPERVISORD, text)


@pytest.mark.parametrize("name", ["supervisord.conf", "shop.conf", "shop.ini", "any"])
def test_what_the_file_is(name: str) -> None:
    assert kind_of(name, f"; x\n{_WEB}") is Kind.SUPERVISORD


@given(st.text(st.sampled_from("[]:=;#%()s \n\t\\\"'abx,1"), max_size=60))
@settings(deadline=None)
def test_any_file_comes_to_programs_that_can_be_or_to_nothing(text: str) -> None:
    try:
        migration = from_text(
            Kind.SUPERVISORD, f"{_WEB}[program:x]\ncommand=x\n{text}", "file", lambda _: None
        )
    except NothingFoundError:
        return
    assert all({"name", "command"} <= program.values.keys() for program in checked_programs(migration))


def test_a_procfile() -> None:
    """What only a shell understands is left to one, in whose place the program steps where it can."""
    migration, programs = migrated(
        Kind.PROCFILE,
        'web: uvicorn a:b\nworker: rq worker "a b"\nclock: A=1 python clock.py\nnode: node a.js $PORT\n'
        "both: a && b\nrelease: alembic upgrade head\nother: gunicorn c:d\n",
    )
    assert {program["name"]: program["command"] for program in programs} == {
        "worker": ["rq", "worker", "a b"],
        "clock": ["sh", "-c", "exec env A=1 python clock.py"],
        "node": ["sh", "-c", "exec node a.js $PORT"],
        "both": ["sh", "-c", "a && b"],
    }
    told = said(migration)
    assert "runs once for a release" in told["file release"]
    assert "was left out" in told["file other"]
