"""Finds at once what would keep every worker from serving here: a missing file, user or directory.

Each check asks what the workers will ask, before anything is bound. Called wherever settings are read; what
one of them needs is loaded only where the settings ask for it.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from srvctl.errors import ConfigError
from srvctl.settings.console_token import SecretError, token_of
from srvctl.settings.groups import TlsSettings, WorkersSettings
from srvctl.settings.layer import Problem
from srvctl.settings.load import raise_all

if TYPE_CHECKING:
    from srvctl.settings.load import Loaded


def check_surroundings(loaded: Loaded) -> None:
    """Ask whether this machine has what the settings name.

    Raises:
        UsageError: Something cannot be used, and the command line names it.
        ConfigError: Something cannot be used, and the environment or the file names it.
    """
    for check in CHECKS:
        check(loaded)


def _check_tls(loaded: Loaded) -> None:
    """Read the certificates and keys."""
    if loaded.settings.tls == TlsSettings():
        return
    from srvctl.worker.tls import context  # noqa: PLC0415 - without TLS, ssl need not be loaded
    from srvctl.worker.tls.errors import TlsError  # noqa: PLC0415 - as above

    try:
        context.check(loaded.settings.tls)
    except TlsError as error:
        raise_all([Problem.at(loaded.origins[error.key], error.key, error.reason)])


def _check_privileges(loaded: Loaded) -> None:
    """Ask whether the kernel would refuse what workers are to become."""
    workers = loaded.settings.workers
    untouched = WorkersSettings()
    names = ("user", "group", "supplementary_groups", "umask", "nice", "cpu_affinity", "rlimits")
    if all(getattr(workers, name) == getattr(untouched, name) for name in names):
        return  # nothing to look up
    from srvctl.worker import privileges  # noqa: PLC0415 - not what every start should load

    if problems := privileges.check(workers):
        raise ConfigError("\n".join(problems))


def _check_env_file(loaded: Loaded) -> None:
    """Look into the file of variables."""
    path = loaded.settings.app.env_file
    if path is None:
        return
    from srvctl.worker.env_file import EnvFileError, check_readable  # noqa: PLC0415 - most have none

    try:
        check_readable(path)
    except EnvFileError as error:
        raise_all([Problem.at(loaded.origins["app.env_file"], "app.env_file", str(error))])


def _check_reload_dirs(loaded: Loaded) -> None:
    """Look for the directories that are to be watched."""
    reload = loaded.settings.reload
    if not reload.enabled:
        return
    from srvctl.dev import tree  # noqa: PLC0415 - not for a service

    try:
        tree.check_reload_dirs(reload.dirs)
    except ConfigError as error:
        raise_all([Problem.at(loaded.origins["reload.dirs"], str(error))])


def _check_console(loaded: Loaded) -> None:
    """Look for the console's token, and for what sends figures."""
    console, origins = loaded.settings.console, loaded.origins
    if console.token_file is not None:
        if console.token is not None:
            raise_all([Problem.at(origins["console.token_file"], "console.token_file", _ONE_TOKEN)])
        try:
            token_of(console)
        except SecretError as error:
            raise_all([Problem.at(origins["console.token_file"], "console.token_file", str(error))])
    if loaded.settings.metrics.otlp is not None and not _has_otel():
        raise_all([Problem.at(origins["metrics.otlp"], "metrics.otlp", _NO_OTEL)])


_ONE_TOKEN: Final = "console.token is set as well; leave one of the two out"  # noqa: S105 - a sentence
_NO_OTEL: Final = "OpenTelemetry is not installed; run pip install 'srvctl[otel]'"


def _has_otel() -> bool:
    try:
        return find_spec("opentelemetry.exporter.otlp.proto.http") is not None
    except ModuleNotFoundError:  # not even what it is a part of
        return False


CHECKS: Final = (_check_tls, _check_privileges, _check_env_file, _check_reload_dirs, _check_console)
