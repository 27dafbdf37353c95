"""Messages between master and worker, line by line: what is written, what is read, what is refused."""

from __future__ import annotations

import json

import pytest

from srvctl.ipc.channel import (
    MAX_LINE,
    MAX_TEXT,
    ChannelError,
    Decoder,
    DrainAsked,
    Draining,
    Failed,
    Message,
    Ready,
    decode,
    encode,
)

LINES = [
    (Ready(), b'{"type": "ready"}\n'),
    (Draining(), b'{"type": "draining"}\n'),
    (DrainAsked(last=True), b'{"type": "drain", "last": true}\n'),
    (DrainAsked(last=False), b'{"type": "drain", "last": false}\n'),
    (
        Failed("No module named 'shop'.", "Traceback\n  ...\n"),
        b'{"type": "failed", "message": "No module named \'shop\'.", "details": "Traceback\\n  ...\\n"}\n',
    ),
]


@pytest.mark.parametrize(("message", "line"), LINES)
def test_each_message_is_a_line_of_json(message: Message, line: bytes) -> None:
    """The bytes are the same in every version that shares a socket."""
    assert encode(message) == line
    assert decode(line) == message


def test_a_newline_in_a_text_does_not_end_the_line() -> None:
    """JSON escapes it."""
    assert encode(Failed("a\nb\r\n", "\n")).count(b"\n") == 1


@pytest.mark.parametrize(
    "text",
    ["", "Zeile mit Ümläuten", "каждый", "\N{PILE OF POO}", "\0\x1b[31m\x7f", "\ud800 alone", "\u2028"],
)
def test_any_text_survives(text: str) -> None:
    """Tracebacks quote whatever the application said."""
    assert decode(encode(Failed(text, text))) == Failed(text, text)


def test_a_long_text_keeps_its_beginning_and_its_end() -> None:
    """The first lines of a traceback say where, the last ones name the error."""
    sent = Failed("m", "first line\n" + "d" * (MAX_TEXT - 4) + "last")
    got = decode(encode(sent))
    assert isinstance(got, Failed)
    assert len(got.details) == MAX_TEXT
    assert got.details.startswith("first line\nddd")
    assert "ddd\n[...]\nddd" in got.details
    assert got.details.endswith("dddlast")


def test_a_text_of_just_the_limit_is_not_cut() -> None:
    """Only what is longer loses something."""
    sent = Failed("", "a" + "b" * (MAX_TEXT - 1))
    assert decode(encode(sent)) == sent


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("x", id="ASCII"),
        pytest.param("\0", id="control"),
        pytest.param("Ж", id="cyrillic"),
        pytest.param("\N{PILE OF POO}", id="emoji"),
    ],
)
def test_what_is_written_is_never_too_long_to_be_read(text: str) -> None:
    """Whatever the texts are made of, the master gets the explanation and not a broken channel."""
    assert len(encode(Failed(text * MAX_TEXT, text * MAX_TEXT))) <= MAX_LINE


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b" ",
        b"ready",
        b"\xff\xfe",
        b"\x00",
        b"{",
        b"{}",
        b"[]",
        b"null",
        b"1",
        b'"ready"',
        b'["type"]',
        b'{"type": null}',
        b'{"type": []}',
        b'{"type": {}}',
        b'{"type": "Ready"}',
        b'{"type": "restart"}',
        b'{"kind": "ready"}',
        b'{"type": "ready", "last": true}',
        b'{"type": "drain"}',
        b'{"type": "drain", "last": 1}',
        b'{"type": "drain", "last": "true"}',
        b'{"type": "drain", "last": null}',
        b'{"type": "drain", "last": true, "self": 1}',
        b'{"type": "failed", "message": "m"}',
        b'{"type": "failed", "message": "m", "details": 1}',
        b'{"type": "failed", "message": ["m"], "details": ""}',
        b'{"type": "failed", "message": NaN, "details": ""}',
        b'{"type": "ready"} {"type": "ready"}',
        b'{"type": "drain", "last": ' + b"9" * 10_000 + b"}",
        b"[" * 100_000,
        b'{"type":' * 100_000,
    ],
    ids=lambda line: repr(line[:40]),
)
def test_what_is_not_a_message(line: bytes) -> None:
    """One kind of exception, with the beginning of the line in its text and no more."""
    with pytest.raises(ChannelError, match=r"^(not a message|a field has the wrong type): b'") as refused:
        decode(line)
    assert len(str(refused.value)) < 500


def test_lines_are_read_as_they_come() -> None:
    """Half a message waits; several come at once; nothing is said twice."""
    decoder = Decoder()
    assert decoder.feed(b'{"type": "re') == []
    assert decoder.feed(b"") == []
    assert decoder.feed(b'ady"}\n{"type": "draining"}\n{"ty') == [Ready(), Draining()]
    assert decoder.feed(b'pe": "ready"}') == []
    assert decoder.feed(b"\n") == [Ready()]


def test_the_order_of_fields_and_blanks_do_not_matter() -> None:
    """JSON is JSON."""
    line = json.dumps({"last": True, "type": "drain"}, indent=None, separators=(" , ", " : ")).encode()
    assert decode(b"  " + line + b"\r") == DrainAsked(last=True)


@pytest.mark.parametrize("pieces", [1, 3, 4096])
def test_a_line_without_an_end_is_refused(pieces: int) -> None:
    """The master's memory is not for a worker to fill."""
    decoder = Decoder()
    size = MAX_LINE // pieces
    for _ in range(pieces):
        assert decoder.feed(b" " * size) == []
    with pytest.raises(ChannelError, match=f"longer than {MAX_LINE} bytes"):
        decoder.feed(b" " * (MAX_LINE - pieces * size + 1))


def test_a_line_that_is_too_long_is_refused_even_when_it_comes_whole() -> None:
    """What is accepted does not depend on how the bytes were cut."""
    with pytest.raises(ChannelError, match="longer than"):
        Decoder().feed(encode(Ready())[:-1] + b" " * MAX_LINE + b"\n")


def test_a_line_of_just_the_limit_is_read() -> None:
    """With its newline it is one byte longer."""
    line = encode(Ready())[:-1].ljust(MAX_LINE)
    decoder = Decoder()
    assert decoder.feed(line) == []
    assert decoder.feed(b"\n") == [Ready()]


def test_what_was_said_before_the_garbage_is_heard() -> None:
    """Above all the explanation of a worker that cannot boot."""
    decoder = Decoder()
    assert decoder.feed(encode(Failed("No module named 'shop'.", "")) + b"?\n") == [
        Failed("No module named 'shop'.", "")
    ]
