"""The ``[[program]]`` tables of a file: what they come to, and what is said about every kind of mistake."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from srvctl.errors import ConfigError, UsageError
from srvctl.settings.catalog import program_catalog
from srvctl.settings.groups import ProgramSettings
from srvctl.settings.load import Loaded, load
from srvctl.settings.program_values import notify_fd

_NUL = "holds a NUL, which the kernel does not take; leave it out, or write it another way"
_OK = '[[program]]\nname = "ok"\ncommand = "x"\n'


@pytest.fixture(autouse=True)
def _in_an_empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are named as a user names them, so that messages can be compared whole."""
    monkeypatch.chdir(tmp_path)


def read(text: str, name: str = "a.toml") -> Loaded:
    Path(name).write_text(text, encoding="utf-8")
    return load({}, {}, Path(name))


def mistakes(text: str, name: str = "a.toml") -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(text, name)
    return str(caught.value).splitlines()


_WHOLE = """
[workers]
after = ["migrate"]

[[program]]
name = "migrate"
command = "alembic -c 'my conf' upgrade head"
ready = "exit"

[[program]]
name = "queue.high"
command = ["rq", "worker"]
count = 2
directory = "/srv"
environment = ["A=b=c", "EMPTY="]
user = "www-data"
group = "33"
bind = ["127.0.0.1:9000", "unix:/run/q.sock", "systemd:q"]
after = ["migrate", "workers"]
ready = "fd:6"
start_timeout = "2m"
restart = "on-failure"
on_reload = "sighup"
stop_signal = "SIGUSR1"
stop_timeout = 0.5
"""
_IN_YAML = """
workers: {after: [migrate]}
program:
  - name: migrate
    command: alembic -c 'my conf' upgrade head
    ready: exit
  - name: queue.high
    command: [rq, worker]
    count: 2
    directory: /srv
    environment: [A=b=c, EMPTY=]
    user: www-data
    group: "33"
    bind: ["127.0.0.1:9000", "unix:/run/q.sock", "systemd:q"]
    after: [migrate, workers]
    ready: fd:6
    start_timeout: 2m
    restart: on-failure
    on_reload: sighup
    stop_signal: SIGUSR1
    stop_timeout: 0.5
    user:
"""
_MIGRATE = ProgramSettings(
    name="migrate",
    command=("alembic", "-c", "my conf", "upgrade", "head"),
    ready="exit",
    restart="on-failure",
)
_QUEUE = ProgramSettings(
    name="queue.high",
    command=("rq", "worker"),
    count=2,
    directory="/srv",
    environment=("A=b=c", "EMPTY="),
    user="www-data",
    group="33",
    bind=("127.0.0.1:9000", "unix:/run/q.sock", "systemd:q"),
    after=("migrate", "workers"),
    ready="fd:6",
    start_timeout=120.0,
    restart="on-failure",
    on_reload="HUP",
    stop_signal="USR1",
    stop_timeout=0.5,
)


@pytest.mark.parametrize(
    ("name", "text"), [("a.toml", _WHOLE), ("a.yaml", _IN_YAML.replace("    user:\n", ""))]
)
def test_programs_of_a_file(name: str, text: str) -> None:
    loaded = read(text, name)
    assert loaded.settings.program == (_MIGRATE, _QUEUE)
    assert loaded.settings.workers.after == ("migrate",)
    begin = text[1:].split("\n").index(next(line for line in text[1:].split("\n") if "stop_timeout" in line))
    assert str(loaded.program_origins[1]["stop_timeout"]) == f"{name}:{begin + 2}"
    assert str(loaded.program_origins[0]["stop_timeout"]) == "default"
    assert [list(origins) for origins in loaded.program_origins] == [list(program_catalog())] * 2


def test_tables_in_one_line() -> None:
    loaded = read('program = [{ name = "x", command = "y" }, { name = "z", command = "y" }]\n')
    assert [program.name for program in loaded.settings.program] == ["x", "z"]
    assert str(loaded.program_origins[1]["name"]) == "a.toml:1"


