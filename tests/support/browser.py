"""A real browser: Chromium without a window, driven by playwright."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Final, Literal

import pytest

from tests.support.front_proxy import program
from tests.support.server_waits import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

#: The first because tests may run as root, the others because machines may have neither.
_FLAGS: Final = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """Start Chromium; skip the test where it, or playwright, is missing."""
    path = program("chromium")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=_FLAGS, timeout=PATIENCE * 3000)
        try:
            yield browser
        finally:
            browser.close()


@contextlib.contextmanager
def window(
    browser: Browser, *, width: int = 1100, scheme: Literal["light", "dark"] = "light", expected: str = "$^"
) -> Iterator[Page]:
    """Open a page that shares nothing with others; nothing may go wrong in it, but for what is expected.

    Args:
        browser: Where.
        width: Of what is visible of it.
        scheme: Of its colours.
        expected: A pattern for what its console may complain of.
    """
    troubles: list[str] = []
    with contextlib.closing(
        browser.new_context(viewport={"width": width, "height": 760}, color_scheme=scheme)
    ) as context:
        context.set_default_timeout(PATIENCE * 1000)
        page = context.new_page()
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
        yield page
    unexpected = [trouble for trouble in troubles if not re.search(expected, trouble)]
    assert not unexpected
