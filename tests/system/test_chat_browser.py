"""The chat among the examples as people use it: pages in a browser, whose sockets two workers share."""

from __future__ import annotations

import contextlib
import itertools
import re
import time
from signal import SIGHUP
from typing import TYPE_CHECKING, Literal

import pytest

from tests.support.browser import chromium, window
from tests.support.server import ServerProcess
from tests.support.server_waits import PATIENCE, NeverHappened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Locator, Page

pytestmark = [pytest.mark.system, pytest.mark.timeout(10 * PATIENCE)]  # a browser takes its time

CHAT = "examples.chat:app"
#: What the console says of a server that has just gone.
AWAY = "ERR_CONNECTION_(REFUSED|RESET)"
MARK_UP = '<b>bold</b><img src="x" onerror="document.title = 1"><script>document.title = 1</script>&amp;'


class ChatPage:
    """Somebody at a page of the chat."""

    def __init__(self, page: Page, url: str, name: str, room: str) -> None:
        self.page, self.name = page, name
        page.goto(f"{url}/?room={room}")
        page.get_by_label("Your name").fill(name)
        page.get_by_role("button", name="Join").click()
        self.wait_worker()

    def wait_worker(self, but: str = "-") -> int:
        """Wait until it is connected to a worker, but not to those; return its pid."""
        words = re.compile(rf"Connected to worker (?!(?:{but})$)(\d+)$")
        self.page.get_by_role("status").filter(has_text=words).wait_for()
        return int(self.page.get_by_role("status").inner_text().split()[-1])

    def say(self, text: str) -> None:
        self.box.fill(text)
        self.box.press("Enter")

    @property
    def box(self) -> Locator:
        return self.page.get_by_role("textbox", name="Message")

    @property
    def said(self) -> Locator:
        """What was said."""
        return self.page.locator("#log .bubble")

    def wait_said(self, *texts: str) -> None:
        """Wait for the last of these; they must be all that was said, in this order."""
        self.said.filter(has_text=re.compile(f"^{re.escape(texts[-1])}$")).first.wait_for()
        assert self.said.all_inner_texts() == list(texts)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@contextlib.contextmanager
def one_in_each(browser: Browser, server: ServerProcess, room: str) -> Iterator[list[ChatPage]]:
    """Open pages until each worker has one."""
    workers, numbers = server.workers(), itertools.count()
    deadline = time.monotonic() + 3 * PATIENCE
    with contextlib.ExitStack() as stack:
        found: dict[int, ChatPage] = {}
        while set(found) != set(workers):
            if time.monotonic() > deadline:
                raise NeverHappened(f"a page in each of {workers}; there are some in {list(found)}")
            with contextlib.ExitStack() as attempt:
                page = attempt.enter_context(window(browser))
                one = ChatPage(page, server.url, f"member {next(numbers)}", room)
                if (worker := one.wait_worker()) not in found:
                    found[worker] = one
                    stack.enter_context(attempt.pop_all())
        yield list(found.values())


@pytest.fixture(scope="module")
def server(browser: Browser) -> Iterator[ServerProcess]:
    with ServerProcess(CHAT, "--workers", "2") as running:
        yield running


def test_pages_in_different_workers_talk(browser: Browser, server: ServerProcess) -> None:
    """A message reaches all of the room, who said it too."""
    with one_in_each(browser, server, "talk") as pages:
        said = []
        for number, page in enumerate(pages):
            said.append(f"hello from {number}")
            page.say(said[-1])
            for listener in pages:
                listener.wait_said(*said)
        names = pages[1].page.locator("#log .who b").all_inner_texts()
        assert names == [pages[0].name, "You"]


def test_mark_up_is_text(browser: Browser, server: ServerProcess) -> None:
    """In messages as in names and rooms; nothing of it is run."""
    with window(browser) as window_:
        page = ChatPage(window_, server.url, "<i>name</i>", "<u>room%2F</u>")
        page.say(MARK_UP)
        page.wait_said(MARK_UP)
        assert window_.get_by_text("You have joined").count() == 1
        assert window_.get_by_role("heading", level=1).inner_text() == window_.title() == "<u>room/</u>"
        assert window_.locator("main :is(b:not(.who b), i, u, img, script)").count() == 0


def test_pages_come_back_after_a_reload_and_go_on(browser: Browser) -> None:
    """By themselves; nobody is told that anybody left, and a message half written stays."""
    with ServerProcess(CHAT, "--workers", "2") as server:
        with one_in_each(browser, server, "reload") as pages:
            old = "|".join(map(str, server.workers()))
            pages[0].say("before")
            pages[1].wait_said("before")
            pages[1].box.fill("half a mess")
            server.signal(SIGHUP)
            for page in pages:
                page.wait_worker(but=old)
            server.wait_line("Reload done")
            pages[1].box.press_sequentially("age")
            pages[1].box.press("Enter")
            for page in pages:
                page.wait_said("before", "half a message")
            pages[0].say("after")
            for page in pages:
                page.wait_said("before", "half a message", "after")
                notes = page.page.locator("#log .note").all_inner_texts()
                assert not {f"{other.name} has left" for other in pages} & set(notes)
        assert server.stop() == 0
        assert "Traceback" not in server.stderr.text


def test_who_leaves_is_gone(browser: Browser, server: ServerProcess) -> None:
    """And may come again."""
    with window(browser) as first, window(browser) as second:
        staying = ChatPage(first, server.url, "staying", "door")
        leaving = ChatPage(second, server.url, "leaving", "door")
        second.get_by_role("button", name="Leave").click()
        first.get_by_text("leaving has left").wait_for()
        second.get_by_role("button", name="Join").click()
        leaving.wait_worker()
        staying.say("welcome back")
        leaving.wait_said("welcome back")


def test_what_is_written_while_the_server_is_away_stays(browser: Browser) -> None:
    """The page says that it tries again, and sends nothing."""
    with ServerProcess(CHAT) as server, window(browser, expected=AWAY) as page:
        one = ChatPage(page, server.url, "one", "away")
        assert server.stop() == 0
        page.get_by_role("status").filter(has_text="Reconnecting").wait_for()
        one.say("to be sent later")
        assert one.box.input_value() == "to be sent later"
        assert page.get_by_role("button", name="Send").is_disabled()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 390, 1100])
def test_it_fits_the_screen(
    browser: Browser, server: ServerProcess, scheme: Literal["light", "dark"], width: int
) -> None:
    """Nothing has to be scrolled sideways, and the last message is in sight."""
    with window(browser, width=width, scheme=scheme) as page:
        one = ChatPage(page, server.url, "w" * 40, "r" * 40)
        said = ["x" * 300, *(f"message {number}" for number in range(15))]
        for text in said:
            one.say(text)
        one.wait_said(*said)
        with window(browser) as elsewhere:
            ChatPage(elsewhere, server.url, "other", "r" * 40).say("last")
            one.wait_said(*said, "last")
        for element in ("document.documentElement", "document.getElementById('log')"):
            assert page.evaluate(f"{element}.scrollWidth <= {element}.clientWidth")
        box, room = one.said.last.bounding_box(), page.locator("#say").bounding_box()
        assert box
        assert room
        assert box["y"] + box["height"] <= room["y"]
