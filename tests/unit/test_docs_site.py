"""The documentation site: what is wrong with a page ends its build, nothing is fetched, links lead there."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.pages import ROOT

if TYPE_CHECKING:
    from pathlib import Path

SPEC = importlib.util.spec_from_file_location("site_hook", ROOT / "scripts/site_hook.py")
assert SPEC is not None
assert SPEC.loader is not None
HOOK: Any = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(HOOK)


def build(flags: str, site: Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", *flags.split(), "--site-dir", str(site)],
        cwd=cwd,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


class TestGate:
    #: As `make test` and `make docs` have it.
    FLAGS = re.findall(
        r"\bmkdocs (build(?: --(?!site-dir)[a-z-]+)*)",
        (ROOT / "scripts/check").read_text() + (ROOT / "Makefile").read_text(),
    )

    @pytest.mark.parametrize(
        ("text", "is_good"),
        [("[a](other.md#part)", True), ("[a](none.md)", False), ("[a](other.md#none)", False)],
    )
    def test_a_wrong_link_ends_the_build(self, text: str, is_good: bool, tmp_path: Path) -> None:
        """With the flags and the validation of this project; --quiet, for one, would hide it."""
        docs = tmp_path / "docs"
        docs.mkdir()
        (docs / "index.md").write_text(f"# Index\n\n{text}\n")
        (docs / "other.md").write_text("# Other\n\n## Part\n")
        (tmp_path / "mkdocs.yml").write_text(
            f"INHERIT: {ROOT}/mkdocs.yml\ndocs_dir: docs\nhooks: []\nnav: [index.md, other.md]\n"
        )
        assert len(self.FLAGS) == 2
        for flags in set(self.FLAGS):
            done = build(flags, tmp_path / "site", tmp_path)
            assert (done.returncode == 0) is is_good, done.stderr


class _Resources(HTMLParser):
    """Collects what a browser fetches to show a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in {"script", "img", "iframe", "source", "video"} and given.get("src"):
            self.found.add(str(given["src"]))
        if tag == "link" and given.get("rel") not in {"canonical", "prev", "next"}:
            self.found.add(str(given.get("href")))


def test_the_site_fetches_nothing_from_elsewhere(tmp_path: Path) -> None:
    """No fonts, scripts or pictures of others; what it names itself is there."""
    done = build("build", tmp_path, ROOT)
    assert done.returncode == 0, done.stderr
    parser = _Resources()
    pages = [page for page in tmp_path.rglob("index.html") if not page.is_relative_to(tmp_path / "files")]
    assert len(pages) > 80
    for page in pages:
        parser.found.clear()
        parser.feed(page.read_text(encoding="utf-8"))
        for link in parser.found:
            assert not re.match(r"(?:[a-z]+:)?//", link), f"{page}: {link}"
            there = tmp_path / link.lstrip("/") if link.startswith("/") else page.parent / link
            assert there.resolve().exists(), f"{page}: {link}"
    for sheet in tmp_path.rglob("*.css"):
        assert not re.search(r"(?:url\(|@import )[\"']?(?:https?:)?//", sheet.read_text(encoding="utf-8"))
    assert (tmp_path / "search/search_index.json").exists()


class TestHook:
    @pytest.mark.parametrize(
        ("source", "text", "wanted"),
        [
            ("docs/index.md", "[a](../README.md#use-it)", "[a](project/readme.md#use-it)"),
            ("docs/index.md", "[a](how-to/tls.md)", "[a](how-to/tls.md)"),
            (
                "docs/how-to/tls.md",
                "[a](../../configs/nginx/http.conf)",
                "[a](../files/configs/nginx/http.conf.md)",
            ),
            ("README.md", "[a](docs/how-to/tls.md#x)", "[a](../how-to/tls.md#x)"),
            ("README.md", "[`a`](docs/asgi.md), `[b](c)`", "[`a`](../asgi.md), `[b](c)`"),
            ("README.md", "[a\nb](docs/asgi.md)", "[a\nb](../asgi.md)"),
            ("README.md", "[a](https://x.example) [b](#c)", "[a](https://x.example) [b](#c)"),
            (
                "README.md",
                "```\n[a](b.md)\n```\n[a](LICENSE)",
                "```\n[a](b.md)\n```\n[a](../files/LICENSE.md)",
            ),
            ("examples/README.md", "[a](chat.py)", "[a](files/examples/chat.py.md)"),
            ("benchmarks/README.md", "[a](ws/)", "[a](files/benchmarks/ws.md)"),
        ],
    )
    def test_links_of_the_repository_become_those_of_the_site(
        self, source: str, text: str, wanted: str
    ) -> None:
        assert HOOK.rewritten(text, source) == wanted

    def test_a_place_and_a_source_belong_together(self) -> None:
        for source in ("README.md", "docs/index.md", "docs/how-to/tls.md", "benchmarks/README.md"):
            assert HOOK.source_of(HOOK.place_of(source)) == source

    def test_a_file_is_shown_whole_and_a_directory_lists_its_files(self) -> None:
        text = (ROOT / "examples/README.md").read_text(encoding="utf-8").rstrip()
        shown = HOOK.shown(ROOT / "examples/README.md")
        assert f"\n````text\n{text}\n````\n" in shown, "its own fences are shorter"
        assert "- [chat.py](examples/chat.py.md)\n" in HOOK.shown(ROOT / "examples")
