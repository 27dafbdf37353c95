"""An application that cannot be served: one clear message, exit code 3, no restart and nothing left."""

from __future__ import annotations

import signal
import socket
from textwrap import dedent
from typing import TYPE_CHECKING

import psutil
import pytest

import srvctl
from tests.support.apps.written import write_app
from tests.support.server import BASIC, ServerProcess
from tests.support.server_waits import Gate, NeverHappened, wait_gone

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.server_waits import Line

TWO = ("--workers", "2")
OWN = srvctl.__file__.removesuffix("__init__.py")


def refusal(target: str, *flags: str, cwd: Path, code: int = 3) -> list[Line]:
    """What is logged by a start that fails."""
    with ServerProcess(target, *flags, cwd=cwd, is_ready=False) as server:
        with pytest.raises(NeverHappened, match="closed"):  # or it would be started again, for ever perhaps
            server.wait_line("Started worker process", count=3)
        assert server.wait_exit() == code
        assert not server.stdout.text
        assert not server.lines("running on")
        return server.stderr.all


def errors(lines: list[Line]) -> list[str]:
    return [line.text for line in lines if line.text.startswith(("ERROR", "CRITICAL", "srvctl: error"))]


def check_one_error(lines: list[Line], message: str) -> None:
    """One message, and no code of srvctl or of the import system in what is under it."""
    assert errors(lines) == [f"ERROR:    {message}"]
    assert not [line for line in lines if OWN in line.text or "importlib" in line.text]


