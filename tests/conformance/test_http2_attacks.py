"""HTTP/2 clients that mean harm: each is told to calm down, and nobody else notices.

Sources: RFC 9113 section 10.5, and the CVEs that each test names. The limits are small, so that a test need
not send much; a connection that was opened before all of them is served behind each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import psutil
import pytest

from tests.conformance.http2_served import FLAGS, SERVED, address_of, connect
from tests.conformance.wire import notes
from tests.support.http2_client import Ended, Http2
from tests.support.http2_frames import (
    ENABLE_PUSH,
    INITIAL_WINDOW_SIZE,
    MOST,
    PRIORITY,
    WINDOW,
    Code,
    asked,
    block,
    continuation,
    data,
    frame,
    get,
    headers,
    indexed,
    literal,
    ping,
    post,
    priority,
    remembered,
    rst_stream,
    settings,
    window_update,
)
from tests.support.server import ServerProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: There are more streams than resets: a cancelled request runs until its application has noticed.
RESETS, IDLE_FRAMES, STREAMS, FIELDS, HEAD_SIZE = 20, 100, 30, 50, 16384
LIMITS: Final = (
    *("--limit-http2-resets", str(RESETS), "--limit-http2-idle-frames", str(IDLE_FRAMES)),
    *("--limit-http2-streams", str(STREAMS), "--limit-request-fields", str(FIELDS)),
    *("--limit-request-head-size", str(HEAD_SIZE), "--timeout-write-stall", "600"),
)
MiB: Final = 1 << 20


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    with ServerProcess(SERVED, *FLAGS, "--no-access-log", *LIMITS) as running:
        yield running


@pytest.fixture(scope="module")
def bystander(server: ServerProcess) -> Iterator[Http2]:
    with connect(server) as client:
        yield client


@pytest.fixture(autouse=True)
def nobody_else_notices(server: ServerProcess, bystander: Http2) -> Iterator[None]:
    """The worker is the same, serves others, and has not grown."""
    [worker] = server.workers()
    bystander.check_serves()
    errors = len(server.lines("Exception in callback"))
    before = psutil.Process(worker).memory_info().rss
    yield
    bystander.check_serves()
    with connect(server) as another:
        another.check_serves()
    assert server.workers() == [worker]
    assert len(server.lines("Exception in callback")) == errors
    grown = psutil.Process(worker).memory_info().rss - before
    assert grown < 40 * MiB, f"the worker has grown by {grown / MiB:.0f} MiB"


def check_calmed(client: Http2) -> None:
    """It is told to be calm; a reset may take that away where it still sends (section 5.4.1)."""
    try:
        client.check_failed(Code.ENHANCE_YOUR_CALM)
    except AssertionError as error:
        if "no GOAWAY" not in str(error) or "reset" not in str(error):
            raise


# -- requests that are taken back ----------------------------------------------------------------------


def test_rapid_reset(server: ServerProcess) -> None:
    """CVE-2023-44487: requests that are cancelled at once never count as running."""
    with connect(server) as client:
        for _ in range(RESETS - 2):
            stream = client.send_request("/watch")
            client.send(rst_stream(stream))
        client.check_serves()
        for _ in range(3 * RESETS):  # too many also where the time over which they are counted begins anew
            stream = client.new_stream()
            client.send_quietly(get(stream, "/watch") + rst_stream(stream))
        check_calmed(client)


def test_rapid_reset_in_one_packet(server: ServerProcess) -> None:
    """CVE-2023-44487: as it was done, with thousands of requests."""
    with connect(server) as client:
        pairs = [get(stream, "/watch") + rst_stream(stream) for stream in range(1, 6001, 2)]
        client.send_quietly(*pairs)
        check_calmed(client)


def test_a_client_may_cancel_now_and_then(server: ServerProcess) -> None:
    """A browser does so whenever somebody goes on before a page is there."""
    with connect(server) as client:
        for _ in range(RESETS - 2):
            for _ in range(3):
                client.check_serves()
            stream = client.send_request("/watch")
            client.send(rst_stream(stream))
        client.check_serves()


#: What makes the server break off a stream: it is as good for the attacker as its own RST_STREAM.
PROVOKED: Final[dict[str, Callable[[int], bytes]]] = {
    "an increment of 0": lambda stream: get(stream, "/watch") + window_update(stream, 0),
    "a window that is too large": lambda stream: get(stream, "/watch") + window_update(stream, MOST),
    "DATA behind the end": lambda stream: get(stream, "/watch") + data(stream, b"x"),
    "HEADERS behind the end": lambda stream: get(stream, "/watch") + get(stream, "/watch"),
    "a malformed request": lambda stream: get(stream, "/watch", ("Upper", "1")),
    "a wrong length": lambda stream: (
        post(stream, "/watch", ("content-length", "1")) + data(stream, b"xx", end=True)
    ),
    "trailers that are malformed": lambda stream: (
        post(stream, "/watch") + headers(stream, block((":path", "/")))
    ),
    "PRIORITY of the wrong size": lambda stream: get(stream, "/watch") + frame(PRIORITY, 0, stream, bytes(4)),
}


@pytest.mark.parametrize("provoke", PROVOKED.values(), ids=PROVOKED)
def test_resets_that_are_provoked(server: ServerProcess, provoke: Callable[[int], bytes]) -> None:
    """CVE-2025-8671: it is the server that resets, but the client that makes it do so."""
    with connect(server) as client:
        for _ in range(RESETS + 30):
            client.send_quietly(provoke(client.new_stream()))
        error = client.until_failed()
        assert error.code in {Code.ENHANCE_YOUR_CALM, Code.FRAME_SIZE_ERROR, Code.STREAM_CLOSED}, error
        client.check_end()


def test_more_streams_than_are_allowed_are_refused(server: ServerProcess) -> None:
    """Section 5.1.2: such that the client may send them again (section 8.7)."""
    with connect(server) as client:
        client.wait_settings()
        running = [client.send_request("/watch?running") for _ in range(STREAMS)]
        refused = [client.send_request("/ok") for _ in range(3)]
        for stream in refused:
            assert client.answer(stream).reset == Code.REFUSED_STREAM
        assert not [stream for stream in running if stream in client.answers]
        assert notes(server, 0, about="running") == []
        client.send(rst_stream(running[0]))
        assert notes(server, 1, about="running") == ["http.disconnect running"]
        client.check_serves()


@pytest.mark.parametrize("is_polite", [True, False])
def test_a_client_that_ignores_refusals(server: ServerProcess, is_polite: bool) -> None:
    """CVE-2025-8671, of a kind: each refusal is work, also where our settings are never acknowledged."""
    with connect(server) as client:
        if is_polite:
            client.wait_settings()
        client.send_quietly(*(get(client.new_stream(), "/watch") for _ in range(STREAMS)))
        for _ in range(100):
            client.send_quietly(*(get(client.new_stream()) for _ in range(RESETS)))
        error = client.until_failed()
        assert error.code in {Code.ENHANCE_YOUR_CALM, Code.SETTINGS_TIMEOUT}
        client.check_end()


# -- frames that move nothing --------------------------------------------------------------------------


#: What floods may consist of, behind what.
FLOODS: Final[dict[str, tuple[bytes, bytes]]] = {
    "PING (CVE-2019-9512)": (b"", ping()),
    "answers to no PING": (b"", ping(ack=True)),
    "SETTINGS (CVE-2019-9515)": (b"", settings({ENABLE_PUSH: 0})),
    "empty SETTINGS": (b"", settings()),
    "SETTINGS that change windows": (get(1, "/watch"), settings({INITIAL_WINDOW_SIZE: WINDOW})),
    "PRIORITY (CVE-2019-9513)": (b"", priority(1)),
    "empty DATA (CVE-2019-9518)": (post(1, "/watch"), data(1)),
    "DATA of padding only": (post(1, "/watch"), data(1, padding=0)),
    "an unknown type": (b"", frame(0x16, 0, 0, b"x")),
    "an unknown type on a stream": (get(1, "/watch"), frame(0x16, 0, 1)),
    "RST_STREAM of what has ended": (get(1, "/watch"), rst_stream(1)),
    "PRIORITY of what has ended": (get(1, "/watch") + rst_stream(1), priority(1)),
    "WINDOW_UPDATE of what has ended": (get(1, "/watch") + rst_stream(1), window_update(1, 1)),
    "WINDOW_UPDATE of the connection": (b"", window_update(0, 1)),
    "WINDOW_UPDATE of a stream": (get(1, "/watch"), window_update(1, 1)),
    "CONTINUATION of no bytes (CVE-2024-27316)": (
        headers(1, b"", is_whole=False),
        continuation(1, b"", is_last=False),
    ),
}


@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS)
def test_frames_that_move_nothing(server: ServerProcess, flood: tuple[bytes, bytes]) -> None:
    """Section 10.5: some are no harm, very many are."""
    start, idle = flood
    with connect(server) as client:
        client.wait_settings()
        client.send(start)
        for _ in range(20):
            client.send_quietly(idle * 100)
        check_calmed(client)


HARMLESS: Final = [name for name in FLOODS if "CONTINUATION" not in name]


@pytest.mark.parametrize("name", HARMLESS)
def test_some_frames_that_move_nothing(server: ServerProcess, name: str) -> None:
    """Section 10.5: they have their uses."""
    start, idle = FLOODS[name]
    with connect(server) as client:
        client.wait_settings()
        client.send(start, idle * (IDLE_FRAMES // 2))
        client.new_stream()
        client.check_serves()


def test_priorities_of_many_streams(server: ServerProcess) -> None:
    """Section 5.3.2: nothing is kept of streams that were never opened."""
    with connect(server) as client:
        client.wait_settings()
        client.send_quietly(*(priority(stream) for stream in range(1, 20_001, 2)))
        check_calmed(client)


def test_a_client_that_never_reads(server: ServerProcess) -> None:
    """CVE-2019-9512 and 9517: answers that nobody takes are not kept for ever."""
    with Http2(address_of(server), receive_buffer=4096) as client:
        client.send_quietly(*(ping(number.to_bytes(8, "big")) for number in range(100_000)))
        check_calmed(client)


def test_windows_may_be_given_back_often(server: ServerProcess) -> None:
    """Those frames move something: a client that reads in small pieces is no attacker."""
    with Http2(address_of(server), values={INITIAL_WINDOW_SIZE: 100}, gives_back=False) as client:
        client.wait_settings()
        stream = client.send_request("/bytearray-large")
        answer = client.wait_head(stream)
        came = 0
        while not answer.is_over:
            client.step()
            if fresh := len(answer.body) - came:
                came += fresh
                client.give_back(stream, fresh)
                client.give_back(0, fresh)
        assert len(answer.body) == 50_000
        client.check_serves()


def test_a_body_may_come_in_small_pieces(server: ServerProcess) -> None:
    """Frames of one byte move something."""
    with connect(server) as client:
        stream = client.send_request("/late", method="POST", end=False)
        for _ in range(IDLE_FRAMES * 5):
            client.send_data(stream, b"x")
        client.send_data(stream, end=True)
        assert client.answer(stream).body == b"%d" % (IDLE_FRAMES * 5)
        client.check_serves()


# -- fields without end ----------------------------------------------------------------------------------


def test_fields_that_never_end(server: ServerProcess) -> None:
    """CVE-2024-27316 and its kin: CONTINUATION frames, and never the last."""
    with connect(server) as client:
        client.send_quietly(headers(1, block(*asked()), is_whole=False))
        more = continuation(1, literal("x", "y" * 1000), is_last=False)
        for _ in range(200):
            client.send_quietly(more * 10)
        check_calmed(client)


def test_fields_that_never_end_byte_by_byte(server: ServerProcess) -> None:
    """CVE-2024-27316 and its kin: many frames of one byte each."""
    with connect(server) as client:
        client.send_quietly(headers(1, block(*asked()) + b"\x00\x01x\x7f\xff\x7f", is_whole=False))
        more = continuation(1, b"y", is_last=False)
        for _ in range(40):
            client.send_quietly(more * 1000)
        check_calmed(client)


def test_more_fields_than_are_allowed(server: ServerProcess) -> None:
    """Section 10.5.1: that is an answer, since the block could be read (RFC 6585 section 5)."""
    with connect(server) as client:
        answer = client.ask("/ok", *((f"x-{number}", "1") for number in range(FIELDS + 1)))
        assert answer.status == 431, answer
        client.check_serves()


def test_as_many_fields_as_are_allowed(server: ServerProcess) -> None:
    """Pseudo-headers are none of them, but for the Host that becomes one."""
    with connect(server) as client:
        assert client.ask("/ok", *((f"x-{number}", "1") for number in range(FIELDS - 1))).status == 200


def test_larger_fields_than_are_allowed(server: ServerProcess) -> None:
    """Section 10.5.1."""
    with connect(server) as client:
        stream = client.new_stream()
        whole = block(*asked("/ok", ("x", "y" * HEAD_SIZE)))
        client.send(headers(stream, whole[:10_000], is_whole=False), continuation(stream, whole[10_000:]))
        assert client.answer(stream).status == 431
        client.check_serves()


@pytest.mark.parametrize("name", ["x-bomb", "cookie"])
@pytest.mark.parametrize("size", [0, 3500])
def test_a_small_block_of_very_many_fields(server: ServerProcess, name: str, size: int) -> None:
    """Section 10.5.1: one byte each, and each of 3.5 KB once it is read: 50 MB in 16 KB."""
    with connect(server) as client:
        stream = client.new_stream()
        bomb = block(*asked()) + remembered(name, "y" * size) + indexed(62) * (16_000 - size)
        client.send(headers(stream, bomb[:16_384]))
        try:
            answer = client.answer(stream)
            assert answer.status == 431 or answer.reset in {Code.ENHANCE_YOUR_CALM, Code.PROTOCOL_ERROR}
            client.check_serves()
        except Ended:
            assert client.goaway is not None
            assert client.goaway.code == Code.ENHANCE_YOUR_CALM


def test_a_bomb_again_and_again(server: ServerProcess) -> None:
    """Section 10.5.1: what a refused block has put into the table is all that it leaves behind."""
    with connect(server) as client:
        for _ in range(RESETS - 5):
            stream = client.new_stream()
            client.send_quietly(
                headers(stream, block(*asked()) + remembered("x", "y" * 3500) + indexed(62) * 9000)
            )
            if client.goaway:
                break
        client.send_quietly(ping())
        try:
            client.check_open()
        except (Ended, AssertionError):
            assert client.goaway is not None
            assert client.goaway.code == Code.ENHANCE_YOUR_CALM


# -- answers that nobody takes -----------------------------------------------------------------------------


def test_no_window_for_any_response(server: ServerProcess) -> None:
    """CVE-2019-9511 and 9517: the application waits, and what it has made is not piled up."""
    with Http2(address_of(server), values={INITIAL_WINDOW_SIZE: 0}) as client:
        client.wait_settings()
        for _ in range(STREAMS):
            client.wait_head(client.send_request("/for-ever"))
        client.check_open()


def test_windows_of_one_byte(server: ServerProcess) -> None:
    """CVE-2019-9511: the response is made of frames of one byte."""
    with Http2(address_of(server), values={INITIAL_WINDOW_SIZE: 1}, gives_back=False) as client:
        client.wait_settings()
        streams = [client.send_request("/for-ever") for _ in range(STREAMS)]
        for size in range(1, 11):
            for stream in streams:
                client.wait_body(stream, size)
                client.give_back(stream, 1)
        client.check_open()


def test_a_client_that_takes_no_response(server: ServerProcess) -> None:
    """Nor does it read the socket, with all the window there is."""
    with Http2(address_of(server), values={INITIAL_WINDOW_SIZE: MOST}, receive_buffer=4096) as client:
        client.send(window_update(0, MOST - WINDOW))
        for _ in range(STREAMS):
            client.send(get(client.new_stream(), "/for-ever"))
        with connect(server) as another:
            for _ in range(20):
                another.check_serves()
