"""Files as bodies, on real loops and real sockets: every byte, in order, and nothing is left open."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import io
import os
import random
import socket
import ssl
import struct
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
import uvloop

from srvctl.worker.http import sendfile
from srvctl.worker.http.cycle import ClientDisconnected
from srvctl.worker.http.file_body import FileBody, FileShorterError
from srvctl.worker.http.sendfile import COPY_PIECE, PIECE, FileSender

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    Scenario = Callable[["Line"], Awaitable[None]]

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
PATIENCE = 20
MEBIBYTE = 1 << 20
CONTENT = random.Random(3).randbytes(8 * MEBIBYTE)
HIGH_WATER = 64 * 1024


def descriptors() -> dict[str, str]:
    """What is open, without the descriptor that lists it."""
    found = {}
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found[link.name] = str(link.readlink())
    return found


@pytest.fixture(scope="module", autouse=True)
def first_loops() -> None:
    """Have libuv open the pipe that it keeps for as long as the process lives."""
    for new_loop in LOOPS.values():
        new_loop().close()


@pytest.fixture(autouse=True)
def nothing_is_left(first_loops: None) -> Iterator[None]:
    before = descriptors()
    yield
    left = {fd: name for fd, name in descriptors().items() if before.get(fd) != name}
    assert not left


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "file"
    file.write_bytes(CONTENT)
    return file


# -- what is to be sent -------------------------------------------------------------------------------


def test_a_whole_file(path: Path) -> None:
    """By its path, as text or as a path object."""
    for name in (path, str(path)):
        with FileBody.open(name) as body:
            assert (body.offset, body.count, body.left) == (0, len(CONTENT), len(CONTENT))
            assert body.name == str(path)
            assert not os.get_inheritable(body.fileno())


def test_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    """The error says which."""
    for error, name in ((FileNotFoundError, "absent"), (IsADirectoryError, "."), (NotADirectoryError, "f/x")):
        (tmp_path / "f").touch()
        with pytest.raises(error) as raised:
            FileBody.open(tmp_path / name)
        assert raised.value.filename == (str(tmp_path / name) if name == "." else raised.value.filename)
        assert str(tmp_path) in str(raised.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_must_not_be_read(path: Path) -> None:
    """As the system says it."""
    path.chmod(0)
    with pytest.raises(PermissionError):
        FileBody.open(path)


def test_a_fifo_is_refused_at_once(tmp_path: Path) -> None:
    """Nobody waits for somebody to write into it."""
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(OSError, match="regular file") as raised:
        FileBody.open(tmp_path / "fifo")
    assert raised.value.errno == errno.EINVAL


@pytest.mark.parametrize(
    ("offset", "count", "size"),
    [
        (0, None, 10),
        (3, None, 7),
        (3, 4, 4),
        (3, 7, 7),
        (3, 8, 7),  # as with sendfile(2): what there is
        (10, None, 0),
        (11, None, 0),
        (11, 5, 0),
        (0, 0, 0),
        (0, 1 << 63, 10),
    ],
)
def test_a_part_of_a_file(tmp_path: Path, offset: int, count: int | None, size: int) -> None:
    """Cut at the file's end."""
    (tmp_path / "f").write_bytes(b"0123456789")
    with (tmp_path / "f").open("rb") as file:
        for given in (file, file.fileno()):
            with FileBody.from_file(given, offset, count) as body:
                assert (body.offset, body.count) == (offset, size)


@pytest.mark.parametrize(("offset", "count"), [(-1, None), (0, -1), (-5, -5)])
def test_a_part_before_the_file(path: Path, offset: int, count: int | None) -> None:
    """A mistake of the application's, said before anything is sent."""
    with path.open("rb") as file, pytest.raises(ValueError, match="part of a file"):
        FileBody.from_file(file, offset, count)


@pytest.mark.parametrize("buffering", [0, -1])
def test_the_current_position(path: Path, buffering: int) -> None:
    """Of the file object, whose descriptor is ahead of it by what is buffered; it moves with what is sent."""
    with path.open("rb", buffering=buffering) as file:
        file.read(10)
        for given in (file, file.fileno()) if buffering == 0 else (file,):
            start = file.tell()
            with FileBody.from_file(given, None, 100) as body:
                assert (body.offset, body.count) == (start, 100)
                body.taken(30)
            assert file.tell() == start + 30
            with FileBody.from_file(given, 1000) as body:
                body.taken(30)
            assert file.tell() == start + 30  # an offset that was given leaves the position alone


