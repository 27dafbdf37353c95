"""The dashboard in a browser: with made-up numbers that are known, and with an instance that runs."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import urllib.request
from signal import SIGKILL
from typing import TYPE_CHECKING, Any, Literal

import pytest

from srvctl.console.dashboard import page as dashboard
from tests.support.apps.dashboard import TOKEN
from tests.support.browser import chromium, window
from tests.support.client_load import Load
from tests.support.server import BASIC, ServerProcess
from tests.support.server_waits import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Locator, Page

pytestmark = [pytest.mark.system, pytest.mark.timeout(10 * PATIENCE)]  # a browser takes its time

SECRET = "0123456789abcdef-of-the-console"
#: What the console of the browser says while the server of the page is away, or refuses a token.
NOISE = "status of (503|401|409)|ERR_(CONNECTION_(REFUSED|RESET)|INCOMPLETE_CHUNKED_ENCODING|EMPTY_RESPONSE)"
CROSS = "\N{MULTIPLICATION SIGN}"
MARK_UP = "<img src=x onerror=document.title=1><b>bold</b>"
FAST = 0.02  #: real seconds for one of the played instance
#: All texts that can be seen and their contrast with what is behind them (WCAG 2.2, 1.4.3), if it is too low.
LOW_CONTRAST = """() => {
  const parse = (color) => {
    const [r, g, b, a = 1] = color.match(/[\\d.]+/g).map(Number);
    return color.startsWith("color(") ? [r * 255, g * 255, b * 255, a] : [r, g, b, a];
  };
  const linear = (part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  const channel = (value) => linear(value / 255);
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = parse(getComputedStyle(at).backgroundColor);
      if (color[3] === 1) return color;
    }
    return [255, 255, 255];
  };
  const low = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const isSeen = walker.currentNode.data.trim() && element.checkVisibility();
    if (!isSeen || element.closest("script, .skip, .unseen")) continue;
    const style = getComputedStyle(element);
    const color = parse(element instanceof SVGElement ? style.fill : style.color);
    const both = [light(color), light(behind(element))].sort((a, b) => b - a);
    const contrast = (both[0] + 0.05) / (both[1] + 0.05);
    if (contrast < 4.5) low.push(`${walker.currentNode.data} (${element.tagName}): ${contrast.toFixed(2)}`);
  }
  return low;
}"""


class Played:
    """An instance that does not exist, at a page that shows it."""

    def __init__(self, url: str) -> None:
        self.url = url

    def play(self, **values: Any) -> None:
        """Have it be so from now on."""
        data = json.dumps(values).encode()
        with urllib.request.urlopen(
            urllib.request.Request(f"{self.url}/play", data, method="POST")
        ) as answer:
            assert answer.status == 200

    def posts(self) -> list[str]:
        """Return what it was told to do."""
        with urllib.request.urlopen(f"{self.url}/posts") as answer:
            told: list[str] = json.load(answer)
            return told


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    with ServerProcess("tests.support.apps.dashboard:app", "--workers", "1") as running:
        yield running


@pytest.fixture
def played(server: ServerProcess) -> Played:
    instance = Played(server.url)
    instance.play(reset=True, tick=FAST)
    return instance


def wait_text(where: Locator, pattern: str) -> None:
    where.filter(has_text=re.compile(pattern)).first.wait_for()


def wait_figure(page: Page, name: str, pattern: str) -> None:
    named = page.locator("#figures div").filter(has=page.get_by_text(name, exact=True))
    wait_text(named.locator("dd"), f"^{pattern}$")


def card(page: Page, slot: int) -> Locator:
    return page.locator("#cards li").filter(has=page.get_by_text(f"slot {slot}", exact=True))


def unlock(page: Page, token: str = TOKEN) -> None:
    page.get_by_role("button", name="Unlock").click()
    page.get_by_label("Token").fill(token)
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Reload").wait_for()


def event(kind: str, text: str, level: str = "info", **values: Any) -> dict[str, Any]:
    return {"at": 1_700_000_002.5, "kind": kind, "text": text, "level": level, **values}


def test_the_page_allows_itself_and_nothing_else() -> None:
    """Its policy names its own style and script by their content, and neither makes text into markup."""
    body, headers = dashboard()
    policy = headers["content-security-policy"]
    for tag in (b"style", b"script"):
        (text,) = re.findall(rb"<%b\b[^>]*>(.*?)</%b>" % (tag, tag), body, re.DOTALL)
        assert base64.b64encode(hashlib.sha256(text).digest()).decode() in policy
        assert not re.search(rb"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b", text)
    for part in ("default-src 'none'", "connect-src 'self'", "form-action 'none'", "frame-ancestors 'none'"):
        assert part in policy
    assert not re.search(rb"(?:src|href)=.?(?:https?:)?//", body)


def test_figures_are_those_of_the_last_seconds(browser: Browser, played: Played) -> None:
    """Per second, and by interpolation within the buckets."""
    with window(browser) as page:
        page.goto(played.url)
        for name, pattern in {
            "requests/s": "400", "p50": "3.78 ms", "p99": "75.0 ms", "in flight": "8", "5xx/s": "0",
            "CPU": "1.00", "memory": "326 MiB",
        }.items():  # fmt: skip
            wait_figure(page, name, re.escape(pattern))
        values = card(page, 3).locator("dd").all_inner_texts()
        assert values == ["100", "3.78 ms", "75.0 ms", "2", "11", "0.40 ms", "0.25", "82.8 MiB"]
        assert page.locator("#summary").inner_text() == "● All 4 workers serve."
        facts = page.locator("#facts").inner_text().split()
        assert {"shop.main:app", "http://0.0.0.0:8000", "unix:/run/shop.sock", "7", "0.1.0"} <= set(facts)
        played.play(workers=1)
        wait_figure(page, "requests/s", "100")
        assert page.locator("#cards li").count() == 1


def test_states_differ_by_word_sign_and_border(browser: Browser, played: Played) -> None:
    """And a card stays where it is, whatever becomes of the worker."""
    with window(browser) as page:
        page.goto(played.url)
        wait_figure(page, "requests/s", "400")
        places = [card(page, slot).bounding_box() for slot in range(4)]
        played.play(states={"0": "hung", "1": "draining", "2": "empty"}, second={"1": "booting"})
        wait_text(
            page.locator("#summary"), "1 of 4 workers serves; slot 0 hangs; slots 1, 2 do not serve yet"
        )
        looks = set()
        for slot, state in enumerate(("hung", "booting", "no worker", "ready")):
            shown = card(page, slot)
            sign, word = shown.locator(".state").inner_text().split(maxsplit=1)
            assert word == state
            style = shown.evaluate(
                "(e) => getComputedStyle(e).borderLeftStyle + getComputedStyle(e).borderLeftWidth"
            )
            looks.add((sign, style))
        assert len({sign for sign, _ in looks}) == len({style for _, style in looks}) == 4
        assert "pid 4101 draining" in card(page, 1).locator(".note").inner_text()
        assert [card(page, slot).bounding_box() for slot in range(4)] == places
        assert page.title().endswith("shop")
        assert page.title() != "shop"


def test_what_happened_is_listed_and_marked(browser: Browser, played: Played) -> None:
    """In every plot; what is routine is listed for those who ask. Nothing in it is markup."""
    played.play(
        events=[
            event("worker", "Worker [1] boots.", state="booting", generation=7),
            event("worker", f"Worker [2] is gone: {MARK_UP}", "error", state="gone", pid=2, generation=7),
            event("reload", "Reload done: generation 8 serves.", state="done", generation=8),
            event("worker", "Worker [3] is gone: replaced by a reload.", state="gone", generation=7),
        ]
    )
    with window(browser) as page:
        page.goto(played.url)
        listed = page.locator("#events li:visible")
        wait_text(listed, "is gone: <img src=x onerror=document.title=1><b>bold</b>")
        texts = [listed.locator(part).all_inner_texts() for part in (".sign", ".text")]
        assert sorted(zip(*texts, strict=True)) == [
            (CROSS, f"error Worker [2] is gone: {MARK_UP}"),
            ("▲", "Reload done: generation 8 serves."),
        ]
        assert page.locator("#events img").count() == 0
        for plot in page.locator("figure").all():
            assert plot.locator(".marks text").all_text_contents() == [CROSS, "▲"]
        page.get_by_label("everything").check()
        assert listed.count() == 4


def test_plots_can_be_read_with_keys(browser: Browser, played: Played) -> None:
    """A plot says what it shows; arrow keys move through time in all of them."""
    with window(browser) as page:
        page.goto(played.url)
        wait_figure(page, "requests/s", "400")
        plots = page.get_by_role("slider")
        assert plots.count() == 3
        plots.first.focus()
        page.keyboard.press("ArrowLeft")
        assert plots.first.get_attribute("aria-valuenow") == "-5"
        page.keyboard.press("ArrowRight")
        assert re.fullmatch(
            r"\d\d:\d\d:\d\d: all 400, 5xx 0", plots.first.get_attribute("aria-valuetext") or ""
        )
        assert page.locator(".dot[visibility=visible]").count() == 5
        page.keyboard.press("Escape")
        assert page.locator(".dot[visibility=visible]").count() == 0
        assert "over the last ten minutes, at most 400" in (plots.first.get_attribute("aria-label") or "")


def test_actions_with_keys_alone(browser: Browser, played: Played) -> None:
    """The token is asked for and checked; Escape takes back; a failure shows its traceback, as text."""
    with window(browser) as page:
        page.goto(played.url)
        page.get_by_role("button", name="Unlock").wait_for()
        assert page.get_by_role("button", name="Reload").count() == 0
        focused = page.locator(":focus")
        page.keyboard.press("Tab")
        assert focused.inner_text() == "Skip to the workers"
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        for text, answer in {"two words": "without spaces|not the token", "wrong": "not the token"}.items():
            page.get_by_label("Token").fill(text)
            page.keyboard.press("Enter")
            wait_text(page.get_by_role("alert"), answer)
        page.get_by_label("Token").fill(TOKEN)
        page.keyboard.press("Enter")
        wait_text(focused, "^Reload$")
        page.keyboard.press("Enter")
        assert page.get_by_role("dialog", name="Reload?").is_visible()
        page.keyboard.press("Escape")
        assert focused.get_attribute("id") == "reload"
        assert focused.evaluate("(e) => getComputedStyle(e).outlineStyle") == "solid"
        assert played.posts() == []
        played.play(reload_fails=True)
        page.keyboard.press("Enter")
        page.keyboard.press("Enter")
        wait_text(page.locator("#result pre"), r"ZeroDivisionError: <b>division</b>")
        assert focused.get_attribute("id") == "reload"
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")  # one worker more takes nothing away
        wait_text(page.locator("#summary"), "All 5 workers serve")
        page.get_by_role("button", name="Restart the worker of slot 2").press("Enter")
        page.keyboard.press("Enter")
        wait_text(page.locator("#result-title"), "✓ Restart slot 2")
        assert played.posts() == [
            "/api/reload {}", '/api/scale {"change": 1}', "/api/workers/2/restart {}",
        ]  # fmt: skip
        assert "token" not in page.url
        page.reload()
        page.get_by_role("button", name="Reload").wait_for()
        page.get_by_role("button", name="Lock").click()
        page.get_by_role("button", name="Reload").wait_for(state="hidden")


def test_without_a_token_it_says_why_it_only_shows(browser: Browser, played: Played) -> None:
    played.play(can_act=False)
    with window(browser) as page:
        page.goto(played.url)
        page.get_by_text("Read-only: no token is set").wait_for()
        assert page.get_by_role("group", name="Actions").get_by_role("button").count() == 0


def test_it_goes_on_after_the_stream_was_away(browser: Browser, played: Played) -> None:
    """It says so meanwhile; what is not known is a gap in the lines."""
    with window(browser, expected=NOISE) as page:
        page.goto(played.url)
        wait_figure(page, "requests/s", "400")
        played.play(trouble="The master does not answer.")
        wait_text(page.locator("#summary"), "The master does not answer. This is what was known")
        played.play(trouble="", is_away=True)
        wait_text(page.locator("#summary"), "Connection lost")
        assert "away" in (page.locator("body").get_attribute("class") or "")
        played.play(is_away=False, at=1_700_000_300)
        wait_text(page.locator("#summary"), "All 4 workers serve")
        wait_figure(page, "requests/s", "400")
        assert (page.locator("path.line").first.get_attribute("d") or "").count("M") == 2
        assert "away" not in (page.locator("body").get_attribute("class") or "")


@pytest.mark.parametrize(
    ("scheme", "sizes"), [("light", ((360, 64), (1600, 4))), ("dark", ((360, 1), (1600, 64)))]
)
def test_it_fits_the_screen_and_can_be_read(
    browser: Browser, played: Played, scheme: Literal["light", "dark"], sizes: tuple[tuple[int, int], ...]
) -> None:
    """From one worker on a telephone to 64 on a wide screen; the colours can be chosen, too."""
    for width, workers in sizes:
        played.play(
            reset=True, tick=FAST, workers=workers, states={"1": "hung", "2": "draining"}, is_lively=True,
            events=[event("worker", "Worker [2] of slot 3 is gone: " + "x" * 200, "error", state="gone")],
        )  # fmt: skip
        with window(browser, width=width, scheme=scheme) as page:
            page.goto(played.url)
            wait_text(page.locator("#count"), f"{workers} wanted")
            unlock(page)
            for element in ("document.documentElement", "document.querySelector('#events')"):
                assert page.evaluate(f"{element}.scrollWidth <= {element}.clientWidth")
            assert page.locator("#cards li").count() == workers
            assert page.evaluate(LOW_CONTRAST) == []
            ground = "getComputedStyle(document.body).backgroundColor"
            before = page.evaluate(ground)
            other = "dark" if scheme == "light" else "light"
            while other not in page.locator("#theme").inner_text():
                page.locator("#theme").click()
            assert page.evaluate(ground) != before


def test_an_instance_that_runs(browser: Browser) -> None:
    """Requests are counted; a worker that is killed is in the timeline; a reload can be asked for."""
    flags = ("--workers", "2", "--console", "127.0.0.1:0", "--console-token", SECRET)
    with ServerProcess(BASIC, *flags) as server, window(browser, expected=NOISE) as page:
        page.goto(server.wait_line(r"The console is at (http://\S+)")[1])
        wait_text(page.locator("#summary"), "All 2 workers serve")
        with Load(("127.0.0.1", server.port), keeping=0, renewing=1, pause=0.02):
            wait_figure(page, "requests/s", "[1-9][0-9.]*")
            wait_figure(page, "p99", r".* m?s")
        victim = server.workers()[0]
        os.kill(victim, SIGKILL)
        wait_text(page.locator("#events li"), rf"Worker \[{victim}\] of slot \d is gone: killed by SIGKILL")
        unlock(page, SECRET)
        page.get_by_role("button", name="Reload").click()
        page.get_by_role("dialog").get_by_role("button", name="Reload").click()
        wait_text(page.locator("#result"), "Reload done: generation 2")
        wait_text(page.locator("#events li"), "Reload done: generation 2 serves")
        wait_text(page.locator("#facts"), r"generation\s*2")
        wait_text(page.locator("#summary"), "All 2 workers serve")