class TestImport:
    @pytest.mark.parametrize(
        ("target", "message"),
        [
            ("no_such_module:app", 'Error loading ASGI app. Could not import module "no_such_module".'),
            ("broken:app.deep", 'Error loading ASGI app. Attribute "app.deep" not found in module "broken".'),
            ("broken:app", 'Error loading ASGI app. "broken:app" is a int, not an application.'),
        ],
        ids=["module", "attribute", "no callable"],
    )
    def test_a_target_that_is_not_there_is_named(self, tmp_path: Path, target: str, message: str) -> None:
        """The message says what was looked for; there is no traceback, because no code of the user's ran."""
        (tmp_path / "broken.py").write_text("app = 1\n")
        lines = refusal(target, *TWO, cwd=tmp_path)
        check_one_error(lines, message)
        assert not [line for line in lines if "Traceback" in line.text]

    @pytest.mark.parametrize(
        ("code", "kind", "last", "where"),
        [
            ("\ndef app(:\n    pass\n", "raised SyntaxError.", "SyntaxError: invalid syntax", 2),
            ("import os\n\n1 / 0\n", "raised ZeroDivisionError.", "ZeroDivisionError: division by zero", 3),
            (
                "import no_such_thing\n",
                "raised ModuleNotFoundError.",
                "ModuleNotFoundError: No module named 'no_such_thing'",
                1,
            ),
            ("import sys\nsys.exit(5)\n", "ended the process with sys.exit(5).", "SystemExit: 5", 2),
        ],
        ids=["syntax", "exception", "missing import", "sys.exit"],
    )
    def test_an_import_that_fails_shows_where(
        self, tmp_path: Path, code: str, kind: str, last: str, where: int
    ) -> None:
        """The traceback begins at the user's own line and ends with the error, once for both workers."""
        file = tmp_path / "broken.py"
        file.write_text(code)
        lines = refusal("broken:app", *TWO, cwd=tmp_path)
        check_one_error(lines, f'Error loading ASGI app. Importing "broken" {kind}')
        texts = [line.text for line in lines]
        assert sum(f'File "{file}", line {where}' in text for text in texts) == 1
        assert texts.count(last) == 1

    def test_a_process_that_ends_without_a_word_is_reported(self, tmp_path: Path) -> None:
        """os._exit() on import leaves no explanation but the exit code, in a mold and in a worker."""
        (tmp_path / "broken.py").write_text("import os\nos._exit(7)\n")
        (message,) = errors(refusal("broken:app", *TWO, "--preload", "off", cwd=tmp_path))
        assert message.endswith("ended before it was ready: exit code 7.")
        (message,) = errors(refusal("broken:app", *TWO, cwd=tmp_path))
        assert message.endswith("Importing the application ended the process: exit code 7.")

    def test_a_crash_on_import_is_reported(self, tmp_path: Path) -> None:
        """So does a crash in C code."""
        (tmp_path / "broken.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
        (message,) = errors(refusal("broken:app", *TWO, cwd=tmp_path))
        assert message.endswith("Importing the application ended the process: killed by SIGSEGV.")

    def test_a_factory_that_raises_shows_where(self, tmp_path: Path) -> None:
        """--factory calls the target; what it raises is reported as what an import raises."""
        file = tmp_path / "broken.py"
        file.write_text("def make():\n    raise KeyError('DATABASE_URL')\n")
        lines = refusal("broken:make", "--factory", *TWO, cwd=tmp_path)
        check_one_error(lines, 'Error loading ASGI app. Factory "broken:make" raised KeyError.')
        assert [line.text for line in lines].count(f'  File "{file}", line 2, in make') == 1

    def test_an_import_that_hangs_is_given_up(self, tmp_path: Path) -> None:
        """After --timeout-boot the mold is killed, or without one both workers: exit 3."""
        with Gate() as gate:
            code = f"from tests.support.apps.basic import gate\ngate({gate.port})\n"
            (tmp_path / "broken.py").write_text(code)
            flags = (*TWO, "--timeout-boot", "1")
            lines = refusal("broken:app", *flags, cwd=tmp_path)
            check_one_error(lines, "The application was not imported within 1 s (timeouts.boot).")
            lines = refusal("broken:app", *flags, "--preload", "off", cwd=tmp_path)
        (message, *rest) = errors(lines)
        assert message.endswith("was not ready within 1 s (timeouts.boot); killing it.")
        assert len(rest) <= 1

    def test_an_import_that_hangs_can_be_stopped(self, tmp_path: Path) -> None:
        """TERM during the first start: exit 0, and nobody waits for the import."""
        with Gate() as gate:
            code = f"from tests.support.apps.basic import gate\ngate({gate.port})\n"
            (tmp_path / "broken.py").write_text(code)
            with ServerProcess("broken:app", cwd=tmp_path, is_ready=False) as server:
                gate.wait_visitor()
                server.signal(signal.SIGTERM)
                assert server.wait_exit() == 0
                assert not server.lines("ERROR|WARNING")


class TestStartup:
    @pytest.mark.parametrize(
        "code",
        [
            """
            async def app(scope, receive, send):
                await receive()
                raise RuntimeError("no database")
            """,
            """
            import contextlib
            from starlette.applications import Starlette

            @contextlib.asynccontextmanager
            async def lifespan(app):
                raise RuntimeError("no database")
                yield

            app = Starlette(lifespan=lifespan)
            """,
            """
            import contextlib
            from fastapi import FastAPI

            @contextlib.asynccontextmanager
            async def lifespan(app):
                raise RuntimeError("no database")
                yield

            app = FastAPI(lifespan=lifespan)
            """,
        ],
        ids=["bare", "starlette", "fastapi"],
    )
    def test_a_startup_that_raises_shows_where(self, tmp_path: Path, code: str) -> None:
        """The user's file and line are there, whether the framework reports the error or lets it pass."""
        file = tmp_path / "broken.py"
        file.write_text(dedent(code))
        where = dedent(code).splitlines().index('    raise RuntimeError("no database")') + 1
        lines = refusal("broken:app", *TWO, cwd=tmp_path)
        check_one_error(lines, "Application startup failed. Exiting.")
        texts = [line.text for line in lines]
        assert sum(f'File "{file}", line {where}' in text for text in texts) == 1
        assert texts.count("RuntimeError: no database") == 1

    def test_lifespan_on_needs_an_application_that_speaks_it(self, tmp_path: Path) -> None:
        """What auto takes for an application without a lifespan is an error then."""
        lines = refusal(BASIC, "--lifespan", "on", *TWO, cwd=tmp_path)
        check_one_error(lines, "Application startup failed. Exiting.")
        assert "NotImplementedError: lifespan" in [line.text for line in lines]

    def test_a_message_of_the_application_is_shown(self, tmp_path: Path) -> None:
        """lifespan.startup.failed with a message: that message, and no traceback of ours."""
        code = """
            async def app(scope, receive, send):
                await receive()
                await send({"type": "lifespan.startup.failed", "message": "the licence has expired"})
        """
        (tmp_path / "broken.py").write_text(dedent(code))
        lines = refusal("broken:app", *TWO, cwd=tmp_path)
        check_one_error(lines, "Application startup failed. Exiting.")
        assert [line.text for line in lines].count("the licence has expired") == 1

    @pytest.mark.parametrize("where", ["before", "after"], ids=["import", "startup"])
    def test_a_very_long_error_is_told(self, tmp_path: Path, where: str) -> None:
        """However long the explanation and whatever its language, its end arrives."""
        raising = {
            "before": 'raise ValueError("\U0001f600" * 100_000 + "end")',
            "after": """
                async def app(scope, receive, send):
                    await receive()
                    raise ValueError("\U0001f600" * 100_000 + "end")
            """,
        }
        write_app(tmp_path, "broken", **{where: raising[where]})
        lines = refusal("site_app:app", cwd=tmp_path)
        assert len(errors(lines)) == 1
        assert [line for line in lines if line.text.endswith("\U0001f600end")]


def test_workers_that_fail_at_the_same_moment_are_one_failure(tmp_path: Path) -> None:
    """The master finds two explanations at once and tells the first."""
    with Gate() as gate:
        write_app(tmp_path, "broken", before=f"gate({gate.port})\n1 / 0")
        flags = (*TWO, "--preload", "off")  # or the mold would be the only one to fail
        with ServerProcess("site_app:app", *flags, cwd=tmp_path, is_ready=False) as server:
            visitors = [gate.wait_visitor(), gate.wait_visitor()]
            workers = server.workers()
            server.signal(signal.SIGSTOP)
            for visitor in visitors:
                visitor.let_pass()
            for pid in workers:
                wait_gone(pid)
            server.signal(signal.SIGCONT)
            assert server.wait_exit() == 3
            assert len(errors(server.stderr.all)) == 1


def test_a_worker_that_breaks_its_channel_never_came_up(tmp_path: Path) -> None:
    """Code that writes to descriptors it does not own ends the start, like any code that cannot be served."""
    vandal = """
        import os, socket, threading
        for fd in range(3, 64):
            try:
                with socket.socket(fileno=os.dup(fd)) as sock:
                    if sock.family == socket.AF_UNIX:
                        sock.send(b"nonsense\\n")
            except OSError:
                pass
        threading.Event().wait()
    """
    write_app(tmp_path, "broken", before=vandal)
    with ServerProcess("site_app:app", cwd=tmp_path, is_ready=False) as server:
        with pytest.raises(NeverHappened, match="closed"):
            server.wait_line("Started worker process", count=2)
        assert server.wait_exit() == 3


class TestAddress:
    def test_a_port_in_use_is_one_line_with_the_process_to_stop(self, tmp_path: Path) -> None:
        """Exit 3 before anything is forked."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            me, port = psutil.Process(), taken.getsockname()[1]
            with ServerProcess(BASIC, bind=f"127.0.0.1:{port}", cwd=tmp_path, is_ready=False) as server:
                assert server.wait_exit() == 3
                assert server.stderr.text == (
                    f"srvctl: error: 127.0.0.1:{port} is already in use by pid {me.pid} ({me.name()}); "
                    "stop it or choose another --bind\n"
                )


class TestCommandLine:
    @pytest.mark.parametrize(
        ("target", "flags", "named", "code"),
        [
            (BASIC, ("--wrokers", "2"), "--workers", 2),
            (BASIC, ("--workers", "many"), "workers.count", 2),
            ("broken", (), "module:attribute", 3),  # as uvicorn ends for whatever cannot be imported
        ],
        ids=["flag", "value", "target"],
    )
    def test_what_makes_no_sense_is_a_usage_error(
        self, tmp_path: Path, target: str, flags: tuple[str, ...], named: str, code: int
    ) -> None:
        """One line names what would be right."""
        (message,) = errors(refusal(target, *flags, cwd=tmp_path, code=code))
        assert named in message
