"""The documentation is true where a machine can tell: links, flags, code, exit codes, signals, examples."""

from __future__ import annotations

import ast
import importlib
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from srvctl.cli.app import everything
from srvctl.errors import ExitCode
from srvctl.settings.catalog import catalog
from srvctl.settings.load import load
from srvctl.supervisor.events import ReloadAsked, ScaleAsked, StopAsked, UpgradeAsked
from srvctl.supervisor.signals import _OTHERS, MEANINGS
from tests.support.pages import ROOT, Block, blocks_of, pages, prose_of

if TYPE_CHECKING:
    from pathlib import Path

PAGES = pages()
EXAMPLES = sorted(path.stem for path in (ROOT / "examples").glob("*.py") if path.stem != "__init__")
SHELL = {"sh", "console", "dockerfile"}
#: What can be typed.
COMMAND_LINES = everything()
OWN_FLAGS = {name for command in COMMAND_LINES for flag in command.flags for name in flag.names} | {"--limit"}
COMMANDS = "|".join(command.name for command in COMMAND_LINES)
#: A flag as a page names it: by itself in backquotes, or with its value.
INLINE_FLAG = re.compile(r"`(--[a-z][a-z-]*)(?: [^`]*)?`")
#: Of other programs, with a reason to be named.
FOREIGN_FLAGS = {"--stop-timeout", "--instructions"}


