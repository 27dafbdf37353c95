"""The benchmark of many: what its figures say, and what a look at a process finds."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from dataclasses import replace

import psutil
import pytest

from benchmarks.many import connections, reloads, workers
from benchmarks.many.command import add
from benchmarks.many.connections import Crowded
from benchmarks.many.master import Look, cpu_seconds, look
from benchmarks.many.reloads import Endured
from benchmarks.many.workers import Cost

MIB = 2**20
LOOK = Look(rss=30 * MIB, pss=20 * MIB, fds=26, memfds=5, threads=1, children=3, zombies=0)
COST = Cost(1, 0.5, 0.2, 0.0001, 0.001, 0.002, 0.0005, 0.15, 0.4, 0.04, 43 * MIB, LOOK)
CROWDED = Crowded(
    workers=2,
    connections=10,
    open_seconds=1.0,
    p50=0.1,
    p99=0.2,
    slowest=0.3,
    spread=(6, 4),
    cv=0.2,
    each=12.5 * 1024,
    reload=2.0,
    in_flight=3,
    answered=3,
    fates={"open": 4, "closed": 6},
    before=LOOK,
    after=LOOK,
)


def test_what_each_further_worker_costs() -> None:
    """The difference of two rows, for each worker between them."""
    more = replace(COST, workers=11, start=1.5, status_cpu=0.0015, master=replace(LOOK, fds=76))
    shown = workers.text([COST, more])
    assert "each worker from 1 to 11: start 100 ms, idle 0 µs/s, status 50 µs" in shown
    assert shown.endswith("files 5.0")


@pytest.mark.parametrize(
    ("answered", "fates", "lost"),
    [
        (3, {"open": 4, "closed": 6}, 0),
        (1, {"closed": 10}, 2),
        (3, {"closed": 8, "reset": 1, "cut": 1}, 2),
        (2, {"closed": 9, "cut": 1}, 1),
    ],
)
def test_what_counts_as_lost(answered: int, fates: dict[str, int], lost: int) -> None:
    """A request without an answer, or a connection that ended roughly; a plain close is neither."""
    found = replace(CROWDED, answered=answered, fates=fates)
    assert found.lost == lost
    assert found.as_json()["lost"] == lost
    assert f"lost {lost}" in connections.text(found)


def test_the_first_reloads_are_compared_with_the_last() -> None:
    """By their medians."""
    endured = Endured(2, (0.1, 0.1, 0.2, 0.3, 0.3, 0.3), 500, 0, 1, 0.05, (LOOK, replace(LOOK, fds=27), LOOK))
    shown = reloads.text([endured])
    assert "first 2 100 ms, last 2 300 ms" in shown
    assert "lost 0, sent again 1" in shown


def test_a_look_at_a_process() -> None:
    """Its zombies and files without a name are told apart from the rest."""
    before = look(psutil.Process())
    fd = os.memfd_create("test")
    child = subprocess.Popen([sys.executable, "-c", ""])
    try:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it stays a zombie
        now = look(psutil.Process())
    finally:
        os.close(fd)
        child.wait()
    assert (now.memfds, now.zombies, now.children) == (
        before.memfds + 1,
        before.zombies + 1,
        before.children + 1,
    )
    assert cpu_seconds(psutil.Process()) > 0


@pytest.mark.parametrize("words", [["--only", "none"], ["--workers", "0"], ["--reloads", "2"]])
def test_wrong_usage(words: list[str]) -> None:
    """Is told before anything is started."""
    parser = argparse.ArgumentParser()
    add(parser.add_subparsers())
    with pytest.raises(SystemExit):
        parser.parse_args(["many", *words])


def test_right_usage() -> None:
    """Parts, and pairs of workers and reloads."""
    parser = argparse.ArgumentParser()
    add(parser.add_subparsers())
    options = parser.parse_args(["many", "--only", "reloads", "--reloads", "2:1000,16:300"])
    assert (options.only, options.reloads) == (["reloads"], [(2, 1000), (16, 300)])
