"""``srvctl completion``: prints the script that completes command lines in a shell, or installs its loading.

The scripts are files beside this module, made from the commands by `srvctl.cli.generated`: nothing is
computed while a key is pressed, nor when a shell starts. Must start fast, so it loads little.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from srvctl.cli.parsing import Parser
from srvctl.cli.printing import show
from srvctl.cli.report import report
from srvctl.errors import ExitCode, SrvctlError
from srvctl.logs.streams import flush

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NAME: Final = "completion"
HELP: Final = "Print the script that completes command lines in a shell."
#: The script of each shell, and how a shell loads it from a file of its own: never an outdated one.
FILES: Final = {"bash": "srvctl.bash", "zsh": "_srvctl", "fish": "srvctl.fish"}
_LOADERS: Final = {
    "bash": 'eval "$(srvctl completion bash)"\n',
    "zsh": '#compdef srvctl\neval "$(srvctl completion zsh)"\n',
    "fish": "srvctl completion fish | source\n",
}
_DIRECTORY: Final = Path(__file__).with_name("completions")
_ADVICE: Final = {
    "bash": "It works in new shells, where the package bash-completion is set up.",
    "zsh": "It works in new shells if ~/.zshrc has: fpath=(~/.zfunc $fpath); autoload -Uz compinit; compinit",
    "fish": "It works in new shells.",
}


class NotInstalledError(SrvctlError):
    """The file that loads the script cannot be written."""

    exit_code = ExitCode.REFUSED


def parser() -> Parser:
    """Return what reads the flags of the command."""
    reader = Parser(NAME, HELP)
    reader.add_argument("shell", metavar="bash|zsh|fish", choices=list(FILES), help="Which shell.")
    text = "Write the file from which the shell loads the script by itself, instead of printing it."
    reader.add_argument("--install", action="store_true", help=text)
    return reader


def invoke(argv: Sequence[str]) -> ExitCode:
    """Carry out a command line that begins with ``completion``, and report what is wrong with it."""
    try:
        values = parser().read(argv[1:])
        if values.install:
            path = install(values.shell, os.environ)
            show(f"Wrote {path}. {_ADVICE[values.shell]}")
        else:
            show(script(values.shell).rstrip("\n"))
    except SrvctlError as error:
        report(str(error))
        return error.exit_code
    except SystemExit:  # help was printed
        return ExitCode.OK
    finally:
        flush()
    return ExitCode.OK


def script(shell: str) -> str:
    """Return the script of a shell."""
    return (_DIRECTORY / FILES[shell]).read_text(encoding="utf-8")


def install(shell: str, environ: Mapping[str, str]) -> Path:
    """Write the file from which a shell loads the script, where the shell looks for a user's own.

    Returns:
        The file.

    Raises:
        NotInstalledError: It cannot be written.
    """
    path = _place(shell, environ)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_LOADERS[shell], encoding="utf-8")
    except OSError as error:
        raise NotInstalledError(f"{path} cannot be written: {error.strerror}") from None
    return path


def _place(shell: str, environ: Mapping[str, str]) -> Path:
    """Return the file that bash-completion, compinit or fish reads for a command of the name."""
    home = Path(environ.get("HOME") or "~").expanduser()
    if shell == "zsh":
        return home / ".zfunc" / "_srvctl"
    if shell == "fish":
        return Path(environ.get("XDG_CONFIG_HOME") or home / ".config", "fish", "completions", "srvctl.fish")
    own = environ.get("BASH_COMPLETION_USER_DIR", "").partition(":")[0]
    data = Path(environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    return (Path(own) if own else data / "bash-completion") / "completions" / "srvctl"