def slugs_of(page: Path) -> set[str]:
    """The anchors that GitHub and most renderers make of headings."""
    headings = re.findall(r"^#+ (.+)$", prose_of(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def rows_of(page: Path, first: str) -> list[list[str]]:
    """The rows of all tables of a page whose first heading begins with a word."""
    rows: list[list[str]] = []
    heading: str | None = None
    for line in prose_of(page).splitlines():
        if not line.startswith("|"):
            heading = None
            continue
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if heading is None:
            heading = cells[0]
        elif heading.startswith(first) and not re.fullmatch(r":?-+:?", cells[0]):
            rows.append(cells)
    return rows


#: Files for other programs, which a title names, are read by test_docs_examples.py.
BLOCKS = [
    block
    for page in PAGES
    for block in blocks_of(page)
    if not (block.language in {"toml", "yaml"} and block.title and not block.title.startswith("srvctl."))
]
BY_PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def blocks(*languages: str) -> pytest.MarkDecorator:
    wanted = [block for block in BLOCKS if block.language in languages]
    assert wanted, f"no page has {languages}"
    return pytest.mark.parametrize("block", wanted, ids=lambda block: block.name)


class TestPages:
    @BY_PAGE
    def test_links_lead_somewhere(self, page: Path) -> None:
        """Files exist, and so do the headings that links name."""
        for link in re.findall(r"\]\(([^)\s]+)\)", prose_of(page)):
            if re.match(r"[a-z]+:", link):
                continue
            path, _, anchor = link.partition("#")
            target = (page.parent / path).resolve() if path else page
            assert target.is_relative_to(ROOT), link
            assert target.exists(), link
            assert not anchor or anchor in slugs_of(target), link

    def test_every_page_can_be_reached_from_the_index(self) -> None:
        """By links alone, as in the repository; a page that no one finds helps no one."""
        found, ahead = set(), {ROOT / "docs/index.md"}
        while ahead:
            page = ahead.pop()
            found.add(page)
            links = re.findall(r"\]\(([^)#\s]+\.md)", prose_of(page))
            ahead |= {(page.parent / link).resolve() for link in links if ":" not in link} & {*PAGES} - found
        assert set(PAGES) - found == set()

    def test_every_decision_says_context_choice_and_price(self) -> None:
        """And its number is that of its file."""
        for page in (ROOT / "docs/adr").glob("*.md"):
            text = page.read_text(encoding="utf-8")
            assert text.startswith(f"# {int(page.name[:4])}. ")
            assert re.findall(r"^## (\w+)$", text, re.MULTILINE)[:3] == ["Context", "Choice", "Price"]


class TestFlags:
    KNOWN = OWN_FLAGS | {
        flag for setting in catalog().values() for flag in (*setting.flags, *setting.option.aliases) if flag
    }

    @BY_PAGE
    def test_named_flags_exist(self, page: Path) -> None:
        """In sentences and tables."""
        known = set(self.KNOWN)
        if page.is_relative_to(ROOT / "benchmarks"):
            sources = [file.read_text(encoding="utf-8") for file in (ROOT / "benchmarks").rglob("*.py")]
            known.update(*(re.findall(r'add_argument\("(--[a-z-]+)"', source) for source in sources))
        assert set(INLINE_FLAG.findall(prose_of(page))) - FOREIGN_FLAGS <= known

    @BY_PAGE
    def test_flags_of_commands_exist(self, page: Path) -> None:
        """In what the reader copies, up to the end of the command."""
        text = "\n".join(
            [block.text for block in blocks_of(page) if block.language in SHELL | {"ini", "toml"}]
            + re.findall(r"`([^`\n]*)`", prose_of(page))
        )
        for command in re.findall(rf"srvctl[\"', ]+(?:{COMMANDS})\b[^\n#|&;]*", text):
            flags = re.findall(r"(?<![\w-])--[a-z][a-z-]*", command)
            assert set(flags) <= self.KNOWN, command

    @BY_PAGE
    def test_named_settings_exist(self, page: Path) -> None:
        """Such as `timeouts.drain_idle`."""
        groups = "|".join({setting.group for setting in catalog().values()} - {"app", "server"})
        named = set(re.findall(rf"`((?:{groups})\.[a-z_]+)`", prose_of(page)))
        foreign = {"http.disconnect", "hooks.before_start"}  # an event of ASGI, a key of circus
        assert {name for name in named if not name.endswith(".py")} - foreign <= set(catalog())


class TestCode:
    @blocks("python")
    def test_python_parses(self, block: Block) -> None:
        """What is shown can be pasted."""
        ast.parse(block.text)

    @blocks("toml", "yaml")
    def test_settings_are_valid(self, block: Block, tmp_path: Path) -> None:
        """What is shown can be saved, and srvctl takes it."""
        file = tmp_path / f"srvctl.{block.language}"
        file.write_text(block.text, encoding="utf-8")
        load({}, {}, file)

    @blocks("sh")
    def test_shell_parses(self, block: Block) -> None:
        """The shell understands it; it is not run."""
        shell = shutil.which("sh")
        assert shell is not None
        done = subprocess.run([shell, "-n"], input=block.text, text=True, capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")

    def test_every_language_is_known(self) -> None:
        """A new one needs a check, or a reason for none."""
        assert {block.language for block in BLOCKS} <= SHELL | {"python", "toml", "yaml", "ini", "text"}


class TestNumbersAndSignals:
    @BY_PAGE
    def test_exit_codes_exist(self, page: Path) -> None:
        """In sentences, and in tables of exit codes."""
        prose = prose_of(page)
        named = {int(code) for code in re.findall(r"\bexit codes? (\d+)", prose)}
        for first, *_ in rows_of(page, "Exit code") + rows_of(page, "Code"):
            named |= {int(code) for code in re.findall(r"\b\d+\b", first)}
        assert named <= set(ExitCode)

    @pytest.mark.parametrize("name", ["README.md", "docs/operations.md"])
    def test_the_signal_table_says_what_each_signal_asks_for(self, name: str) -> None:
        """Every signal that means something is in it, with the effect it has."""
        says = {
            signal: effect
            for first, effect, *_ in rows_of(ROOT / name, "Signal")
            for signal in re.findall(r"`(SIG\w+)`", first)
        }
        meanings = {signal.name: event for signal, event in MEANINGS.items()}
        others = {signal.name for signal in _OTHERS}
        assert set(says) - others == set(meanings)
        assert all(says[signal].startswith("Open the log files anew") for signal in others)
        for signal, event in meanings.items():
            match event:
                case StopAsked(immediately=True):
                    wanted = "End at once"
                case StopAsked():
                    wanted = "Stop: "
                case ReloadAsked():
                    wanted = "Reload: "
                case UpgradeAsked():
                    wanted = "Upgrade: "
                case ScaleAsked(change=change):
                    wanted = "One worker more" if change > 0 else "One worker less"
                case UpgradeAsked():
                    wanted = "Upgrade: "
                case _:
                    raise AssertionError(f"{event} has no words yet")
            assert says[signal].startswith(wanted), signal


class TestExamples:
    @pytest.mark.parametrize("name", EXAMPLES)
    def test_an_example_says_how_it_is_run(self, name: str) -> None:
        """The command in its docstring names an attribute that exists and can be called."""
        module = importlib.import_module(f"examples.{name}")
        command = re.search(rf"^    srvctl run examples\.{name}:(\w+)\b", module.__doc__ or "", re.MULTILINE)
        assert command is not None
        assert callable(getattr(module, command[1]))

    @pytest.mark.parametrize("name", EXAMPLES)
    def test_an_example_is_in_the_index(self, name: str) -> None:
        """Whoever opens the folder finds it."""
        assert f"[{name}.py]({name}.py)" in (ROOT / "examples/README.md").read_text(encoding="utf-8")

    @pytest.mark.parametrize("name", [*EXAMPLES, "channels_app", "django_app"])
    def test_an_example_is_run(self, name: str) -> None:
        """By a test that has a real srvctl serve it."""
        tests = [path.read_text(encoding="utf-8") for path in (ROOT / "tests/process").glob("test_*.py")]
        assert any(re.search(rf"[\"']examples\.{name}:|\bExample\([\"']{name}[.:]", text) for text in tests)
