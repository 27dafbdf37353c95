"""What a reader copies from the documentation is understood: commands by srvctl, files by who reads them.

Python is run by tests/process/test_docs_python.py, the tutorial by tests/process/test_tutorial.py. A piece
that cannot be is preceded by a comment that says why, and counted here.
"""

from __future__ import annotations

import configparser
import importlib
import re
import tomllib
from collections import Counter
from typing import TYPE_CHECKING

import pytest
import yaml

from srvctl.errors import SrvctlError
from tests.support.command_lines import check, of_page
from tests.support.pages import ROOT, blocks_of, pages

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.pages import Block

BLOCKS = [block for page in pages() for block in blocks_of(page)]
#: How many pieces of each language no test carries out, for the reason that stands before each.
NOT_RUN = {"python": 3, "sh": 2}


def of(*languages: str) -> pytest.MarkDecorator:
    wanted = [block for block in BLOCKS if block.language in languages]
    assert wanted, f"no page has {languages}"
    return pytest.mark.parametrize("block", wanted, ids=lambda block: block.name)


def test_what_is_not_run_says_why_and_is_counted() -> None:
    """More of them need a better reason than that it is easier."""
    left = [block for block in BLOCKS if block.reason]
    assert Counter(block.language for block in left) == NOT_RUN, [block.name for block in left]


@pytest.mark.parametrize(
    "page",
    [page for page in pages() if page.name != "CHANGELOG.md"],  # which tells of mistakes, and of what was
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_srvctl_understands_its_command_lines(page: Path) -> None:
    """Commands, flags and values; files that they name need not be there."""
    for line in of_page(page):
        try:
            check(line.words)
        except SrvctlError as error:
            pytest.fail(f"{line.where}: {line}: {error}")


def test_there_are_command_lines() -> None:
    """Or the test above would hold for nothing."""
    assert sum(1 for page in pages() for _ in of_page(page)) > 150


@of("sh", "console")
def test_what_else_is_typed_exists(block: Block) -> None:
    """Extras that are installed, targets of make, modules and files of the repository."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for extras in re.findall(r"srvctl\[([\w,]+)\]", block.text):
        assert set(extras.split(",")) <= set(project["optional-dependencies"])
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make ([\w-]+)", block.text, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    for module in re.findall(r"python -m (benchmarks[\w.]*)", block.text):
        importlib.import_module(module)
    for path in re.findall(r"(?<![\w/.])(?:configs|examples|systemd|tests|benchmarks)/[\w./@-]+", block.text):
        assert (ROOT / path).exists(), path


@of("toml", "yaml")
def test_a_file_for_another_program_can_be_read(block: Block) -> None:
    """A title says which; those for srvctl are loaded by test_docs.py."""
    assert tomllib.loads(block.text) if block.language == "toml" else yaml.safe_load(block.text)


@of("ini")
def test_a_unit_can_be_read(block: Block) -> None:
    """As systemd does: keys may come twice, and are as they are written."""
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.read_string(block.text)
    assert set(parser.sections()) <= {"Unit", "Service", "Socket", "Install"}
