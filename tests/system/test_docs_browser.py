"""The documentation site in a browser: nothing is wider than a phone; palettes and search work."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.browser import chromium, window
from tests.support.pages import ROOT
from tests.support.server_waits import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

pytestmark = [pytest.mark.system, pytest.mark.timeout(10 * PATIENCE)]  # a browser takes its time
#: Those with the widest tables and the longest lines.
PAGES = [
    "",
    "tutorial/reload/",
    "reference/settings/",
    "reference/config-file/",
    "architecture/",
    "operations/",
]
#: What sticks out of the screen without being in something that scrolls.
STICKING_OUT = """() => [...document.querySelectorAll('.md-content *')].filter(each => {
    if (each.getBoundingClientRect().right <= innerWidth + 1) return false;
    for (let outer = each.parentElement; !outer.matches('.md-content'); outer = outer.parentElement)
        if (/auto|scroll|hidden/.test(getComputedStyle(outer).overflowX)) return false;
    return true;
}).map(each => each.outerHTML.slice(0, 100))"""


class _Silent(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def site(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Build it, and serve it at the URL that is returned; not where there is no browser."""
    directory = tmp_path_factory.mktemp("site")
    subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", str(directory)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        check=True,
    )
    with ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(_Silent, directory=str(directory))
    ) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_pages_are_as_wide_as_a_phone_and_fetch_nothing_from_elsewhere(browser: Browser, site: str) -> None:
    asked: list[str] = []
    with window(browser, width=390) as page:
        page.on("request", lambda request: asked.append(request.url))
        for path in PAGES:
            page.goto(site + path)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
            assert page.evaluate(STICKING_OUT) == [], path
    assert [url for url in asked if not url.startswith((site, "data:", "blob:"))] == []


def test_the_palette_is_that_of_the_system(browser: Browser, site: str) -> None:
    colours = set()
    for scheme in ("light", "dark"):
        with window(browser, scheme=scheme) as page:
            page.goto(site)
            colours.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert len(colours) == 2


def test_search_finds_a_setting(browser: Browser, site: str) -> None:
    """In the browser alone."""
    with window(browser) as page:
        page.goto(f"{site}tutorial/reload/")
        page.get_by_role("textbox", name="Search").fill("drain_idle")
        found = page.locator(".md-search-result__link").first
        found.wait_for()
        assert "/reference/" in (found.get_attribute("href") or "")
