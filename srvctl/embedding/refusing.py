"""What is refused where srvctl is part of a program: to ignore what was asked for would be to lie.

Nothing here is about a value that is wrong by itself, which the checks of the settings see. Called by
`Config`, `Server` and `run`, before anything is opened.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from srvctl.errors import UsageError

if TYPE_CHECKING:
    from srvctl.embedding.config import Config
    from srvctl.settings.layer import Layer

#: Settings that only a master and its workers obey, by the beginning of the key; and those of them that one
#: process obeys as well.
_SUPERVISED: Final = ("workers.", "health.", "reload.", "hooks.", "ledger.", "control.")
_IN_ONE_PROCESS: Final = frozenset({"workers.loop", "workers.max_requests", "workers.max_requests_jitter"})


def refuse_for_any(config: Config) -> None:
    """Refuse what uvicorn can do and srvctl cannot, however it is run.

    Raises:
        UsageError: Something of the kind is asked for.
    """
    loop = config.loop
    if not (loop is None or isinstance(loop, str) or callable(loop) or hasattr(loop, "run_forever")):
        raise UsageError(f'loop: {loop!r} is neither an event loop nor the name of one; write "auto"')
    for name in ("http", "ws"):
        value = getattr(config, name)
        if not isinstance(value, str):
            raise UsageError(
                f"{name}: {value!r} is no name, and srvctl takes no class of a protocol; write auto, or "
                "leave it out"
            )


def refuse_for_one_process(layer: Layer) -> None:
    """Refuse settings that only a supervised service obeys.

    Keywords of uvicorn's, such as ``timeout_worker_healthcheck``, mean nothing in one process there either.

    Raises:
        UsageError: There is one.
    """
    for key, given in layer.values.items():
        is_alone = key.startswith(_SUPERVISED) and key not in _IN_ONE_PROCESS
        if is_alone and given.origin.name.startswith("settings["):
            raise UsageError(
                f"{given.origin.place} needs a supervisor, and this server is alone in its process; use "
                "`srvctl run`, or workers=2 with srvctl.run"
            )


def refuse_for_processes(config: Config) -> None:
    """Refuse what cannot be handed over to processes of their own.

    Raises:
        UsageError: The application is an object, or something else is one.
    """
    if not isinstance(config.app, str):
        raise UsageError(
            'app: is an object, which other processes cannot import; write "module:attribute" to use workers '
            "or reload"
        )
    for name in ("ssl_context_factory", "callback_notify"):
        if getattr(config, name) is not None:
            raise UsageError(f"{name}: cannot be handed over to worker processes; leave it out, or workers=1")
    if not (config.loop is None or isinstance(config.loop, str)):
        raise UsageError('loop: cannot be handed over to worker processes; write "module:function"')