def test_an_object_with_no_more_than_a_descriptor(path: Path) -> None:
    """All that the specification asks of a file."""

    class Bare:
        def fileno(self) -> int:
            return fd

    fd = os.open(path, os.O_RDONLY)
    try:
        os.lseek(fd, 5, os.SEEK_SET)
        with FileBody.from_file(Bare()) as body:
            assert body.count == len(CONTENT) - 5
            body.taken(10)
        assert os.lseek(fd, 0, os.SEEK_CUR) == 15
    finally:
        os.close(fd)


def test_what_is_no_file(path: Path) -> None:
    """Each in words of its own."""
    read, write = os.pipe()
    ours, theirs = socket.socketpair()
    closed = path.open("rb")
    closed.close()
    not_files: list[tuple[Any, type[Exception]]] = [
        (read, OSError),
        (ours, OSError),
        (io.BytesIO(b"x"), io.UnsupportedOperation),
        ("name", TypeError),
        (None, TypeError),
        (closed, ValueError),
        (999_999, OSError),
    ]
    try:
        for file, error in not_files:
            with pytest.raises(error):
                FileBody.from_file(file)
    finally:
        ours.close()
        theirs.close()
        os.close(read)
        os.close(write)


def test_a_file_closed_too_soon(path: Path) -> None:
    """Another file that gets its number is never taken for it."""
    file = path.open("rb")
    body = FileBody.from_file(file)
    number = file.fileno()
    file.close()
    with path.with_name("other").open("wb+") as other:
        assert other.fileno() == number
        assert body.read(5) == CONTENT[:5]
        body.close()
        body.close()
        assert other.tell() == 0


def test_a_descriptor_stays_open_for_the_thread_that_reads(path: Path) -> None:
    """Else the thread would read from the next file of that number."""
    body = FileBody.open(path)
    body.read_begins()
    body.read_begins()
    body.close()
    body.read_ended()
    assert body.read(5) == CONTENT[:5]
    body.read_ended()
    with pytest.raises(OSError, match="descriptor"):
        os.fstat(body.fileno())


def test_reading_without_waiting(path: Path) -> None:
    """What is not in memory is left to a thread; what is, is read at once."""
    with FileBody.open(path) as body:
        body.read(PIECE)
        assert body.read_nowait(100) == CONTENT[:100]
        assert body.is_in_memory(PIECE)
        body.taken(len(CONTENT) - 3)
        body.read(3)
        assert body.read_nowait(100) == CONTENT[-3:]
        assert body.is_in_memory(PIECE)
        path.write_bytes(b"")
        assert body.read_nowait(100) == b""
        assert body.is_in_memory(PIECE)  # there is nothing to wait for
        with pytest.raises(FileShorterError, match="3 bytes shorter"):
            body.taken(0)


@pytest.mark.parametrize("size", [0, 1, 65536, 65537])
def test_small_files(path: Path, size: int) -> None:
    """They can be had in one piece, and count as sent."""
    with path.open("rb") as file:
        file.read(size)
        file.seek(0)
        with FileBody.from_file(file, None, size) as body:
            data = body.take_small()
            assert data == (CONTENT[:size] if size <= 65536 else None)
            assert body.left == (0 if size <= 65536 else size)
            assert body.count == size
        assert file.tell() == (size if size <= 65536 else 0)
        with FileBody.from_file(file, 0, 1000) as body:
            os.truncate(path, 10)
            assert body.take_small() is None
            assert body.left == 1000