@pytest.mark.parametrize("text", ["program:\n", "program: []\n", "program: ~\n"])
def test_none_is_none(text: str) -> None:
    assert read(text, "a.yaml").settings.program == ()


def test_every_setting_of_a_program_is_declared_completely() -> None:
    for setting in program_catalog().values():
        assert setting.option.help.endswith(".")
        assert setting.metavar
        assert not setting.option.flag


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            'restart = "sometimes"',
            '"sometimes" is not one of the known values; write always, on-failure or never',
        ),
        ("restart = true", "true is not one of the known values; write always, on-failure or never"),
        ("count = 0", "0 is too small; write a whole number ≥ 1"),
        ('count = "auto"', '"auto" is not a whole number; write a whole number ≥ 1'),
        ("directory = 5", '5 is not a text; write it in quotes: "..."'),
        ('directory = ""', '"" names no directory; write a path, or leave it out'),
        (
            'start_timeout = "soon"',
            '"soon" is not a duration; write seconds or a number with a unit: 30, 1.5s, 5m, 6h',
        ),
        (
            "stop_timeout = -1",
            "-1 is not a duration; write seconds or a number with a unit: 30, 1.5s, 5m, 6h",
        ),
        (
            'stop_signal = "STOP"',
            '"STOP" is not one of the known values; write TERM, INT, QUIT, HUP, USR1, USR2 or KILL',
        ),
        (
            'on_reload = "TERM"',
            '"TERM" is not one of the known values; write keep, restart, HUP, USR1 or USR2',
        ),
        ('environment = { A = "secret" }', 'is a table; write ["NAME=VALUE"]'),
        ('environment = ["secret"]', "an entry is not a variable; write NAME=VALUE"),
        ('environment = ["=secret"]', "an entry is not a variable; write NAME=VALUE"),
        ('environment = ["A=1", "A=secret"]', 'gives "A" twice; leave one out'),
        ('environment = "A=1"', '"A=1" is not a list of texts; write ["...", "..."]'),
        ('user = "a/b"', '"a/b" is no user or group; write a name or a number'),
        ('group = ""', '"" is no user or group; write a name or a number'),
        ("bind = 80", '80 is not a list of texts; write ["...", "..."]'),
        (
            'bind = ["a"]',
            '"a" is not an address to listen on: the port is missing; write a:8000, for example',
        ),
        (
            'bind = ["fd://3"]',
            '"fd://3" is not for a program; write HOST:PORT, :PORT, unix:PATH or systemd:NAME',
        ),
        (
            'ready = "soon"',
            '"soon" is no way to be ready; write started, notify, fd:3 (a descriptor) or exit',
        ),
        ('ready = "fd:"', '"fd:" is no way to be ready; write started, notify, fd:3 (a descriptor) or exit'),
        ('ready = "fd:2"', '"fd:2" has no number from 3 to 1023; write for example fd:3'),
        ('ready = "fd:1024"', '"fd:1024" has no number from 3 to 1023; write for example fd:3'),
        ('after = ["nobody"]', '"nobody" is no program of the file; write the name of a [[program]]'),
        ('after = ["okk"]', '"okk" is no program of the file; did you mean "ok"?'),
        ('after = ["worker"]', '"worker" is no program of the file; did you mean "workers"?'),
        ('after = ["queue"]', "a program cannot wait for itself; leave its name out"),
        ('autorestart = "x"', 'unknown key; did you mean "restart"?'),
        ("stop-timeout = 1", 'unknown key; did you mean "stop_timeout"?'),
        ("zzz = 1", "unknown key"),
    ],
)
def test_a_wrong_value_is_told_with_its_line(line: str, said: str) -> None:
    key = line.partition(" ")[0]
    text = f'{_OK}[[program]]\nname = "queue"\ncommand = ["x"]\n{line}\n'
    assert mistakes(text) == [f'a.toml:7: program "queue".{key}: {said}']


