"""The chat among the examples, in two workers: who hears whom, and what nobody hears."""

from __future__ import annotations

import contextlib
import json
import re
import time
from signal import SIGHUP
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from examples.chat import LONGEST
from tests.support.server import ServerProcess
from tests.support.server_waits import PATIENCE, NeverHappened

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from websockets.sync.client import ClientConnection

CHAT = "examples.chat:app"


class Member:
    """Somebody in a room."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        welcome = self.hear()
        assert welcome.pop("kind") == "welcome"
        self.is_known_as: dict[str, Any] = welcome
        self.worker: int = welcome["worker"]

    def hear(self) -> dict[str, Any]:
        """Wait for what comes next."""
        message: dict[str, Any] = json.loads(self.socket.recv(PATIENCE))
        return message

    def hear_said(self) -> str:
        """Wait for what is said next; skip who comes and goes."""
        while (message := self.hear())["kind"] != "said":
            pass
        text: str = message["text"]
        return text

    def hear_rest(self) -> tuple[list[dict[str, Any]], int]:
        """Wait for everything until the server closes; return the close code too."""
        heard = []
        try:
            while True:
                heard.append(self.hear())
        except ConnectionClosed as error:
            close = error.rcvd
        assert close is not None, "closed without a close frame"
        return heard, close.code

    def say(self, text: str | bytes) -> None:
        self.socket.send(text)


def hear_until(one: Member, kind: str, whose: str) -> list[dict[str, Any]]:
    """Return what somebody hears, up to the first message of this kind and of whom has this id."""
    heard = [one.hear()]
    while (heard[-1]["kind"], heard[-1]["id"]) != (kind, whose):
        heard.append(one.hear())
    return heard


@contextlib.contextmanager
def member(server: ServerProcess, name: str, room: str = "lobby", **query: str) -> Iterator[Member]:
    """Come into a room; leave it in the end."""
    query |= {"name": name, "room": room}
    url = f"ws://127.0.0.1:{server.port}/chat?{urlencode(query)}"
    with connect(url, open_timeout=PATIENCE, close_timeout=PATIENCE) as socket:
        yield Member(socket)


@contextlib.contextmanager
def one_in_each(server: ServerProcess, room: str, *, but: Collection[int] = ()) -> Iterator[list[Member]]:
    """Have a member in each worker, but for some that are about to end."""
    workers = set(server.workers()) - set(but)
    deadline = time.monotonic() + PATIENCE
    with contextlib.ExitStack() as stack:
        found: dict[int, Member] = {}
        while set(found) != workers:
            if time.monotonic() > deadline:
                raise NeverHappened(f"a member in each of {workers}; there are some in {list(found)}")
            with contextlib.ExitStack() as attempt:
                one = attempt.enter_context(member(server, f"member {len(found)}", room))
                if one.worker not in found:
                    found[one.worker] = one
                    stack.enter_context(attempt.pop_all())
        yield list(found.values())


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    with ServerProcess(CHAT, "--workers", "2") as running:
        yield running


def test_everyone_in_a_room_hears_everyone(server: ServerProcess) -> None:
    """Also who speaks; each in their own order, whichever workers they are in."""
    with one_in_each(server, "talk") as members, member(server, "third", "talk") as third:
        assert len({one.worker for one in members}) == 2
        for one in members:
            one.say(f"I am {one.worker}")
            for listener in (*members, third):
                assert listener.hear_said() == f"I am {one.worker}"


def test_a_message_says_whose_it_is(server: ServerProcess) -> None:
    """As it was sent, whatever it is: nothing is escaped or cut off on its way."""
    with member(server, "Zoë <b>", "mark-up") as one:
        assert one.hear() == {"kind": "came", **one.is_known_as}
        text = '<script>alert("é")</script>\n\\ \U0001f44b ' + "x" * 900
        one.say(text)
        assert one.hear() == {"kind": "said", "text": text, **one.is_known_as}
        assert one.is_known_as["name"] == "Zoë <b>"


def test_rooms_are_apart(server: ServerProcess) -> None:
    with one_in_each(server, "first") as members, one_in_each(server, "sec/ond") as others:
        for one in members:
            one.say("for the first room")
        for other in others:
            other.say("for the second room")
        for other in others:
            assert [other.hear_said() for _ in others] == ["for the second room"] * 2


def test_the_room_learns_who_comes_and_goes(server: ServerProcess) -> None:
    """Not if it is only the worker that goes: its clients come back."""
    with one_in_each(server, "door") as members:
        with member(server, "guest", "door") as guest:
            known = guest.is_known_as
        # What two workers say has no order, and the next one may be in another than the guest was.
        heard = [hear_until(one, "left", known["id"]) for one in members]
        with member(server, "nobody", "door", again="true") as silent:
            silent.say("I never left")
        for one, before in zip(members, heard, strict=True):
            messages = [*before, *hear_until(one, "said", silent.is_known_as["id"])]
            of_guest = [message for message in messages if message["id"] == known["id"]]
            assert of_guest == [{"kind": "came", **known}, {"kind": "left", **known}]
            assert not [one for one in messages if (one["name"], one["kind"]) == ("nobody", "came")]


def test_what_is_no_message_is_refused(server: ServerProcess) -> None:
    """Only who sent it is told, and may go on."""
    with member(server, "one", "rules") as one, member(server, "other", "rules") as other:
        for wrong in ("x" * (LONGEST + 1), b"bytes"):
            one.say(wrong)
            while (answer := one.hear())["kind"] != "refused":
                assert answer["kind"] == "came"
            assert str(LONGEST) in answer["text"]
        one.say(" \n ")
        one.say("x" * LONGEST)
        for listener in (one, other):
            assert listener.hear_said() == "x" * LONGEST


@pytest.mark.parametrize("query", ["", "name=", "name=" + 41 * "x", "name=a&room=" + 41 * "x"])
def test_who_has_no_good_name_is_not_let_in(server: ServerProcess, query: str) -> None:
    with (
        pytest.raises(InvalidStatus, match="403"),
        connect(f"ws://127.0.0.1:{server.port}/chat?{query}", open_timeout=PATIENCE),
    ):
        pass


def test_a_reload_sends_everyone_back_without_a_word_to_the_others() -> None:
    """Who comes back hears what is said from then on; nobody was told that they had left."""
    with ServerProcess(CHAT, "--workers", "2") as server, one_in_each(server, "reload") as members:
        server.signal(SIGHUP)
        for one in members:
            heard, code = one.hear_rest()
            assert code == 1012
            left = {message["id"] for message in heard if message["kind"] == "left"}
            assert not left & {member.is_known_as["id"] for member in members}
        server.wait_line("Reload done")
        old = [one.worker for one in members]
        with one_in_each(server, "reload", but=old) as back:
            back[0].say("here again")
            assert [one.hear_said() for one in back] == ["here again"] * 2
        assert server.stop() == 0
        assert "Traceback" not in server.stderr.text


class TestPage:
    def test_its_policy_admits_its_own_script_and_style_only(self, server: ServerProcess) -> None:
        """By a word that is another one each time; and it asks for nothing from elsewhere."""
        answers = [server.get("/") for _ in range(2)]
        nonces: list[str] = []
        for answer in answers:
            assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
            found = set(
                re.findall(r'nonce[-=]"?([\w-]+)', answer.text + answer.headers["content-security-policy"])
            )
            assert len(found) == 1
            nonces += found
            assert len(re.findall(r"<(?:style|script)\b", answer.text)) == 2
            assert not re.findall(r"\b(?:src|href)=\"(?!data:)|@import|\bon\w+=\"|style=\"", answer.text)
        assert len(set(nonces)) == 2

    def test_it_knows_the_limits(self, server: ServerProcess) -> None:
        """Those of the server, so that nothing typed there is refused."""
        assert re.findall(r'maxlength="(\d+)"', server.get("/").text) == ["40", "40", str(LONGEST)]
