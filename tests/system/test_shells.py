"""Completion in the shells themselves, and the man page in the programs that show it."""

from __future__ import annotations

import os
import re
import select
import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from srvctl.cli.app import everything
from srvctl.cli.completion import FILES
from tests.support.server_waits import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = pytest.mark.system

ROOT = Path(__file__).parents[2]
SCRIPTS: Final = {shell: ROOT / "srvctl/cli/completions" / name for shell, name in FILES.items()}
PAGE = ROOT / "docs/man/srvctl.1"
#: What is typed before the key, and what is offered among others; "" for nothing at all.
OFFERED: Final[Mapping[str, str]] = {
    "srvctl rel": "reload",
    "srvctl sh": "shop:",
    "srvctl --inter": "--interface",
    "srvctl run --inter": "--interface",
    "srvctl shop:app --no-acc": "--no-access-log",
    "srvctl run --interface as": "asgi3",
    "srvctl run --log-level=d": "debug",
    "srvctl run --loop u": "uvloop",
    "srvctl check --workers ": "auto",
    "srvctl run --port ": "",
    "srvctl run -c bl": "blog one.toml",
    "srvctl run --app-dir s": "src",
    "srvctl run --ledger-file n": "none",
    "srvctl stop --n": "--now",
    "srvctl completion z": "zsh",
    "srvctl recycle --wor": "",
}
BASH: Final = """\
source "$1"
compopt() { :; }  # there is no line that is edited
while read -r line; do
    if [[ $line == *'~' ]]; then line="${line%'~'} "; fi
    # As readline divides a line: at blanks, and at = and :, which are words of their own.
    COMP_WORDS=($(sed -E 's/[=:]/ & /g' <<<"$line"))
    if [[ $line == *' ' ]]; then COMP_WORDS+=(""); fi
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    _srvctl
    printf '%s|' "${COMPREPLY[@]}"
    echo
done
"""


def program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in ("shop.py", "blog one.toml"):
        (tmp_path / name).touch()
    (tmp_path / "src").mkdir()
    return tmp_path


def matches(offered: set[str], wanted: str) -> bool:
    return wanted in offered if wanted else not offered


def test_bash_is_offered_what_fits(project: Path) -> None:
    lines = "".join(f"{line[:-1]}~\n" if line.endswith(" ") else f"{line}\n" for line in OFFERED)
    done = subprocess.run(
        [program("bash"), "--norc", "-c", BASH, "bash", str(SCRIPTS["bash"])],
        input=lines,
        text=True,
        capture_output=True,
        check=True,
        cwd=project,
    )
    assert done.stderr == ""
    answers = [set(filter(None, line.split("|"))) for line in done.stdout.splitlines()]
    wrong = [
        (line, found)
        for line, found in zip(OFFERED, answers, strict=True)
        if not matches(found, OFFERED[line])
    ]
    assert not wrong


def test_fish_is_offered_what_fits(project: Path) -> None:
    each = "complete -C (string replace '~' ' ' -- $line); echo ="
    code = f"source {SCRIPTS['fish']}; while read line; {each}; end"
    lines = "".join(f"{line[:-1]}~\n" if line.endswith(" ") else f"{line}\n" for line in OFFERED)
    done = subprocess.run(
        [program("fish"), "--no-config", "-c", code],
        input=lines,
        text=True,
        capture_output=True,
        check=True,
        cwd=project,
        env={**os.environ, "HOME": str(project)},
    )
    assert done.stderr == ""
    answers = [
        {entry.partition("\t")[0].rstrip("/").rpartition("=")[2] for entry in answer.split("\n") if entry}
        for answer in re.split("^=\n", done.stdout, flags=re.MULTILINE)[:-1]
    ]
    wrong = [
        (line, found)
        for line, found in zip(OFFERED, answers, strict=True)
        if not matches(found, OFFERED[line])
    ]
    assert not wrong


class Terminal:
    """A shell that believes to be used by a person."""

    def __init__(self, *command: str, directory: Path) -> None:
        self._side, other = os.openpty()
        env = {**os.environ, "HOME": str(directory), "TERM": "dumb", "PS1": "$ "}
        self._process = subprocess.Popen(
            command, stdin=other, stdout=other, stderr=other, start_new_session=True, cwd=directory, env=env
        )
        os.close(other)
        self.text = ""

    def type(self, text: str) -> None:
        os.write(self._side, text.encode())

    def wait_for(self, wanted: str) -> None:
        """Read until it shows something; what was shown before does not count."""
        until, self.text = time.monotonic() + PATIENCE, ""
        while wanted not in self.text:
            readable, _, _ = select.select([self._side], [], [], max(0.0, until - time.monotonic()))
            assert readable, f"{wanted!r} is not in {self.text!r}"
            self.text += os.read(self._side, 65536).decode(errors="replace")

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._side)


@pytest.mark.parametrize(
    ("shell", "flags", "setup"),
    [
        ("bash", ["--norc", "--noprofile", "-i"], ""),
        ("zsh", ["-f", "-i"], "autoload -Uz compinit; compinit -u -D; "),
    ],
)
def test_a_key_completes_what_is_typed(shell: str, flags: list[str], setup: str, project: Path) -> None:
    """A flag, a word behind it, a file with a blank, and a module that there is more to type behind."""
    terminal = Terminal(program(shell), *flags, directory=project)
    try:
        terminal.type(f"{setup}source {SCRIPTS[shell]}; echo loa''ded\n")
        terminal.wait_for("loaded")
        for typed, shown in {
            "srvctl run --interf\t": "--interface",
            "asgi3 --log-level=deb\t": "debug",
            " -c bl\t": r"one.toml",
            " sho\tapp": "shop:app",
        }.items():
            terminal.type(typed)
            terminal.wait_for(shown)
    finally:
        terminal.close()


def test_the_man_page_is_shown_with_every_flag_whole() -> None:
    page = subprocess.run(
        [program("man"), "--warnings", "-E", "UTF-8", "-l", str(PAGE)],
        env={**os.environ, "MANWIDTH": "60", "MAN_KEEP_FORMATTING": "", "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert page.stderr == ""
    words = set(page.stdout.replace(",", " ").split())
    names = {name for command in everything() for flag in command.flags for name in flag.names}
    assert names - words <= {"-h", "--help"}


def test_mandoc_has_nothing_to_complain_about() -> None:
    """But that there is no date, which would change the page though nothing else has."""
    done = subprocess.run(
        [program("mandoc"), "-T", "lint", "-W", "warning", str(PAGE)],
        capture_output=True,
        text=True,
        check=False,
    )
    complaints = [line for line in (done.stdout + done.stderr).splitlines() if "missing date" not in line]
    assert complaints == []
