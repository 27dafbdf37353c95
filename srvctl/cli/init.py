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
from srvctl.cli.init_units import make_units
from srvctl.cli.printing import show
from srvctl.cli.running import load_all
from srvctl.cli.systemd_analyze import version
from srvctl.cli.writing import write
from srvctl.errors import UsageError, printable
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

_SYSTEMD: Final = "systemd"
_KINDS: Final[Mapping[str, Callable[[Plan], dict[str, str]]]] = MappingProxyType(
    {
        "docker": docker.files,
        "compose": docker.compose_files,
        "kubernetes": kubernetes.files,
        "nginx": nginx.files,
        "config": config_file.files,
    }
)
#: Whose values a file of settings does not bring along.
_TYPED: Final = frozenset({Source.COMMAND_LINE, Source.ENVIRONMENT, Source.FOREIGN})
_ROOT: Final = "root"
_SERVICE_USER: Final = "srvctl"


def init(
    given: Mapping[str, object],
    kind: Annotated[
        str,
        typer.Argument(
            metavar="|".join([_SYSTEMD, *_KINDS]), help="What the file is for.", show_default=False
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Write it there.", show_default=False),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    full: Annotated[bool, typer.Option("--full", help="Of config: show every setting.")] = False,
    hardened: Annotated[
        bool, typer.Option("--hardened", help="Have systemd forbid what most applications do without.")
    ] = False,
    user_unit: Annotated[
        bool, typer.Option("--user-unit", help="Be for your own systemd, not the system's.")
    ] = False,
    config: ConfigFlag = None,
) -> None:
    """Print a file for systemd, containers, Kubernetes or nginx, or of settings, for APP and its flags."""
    if kind not in {_SYSTEMD, *_KINDS}:
        known = ", ".join([_SYSTEMD, *_KINDS])
        raise UsageError(f"srvctl init {printable(kind)} is not known; write one of {known}")
    named = os.environ.get("SRVCTL_CONFIG")
    file = Path(named) if config is None and named else config
    loaded = load_all(given, config)
    if loaded.settings.app.target is None:
        raise UsageError("nothing to serve: give APP (module:attribute) or -c FILE with [app] target")
    plan = _plan(loaded, file)
    if kind == _SYSTEMD:
        manager = systemd.Manager(version(), is_users=user_unit, is_strict=hardened)
        make_units(plan, manager, output, is_forced=force)
        return
    made = config_file.files(plan, is_full=True) if full and kind == "config" else _KINDS[kind](plan)
    if output is None:
        show("\n".join(text for name, text in made.items() if _is_of_first(name, made)).rstrip("\n"))
        return
    for path, (name, text) in zip(_paths(output, made), made.items(), strict=True):
        if not _is_of_first(name, made) and not force and path.exists():
            show(f"Left {printable(str(path))} as it is.")
            continue
        write(path, text, is_forced=force)
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
    """Return where each file goes: the first to where it is wanted, others beside it.

    What belongs to the first has its name there, and an ending of its own.
    """
    _, *further = made
    return [
        output,
        *(
            output.with_suffix(Path(name).suffix) if _is_of_first(name, made) else output.with_name(name)
            for name in further
        ),
    ]


def _is_of_first(name: str, made: Mapping[str, str]) -> bool:
    """Return whether a file goes with the first one, and is not something that may be there for others."""
    return Path(name).stem == Path(next(iter(made))).stem
