"""The man page and the completion scripts are the committed ones, and printing a script loads little."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from srvctl.cli import completion, front
from srvctl.cli.app import everything, invoke
from srvctl.cli.generated import modules, pages, references, write
from srvctl.cli.man import SIGNALS
from srvctl.cli.manual import WORKER_SIGNALS
from srvctl.errors import ExitCode
from srvctl.ipc.forking import _NOT_OURS
from srvctl.supervisor.signals import _OTHERS, MEANINGS

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("name", [*pages(), *references(), *modules()])
def test_the_committed_file_is_what_the_commands_make(name: str) -> None:
    assert (ROOT / name).read_text(encoding="utf-8") == {**pages(), **references(), **modules()}[name], (
        "run: python -m srvctl.settings.reference"
    )


def test_they_are_written_where_they_belong(tmp_path: Path) -> None:
    write(tmp_path)
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()} == {
        *pages(),
        *references(),
        *modules(),
    }


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_the_overview_at_once_is_what_the_commands_themselves_would_print(
    columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    for argv, code in (["-h"], ExitCode.OK), (["--help", "status"], ExitCode.OK), ([], ExitCode.USAGE):
        assert invoke(argv) is code
        printed = capsys.readouterr().out
        assert front.invoke(argv) is code
        assert capsys.readouterr().out == printed
    assert "\x1b[1mServe\x1b[0m:\n" in front.text(columns, is_terminal=True)


@pytest.mark.parametrize("argv", [[], ["--help"], ["--version"]])
def test_what_srvctl_is_can_be_seen_without_loading_any_command(argv: list[str]) -> None:
    code = (
        "import sys; from srvctl.__main__ import main; main();"
        "print({'typer', 'pydantic', 'argparse', 'srvctl.settings'} & set(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, *argv], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("srvctl 0." if argv == ["--version"] else "Usage: srvctl COMMAND")
    assert done.stderr == "set()\n"


@pytest.mark.parametrize("name", list(pages()))
def test_every_command_and_every_flag_is_in_it(name: str) -> None:
    """The man page has characters around hyphens, and fish has words of its own before a flag."""
    words = set(
        re.findall(r"[\w-]+", pages()[name].replace(r"\-", "-").replace(r"\fB", "").replace(" -l ", " --"))
    )
    for command in everything():
        assert command.name in words
        names = {name for flag in command.flags for name in flag.names if name.startswith("--")}
        assert names - words <= {"--help"}


def test_all_of_them_are_installed_with_the_wheel() -> None:
    build = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]
    assert set(build["targets"]["wheel"]["shared-data"]) == set(pages())


def test_the_man_page_has_every_signal() -> None:
    assert _named(SIGNALS) == {signum.name for signum in (*MEANINGS, *_OTHERS)}


def test_the_reference_says_what_a_worker_leaves_to_the_master() -> None:
    left = next(names for names, text in WORKER_SIGNALS if "for the master" in text)
    assert set(left.split(", ")) == {signum.name for signum in _NOT_OURS}
    assert _named(WORKER_SIGNALS) >= _named(SIGNALS)


def _named(table: Sequence[tuple[str, str]]) -> set[str]:
    return {name for names, _ in table for name in names.split(", ")}


def test_the_reference_has_every_command_and_every_flag() -> None:
    page = references()["docs/reference/cli.md"]
    told = set(re.findall(r"(?<![\w-])--?[a-zA-Z][\w-]*", page))
    for command in everything():
        assert f"### srvctl {command.name}\n" in page
        assert {name for flag in command.flags for name in flag.names} <= told


@pytest.mark.parametrize("shell", completion.FILES)
def test_the_script_is_printed_without_loading_what_settings_need(shell: str) -> None:
    """It may be read whenever a shell starts."""
    code = (
        "import sys; from srvctl.__main__ import main; code = main(); print(code, file=sys.stderr);"
        "print({'typer', 'pydantic', 'yaml', 'asyncio'} & set(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "completion", shell],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == completion.script(shell)
    assert done.stderr == "0\nset()\n"


@pytest.mark.parametrize(
    ("shell", "environ", "path"),
    [
        ("bash", {}, ".local/share/bash-completion/completions/srvctl"),
        ("bash", {"XDG_DATA_HOME": "{home}/data"}, "data/bash-completion/completions/srvctl"),
        ("bash", {"BASH_COMPLETION_USER_DIR": "{home}/b:/c"}, "b/completions/srvctl"),
        ("zsh", {}, ".zfunc/_srvctl"),
        ("fish", {}, ".config/fish/completions/srvctl.fish"),
        ("fish", {"XDG_CONFIG_HOME": "{home}/c"}, "c/fish/completions/srvctl.fish"),
    ],
)
def test_installed_it_is_where_the_shell_looks(
    shell: str, environ: dict[str, str], path: str, tmp_path: Path
) -> None:
    """And loads what the srvctl of that day prints."""
    given = {name: value.format(home=tmp_path) for name, value in environ.items()}
    assert completion.install(shell, {"HOME": str(tmp_path), **given}) == tmp_path / path
    assert f"srvctl completion {shell}" in (tmp_path / path).read_text(encoding="utf-8")


def test_what_cannot_be_installed_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / ".config").write_text("no directory", encoding="utf-8")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    assert completion.invoke(["completion", "fish", "--install"]) is ExitCode.REFUSED
    error = capsys.readouterr().err
    assert error.startswith(
        f"srvctl: error: {tmp_path}/.config/fish/completions/srvctl.fish cannot be written: "
    )
    assert error.count("\n") == 1


def test_told_where_it_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert completion.invoke(["completion", "zsh", "--install"]) is ExitCode.OK
    assert capsys.readouterr().out.startswith(f"Wrote {tmp_path}/.zfunc/_srvctl. It works in new shells if ")


def test_a_reader_may_leave_before_it_has_everything() -> None:
    """As does head(1)."""
    reading, writing = os.pipe()
    os.close(reading)
    argv = [sys.executable, "-m", "srvctl", "completion", "bash"]
    done = subprocess.run(argv, stdout=writing, stderr=subprocess.PIPE, check=False, text=True)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")