def test_a_small_file_on_a_cold_disk(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is left to those who can wait."""
    monkeypatch.setattr(FileBody, "_preadv_nowait", lambda *_: None)
    with path.open("rb") as file, FileBody.from_file(file, 0, 10) as body:
        assert body.take_small() is None


@pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS, errno.EIO])
def test_a_file_system_that_cannot_tell(path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """It is asked once; a disk that fails is another matter."""
    asked = []

    def preadv(*_: object) -> int:
        asked.append(1)
        raise OSError(number, "no")

    monkeypatch.setattr(os, "preadv", preadv)
    with FileBody.open(path) as body:
        if number == errno.EIO:
            with pytest.raises(OSError, match="no"):
                body.is_in_memory(1)
        else:
            assert body.is_in_memory(1)
            assert body.is_in_memory(1)
            assert body.read_nowait(1) is None
            assert len(asked) == 1


# -- sending ------------------------------------------------------------------------------------------


class Line(asyncio.Protocol):
    """A connection as the HTTP layer has it, with a client at its other end that a thread plays."""

    transport: asyncio.Transport

    def __init__(self, client: socket.socket) -> None:
        self.client = client
        self.loop = asyncio.get_running_loop()
        self.can_write: asyncio.Future[None] | None = None
        self.sender: FileSender | None = None
        self.lost = self.loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(HIGH_WATER)

    def connection_lost(self, _error: Exception | None) -> None:
        self.resume_writing()
        if self.sender is not None:
            self.sender.client_left()
        self.lost.set_result(None)

    def pause_writing(self) -> None:
        assert self.can_write is None
        self.can_write = self.loop.create_future()

    def resume_writing(self) -> None:
        if self.can_write is not None:
            self.can_write.set_result(None)
            self.can_write = None

    async def send(self, body: FileBody) -> None:
        self.sender = FileSender(self, self.loop, self.transport)
        with body:
            await self.sender.send(body)

    def is_paused(self) -> bool:
        return self.can_write is not None

    def is_in_peace(self) -> bool:
        """Whether the transport is as it was before."""
        return self.can_write is None and self.transport.get_write_buffer_limits()[1] == HIGH_WATER

    async def stall(self) -> None:
        """Wait until the client's not reading has stopped everything."""
        sent, calm = -1, 0
        while calm < 20:
            now = self.sender.sent if self.sender is not None else -1
            calm = calm + 1 if now == sent else 0
            sent = now
            await asyncio.sleep(0.005)

    def received(self, size: int, pause: float = 0.0) -> asyncio.Future[bytes]:
        """Have the client read that many bytes."""
        return self.loop.run_in_executor(None, receive, self.client, size, pause)

    async def everything(self) -> bytes:
        """Have the client read to the end of the connection, or to its reset."""
        return await self.loop.run_in_executor(None, receive, self.client, None, 0.0)


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop run until something has happened; the scenario has a timeout."""
    while not condition():  # noqa: ASYNC110 - what is waited for is no coroutine's
        await asyncio.sleep(0.001)


def receive(client: socket.socket, size: int | None, pause: float) -> bytes:
    data = bytearray()
    while size is None or len(data) < size:
        try:
            piece = client.recv(HIGH_WATER if size is None else min(HIGH_WATER, size - len(data)))
        except ConnectionResetError:
            break
        if not piece:
            break
        data += piece
        if pause:
            threading.Event().wait(pause)
    return bytes(data)


def pair(family: int) -> tuple[socket.socket, socket.socket]:
    if family == socket.AF_UNIX:
        return socket.socketpair()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        return listener.accept()[0], client


def reset(client: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def anonymous(side: int) -> ssl.SSLContext:
    """Return a context for TLS without certificates."""
    context = ssl.SSLContext(side)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AECDH-AES128-SHA:@SECLEVEL=0")
    return context


class Ways:
    """How a scenario is run: by which loop, over what."""

    def __init__(self, loop: Callable[[], asyncio.AbstractEventLoop], over: str) -> None:
        self._loop = loop
        self.over = over
        self.is_tls = over == "tls"

    def run(self, scenario: Scenario) -> None:
        with asyncio.Runner(loop_factory=self._loop) as runner:
            runner.run(asyncio.wait_for(self._run(scenario), PATIENCE))

    async def _run(self, scenario: Scenario) -> None:
        loop = asyncio.get_running_loop()
        faults: list[object] = []
        loop.set_exception_handler(lambda _, context: faults.append(context))
        ours, client = pair(socket.AF_UNIX if self.over == "unix" else socket.AF_INET)
        ours.setblocking(False)
        line = Line(client)  # under TLS, uvloop returns a protocol of its own
        if self.is_tls:
            wrap = anonymous(ssl.PROTOCOL_TLS_CLIENT).wrap_socket
            shaken = loop.run_in_executor(None, wrap, client)
            server = anonymous(ssl.PROTOCOL_TLS_SERVER)
            await loop.connect_accepted_socket(lambda: line, ours, ssl=server)
            line.client = await shaken
        else:
            await loop.connect_accepted_socket(lambda: line, ours)
        try:
            await scenario(line)
        finally:
            with contextlib.suppress(OSError):
                line.client.shutdown(socket.SHUT_RDWR)  # wakes a thread that reads
            line.client.close()
            line.transport.abort()
            await line.lost
            await asyncio.sleep(0.01)
        assert not faults


EVERY = [(loop, over) for loop in LOOPS for over in ("tcp", "unix", "tls")]
PLAIN = [(loop, over) for loop, over in EVERY if over != "tls"]


@pytest.fixture(params=EVERY, ids="-".join)
def ways(request: pytest.FixtureRequest) -> Ways:
    return Ways(LOOPS[request.param[0]], request.param[1])


@pytest.fixture(params=PLAIN, ids="-".join)
def plain(request: pytest.FixtureRequest) -> Ways:
    return Ways(LOOPS[request.param[0]], request.param[1])


SIZES = [0, 1, COPY_PIECE - 1, COPY_PIECE, COPY_PIECE + 1, PIECE, PIECE + 1, len(CONTENT) - 7]


@pytest.mark.parametrize("size", SIZES)
def test_every_byte_arrives(ways: Ways, path: Path, size: int) -> None:
    """Between what was written before and what is written after."""

    async def scenario(line: Line) -> None:
        expected = b"head" + CONTENT[7 : 7 + size] + b"tail"
        received = line.received(len(expected))
        line.transport.write(b"head")
        with path.open("rb") as file:
            await line.send(FileBody.from_file(file, 7, size))
        line.transport.write(b"tail")
        assert await received == expected
        assert line.sender is not None
        assert line.sender.sent == size
        assert line.is_in_peace()

    ways.run(scenario)


def test_a_client_that_reads_slowly(ways: Ways, path: Path) -> None:
    """It takes the server nothing but time."""

    async def scenario(line: Line) -> None:
        line.client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * 1024)
        received = line.received(4 + MEBIBYTE, 0.002)
        line.transport.write(b"head")
        with path.open("rb") as file:
            await line.send(FileBody.from_file(file, 0, MEBIBYTE))
        assert await received == b"head" + CONTENT[:MEBIBYTE]
        assert line.is_in_peace()

    ways.run(scenario)


def test_what_the_transport_still_has_goes_first(ways: Ways, path: Path) -> None:
    """However much that is, and however the client takes it."""

    async def scenario(line: Line) -> None:
        before = CONTENT[::-1]
        line.transport.write(before)
        sending = asyncio.ensure_future(line.send(FileBody.open(path)))
        await asyncio.sleep(0.02)
        assert line.sender is not None
        assert not line.sender.sent or ways.is_tls
        assert await line.received(len(before)) == before
        assert await line.received(len(CONTENT)) == CONTENT
        await sending
        assert line.is_in_peace()

    ways.run(scenario)


def test_a_little_that_the_transport_still_has(plain: Ways, path: Path) -> None:
    """It would not have made an application wait, but a file must."""

    async def scenario(line: Line) -> None:
        filled, calm = 0, 0
        while calm < 20:  # the kernel may take more once it has passed on what it has
            if line.transport.get_write_buffer_size():
                calm += 1
                await asyncio.sleep(0.005)
            else:
                calm = 0
                line.transport.write(b"x" * 1000)
                filled += 1000
                await asyncio.sleep(0)  # older versions of uvloop write at the end of a turn
        assert not line.is_paused()
        sending = asyncio.ensure_future(line.send(FileBody.open(path)))
        await asyncio.sleep(0.02)
        assert line.is_paused()
        assert line.sender is not None
        assert not line.sender.sent
        assert await line.received(filled + len(CONTENT)) == b"x" * filled + CONTENT
        await sending
        assert line.is_in_peace()

    plain.run(scenario)


def test_files_in_a_row(ways: Ways, path: Path) -> None:
    """From the file's own position, with something written in between."""

    async def scenario(line: Line) -> None:
        size = 300_000
        received = line.received(5 * (size + 2))
        with path.open("rb") as file:
            for _ in range(5):
                await line.send(FileBody.from_file(file, None, size))
                line.transport.write(b"\r\n")
        parts = [CONTENT[start : start + size] for start in range(0, 5 * size, size)]
        assert await received == b"\r\n".join(parts) + b"\r\n"

    ways.run(scenario)


def test_files_on_many_connections(plain: Ways, path: Path) -> None:
    """One that is not read holds nobody up."""

    async def scenario(line: Line) -> None:
        stalled = asyncio.ensure_future(line.send(FileBody.open(path)))
        await line.stall()

        async def other(other: Line) -> None:
            received = other.received(len(CONTENT))
            await other.send(FileBody.open(path))
            assert await received == CONTENT

        await asyncio.gather(*(plain._run(other) for _ in range(3)))
        assert not stalled.done()
        assert await line.received(len(CONTENT)) == CONTENT
        await stalled

    plain.run(scenario)


def test_a_fast_client_leaves_the_loop_to_others(ways: Ways, path: Path) -> None:
    """They have their turns between the pieces."""

    async def scenario(line: Line) -> None:
        most = 0

        async def others() -> None:
            nonlocal most
            last = 0
            while True:
                await asyncio.sleep(0)
                now = line.sender.sent if line.sender is not None else 0
                most, last = max(most, now - last), now

        task = asyncio.ensure_future(others())
        received = line.received(len(CONTENT))
        await line.send(FileBody.open(path))
        task.cancel()
        assert await received == CONTENT
        assert most <= 3 * PIECE  # the first follow each other within one turn of the loop

    ways.run(scenario)


def test_more_than_the_system_sends_at_once(
    plain: Ways, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which is 0x7ffff000 bytes: a file of 2.1 GiB, most of it a hole, in pieces as large as can be."""
    size = 0x8000_0000 + 100_000_000
    huge = tmp_path / "huge"
    with huge.open("wb") as file:
        file.truncate(size)
        file.seek(0x7FFF_F000 - 5)
        file.write(b"0123456789")
        file.seek(size - 3)
        file.write(b"end")
    if plain.over == "tcp":
        monkeypatch.setattr(sendfile, "PIECE", 1 << 40)
        monkeypatch.setattr(FileBody, "is_in_memory", lambda *_: True)

    async def scenario(line: Line) -> None:
        start = 0x7FFF_F000 - MEBIBYTE  # the hole before it is the same for everybody
        count = size - start

        def read() -> tuple[int, bytes, bytes]:
            buffer, total, middle, end = bytearray(MEBIBYTE), 0, b"", b""
            while total < count:
                taken = line.client.recv_into(buffer)
                assert taken
                if total <= MEBIBYTE + 10 <= 10 * MEBIBYTE:
                    middle += bytes(buffer[:taken])
                end = (end + buffer[max(0, taken - 3) : taken])[-3:]
                total += taken
            return total, middle, end

        reading = line.loop.run_in_executor(None, read)
        with huge.open("rb") as file:
            await line.send(FileBody.from_file(file, start))
        total, middle, end = await reading
        assert total == count
        assert middle.index(b"0123456789") == MEBIBYTE - 5
        assert end == b"end"

    plain.run(scenario)


# -- what goes wrong ----------------------------------------------------------------------------------


def test_a_file_that_shrinks(ways: Ways, path: Path) -> None:
    """The rest is never made up, and never left out in silence."""

    async def scenario(line: Line) -> None:
        sending = asyncio.ensure_future(line.send(FileBody.open(path)))
        await line.stall()
        assert line.sender is not None
        kept = line.sender.sent + 100_000
        os.truncate(path, kept)
        received = line.loop.create_task(line.everything())
        with pytest.raises(FileShorterError, match=f"{len(CONTENT) - kept} bytes shorter"):
            await sending
        assert line.sender.sent == kept
        line.transport.close()
        # What the page cache no longer has when the network asks for it is zeros; never is it more.
        assert len(await received) == kept

    ways.run(scenario)


def test_a_file_that_shrinks_before_it_is_sent(ways: Ways, path: Path) -> None:
    """Nothing of it is left to send."""

    async def scenario(line: Line) -> None:
        body = FileBody.open(path)
        os.truncate(path, 0)
        with pytest.raises(FileShorterError, match=str(path)):
            await line.send(body)
        assert line.sender is not None
        assert line.sender.sent == 0

    ways.run(scenario)


def test_a_file_that_grows(ways: Ways, path: Path) -> None:
    """Its length is that of the beginning."""

    async def scenario(line: Line) -> None:
        sending = asyncio.ensure_future(line.send(FileBody.open(path)))
        await line.stall()
        with path.open("ab") as file:
            file.write(b"more")
        received = line.loop.create_task(line.everything())
        await sending
        line.transport.close()
        assert await received == CONTENT

    ways.run(scenario)


@pytest.mark.parametrize("leave", [reset, socket.socket.close])
def test_a_client_that_leaves(ways: Ways, path: Path, leave: Callable[[socket.socket], None]) -> None:
    """Even one whose leaving the transport does not see, because it does not read."""

    async def scenario(line: Line) -> None:
        line.transport.pause_reading()
        sending = asyncio.ensure_future(line.send(FileBody.open(path)))
        await line.stall()
        assert not sending.done()
        leave(line.client)
        with pytest.raises(ClientDisconnected):
            await sending
        assert line.transport.is_closing()
        await line.lost

    ways.run(scenario)


def test_a_client_that_leaves_before_the_file_begins(ways: Ways, path: Path) -> None:
    """While the transport still has something for it."""

    async def scenario(line: Line) -> None:
        line.transport.write(CONTENT)
        sending = asyncio.ensure_future(line.send(FileBody.open(path)))
        await asyncio.sleep(0.01)
        assert not sending.done()
        reset(line.client)
        with pytest.raises(ClientDisconnected):
            await sending
        await line.lost
        with pytest.raises(ClientDisconnected):
            await line.send(FileBody.open(path))

    ways.run(scenario)


def test_a_connection_that_is_given_up(ways: Ways, path: Path) -> None:
    """The client gets nothing more, although our own duplicate of the socket was open."""

    async def scenario(line: Line) -> None:
        sending = asyncio.ensure_future(line.send(FileBody.open(path)))
        await line.stall()
        line.transport.abort()
        await line.lost
        received = await line.everything()
        assert not len(received) > (line.sender.sent if line.sender is not None else 0)
        with pytest.raises(ClientDisconnected):
            await sending

    ways.run(scenario)


def test_a_client_that_sends_nothing_more(ways: Ways, path: Path) -> None:
    """It still gets its file."""
    if ways.is_tls:
        pytest.skip("TLS has no half-closed connections here")

    async def scenario(line: Line) -> None:
        line.eof_received = lambda: True  # type: ignore[method-assign]
        sending = asyncio.ensure_future(line.send(FileBody.open(path)))
        line.client.shutdown(socket.SHUT_WR)
        assert await line.received(len(CONTENT)) == CONTENT
        await sending

    ways.run(scenario)


def test_a_task_that_is_cancelled(ways: Ways, path: Path) -> None:
    """Nothing more is sent, and nothing is kept."""

    async def scenario(line: Line) -> None:
        before = len(descriptors())
        sending = asyncio.ensure_future(line.send(FileBody.open(path)))
        await line.stall()
        assert line.sender is not None
        sent = line.sender.sent
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        assert len(descriptors()) == before
        line.transport.close()
        assert len(await line.everything()) == line.sender.sent == sent

    ways.run(scenario)


def test_a_task_that_is_cancelled_before_the_file_begins(ways: Ways, path: Path) -> None:
    """The transport has its limits back."""

    async def scenario(line: Line) -> None:
        line.transport.write(CONTENT)
        sending = asyncio.ensure_future(line.send(FileBody.open(path)))
        await asyncio.sleep(0.01)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        assert line.transport.get_write_buffer_limits()[1] == HIGH_WATER
        if not ways.is_tls:
            assert await line.received(len(CONTENT)) == CONTENT
            await asyncio.sleep(0.01)
            assert line.is_in_peace()

    ways.run(scenario)


@pytest.mark.parametrize("after", [0, 1, 2, 3, 5, 8])
def test_a_task_cancelled_at_any_turn_of_the_loop(ways: Ways, path: Path, after: int) -> None:
    """Also between what the loop has done and the task has not learned yet."""

    async def scenario(line: Line) -> None:
        received = asyncio.ensure_future(line.everything())
        body = FileBody.open(path)
        sending = asyncio.ensure_future(line.send(body))
        for _ in range(after):
            await asyncio.sleep(0)
        sending.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await sending
        body.close()  # the task may not even have begun
        line.transport.close()
        assert await received == CONTENT[: line.sender.sent if line.sender is not None else 0]

    ways.run(scenario)


# -- the disk -----------------------------------------------------------------------------------------


class Disk:
    """Reads of threads, which wait until they are let through."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.go = threading.Event()
        self.begun = threading.Event()
        self.reads = 0
        self.offsets: set[int] = set()
        monkeypatch.setattr(FileBody, "read", self._reader(FileBody.read))
        monkeypatch.setattr(FileBody, "_preadv_nowait", self._prober(FileBody._preadv_nowait))

    def _reader(self, real: Callable[[FileBody, int], bytes]) -> Callable[[FileBody, int], bytes]:
        def read(body: FileBody, size: int) -> bytes:
            self.begun.set()
            assert self.go.wait(PATIENCE)
            self.reads += 1
            data = real(body, size)
            self.offsets.add(body.offset)
            return data

        return read

    def _prober(self, real: Callable[[FileBody, int, int], bytes | None]) -> Any:
        def probe(body: FileBody, size: int, offset: int) -> bytes | None:
            return real(body, size, offset) if body.offset in self.offsets else None

        return probe


def test_a_cold_disk_is_read_by_a_thread(ways: Ways, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop goes on meanwhile."""
    disk = Disk(monkeypatch)

    async def scenario(line: Line) -> None:
        received = line.received(len(CONTENT))
        sending = asyncio.ensure_future(line.send(FileBody.open(path)))
        await until(disk.begun.is_set)
        assert line.sender is not None
        assert line.sender.sent == 0
        disk.go.set()
        await sending
        assert await received == CONTENT
        assert disk.reads >= len(CONTENT) // PIECE

    ways.run(scenario)


@pytest.mark.parametrize("how", ["cancelled", "reset", "aborted"])
def test_the_end_while_a_thread_reads(
    ways: Ways, path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """The file stays open until the thread is done, and no longer."""
    disk = Disk(monkeypatch)

    async def scenario(line: Line) -> None:
        body = FileBody.open(path)
        sending = asyncio.ensure_future(line.send(body))
        await until(disk.begun.is_set)
        if how == "cancelled":
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending
            os.fstat(body.fileno())
            disk.go.set()
        else:
            reset(line.client) if how == "reset" else line.transport.abort()
            await line.lost
            disk.go.set()
            with pytest.raises(ClientDisconnected):
                await sending
        await until(lambda: descriptors().get(str(body.fileno())) != str(path))

    ways.run(scenario)


def test_a_disk_that_fails(ways: Ways, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client has not left: the error is the application's to see."""

    def broken(*_: object) -> int:
        raise OSError(errno.EIO, "the disk is broken")

    for name in ("preadv", "pread", "sendfile"):
        monkeypatch.setattr(os, name, broken)

    async def scenario(line: Line) -> None:
        with pytest.raises(OSError, match="the disk is broken"):
            await line.send(FileBody.open(path))
        assert not line.transport.is_closing()

    ways.run(scenario)


def test_a_disk_that_fails_later(plain: Ways, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within a callback of the loop as well."""
    real, calls = os.sendfile, 0

    def broken(*args: int) -> int:
        nonlocal calls
        calls += 1
        if calls > 3:
            raise OSError(errno.EIO, "the disk is broken")
        return real(*args)

    monkeypatch.setattr(os, "sendfile", broken)

    async def scenario(line: Line) -> None:
        received = asyncio.ensure_future(line.everything())
        with pytest.raises(OSError, match="the disk is broken"):
            await line.send(FileBody.open(path))
        assert line.sender is not None
        assert 0 < line.sender.sent < len(CONTENT)
        line.transport.close()
        assert await received == CONTENT[: line.sender.sent]

    plain.run(scenario)


def test_a_file_that_sendfile_does_not_take(plain: Ways, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some file systems: it is read and written instead."""

    def refuse(*_: int) -> int:
        raise OSError(errno.EINVAL, "no")

    monkeypatch.setattr(os, "sendfile", refuse)

    async def scenario(line: Line) -> None:
        received = line.received(len(CONTENT))
        await line.send(FileBody.open(path))
        assert await received == CONTENT

    plain.run(scenario)
