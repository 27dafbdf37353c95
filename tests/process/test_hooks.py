"""Hooks in real workers: when they are called, where, and what a worker does that has a bad one."""

from __future__ import annotations

import re
from signal import SIGHUP, SIGTERM
from typing import TYPE_CHECKING

import pytest

import examples.hooks
from srvctl.hooks import HOOK_NAMES
from tests.support.apps.written import write_app
from tests.support.server import ServerProcess
from tests.support.server_waits import Gate

if TYPE_CHECKING:
    from pathlib import Path

SITE = "site_app:app"
SAY = """
    import asyncio, sys, time

    def say(context):
        words = ("HOOK", context.hook, context.generation, context.slot, context.pid)
        print(*words, file=sys.stderr, flush=True)

    async def say_later(context):
        await asyncio.sleep(0)
        say(context)
"""
ALL = [
    part
    for name in HOOK_NAMES
    for function in ["say_later" if name in {"on_ready", "on_drain"} else "say"]
    for part in (f"--hook-{name.replace('_', '-')}", f"site_app:{function}")
]


def called(server: ServerProcess) -> list[tuple[str, int, int | None, int]]:
    """Name, generation, slot and process of every call so far."""
    words = [line.text.split()[1:] for line in server.lines("^HOOK ")]
    return [
        (name, int(generation), None if slot == "None" else int(slot), int(pid))
        for name, generation, slot, pid in words
    ]


class TestOrder:
    def test_with_a_mold(self, tmp_path: Path) -> None:
        """Two hooks in the mold, four in each worker; the next generation has its own."""
        write_app(tmp_path, "v1", before=SAY)
        with ServerProcess(SITE, *ALL, "--preload", "on", "--workers", "2", cwd=tmp_path) as server:
            server.signal(SIGHUP)
            server.wait_line("Reload done")
            assert server.stop() == 0
            calls = called(server)
        for generation in (1, 2):
            own = [call for call in calls if call[1] == generation]
            ((_, _, slot, mold),) = [call for call in own if call[0] == "on_boot"]
            assert own[0][0] == "on_boot"
            assert slot is None
            forks = [call for call in own if call[0] == "pre_fork"]
            assert {(slot, pid) for _, _, slot, pid in forks} == {(0, mold), (1, mold)}
            workers = {pid for *_, pid in own} - {mold}
            assert len(workers) == 2
            for worker in workers:
                steps = [(name, slot) for name, _, slot, pid in own if pid == worker]
                assert [name for name, _ in steps] == ["post_fork", "on_ready", "on_drain", "on_exit"]
                assert len({slot for _, slot in steps}) == 1

    def test_without_one(self) -> None:
        """All of them in the worker, but the one before a fork; in the example, run as its text says."""
        command = (examples.hooks.__doc__ or "").replace("\\\n", " ")
        flags = re.findall(r"(--hook-[a-z-]+) (examples\.hooks:\w+)", command)
        assert len(flags) == len(HOOK_NAMES)
        both = [part for flag in flags for part in flag]
        with ServerProcess("examples.hooks:app", *both, "--preload", "off") as server:
            page = server.get()
            worker = int(re.findall(r"^post_fork: .* process (\d+)$", page.text, re.MULTILINE)[0])
            assert "303 primes" in page.text
            assert server.stop() == 0
            expected = ["on_boot", "post_fork", "on_ready", "on_drain", "on_exit"]
            said = [line.text for line in server.lines(r"^\w+: generation ")]
            assert said == [f"{name}: generation 1, slot 0, process {worker}" for name in expected]


