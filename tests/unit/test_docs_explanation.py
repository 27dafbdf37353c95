"""The pages that explain say what the code does: diagrams from its tables, promises with their tests."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from scripts.diagrams import FOLDER, PAGE, Diagram, blocks, diagrams, is_drawn, page_with
from scripts.response_order import explored
from srvctl.supervisor.lifecycle import TRANSITIONS

ROOT = Path(__file__).parents[2]
PROMISES = ROOT / "docs/explanation/zero-loss.md"
#: A test as the pages name it: its file below tests/, its class where it has one, its function.
NAMED = re.compile(r"`((?:process|system|unit|props|conformance)/[^`]*\.py::[^`]*)`")
DIAGRAMS = diagrams()


def names_in(file: Path) -> set[str]:
    """The names of the tests of a file, behind that of the file."""
    found = set()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        inside = node.body if isinstance(node, ast.ClassDef) else [node]
        prefix = f"{node.name}::" if isinstance(node, ast.ClassDef) else ""
        found |= {f"{prefix}{each.name}" for each in inside if isinstance(each, ast.FunctionDef)}
    return found


class TestDiagrams:
    @pytest.mark.parametrize("diagram", DIAGRAMS, ids=lambda diagram: diagram.name)
    def test_each_shows_what_the_code_has(self, diagram: Diagram) -> None:
        """Else: python -m scripts.diagrams."""
        assert is_drawn(diagram)

    def test_the_tables_are_those_of_the_code(self) -> None:
        """Else: python -m scripts.diagrams."""
        text = PAGE.read_text(encoding="utf-8")
        assert page_with(blocks(), text) == text

    def test_no_drawing_is_left_over(self) -> None:
        """Each is on the page, with a text for those who do not see it."""
        shown = re.findall(r"!\[[^\]]{20,}\]\(diagrams/(\w+)\.svg\)", PAGE.read_text(encoding="utf-8"))
        assert sorted(shown) == sorted(file.stem for file in FOLDER.iterdir())
        assert sorted(shown) == sorted(diagram.name for diagram in DIAGRAMS)

    def test_a_drawing_loads_nothing(self) -> None:
        """It is read where there may be no network."""
        for file in FOLDER.iterdir():
            text = file.read_text(encoding="utf-8")
            assert not re.search(r"<script|href=|url\(|@import", text), file

    def test_a_change_of_a_table_is_seen(self) -> None:
        """A drawing of other moves is none of these."""
        [worker] = [one for one in DIAGRAMS if one.name == "worker"]
        assert not is_drawn(Diagram("worker", worker.moves[:-1], worker.marked))
        assert len(worker.moves) == sum(map(len, TRANSITIONS.values()))

    def test_a_page_without_a_place_is_refused(self) -> None:
        """A table that nobody sees is a mistake."""
        with pytest.raises(ValueError, match="0 places"):
            page_with({"none": ""}, "# A page\n")


def test_every_response_can_be_completed() -> None:
    """From each state that was found messages lead to the end, and none leads out of it."""
    moves = explored()
    ends = {"complete"}
    while more := {before for before, after, _ in moves if after in ends} - ends:
        ends |= more
    assert ends == {state for before, after, _ in moves for state in (before, after)}
    assert "complete" not in {before for before, _, _ in moves}


class TestPromises:
    @pytest.mark.parametrize("page", sorted(PROMISES.parent.glob("*.md")), ids=lambda page: page.stem)
    def test_named_tests_exist(self, page: Path) -> None:
        """Whoever doubts can run them."""
        for named in NAMED.findall(page.read_text(encoding="utf-8")):
            file, _, name = named.partition("::")
            assert name in names_in(ROOT / "tests" / file), named

    def test_each_line_names_its_test(self) -> None:
        """What no test shows is not promised, and what is lost is shown as well."""
        text = PROMISES.read_text(encoding="utf-8")
        for heading in ("What is promised", "What is not promised"):
            section = text.partition(f"## {heading}\n")[2].partition("\n## ")[0]
            lines = re.split(r"^- ", section, flags=re.MULTILINE)[1:]
            assert len(lines) > 5
            for line in lines:
                assert NAMED.search(line), line

    @pytest.mark.parametrize("page", sorted(PROMISES.parent.glob("*.md")), ids=lambda page: page.stem)
    def test_each_page_says_first_what_it_answers(self, page: Path) -> None:
        """So that nobody reads the wrong one to its end."""
        assert page.read_text(encoding="utf-8").splitlines()[2].startswith("This page answers:")
