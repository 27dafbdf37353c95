"""Hooks: functions that srvctl calls at points of a worker's life, here around a small service registry.

    srvctl run examples.hooks:app --workers 2 --hook-on-boot examples.hooks:warm_up \
        --hook-pre-fork examples.hooks:close_connections --hook-post-fork examples.hooks:seed \
        --hook-on-ready examples.hooks:register --hook-on-drain examples.hooks:deregister \
        --hook-on-exit examples.hooks:say_goodbye

The page shows what they have done. Each is told the slot, the generation and the process it is called in.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import sqlite3
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from srvctl.hooks import HookContext

primes: list[int] = []  # computed once; all workers share the memory
connections: dict[str, sqlite3.Connection] = {}  # opened when they are needed, one set for each process
done: list[str] = []


def warm_up(context: HookContext) -> None:
    """Compute what every worker needs, before the first is forked. Opens a database to do so."""
    database().execute("select 1")
    primes.extend(n for n in range(2, 2000) if all(n % p for p in primes if p * p <= n))
    note(context)


def close_connections(context: HookContext) -> None:
    """Close what two processes must not share: after a fork, both would write to the same connection."""
    for connection in connections.values():
        connection.close()
    connections.clear()
    note(context)


def seed(context: HookContext) -> None:
    """Give each worker random numbers of its own: a fork copies the state of the generator."""
    random.seed(os.urandom(16))
    note(context)


async def register(context: HookContext) -> None:
    """Tell whoever sends requests that this worker takes them from now on."""
    await asyncio.sleep(0)  # in the place of a request to the registry
    note(context)


async def deregister(context: HookContext) -> None:
    """Tell them to look elsewhere; requests that have begun are still answered."""
    await asyncio.sleep(0)
    note(context)


def say_goodbye(context: HookContext) -> None:
    """Send what is still held back, such as the last metrics."""
    note(context)


def note(context: HookContext) -> None:
    """Show that a hook was called, on the page and in the log."""
    where = "for all" if context.slot is None else f"slot {context.slot}"
    done.append(f"{context.hook}: generation {context.generation}, {where}, process {context.pid}")
    with contextlib.suppress(OSError):  # whoever reads the log may be gone
        print(done[-1], file=sys.stderr, flush=True)


def database() -> sqlite3.Connection:
    """Return this process' connection."""
    if "main" not in connections:
        connections["main"] = sqlite3.connect(":memory:", check_same_thread=False)
    return connections["main"]


async def app(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    """Answer with what the hooks of this worker have done."""
    if scope["type"] != "http":
        raise NotImplementedError
    await receive()
    text = "\n".join([*done, f"{len(primes)} primes, a random number: {random.random()}", ""])
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})