def test_sockets_are_passed_from_descriptor_3_on() -> None:
    text = '[[program]]\nname = "a"\ncommand = "x"\nbind = [":80", ":81"]\nready = "fd:4"\n'
    assert mistakes(text) == [
        'a.toml:5: program "a".ready: "fd:4" is one of the sockets of its bind; write fd:5'
    ]
    assert read(text.replace("fd:4", "fd:5")).settings.program[0].ready == "fd:5"
    assert (notify_fd("fd:5"), notify_fd("notify")) == (5, None)


def test_a_task_that_is_done_is_not_done_over_and_over() -> None:
    text = '[[program]]\nname = "a"\ncommand = "x"\nready = "exit"\nrestart = "always"\n'
    said = '"always" would do what is ready by its exit over and over; write on-failure or never'
    assert mistakes(text) == [f'a.toml:5: program "a".restart: {said}']
    assert read(text.replace("always", "never")).settings.program[0].restart == "never"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ('"x \'y"', '"x \'y" has a quote that is not closed; write ["PROGRAM", "ARGUMENT"], or close it'),
        (r'"x \\"', r'"x \\" ends in a backslash; write ["PROGRAM", "ARGUMENT"], or close it'),
        ('""', 'names no program; write for example ["rq", "worker"]'),
        ("[]", 'names no program; write for example ["rq", "worker"]'),
        ('["", "x"]', 'names no program; write for example ["rq", "worker"]'),
        (r'["x", "a\u0000"]', _NUL),
        ('["sleep", 5]', '5 is not a text; write ["...", "..."]'),
        ("5", '5 is not a list of texts; write ["...", "..."]'),
    ],
)
def test_a_wrong_command(command: str, said: str) -> None:
    assert mistakes(f'[[program]]\nname = "a"\ncommand = {command}\n') == [
        f'a.toml:3: program "a".command: {said}'
    ]


@pytest.mark.parametrize("name", ["", "a b", "-a", "a-", "é", "a" * 65, "a/b", "a:0", "a\\nb"])
def test_a_wrong_name(name: str) -> None:
    [line] = mistakes(f'[[program]]\ncommand = "x"\nname = "{name}"\n')
    label = f'"{name[:60]}…"' if len(name) > 60 else f'"{name}"'
    said = "is not a name; write up to 64 letters and digits, with . _ - between them, for example queue"
    assert line == f"a.toml:3: program {label if name else '#1'}.name: {label} {said}"


def test_the_workers_have_their_name() -> None:
    assert mistakes('[[program]]\ncommand = "x"\nname = "workers"\n') == [
        'a.toml:3: program "workers".name: "workers" is what the workers are called; take another name'
    ]


def test_a_name_given_twice() -> None:
    assert mistakes(f"{_OK}{_OK}") == ['a.toml:5: program "ok".name: is given twice; first on line 2']


@pytest.mark.parametrize(("name", "empty"), [("a.toml", "[[program]]\n"), ("a.yaml", "program:\n  - {}\n")])
def test_without_a_name_and_a_command(name: str, empty: str) -> None:
    line = empty.count("\n")
    assert mistakes(empty, name) == [
        f'{name}:{line}: program #1.name: is missing; write for example name = "queue"',
        f'{name}:{line}: program #1.command: is missing; write for example command = ["rq", "worker"]',
    ]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.toml", '[program]\nname = "x"\n', 'write [[program]] and below it name = "queue"'),
        ("a.toml", '[program.web]\ncommand = "x"\n', 'write [[program]] and below it name = "web"'),
        ("a.toml", 'program = "x"\n', 'write [[program]] and below it name = "queue"'),
        (
            "a.yaml",
            "program: {web: {command: x}}\n",
            'write "program:" and below it, indented, - name: "web"',
        ),
        ("a.yaml", "program: x\n", 'write "program:" and below it, indented, - name: "queue"'),
    ],
)
def test_what_is_no_list_of_tables(name: str, text: str, said: str) -> None:
    assert mistakes(text, name) == [f"{name}:1: program: there may be many; {said}"]


def test_an_item_that_is_no_table() -> None:
    assert mistakes("program:\n  - name: x\n    command: y\n  - 5\n", "a.yaml") == [
        "a.yaml:4: program #2: 5 is not a table of settings such as name and command"
    ]


