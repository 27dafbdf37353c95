"""The duties of srvctl's molds: what they import, and what becomes of the processes they fork."""

from __future__ import annotations

from typing import TYPE_CHECKING

from srvctl.ipc.lifeline import hold
from srvctl.ipc.naming import MOLD, name_process
from srvctl.worker import main, mold
from srvctl.worker.loading import load_all

if TYPE_CHECKING:
    import socket

    from srvctl.worker.http.cycle import Application
    from srvctl.worker.loading import Loaded
    from srvctl.worker.main import Outfit


class Molding:
    """The duties of the mold of one generation.

    Args:
        outfit: What its workers are given.
    """

    def __init__(self, outfit: Outfit) -> None:
        self._outfit = outfit
        self._loaded: Loaded | None = None

    def live(self, channel: socket.socket) -> int:
        """Be the mold; return its exit code, or that of a worker that it has forked."""
        name_process(MOLD)
        hold(self._outfit.lifeline)
        settings = self._outfit.settings
        duties = mold.Duties(
            target=settings.app.target or "",
            import_app=self._import,
            become_worker=self._become_worker,
            before_fork=self._before_fork,
            is_forced=settings.workers.preload == "on",
        )
        return mold.live(channel, duties, self._outfit.master)

    def _import(self) -> Application:
        main.become_user(self._outfit)
        self._loaded = load_all(self._outfit.settings)
        self._loaded.hooks.call("on_boot", self._outfit.context(None))
        return self._loaded.application

    def _before_fork(self, slot: int) -> None:
        if self._loaded is not None:
            self._loaded.hooks.call("pre_fork", self._outfit.context(slot))

    def _become_worker(
        self, worker: int, slot: int, channel: socket.socket, board: int, application: Application
    ) -> int:
        del worker, application  # the master knows the one, and the other is loaded
        if self._loaded is None:
            raise RuntimeError("a mold forks only what it has imported")
        return main.serve_loaded(self._outfit, self._loaded, slot, channel, board)
