"""``srvctl init``: the files around a service, for one application and its settings."""

from __future__ import annotations

import os
import pwd
import shutil
import sys
from collections.abc import Mapping  # noqa: TC003 - typer evaluates the annotations of commands
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Final

import typer

from srvctl.cli.flags import ConfigFlag  # noqa: TC001 - as above
from srvctl.cli.printing import show
from srvctl.cli.running import load_all
from srvctl.errors import ExitCode, SrvctlError, UsageError, printable
from srvctl.init import config as config_file
from srvctl.init import docker, kubernetes, nginx, systemd
from srvctl.init.plan import Plan
from srvctl.settings.catalog import catalog
from srvctl.settings.instance import identify
from srvctl.settings.keeping import flat
from srvctl.settings.layer import Source
from srvctl.settings.words import as_given

if TYPE_CHECKING:
    from collections.abc import Callable

    from srvctl.settings.load import Loaded

_KINDS: Final[Mapping[str, Callable[[Plan], dict[str, str]]]] = MappingProxyType(
    {
        "systemd": systemd.files,
        "docker": docker.files,
        "kubernetes": kubernetes.files,
        "nginx": nginx.files,
        "config": config_file.files,
    }
)
#: Whose values a file of settings does not bring along.
_TYPED: Final = frozenset({Source.COMMAND_LINE, Source.ENVIRONMENT, Source.FOREIGN})
_ROOT: Final = "root"
_SERVICE_USER: Final = "srvctl"


class NotWrittenError(SrvctlError):
    """A file is there already, or cannot be written."""

    exit_code = ExitCode.REFUSED


def init(
    given: Mapping[str, object],
    kind: Annotated[
        str, typer.Argument(metavar="|".join(_KINDS), help="What the file is for.", show_default=False)
    ],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Write it there.", show_default=False),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    full: Annotated[bool, typer.Option("--full", help="Of config: show every setting.")] = False,
    config: ConfigFlag = None,
) -> None:
    """Print a file for systemd, Docker, Kubernetes or nginx, or one of settings, for APP and its flags."""
    if kind not in _KINDS:
        raise UsageError(f"srvctl init {printable(kind)} is not known; write one of {', '.join(_KINDS)}")
    named = os.environ.get("SRVCTL_CONFIG")
    file = Path(named) if config is None and named else config
    loaded = load_all(given, config)
    if loaded.settings.app.target is None:
        raise UsageError("nothing to serve: give APP (module:attribute) or -c FILE with [app] target")
    plan = _plan(loaded, file)
    made = config_file.files(plan, is_full=True) if full and kind == "config" else _KINDS[kind](plan)
    if output is None:
        show("\n".join(made.values()).rstrip("\n"))
        return
    for path, text in zip(_paths(output, made), made.values(), strict=True):
        _write(path, text, is_forced=force)
        show(f"Wrote {printable(str(path))}.")


def _plan(loaded: Loaded, file: Path | None) -> Plan:
    settings = loaded.settings
    values = flat(settings)
    typed = {
        key: as_given(catalog()[key], values[key])
        for key, origin in loaded.origins.items()
        if origin.source in _TYPED and values[key] is not None
    }
    user = _user()
    return Plan(
        name=identify(settings, file).name,
        settings=settings,
        given=typed,
        program=_program(),
        config=str(file.absolute()) if file is not None else "",
        directory=str(Path.cwd()),
        user=_SERVICE_USER if user in {"", _ROOT} else user,
        python=f"{sys.version_info.major}.{sys.version_info.minor}",
    )


def _user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # a number without a name, as in containers
        return ""


def _program() -> str:
    """Return where ``srvctl`` is: beside this Python, as in a virtual environment, or on the path."""
    beside = Path(sys.executable).with_name("srvctl")
    return str(beside) if beside.exists() else shutil.which("srvctl") or str(beside)


def _paths(output: Path, made: Mapping[str, str]) -> list[Path]:
    """Return where each file goes: the first to where it is wanted, others beside it, with their endings."""
    first, *further = made
    del first
    return [output, *(output.with_suffix(Path(name).suffix) for name in further)]


def _write(path: Path, text: str, *, is_forced: bool) -> None:
    try:
        with path.open("w" if is_forced else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise NotWrittenError(f"{path} is there already; --force replaces it") from None
    except OSError as error:
        raise NotWrittenError(f"{path} cannot be written: {error.strerror}") from None
