"""The tutorial, word by word: what it tells a reader to do is done, and what it shows is what comes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.pages import ROOT
from tests.support.walk import Walk

if TYPE_CHECKING:
    from pathlib import Path

TUTORIAL = ROOT / "docs/tutorial"
PAGES = ["first-service", "settings", "reload", "look", "service"]


def test_every_command_of_the_tutorial_does_what_is_shown(tmp_path: Path) -> None:
    assert {page.stem for page in TUTORIAL.glob("*.md")} == set(PAGES)
    with Walk(tmp_path) as walk:
        for page in PAGES:
            assert walk.follow(TUTORIAL / f"{page}.md")
