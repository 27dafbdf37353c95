"""The script in HTML that comes in pieces: once, in the right place, and nothing is lost."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srvctl.dev.injection import Injector

SCRIPT = b"<script async></script>"
PAGES = st.lists(
    st.sampled_from(
        [b"</body>", b"</BODY >", b"</bo", b"dy>", b"<", b"</", b"text", b"</html>", b"\xff", b"x" * 70000]
    ),
    max_size=8,
).map(b"".join)


def inject(pieces: list[bytes]) -> bytes:
    injector = Injector(SCRIPT)
    return b"".join([*map(injector.feed, pieces), injector.end()])


def cut(page: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({0, len(page), *(place % (len(page) + 1) for place in places)})
    return [page[begin:end] for begin, end in pairwise(edges)]


@given(PAGES, st.lists(st.integers(0, 600_000)))
def test_nothing_is_lost_and_the_script_is_there_once(page: bytes, places: list[int]) -> None:
    whole = inject(cut(page, places))
    assert whole.count(SCRIPT) == 1
    assert whole.replace(SCRIPT, b"") == page
    tag, end = page.lower().rfind(b"</body"), len(page)
    at = whole.index(SCRIPT)
    assert at == tag if tag >= 0 and end - tag < 65536 else at in {tag, end}


@given(st.sampled_from([b"<p>a</p></body></html>", b"</body></body>", b"</bo</body>"]))
def test_a_tag_may_be_cut_anywhere(page: bytes) -> None:
    expected = page[: page.rfind(b"</body")] + SCRIPT + page[page.rfind(b"</body") :]
    assert inject([page[at : at + 1] for at in range(len(page))]) == expected
    for at in range(len(page)):
        assert inject([page[:at], page[at:]]) == expected


@pytest.mark.parametrize("piece", [b"<p>", b"<p></bod</p>", b"text <b"])
def test_what_is_not_the_end_is_sent_at_once(piece: bytes) -> None:
    injector = Injector(SCRIPT)
    assert injector.feed(piece) + injector.end() == piece + SCRIPT
    assert Injector(SCRIPT).feed(piece + b" ") == piece + b" "


def test_a_page_that_goes_on_is_not_held_for_ever() -> None:
    injector = Injector(SCRIPT)
    assert injector.feed(b"a</body>") == b"a"
    sent = b"".join(injector.feed(b"x" * 1000) for _ in range(100))
    assert sent.startswith(b"</body>xxx")
    assert injector.feed(b"y").endswith(b"y")
    assert injector.end() == SCRIPT
