"""Python in the documentation is run; an application in it answers. The tutorial's has a test of its own."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.pages import ROOT, blocks_of, pages
from tests.support.server import ServerProcess
from tests.support.server_waits import PATIENCE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.pages import Block

CONTROL = "/run/srvctl/shop.sock"
PYTHON = [
    block
    for page in pages()
    if page.parent.name != "tutorial"
    for block in blocks_of(page)
    if block.language == "python" and not block.reason
]


def run(text: str, tmp_path: Path) -> str:
    file = tmp_path / "page.py"
    file.write_text(text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.page_code", str(file)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=3 * PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "block", [block for block in PYTHON if CONTROL not in block.text], ids=lambda block: block.name
)
def test_it_runs(block: Block, tmp_path: Path) -> None:
    run(block.text, tmp_path)


def test_a_client_of_the_control_socket_gets_its_answer(tmp_path: Path) -> None:
    [block] = [block for block in PYTHON if CONTROL in block.text]
    with ServerProcess() as server:
        [path] = server._directories.runtime.glob("*.sock")
        said = run(block.text.replace(CONTROL, str(path)), tmp_path)
        assert said.splitlines()[-1].startswith("Reload done: generation 2 runs in 1 worker")
