"""A gunicorn.conf.py is read and never run; what is not plain is listed with its line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srvctl.migrate.gunicorn_file import read_conf


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("workers = 2 * 2 + 1", 5),
        ("workers: int = 3", 3),
        ("a = b = 2\nworkers = a ** 1 if False else b", 2),
        ("workers = 1\nworkers += 2", 3),
        ("workers = -(-7 // 2)", 4),
        ("a, workers = 1, 2", 2),
        ("import os\nworkers = int(os.environ.get('N', '3'))", 3),
        ("from os import getenv as g\nworkers = g('N') or 4", 4),
        ("from os import environ\nworkers = environ.get('N', default=4)", 4),
        ("import os\nworkers = os.environ['KNOWN']", "7"),
        ("import multiprocessing\nworkers = multiprocessing.cpu_count() * 2 + 1", "auto"),
        ("import multiprocessing as mp\ncores = mp.cpu_count()\nworkers = max(int(1.5 * cores), 2)", "auto"),
        ("from os import cpu_count\nworkers = min(cpu_count(), 8)", "auto"),
        ("import os\nworkers = len(os.sched_getaffinity(0))", "auto"),
        ("if 'a' in ('a', 'b') and not 1 > 2:\n    workers = 1\nelse:\n    workers = 2", 1),
        ("d = {'n': [5, 6]}\nworkers = d['n'][1]", 6),
        ("host = 'h'\nworkers = f'{host}:{8000 + 1}'", "h:8001"),
        ("workers = '{}:{}'.format('h', 1).upper()", "H:1"),
        ("import ssl\nworkers = ssl.CERT_REQUIRED", 2),
    ],
)
def test_what_is_plain_is_worked_out(text: str, value: object) -> None:
    conf = read_conf(text, "conf.py", {"KNOWN": "7"})
    if value == "auto":
        assert "number of CPUs" in conf.unclear[0][1]
    if "**" in text:  # not among what is worked out, and not looked at in the branch that is not taken
        assert not conf.unclear
    assert conf.values["workers"].value == value


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("\nworkers = some_function()", 2),
        ("workers = unknown_name", 1),
        ("import os\nworkers = os.environ['N']", 2),
        ("workers = [n for n in range(3)][1]", 1),
        ("for workers in range(3):\n    pass", 1),
        ("try:\n    workers = 1\nexcept ImportError:\n    workers = 2", 4),
        ("with open('f') as f:\n    workers = int(f.read())", 2),
        ("from settings import workers", 1),
        ("def workers(): return 3", 1),
        ("workers = 10 ** 10 ** 10", 1),
        ("workers = 'a' * 10 ** 9", 1),
        ("workers = '{:>9999999999}'.format(1)", 1),
        ("workers = '{}{:>9999999999}'.format(1, 2)", 1),
        pytest.param(f"workers = {'+'.join(['x'] * 900)}", 1, id="a deep expression"),
        ("workers = 1 / 0", 1),
        ("workers = f'{3:>9999999999}'", 1),
        ("import os\nif os.cpu_count() > 4:\n    workers = 2", 3),
        ("workers = {'a': 1}\nworkers['a'] = 2", 2),
        ("a = b()\nworkers = a", 2),
        ("workers = __import__('os').getpid()", 1),
        ("workers = (lambda: 3)()", 1),
    ],
)
def test_what_is_not_plain_is_listed_with_its_line_and_never_guessed(text: str, line: int) -> None:
    conf = read_conf(text, "conf.py", {})
    assert "workers" not in conf.values
    assert [what for what, _ in conf.unclear] == [f"conf.py:{line} workers"]


def test_a_value_remembers_the_variables_it_depends_on() -> None:
    text = """
import os
port = os.getenv("PORT", "80")
if os.getenv("BIND"):
    bind = os.getenv("BIND")
else:
    bind = f"0.0.0.0:{port}"
if os.getenv("SLOW"):
    timeout = 600
"""
    conf = read_conf(text, "conf.py", {})
    assert conf.values["bind"].value == "0.0.0.0:80"
    assert conf.values["bind"].variables == ("PORT", "BIND")
    assert conf.values["bind"].origin == "conf.py:7 bind"
    assert conf.unclear == [("conf.py:9 timeout", "is set depending on $SLOW; left out")]
    assert read_conf(text, "conf.py", {"BIND": "b:1"}).values["bind"].value == "b:1"


def test_hooks_are_found_and_helpers_are_not_settings() -> None:
    text = (
        "def post_fork(server, worker): pass\non_exit = print\ndef helper(): pass\nName = 1\nimport logging"
    )
    conf = read_conf(text, "conf.py", {})
    assert conf.hooks == {"post_fork": "conf.py:1 post_fork", "on_exit": "conf.py:2 on_exit"}
    assert not conf.values
    assert not conf.unclear


def test_what_comes_from_elsewhere_and_what_is_no_python_is_told() -> None:
    assert read_conf("from base import *", "c.py", {}).unclear == [
        ("c.py:1", "what comes from base is not read")
    ]
    assert read_conf("workers = = 2", "c.py", {}).unclear[0][0] == "c.py:1"
    assert "not valid Python" in read_conf("\0", "c.py", {}).unclear[0][1]


def test_nothing_is_run(tmp_path) -> None:  # type: ignore[no-untyped-def] # pytest's
    victim = tmp_path / "ran"
    text = f"import pathlib\npathlib.Path({str(victim)!r}).touch()\nworkers = open({str(victim)!r}, 'w')"
    assert not read_conf(text, "c.py", {}).values
    assert not victim.exists()


_PIECES = [
    "workers",
    "=",
    "(",
    ")",
    "1",
    "'a'",
    "os",
    ".",
    "getenv",
    "if",
    ":",
    "\n",
    "    ",
    "+",
    ",",
    "[",
    "]",
]


@given(st.lists(st.sampled_from(_PIECES)).map(" ".join))
def test_any_text_is_read(text: str) -> None:
    conf = read_conf(text, "c.py", {})
    assert all(what.startswith("c.py") for what, _ in conf.unclear)
