"""The control protocol line by line: what is written, what is read, what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from srvctl.ipc.control import (
    MAX_REPLY,
    MAX_REQUEST,
    MAX_TEXT,
    Command,
    ControlError,
    Done,
    Lines,
    OtherVersionError,
    Progress,
    Reply,
    Request,
    decode_reply,
    decode_request,
    encode_reply,
    encode_request,
    refusal,
)

REQUESTS = [
    (Request(Command.RELOAD), b'{"v":1,"command":"reload","args":{}}\n'),
    (
        Request(Command.RECYCLE, {"target": "slot:3"}),
        b'{"v":1,"command":"recycle","args":{"target":"slot:3"}}\n',
    ),
]
REPLIES: list[tuple[Reply, bytes]] = [
    (Progress("2 of 4 workers\n"), b'{"type":"progress","text":"2 of 4 workers\\n"}\n'),
    (
        Done(ok=False, code=5, message="no", details="Trace", data={"a": [1]}),
        b'{"type":"done","ok":false,"code":5,"message":"no","details":"Trace","data":{"a":[1]}}\n',
    ),
    (Done(ok=True), b'{"type":"done","ok":true,"code":0,"message":"","details":"","data":{}}\n'),
]


@pytest.mark.parametrize(("request_", "line"), REQUESTS)
def test_each_request_is_a_line(request_: Request, line: bytes) -> None:
    assert encode_request(request_) == line
    assert decode_request(line) == request_


@pytest.mark.parametrize(("reply", "line"), REPLIES)
def test_each_reply_is_a_line(reply: Reply, line: bytes) -> None:
    assert encode_reply(reply) == line
    assert decode_reply(line) == reply


def test_arguments_may_be_left_out() -> None:
    assert decode_request(b'{"command":"status","v":1}') == Request(Command.STATUS)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"", "not a line with a JSON object"),
        (b"reload", "not a line with a JSON object"),
        (b"[]", "not a line with a JSON object"),
        (b'"v"', "not a line with a JSON object"),
        (b'\xff\xfe{\x00"', "not a line with a JSON object"),
        ('{"v":1,"command":"status"}'.encode("utf-16"), "not a line with a JSON object"),
        (b"[" * 60000, "not a line with a JSON object"),
        (b'{"v":1,"command":"scale","args":{"change":NaN}}', "not a line with a JSON object"),
        (
            b'{"v":1,"command":"scale","args":{"change":' + b"9" * 6000 + b"}}",
            "not a line with a JSON object",
        ),
        (b"{}", "a request is"),
        (b'{"command":"status"}', "a request is"),
        (b'{"v":true,"command":"status"}', "a request is"),
        (b'{"v":"1","command":"status"}', "a request is"),
        (b'{"v":1}', "a request is"),
        (b'{"v":1,"command":["status"]}', "a request is"),
        (b'{"v":1,"command":"status","args":[]}', "a request is"),
        (b'{"v":1,"command":"status","args":null}', "a request is"),
        (b'{"v":1,"command":"status","more":1}', "a request is"),
        (b'{"v":1,"command":"dance\\u0007"}', r"there is no command 'dance\\\\x07' here"),
        (b'{"v":1,"command":"\\ud800"}', "there is no command"),
    ],
)
def test_what_is_no_request_is_refused(line: bytes, why: str) -> None:
    with pytest.raises(ControlError, match=why) as caught:
        decode_request(line)
    str(caught.value).encode()  # it can be sent and printed


def test_another_version_is_told_apart() -> None:
    """Whatever else is in it: it may mean something there."""
    with pytest.raises(OtherVersionError) as caught:
        decode_request(b'{"v":2,"verb":"status"}')
    assert caught.value.version == 2


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"type": "done"},
        {"type": ["done"]},
        {"type": "progress", "text": 1},
        {"type": "done", "ok": 1, "code": 0, "message": "", "details": "", "data": {}},
        {"type": "done", "ok": True, "code": True, "message": "", "details": "", "data": {}},
        {"type": "done", "ok": True, "code": 0, "message": "", "details": "", "data": []},
    ],
)
def test_what_is_no_reply_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ControlError):
        decode_reply(json.dumps(values).encode())


def test_fields_that_newer_masters_add_are_ignored() -> None:
    assert decode_reply(b'{"type":"progress","text":"half","percent":50}') == Progress("half")


def test_long_texts_keep_their_end_and_too_much_data_is_left_out() -> None:
    done = decode_reply(
        encode_reply(
            Done(ok=False, code=5, message="m", details="x" * MAX_TEXT + "end", data={"a": "y" * MAX_REPLY})
        )
    )
    assert isinstance(done, Done)
    assert done.details == "x" * (MAX_TEXT - 3) + "end"
    assert "more than a reply may have" in done.data["left_out"]


def test_what_json_does_not_know_is_written_as_text() -> None:
    """A mistake in what is told must not end a master."""
    assert decode_reply(encode_reply(Done(ok=True, data={"x": {1}}))) == Done(ok=True, data={"x": "{1}"})


def test_a_refusal_has_the_code_of_one() -> None:
    assert refusal("no", v=1) == Done(ok=False, code=5, message="no", data={"v": 1})


def test_lines_are_cut_and_bounded() -> None:
    lines = Lines(4)
    assert lines.feed(b"a\nbc") == [b"a"]
    assert lines.feed(b"de\n\nf") == [b"bcde", b""]
    with pytest.raises(ControlError, match="longer than 4 bytes"):
        lines.feed(b"ghij")
    with pytest.raises(ControlError):
        Lines(4).feed(b"abcde\nf")
    with pytest.raises(ControlError):
        Lines(MAX_REQUEST).feed(b"x" * (MAX_REQUEST + 1))