class TestFailures:
    @pytest.mark.parametrize(
        ("hook", "preload"),
        [("on-boot", "on"), ("pre-fork", "on"), ("post-fork", "off")],
    )
    def test_a_start_with_one_that_raises_fails_with_its_traceback(
        self, tmp_path: Path, hook: str, preload: str
    ) -> None:
        """Exit code 3, as for an application that cannot be imported."""
        file = write_app(tmp_path, "v1", before="def fail(context):\n    raise ValueError('no database')\n")
        flags = (f"--hook-{hook}", "site_app:fail", "--preload", preload)
        with ServerProcess(SITE, *flags, cwd=tmp_path, is_ready=False) as server:
            key = hook.replace("-", "_")
            server.wait_line(rf'hooks\.{key}: "site_app:fail" raised ValueError')
            assert server.wait_exit() == 3
            assert server.lines(rf'File "{re.escape(str(file))}", line \d+, in fail')
            assert server.lines("ValueError: no database")
            assert not server.lines("running on")

    @pytest.mark.parametrize(("hook", "preload"), [("on-boot", "on"), ("on-ready", "off")])
    def test_one_that_blocks_is_interrupted(self, tmp_path: Path, hook: str, preload: str) -> None:
        """Without a mold in the loop, with one outside of any; the log says where it was."""
        file = write_app(tmp_path, "v1", before="import time\ndef block(context):\n    time.sleep(3600)\n")
        flags = (f"--hook-{hook}", "site_app:block", "--preload", preload, "--hook-timeout", "0.2")
        with ServerProcess(SITE, *flags, cwd=tmp_path, is_ready=False) as server:
            server.wait_line(r'"site_app:block" took longer than 0\.2 s \(hooks\.timeout\)')
            assert server.wait_exit() == 3
            assert server.lines(rf'File "{re.escape(str(file))}", line \d+, in block')

    def test_a_reload_that_brings_a_bad_one_leaves_the_old_workers(self, tmp_path: Path) -> None:
        """As with code that does not start."""
        write_app(tmp_path, "old", before="def ready(context):\n    pass\n")
        with ServerProcess(SITE, "--hook-on-ready", "site_app:ready", cwd=tmp_path) as server:
            old = server.get().pid
            write_app(tmp_path, "new", before="def ready(context):\n    raise ValueError('no')\n")
            server.signal(SIGHUP)
            server.wait_line(r'hooks\.on_ready: "site_app:ready" raised ValueError')
            answer = server.get()
            assert (answer.text, answer.pid) == ("old", old)
            assert server.stop() == 0

    def test_a_stop_goes_on_whatever_the_last_ones_do(self, tmp_path: Path) -> None:
        """One blocks, one raises; the request that runs is answered, and the exit code is 0."""
        code = """
            import time
            def block(context):
                time.sleep(3600)
            def fail(context):
                raise ValueError("no")
        """
        write_app(tmp_path, "v1", before=code)
        flags = (
            "--hook-on-drain",
            "site_app:block",
            "--hook-on-exit",
            "site_app:fail",
            "--hook-timeout",
            "0.2",
        )
        with Gate() as gate, ServerProcess(SITE, *flags, cwd=tmp_path) as server, server.connect() as client:
            client.send_get(f"/hold?gate={gate.port}")
            visitor = gate.wait_visitor()
            server.signal(SIGTERM)
            server.wait_line(r'hooks\.on_drain: "site_app:block" took longer than 0\.2 s .* Going on\.')
            visitor.let_pass()
            assert client.read_response().text == "held"
            assert server.wait_exit() == 0
            said = r"(raised ValueError|took longer than 0\.2 s .*)\."  # it may get no CPU for that long
            assert server.lines(rf'hooks\.on_exit: "site_app:fail" {said} Going on\.')

    def test_a_stop_goes_on_if_the_very_last_one_raises(self, tmp_path: Path) -> None:
        """It is said, and the exit code is 0."""
        write_app(tmp_path, "v1", before="def fail(context):\n    raise ValueError('no')\n")
        with ServerProcess(SITE, "--hook-on-exit", "site_app:fail", cwd=tmp_path) as server:
            assert server.stop() == 0
            assert server.lines(r'hooks\.on_exit: "site_app:fail" raised ValueError\. Going on\.')
