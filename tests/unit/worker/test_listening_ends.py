"""Listeners that are closed without a drain, as those of a console are."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Literal

import pytest

from srvctl.settings.groups import ProxySettings, TimeoutSettings
from srvctl.worker.listening import Listening
from srvctl.worker.proxy.forwarding import ProxyPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    Run = Callable[[Callable[[], Coroutine[None, None, None]]], None]


@pytest.mark.parametrize("protocol", ["off", "on"])
@pytest.mark.parametrize("is_stopped", [False, True], ids=["at once", "after a stop"])
def test_nothing_is_left_open(run: Run, protocol: Literal["off", "on"], is_stopped: bool) -> None:
    async def test() -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        address = listener.getsockname()
        policy = ProxyPolicy(ProxySettings(protocol=protocol, forwarded_allow_ips=("127.0.0.1",)))
        listening = Listening(lambda _: asyncio.Protocol(), None, policy, TimeoutSettings(), lambda: None)
        listening.start([listener])
        assert listener.fileno() == -1, "it is not the caller's any more"
        with socket.create_connection(address) as client:
            await asyncio.sleep(0.01)
            if is_stopped:
                await listening.stop(last=False)
            listening.close()
            client.sendall(b"PROXY UNKNOWN\r\n")  # nobody is disturbed by who is still there
            await asyncio.sleep(0.01)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address)

    run(test)
