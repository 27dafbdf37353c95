"""What ``fastapi run`` and ``fastapi dev`` mean here: they start uvicorn with defaults of their own. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from srvctl.migrate import uvicorn
from srvctl.migrate.options import Flag, Takes, parse
from srvctl.migrate.shellwords import Word

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from srvctl.migrate.result import Given, Migration

_VALUES: Final = ("host", "port", "root-path", "workers", "reload-dir", "forwarded-allow-ips")
_FLAGS: Final = (
    *(Flag(f"--{name}", name) for name in _VALUES),
    Flag("--app", "name"),
    Flag("--entrypoint", "entrypoint"),
    Flag("-e", "entrypoint"),
    Flag("--reload", "reload", Takes.NOTHING),
    Flag("--no-reload", "reload", Takes.NOTHING_FOR_FALSE),
    Flag("--proxy-headers", "proxy-headers", Takes.NOTHING),
    Flag("--no-proxy-headers", "proxy-headers", Takes.NOTHING_FOR_FALSE),
)


def migrate(words: Sequence[Word], environ: Mapping[str, Given]) -> Migration:
    """Translate a command line: into one of uvicorn's, and that.

    Args:
        words: What stands behind ``fastapi``.
        environ: The variables that are known to be set for it, by name.
    """
    parsed = parse(words, _FLAGS)
    mode, *paths = parsed.rest or [Word("run")]
    target = _target(parsed.options, paths)
    rewritten = [] if target is None else [Word(target)]
    given = {option.name for option in parsed.options}
    is_dev = mode.text == "dev"
    if "host" not in given and not is_dev:
        rewritten += [Word("--host"), Word("0.0.0.0")]
    if is_dev and "reload" not in given:
        rewritten.append(Word("--reload"))
    for option in parsed.options:
        rewritten += _rewritten(option)
    # It calls uvicorn.run(), which reads no UVICORN_*.
    read = {name: given for name, given in environ.items() if not name.startswith("UVICORN_")}
    migration = uvicorn.migrate(rewritten, read)
    migration.server = "fastapi"
    if paths and "entrypoint" not in given:
        migration.ask(
            str(paths[0]),
            f"fastapi finds module and application by looking; {target} was taken: check it, and set app.dir "
            "where the module is in a folder without __init__.py",
        )
    for flag in parsed.unknown:
        migration.lacks(flag, "not known; look into the documentation of your version of fastapi")
    return migration


def _target(options: Sequence[Given], paths: Sequence[Word]) -> str | None:
    named = {option.name: str(option.value) for option in options}
    if "entrypoint" in named:
        return named["entrypoint"]
    if not paths:
        return None
    module = paths[0].text.removeprefix("./").removesuffix(".py").strip("/").replace("/", ".")
    return f"{module}:{named.get('name', 'app')}"


def _rewritten(option: Given) -> list[Word]:
    if option.name in {"name", "entrypoint"}:
        return []
    if option.value is True:
        return [Word(f"--{option.name}")]
    if option.value is False:
        return [] if option.name == "reload" else [Word(f"--no-{option.name}")]
    text = str(option.value)
    if option.is_known:
        return [Word(f"--{option.name}"), Word(text, option.variables)]
    return [Word(f"--{option.name}"), Word("", option.variables, is_known=False, raw=text)]