@pytest.mark.parametrize("text", ["[[programs]]\nname = 1\n", "[programs]\nname = 1\n"])
def test_a_name_of_the_table_that_is_nearly_right(text: str) -> None:
    assert mistakes(text) == ['a.toml:1: programs: unknown group; did you mean "program"?']


def test_keys_given_twice_in_yaml() -> None:
    assert mistakes("program:\n  - name: x\n    command: y\n    count: 1\n    count: 2\n", "a.yaml") == [
        "a.yaml:5: program #1.count: is given twice; first on line 4"
    ]


def _chain(**after: str) -> str:
    workers = f"[workers]\nafter = [{after.pop('workers')}]\n" if "workers" in after else ""
    return workers + "".join(
        f'[[program]]\nname = "{name}"\ncommand = "x"\nafter = [{names}]\n' for name, names in after.items()
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (_chain(a='"b"', b='"a"'), '4: program "a".after: is a circle: a waits for b, b waits for a'),
        (
            _chain(c='"a"', a='"b"', b='"d"', d='"a"'),
            '8: program "a".after: is a circle: a waits for b, b waits for d, d waits for a',
        ),
        (
            _chain(workers='"z"', b='"workers"', z='"b"'),
            '6: program "b".after: is a circle: b waits for workers, workers waits for z, z waits for b',
        ),
        (
            _chain(workers='"a"', a='"workers"'),
            '6: program "a".after: is a circle: a waits for workers, workers waits for a',
        ),
    ],
)
def test_a_circle_is_said(text: str, said: str) -> None:
    assert mistakes(text) == [f"a.toml:{said}; leave one of them out"]


def test_a_long_chain_is_none() -> None:
    """Nor is it more than can be looked at."""
    names = [f"p{number}" for number in range(3000)]
    text = _chain(p0="", **{name: f'"{before}"' for before, name in pairwise(names)})
    assert len(read(text).settings.program) == len(names)


@pytest.mark.parametrize(
    ("after", "said"),
    [
        ('"nobody"', '"nobody" is no program of the file; write the name of a [[program]]'),
        ('"okay"', '"okay" is no program of the file; write the name of a [[program]]'),
        ('"ok1"', '"ok1" is no program of the file; did you mean "ok"?'),
        ('"workers"', "the workers cannot wait for themselves; write the names of programs"),
    ],
)
def test_workers_wait_for_programs_there_are(after: str, said: str) -> None:
    assert mistakes(f"{_OK}[workers]\nafter = [{after}]\n") == [f"a.toml:5: workers.after: {said}"]


def test_what_the_workers_wait_for_is_said_anywhere() -> None:
    Path("a.toml").write_text(_OK, encoding="utf-8")
    assert load({"workers.after": ["ok"]}, {}, Path("a.toml")).settings.workers.after == ("ok",)
    with pytest.raises(UsageError, match=r'^--after: workers.after: "x" is no program of the file; '):
        load({"workers.after": ["x"]}, {}, None)
    with pytest.raises(ConfigError, match=r'^SRVCTL_WORKERS__AFTER: workers.after: "x" is no program'):
        load({}, {"SRVCTL_WORKERS__AFTER": "x"}, Path("a.toml"))


@pytest.mark.parametrize("name", ["SRVCTL_PROGRAM", "SRVCTL_PROGRAM__0__NAME", "srvctl_program__name"])
def test_the_environment_has_no_programs(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load({}, {name: "x"}, None)
    said = "programs cannot be set in the environment; write [[program]] in the file"
    assert str(caught.value) == f"{name}: {said}"


def test_what_a_program_finds_in_its_environment_is_no_mistake() -> None:
    """It may be srvctl itself."""
    assert load({}, {"SRVCTL_PROGRAM_INDEX": "0"}, None).settings.program == ()


def test_every_mistake_is_told_at_once() -> None:
    text = '[[program]]\nname = 1\ncommand = 2\n[[program]]\nname = "b"\ncommand = 3\nafter = ["a"]\n'
    assert len(mistakes(text)) == 4
