"""`srvctl.Server` and `srvctl.serve` inside a program: in its loop, in its threads, as often as it likes."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

import srvctl
from srvctl.errors import AppError, BindError, UsageError
from srvctl.server import ServerState
from tests.support.loggers import handlers_of

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

PATIENCE = 20.0


class App:
    """Answers with what it was asked; notes its lifespan; ``/wait`` waits for `gate`."""

    def __init__(self, *, failure: str = "") -> None:
        self.failure = failure
        self.steps: list[str] = []
        self.gate = asyncio.Event()
        self.is_asked = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._live(scope, receive, send)
            return
        if scope["path"] == "/wait":
            self.is_asked.set()
            try:
                await self.gate.wait()
            except asyncio.CancelledError:
                self.steps.append("cancelled")
                raise
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": scope["path"].encode()})

    async def _live(self, scope: Any, receive: Any, send: Any) -> None:
        scope["state"]["seen"] = True
        while True:
            step = (await receive())["type"].removeprefix("lifespan.")
            self.steps.append(step)
            if self.failure:
                await send({"type": f"lifespan.{step}.failed", "message": self.failure})
                return
            await send({"type": f"lifespan.{step}.complete"})
            if step == "shutdown":
                return


def config(app: Any, **keywords: Any) -> srvctl.Config:
    return srvctl.Config(
        app, **{"port": 0, "log_config": None, "settings": {"timeouts.drain_idle": 0}, **keywords}
    )


def port_of(server: srvctl.Server) -> int:
    port: int = server.servers[0].sockets[0].getsockname()[1]
    return port


async def started(server: srvctl.Server, task: asyncio.Task[None]) -> None:
    """Wait as programs do that know nothing but `started`."""
    async with asyncio.timeout(PATIENCE):
        while not server.started:
            assert not task.done(), task
            await asyncio.sleep(0.01)


async def get(url: str) -> str:
    async with httpx.AsyncClient(timeout=PATIENCE) as client:
        return (await client.get(url)).text


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(main(), PATIENCE))


@contextmanager
def nothing_left() -> Iterator[None]:
    """Compare descriptors, threads and handlers before and after."""

    def now() -> tuple[int, set[threading.Thread], list[Any]]:
        handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
        return len(list(Path("/proc/self/fd").iterdir())), set(threading.enumerate()), handlers

    before = now()
    yield
    assert now() == before


class TestServe:
    def test_in_a_loop_beside_others(self) -> None:
        async def main() -> None:
            app = App()
            server = srvctl.Server(config(app))
            handlers = signal.getsignal(signal.SIGTERM)

            async def client() -> None:
                await started(server, task)
                assert await get(f"http://127.0.0.1:{port_of(server)}/hello") == "/hello"
                assert server.server_state.total_requests == 1
                assert dict(server.server_state.default_headers)[b"server"] == b"srvctl"
                assert server.lifespan.state == {"seen": True}
                assert server.servers[0].is_serving()
                server.should_exit = True

            task = asyncio.ensure_future(server.serve())
            await asyncio.gather(task, client())
            assert app.steps == ["startup", "shutdown"]
            assert not server.servers[0].is_serving()
            assert server.servers[0].sockets == ()
            await server.servers[0].wait_closed()
            assert signal.getsignal(signal.SIGTERM) is handlers
            assert isinstance(server.server_state, ServerState)

        with nothing_left():
            run(main)

    def test_in_a_thread(self) -> None:
        def once() -> None:
            app = App()
            server = srvctl.Server(config(app))
            thread = threading.Thread(target=server.run)
            thread.start()
            while not server.started:
                assert thread.is_alive()
            assert httpx.get(f"http://127.0.0.1:{port_of(server)}/", timeout=PATIENCE).text == "/"
            server.should_exit = True
            thread.join(PATIENCE)
            assert not thread.is_alive()
            assert app.steps == ["startup", "shutdown"]

        once()  # uvloop keeps a pipe for all its loops
        with nothing_left():
            once()

    def test_two_at_once(self) -> None:
        async def main() -> None:
            servers = [srvctl.Server(config(App(), root_path=f"/{name}")) for name in "ab"]
            tasks = [asyncio.ensure_future(server.serve()) for server in servers]
            for server, task in zip(servers, tasks, strict=True):
                await started(server, task)
            for server in servers:
                assert await get(f"{server.url}/x") == f"{server.config.root_path}/x"
            os.kill(os.getpid(), signal.SIGINT)  # meant for all of them
            await asyncio.gather(*tasks)

        with nothing_left(), pytest.raises(KeyboardInterrupt):
            run(main)

    def test_again_and_again(self) -> None:
        async def serve(times: int) -> None:
            tasks = asyncio.all_tasks()
            for _ in range(times):
                async with srvctl.serve(App()) as server:
                    assert await get(server.url) == "/"
            assert asyncio.all_tasks() == tasks

        run(lambda: serve(1))  # what is loaded once and kept
        with nothing_left():
            run(lambda: serve(10))

    def test_the_same_server_again_in_another_loop(self) -> None:
        server = srvctl.Server(config(App()))

        async def main() -> None:
            server.should_exit, server.started = False, False
            task = asyncio.ensure_future(server.serve())
            await started(server, task)
            server.should_exit = True
            await task

        run(main)
        run(main)

    def test_sockets_of_the_program(self) -> None:
        async def main() -> None:
            sock = socket.socket()
            sock.bind(("127.0.0.1", 0))
            server = srvctl.Server(config(App(), port=1))
            task = asyncio.ensure_future(server.serve(sockets=[sock]))
            await started(server, task)
            assert await get(f"http://127.0.0.1:{sock.getsockname()[1]}/a") == "/a"
            server.should_exit = True
            await task
            assert sock.fileno() == -1

        with nothing_left():
            run(main)

    def test_a_descriptor_stays_the_programs(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as sock:

            async def main() -> None:
                for _ in range(2):
                    async with srvctl.serve(App(), fd=sock.fileno()) as server:
                        assert await get(server.url) == "/"

            run(main)
            assert sock.fileno() >= 0
            sock.getsockname()

    def test_a_unix_socket_is_removed(self, tmp_path: Path) -> None:
        path = tmp_path / "s"

        async def main() -> None:
            async with srvctl.serve(App(), uds=path):
                transport = httpx.AsyncHTTPTransport(uds=str(path))
                async with httpx.AsyncClient(transport=transport, timeout=PATIENCE) as client:
                    assert (await client.get("http://x/u")).text == "/u"
            assert not path.exists()

        run(main)


class TestStopping:
    def test_a_running_request_is_waited_for(self) -> None:
        async def main() -> None:
            app = App()
            async with srvctl.serve(app) as server:
                answer = asyncio.ensure_future(get(f"{server.url}/wait"))
                await app.is_asked.wait()
                assert len(server.server_state.tasks) == len(server.server_state.connections) == 1
                asyncio.get_running_loop().call_later(0.1, app.gate.set)
            assert await answer == "/wait"
            assert app.steps == ["startup", "shutdown"]

        run(main)

    def test_force_exit_cuts_it_short(self) -> None:
        async def main() -> None:
            app = App()
            server = srvctl.Server(config(app))
            task = asyncio.ensure_future(server.serve())
            await started(server, task)
            answer = asyncio.ensure_future(get(f"{server.url}/wait"))
            await app.is_asked.wait()
            server.should_exit = True
            done, _ = await asyncio.wait([task], timeout=0.3)
            assert not done
            server.force_exit = True
            await task
            with pytest.raises(httpx.RemoteProtocolError):
                await answer
            assert app.steps == ["startup", "cancelled"]

        with nothing_left():
            run(main)

    def test_a_cancelled_task_leaves_nothing(self) -> None:
        async def main() -> None:
            app = App()
            server = srvctl.Server(config(app))
            task = asyncio.ensure_future(server.serve())
            await started(server, task)
            answer = asyncio.ensure_future(get(f"{server.url}/wait"))
            await app.is_asked.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            with pytest.raises(httpx.RemoteProtocolError):
                await answer
            assert app.steps == ["startup", "cancelled", "shutdown"]

        with nothing_left():
            run(main)

    def test_an_exception_in_the_block(self) -> None:
        app = App()

        async def main() -> None:
            async with srvctl.serve(app):
                raise ZeroDivisionError

        with nothing_left(), pytest.raises(ZeroDivisionError):
            run(main)
        assert app.steps == ["startup", "shutdown"]

    def test_after_so_many_requests(self) -> None:
        async def main() -> None:
            server = srvctl.Server(config(App(), limit_max_requests=2))
            task = asyncio.ensure_future(server.serve())
            await started(server, task)
            url = server.url
            for _ in range(2):
                await get(url)
            await task

        run(main)

    def test_a_stop_during_the_startup(self) -> None:
        class Slow(App):
            async def _live(self, scope: Any, receive: Any, send: Any) -> None:
                await receive()
                self.is_asked.set()
                await self.gate.wait()

        async def main() -> None:
            app = Slow()
            server = srvctl.Server(config(app))
            task = asyncio.ensure_future(server.serve())
            await app.is_asked.wait()
            server.should_exit = True
            await task
            assert not server.started

        with nothing_left():
            run(main)


class TestSubclasses:
    def test_their_methods_are_called(self) -> None:
        ticks: list[int] = []
        told: list[str] = []

        class Mine(srvctl.Server):
            async def startup(self, sockets: list[socket.socket] | None = None) -> None:
                await super().startup(sockets=sockets)
                told.append(f"listens on {len(self.servers)}")

            async def on_tick(self, counter: int) -> bool:
                ticks.append(counter)
                return await super().on_tick(counter) or counter == 3

            async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
                told.append("shutdown")
                await super().shutdown(sockets=sockets)

        async def notify() -> None:
            told.append("notified")

        run(lambda: Mine(config(App(), callback_notify=notify)).serve())
        assert ticks == [0, 1, 2, 3]
        assert told == ["listens on 1", "notified", "shutdown"]

    def test_its_steps_can_be_taken_one_by_one(self) -> None:
        """As in recipes for uvicorn."""

        async def main() -> None:
            app = App()
            made = config(app)
            if not made.loaded:
                made.load()
            server = srvctl.Server(made)
            server.lifespan = made.lifespan_class(made)
            assert server.lifespan.state == {}
            await server.startup()
            assert server.lifespan.state == {"seen": True}
            loop = asyncio.ensure_future(server.main_loop())
            assert await get(f"http://127.0.0.1:{port_of(server)}/hello") == "/hello"
            server.should_exit = True
            await loop
            await server.shutdown()
            assert app.steps == ["startup", "shutdown"]

        with nothing_left():
            run(main)

    def test_handle_exit_gets_the_signals_which_are_raised_again_afterwards(self) -> None:
        seen: list[Any] = []

        class Mine(srvctl.Server):
            def handle_exit(self, sig: int, frame: Any) -> None:
                seen.append(("server", sig))
                super().handle_exit(sig, frame)

        async def main() -> None:
            server = Mine(config(App()))
            task = asyncio.ensure_future(server.serve())
            await started(server, task)
            os.kill(os.getpid(), signal.SIGTERM)
            await task

        before = signal.signal(signal.SIGTERM, lambda number, _: seen.append(("program", number)))
        try:
            run(main)
        finally:
            signal.signal(signal.SIGTERM, before)
        assert seen == [("server", signal.SIGTERM), ("program", signal.SIGTERM)]

    def test_install_nothing_is_possible_too(self) -> None:
        class Mine(srvctl.Server):
            @contextmanager
            def capture_signals(self) -> Iterator[None]:
                yield

        async def main() -> None:
            server = Mine(config(App()))
            handler = signal.getsignal(signal.SIGTERM)
            task = asyncio.ensure_future(server.serve())
            await started(server, task)
            assert signal.getsignal(signal.SIGTERM) is handler
            server.should_exit = True
            await task

        run(main)

    def test_a_second_interrupt_forces_but_not_its_echo(self, monkeypatch: pytest.MonkeyPatch) -> None:
        server = srvctl.Server(config(App()))
        moments = iter([10.0, 10.05, 11.0])
        monkeypatch.setattr("srvctl.embedding.server.time.monotonic", lambda: next(moments))
        states = []
        for _ in range(3):
            server.handle_exit(signal.SIGINT, None)
            states.append((server.should_exit, server.force_exit))
        assert states == [(True, False), (True, False), (True, True)]


class TestFailures:
    @pytest.mark.parametrize("what", ["lifespan", "address", "import"])
    def test_serve_ends_the_process_as_uvicorn_does(
        self, what: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        app = App(failure="No database." if what == "lifespan" else "")
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1] if what == "address" else 0
            target = "no_such_module:app" if what == "import" else app
            server = srvctl.Server(config(target, port=port))
            with nothing_left(), pytest.raises(SystemExit) as ending:
                asyncio.run(server.serve())
        assert ending.value.code == 3
        assert not server.started
        assert app.steps == {"lifespan": ["startup"], "address": ["startup", "shutdown"], "import": []}[what]

    def test_the_context_manager_raises_errors_instead(self) -> None:
        async def main() -> None:
            with pytest.raises(AppError, match="Application startup failed"):
                async with srvctl.serve(App(failure="No database.")):
                    pass
            with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(BindError, match="in use"):
                async with srvctl.serve(App(), port=taken.getsockname()[1]):
                    pass
            with pytest.raises(UsageError, match=r'^settings\["hooks.on_ready"\] needs a supervisor'):
                async with srvctl.serve(App(), settings={"hooks.on_ready": "a:b"}):
                    pass

        with nothing_left():
            run(main)


class TestTls:
    def test_files_and_a_context_of_the_programs(self, tmp_path: Path) -> None:
        import ssl

        import trustme

        authority = trustme.CA()
        pair, file = authority.issue_cert("localhost", "127.0.0.1"), tmp_path / "pair.pem"
        pair.private_key_and_cert_chain_pem.write_to_path(str(file))
        trusting = ssl.create_default_context()
        authority.configure_trust(trusting)

        def factory(of: srvctl.Config, default: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
            assert of.is_ssl
            if of.ssl_certfile:
                return default()
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            pair.configure_cert(context)
            return context

        async def ask(**keywords: Any) -> None:
            async with (
                srvctl.serve(App(), **keywords) as server,
                httpx.AsyncClient(verify=trusting, timeout=PATIENCE) as client,
            ):
                assert server.url.startswith("https://")
                assert (await client.get(f"{server.url}/tls")).text == "/tls"

        async def main() -> None:
            await ask(ssl_certfile=file)
            await ask(ssl_context_factory=factory)
            await ask(ssl_certfile=file, ssl_context_factory=factory)
            with pytest.raises(UsageError, match=r"^ssl_context_factory: returned a str"):
                await ask(ssl_context_factory=lambda *_: "no")

        run(main)


class TestBroadcast:
    def test_servers_in_one_loop_hear_each_other(self) -> None:
        from srvctl.broadcast import publish, subscribe

        async def publishing(scope: Any, receive: Any, send: Any) -> None:
            await publish("room", scope["path"])
            await send({"type": "http.response.start", "status": 204})
            await send({"type": "http.response.body"})

        async def main() -> None:
            async with (
                srvctl.serve(publishing, lifespan="off") as one,
                srvctl.serve(publishing, lifespan="off") as other,
                subscribe("room") as messages,
            ):
                await get(f"{one.url}/1")
                await get(f"{other.url}/2")
                assert [await anext(messages), await anext(messages)] == ["/1", "/2"]

        run(main)


def test_logging_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with srvctl.serve(App()) as server:
            await get(server.url)

    names = ("", "srvctl", "srvctl.access", "uvicorn", "uvicorn.access")
    before = handlers_of(*names)
    with caplog.at_level(logging.INFO):
        run(main)
    assert handlers_of(*names) == before
