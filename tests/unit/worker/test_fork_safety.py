"""What an import leaves behind that no fork should carry along: how it is found, and how it is said."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace

import pytest

from srvctl.worker.describing import PIPE, Opened
from srvctl.worker.fork_safety import Snapshot, objections, sentence

NOTHING = Snapshot(threads={1: "MainThread"}, descriptors={}, children={}, loops={})
LOOK = """
import asyncio, os, socket, sys, threading
from srvctl.worker.fork_safety import Snapshot, wait_objections
before = Snapshot.take()
exec(sys.argv[1])
print("; ".join(wait_objections(before)), flush=True)
os._exit(0)  # whatever still runs
"""
THREAD = """
stop = threading.Event()
threading.Thread(target=stop.wait, name='kafka-heartbeat', daemon=True).start()
"""
NATIVE_THREAD = """
import ctypes, _thread
began, stop = threading.Event(), threading.Event()
def run():
    ctypes.CDLL(None).prctl(15, b'native')
    began.set()
    stop.wait()
_thread.start_new_thread(run, ())
began.wait()
"""
JOINED_THREAD = """
thread = threading.Thread(target=int)
thread.start()
thread.join()
"""
CONNECTION = """
listener = socket.create_server(('::1', 0), family=socket.AF_INET6)
client = socket.create_connection(listener.getsockname()[:2])
accepted = listener.accept()
"""
UNIX_CONNECTION = """
listener = socket.socket(socket.AF_UNIX)
listener.bind('\\0db' + str(os.getpid()))
listener.listen()
client = socket.socket(socket.AF_UNIX)
client.connect(listener.getsockname())
listener.close()
"""
DATABASE = """
import sqlite3, tempfile
file = tempfile.NamedTemporaryFile()
database = sqlite3.connect(file.name)
database.execute('create table a (b)')
database.commit()
"""


def found(code: str) -> str:
    """Return what is objected to in an application's import; in a process that ends at once."""
    done = subprocess.run(
        [sys.executable, "-c", LOOK, code], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.stderr, done.returncode) == ("", 0)
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (THREAD, "started the thread 'kafka-heartbeat'"),
        # It has the name that the kernel knows.
        (NATIVE_THREAD, "started the thread 'native'"),
        (
            "listener = socket.create_server(('127.0.0.1', 0))",
            r"opened a socket that listens on 127\.0\.0\.1:\d+",
        ),
        (
            CONNECTION,
            r"opened a socket that listens on (\[::1\]:\d+), a connection to \1 and a connection to .*",
        ),
        (UNIX_CONNECTION, r"opened a connection to @db\d+"),
        ("s = socket.socket(type=socket.SOCK_DGRAM)", "opened a socket"),
        (
            "s = socket.socket(type=socket.SOCK_DGRAM); s.bind(('127.0.0.1', 0))",
            r"opened a socket bound to 127\.0\.0\.1:\d+",
        ),
        ("s = socket.socketpair()", r"opened an end of a socket pair \(2 times\)"),
        ("p = os.pipe()", r"opened an end of a pipe \(2 times\)"),
        ("import select; e = select.epoll()", "opened an epoll descriptor"),
        ("e = os.pidfd_open(os.getpid())", "opened a pidfd"),
        ("loop = asyncio.new_event_loop()", "made the event loop asyncio._UnixSelectorEventLoop"),
        (
            "import uvloop; loop = uvloop.new_event_loop()",
            # libuv 1.48, of uvloop 0.21, has the kernel start a thread for each ring of io_uring.
            r"(started the thread 'iou-sqp-\d+'; )?made the event loop uvloop\.Loop",
        ),
        (
            "import multiprocessing; pool = multiprocessing.get_context('fork').Pool(1)",
            r"started the threads .*_handle_workers.* and .*; started the process '.+'; opened .*pipe.*",
        ),
        (DATABASE, "opened the SQLite database /.*"),
    ],
)
def test_what_a_fork_would_tear_apart_is_named(code: str, said: str) -> None:
    assert re.fullmatch(said, found(code))


@pytest.mark.parametrize(
    "code",
    [
        "from fastapi import FastAPI\napp = FastAPI()\n@app.get('/')\nasync def root(): return {}",
        "import logging, tempfile; logging.basicConfig(filename=tempfile.mktemp())",
        "a = open('/dev/null'), open('/dev/urandom', 'rb'), open(os.devnull, 'w')",
        "import tempfile, mmap; f = tempfile.TemporaryFile(); f.truncate(9); m = mmap.mmap(f.fileno(), 9)",
        "import sqlite3; db = sqlite3.connect(':memory:'); db.execute('create table a (b)')",
        "loop = asyncio.new_event_loop(); loop.close()",
        "asyncio.run(asyncio.sleep(0))",
        JOINED_THREAD,
        "import subprocess, sys; subprocess.run([sys.executable, '-c', ''])",
        "s = socket.create_server(('127.0.0.1', 0)); s.close()",
        # A proxy that would do its work, or fail, as soon as anything is asked of it.
        "class Lazy:\n  __class__ = property(lambda self: 1 / 0)\nlazy = Lazy()",
    ],
)
def test_what_may_be_shared_is_no_objection(code: str) -> None:
    """Files, devices, memory, and what has ended again."""
    assert found(code) == ""


def test_what_was_there_before_is_no_objection() -> None:
    was = replace(NOTHING, descriptors={3: Opened("a socket", "socket:[1]")}, children={9: "sh"})
    assert objections(was, was) == []


def test_a_number_that_now_means_another_descriptor_is_new() -> None:
    was = replace(NOTHING, descriptors={3: Opened("a socket", "socket:[1]")})
    now = replace(NOTHING, descriptors={3: Opened("a socket", "socket:[2]")})
    assert objections(was, now) == ["opened a socket"]


def test_what_a_loop_is_made_of_is_not_named_beside_it() -> None:
    now = replace(
        NOTHING,
        loops={1: "uvloop.Loop"},
        descriptors={3: Opened(PIPE, "pipe:[1]"), 4: Opened("a connection to [::1]:5432", "socket:[2]")},
    )
    assert objections(NOTHING, now) == [
        "made the event loop uvloop.Loop",
        "opened a connection to [::1]:5432",
    ]


def test_many_of_a_kind_are_counted() -> None:
    now = replace(NOTHING, threads={1: "MainThread", **{number: f"t{number}" for number in range(2, 66)}})
    assert objections(NOTHING, now) == ["started the threads 't2', 't3', 't4' and 61 more"]


def test_a_name_cannot_reach_the_terminal() -> None:
    assert objections(NOTHING, replace(NOTHING, threads={7: "\x1b[31m"})) == [
        "started the thread '\\x1b[31m'"
    ]


def test_the_sentence_names_all_and_says_what_to_do() -> None:
    parts = ["started the thread 'kafka-heartbeat'", "opened a connection to 10.0.0.5:5432"]
    assert sentence("main:app", parts, is_decisive=True) == (
        "importing main:app started the thread 'kafka-heartbeat' and opened a connection to 10.0.0.5:5432; "
        "workers import it by themselves. Move that into the lifespan to get the mold."
    )
    assert "workers.preload is on" in sentence("main:app", parts, is_decisive=False)
    assert sentence("main:app", [], is_decisive=True) == ""


def test_this_very_process_can_be_looked_at() -> None:
    assert Snapshot.take().threads[os.getpid()] == "MainThread"
