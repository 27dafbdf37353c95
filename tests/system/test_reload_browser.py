"""``--reload-browser`` as people see it: a page that is open shows what was saved, by itself."""

from __future__ import annotations

import re
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.support.browser import chromium, window
from tests.support.ports import reserve_port
from tests.support.server import ServerProcess
from tests.support.server_waits import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.system, pytest.mark.timeout(10 * PATIENCE)]  # a browser takes its time

APP = """
async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    headers = [(b"content-type", b"text/html"), (b"content-security-policy", b"script-src 'self'")]
    status = 404 if scope["path"] == "/favicon.ico" else 200
    await send({{"type": "http.response.start", "status": status, "headers": headers}})
    body = b"<!doctype html><title>{text}</title><body><h1>{text}</h1></bo"
    await send({{"type": "http.response.body", "body": body, "more_body": True}})
    await send({{"type": "http.response.body", "body": b"dy></html>"}})
{more}
"""
FLAGS = ("--reload", "--reload-browser", "--reload-grace", "0.3")
#: What the console says of an error page, of its icon, and of a server that is away.
NOISE = "status of (500|404)|ERR_(CONNECTION_(REFUSED|RESET)|INCOMPLETE_CHUNKED_ENCODING|EMPTY_RESPONSE)"


def save(path: Path, text: str, more: str = "") -> None:
    fresh = path.with_name(f".{path.name}.tmp")
    fresh.write_text(APP.format(text=text, more=more), encoding="utf-8")
    fresh.replace(path)


def wait_loads(page: Page, loads: list[str], *titles: str) -> None:
    """Wait until the browser has told of so many pages: their titles are those that they had then."""
    deadline = time.monotonic() + PATIENCE
    while len(loads) < len(titles) and time.monotonic() < deadline:
        page.wait_for_timeout(20)
    assert loads == [*titles]


def wait_heading(page: Page, text: str) -> None:
    page.get_by_role("heading", level=1).filter(has_text=re.compile(text)).wait_for()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def main(tmp_path: Path) -> Path:
    path = tmp_path / "main.py"
    save(path, "one")
    return path


def test_open_pages_show_what_was_saved(browser: Browser, main: Path) -> None:
    """Once each, in spite of code in between that does not work; one that comes back to be seen, then."""
    with ServerProcess("main:app", *FLAGS, cwd=main.parent) as server:
        server.wait_line("Will watch for changes")
        with window(browser, expected=NOISE) as page, window(browser, expected=NOISE) as hidden:
            loads: list[str] = []
            page.on("domcontentloaded", lambda _: loads.append(page.title()))
            for one in (page, hidden):
                with one.expect_request("**/__srvctl__/reload"):
                    one.goto(server.url)
            show(hidden, "hidden")
            save(main, "broken", "raise ValueError('half a thought')")
            server.wait_line("ValueError: half a thought")
            save(main, "two")
            wait_heading(page, "two")
            wait_loads(page, loads, "one", "two")
            save(main, "three")
            wait_heading(page, "three")
            wait_loads(page, loads, "one", "two", "three")
            assert loads == ["one", "two", "three"]
            assert hidden.title() == "one"
            show(hidden, "visible")
            wait_heading(hidden, "three")
        assert server.stop() == 0


def show(page: Page, state: str) -> None:
    """Have the page believe that it is seen, or not: a browser without a window shows all of them."""
    page.evaluate(
        f"Object.defineProperty(document, 'visibilityState', {{value: '{state}', configurable: true}});"
        "document.dispatchEvent(new Event('visibilitychange'))"
    )


def test_an_error_page_follows_what_is_saved(browser: Browser, main: Path) -> None:
    """From one error to the next, and to the application once it works."""
    save(main, "never", "raise ValueError('<script>document.title = 1</script>')")
    with ServerProcess("main:app", *FLAGS, cwd=main.parent) as server:
        server.wait_line("Will watch for changes")
        with window(browser, expected=NOISE) as page:
            page.goto(server.url)
            wait_heading(page, "raised ValueError")
            assert page.locator(".error").inner_text() == "ValueError: <script>document.title = 1</script>"
            assert 'main.py", line' in page.locator("pre").inner_text()
            save(main, "never", "raise KeyError('another')")
            wait_heading(page, "raised KeyError")
            save(main, "works")
            wait_heading(page, "works")


def test_a_page_comes_back_with_the_server(browser: Browser, main: Path) -> None:
    """It may have been stopped for longer."""
    with ExitStack() as held:
        bind = f"127.0.0.1:{reserve_port(held)}"
        with (
            ServerProcess("main:app", *FLAGS, cwd=main.parent, bind=bind) as server,
            window(browser, expected=NOISE) as page,
        ):
            page.goto(server.url)
            wait_heading(page, "one")
            assert server.stop() == 0
            page.wait_for_event("requestfailed")
            save(main, "two")
            with ServerProcess("main:app", *FLAGS, cwd=main.parent, bind=bind):
                wait_heading(page, "two")
