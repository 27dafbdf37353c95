"""Plays the console's side of the dashboard with made-up numbers, as a test tells it to with ``POST /play``.

Its clock is its own: a second of it is as long as the test wants, so that ten minutes are there at once.
"""

from __future__ import annotations

import asyncio
import json
import math
from typing import Any

from srvctl.console.dashboard import page
from srvctl.ipc.scoreboard import BOUNDS, BUCKETS

TOKEN = "open-sesame"
TRACEBACK = 'Traceback (most recent call last):\n  File "app.py", line 3\nZeroDivisionError: <b>division</b>'


class Scene:
    """An instance that does not exist."""

    def __init__(self) -> None:
        self.at = 1_700_000_000.0
        self.tick = 1.0  #: real seconds for one of its own
        self.workers = 4
        self.generation = 7
        self.is_lively = False
        self.can_act = True
        self.is_away = False
        self.trouble = ""  #: what the console says if it cannot reach the master
        self.states: dict[str, str] = {}
        self.second: dict[str, str] = {}  #: states of further workers, by slot
        self.reload: dict[str, Any] = {"state": "idle", "generation": None, "error": ""}
        self.reload_fails = False
        self.events: list[dict[str, Any]] = []
        self.posts: list[str] = []
        self.answered = [[0] * BUCKETS for _ in range(512)]
        self.failed = [0] * 512
        self.version = 0  #: of `events`

    def advance(self) -> None:
        """Let a second pass: 100 requests for each worker, 98 between 2.5 and 5 ms, 2 between 50 and 100."""
        self.at += 1
        for slot in range(self.workers):
            if self.states.get(str(slot), "ready") != "ready":
                continue
            extra = self._wave(slot) if self.is_lively else 0
            row = self.answered[slot]
            row[5] += 98 + extra
            row[9] += 2
            if self.is_lively:
                row[4] += extra // 2
                row[11] += int(self.at) % 97 == slot
                self.failed[slot] += int(self.at) % 140 < 4 and slot == 1

    def _wave(self, slot: int) -> int:
        noise = math.sin(self.at * 12.9898 + slot * 78.233) * 43758.5453 % 1
        return int(60 + 40 * math.sin(self.at / 80 + slot / 3) + 40 * noise)

    def metrics(self) -> dict[str, Any]:
        """Return what the console would."""
        workers = [self._worker(slot, self._state(slot)) for slot in range(self.workers)]
        workers = [worker for worker in workers if worker["state"] != "empty"]
        for slot, state in self.second.items():
            other = self._worker(int(slot), state)
            workers.append(
                {**other, "pid": other["pid"] + 1000, "generation": self.generation + 1, "uptime": 2}
            )
        return {
            "at": self.at, "name": "shop", "version": "0.1.0", "pid": 4000, "uptime": self.at - 1_699_800_000,
            "state": "running", "generation": self.generation, "target": self.workers, "app": "shop.main:app",
            "binds": ["http://0.0.0.0:8000", "unix:/run/shop.sock"], "bounds": BOUNDS, "workers": workers,
            "slots": {str(slot): self._totals(slot) for slot in range(self.workers)},
            "restarts": {"crash": 1}, "reloads": {"succeeded": 6, "failed": 1}, "reload": self.reload,
            "log": {"lost": 0},
        }  # fmt: skip

    def _state(self, slot: int) -> str:
        return self.states.get(str(slot), "ready")

    def _totals(self, slot: int) -> dict[str, Any]:
        answered = {"2": self.answered[slot]}
        if self.failed[slot]:
            answered["5"] = [self.failed[slot], *[0] * (BUCKETS - 1)]
        requests = sum(map(sum, answered.values()))
        return {"requests": requests, "errors": self.failed[slot], "cut": 0, "cpu_seconds": 1.0,
                "answered": answered, "seconds": {"2": 1.0}, "restarts": 0}  # fmt: skip

    def _worker(self, slot: int, state: str) -> dict[str, Any]:
        lag = 0.0004 + (0.0006 * (self._wave(slot) / 100) if self.is_lively else 0)
        lag += 0.02 if self.is_lively and int(self.at) % 151 < 3 else 0
        return {
            "slot": slot, "pid": 4100 + slot, "generation": self.generation, "state": state,
            "uptime": 90061.0, "cpu": 0.25, "cpu_seconds": 500.0, "rss": 150 << 20,
            "pss": (80 << 20) + slot * 977_000,
            "loop_lag": lag,
            "loop_lag_max": 0.02, "in_flight": 2, "connections": 11, "websockets": 0,
            "waiting": 0, "requests": 1000, "errors": 0, "cut": 0, "answered": {}, "seconds": {},
            "leaves_because": "reload" if state == "draining" else "",
        }  # fmt: skip


scene = Scene()


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Serve the dashboard, its stream, what it may do, and the strings that move the scene."""
    if scope["type"] == "lifespan":
        for phase in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{phase}.complete"})
        return
    path = scope["path"]
    if scope["method"] == "POST":
        await _act(path, scope, receive, send)
    elif path == "/":
        body, headers = page()
        await _answer(send, 200, body, headers)
    elif path == "/api/live" and not scene.is_away:
        await _live(send)
    elif path == "/api/session":
        is_authorized = dict(scope["headers"]).get(b"authorization") == f"Bearer {TOKEN}".encode()
        said = {"can_act": scene.can_act, "authorized": scene.can_act and is_authorized}
        await _answer(send, 200, json.dumps(said).encode(), {})
    elif path == "/posts":
        await _answer(send, 200, json.dumps(scene.posts).encode(), {})
    else:
        await _answer(send, 503 if scene.is_away else 404, b"", {})


async def _answer(send: Any, status: int, body: bytes, headers: dict[str, str]) -> None:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


async def _live(send: Any) -> None:
    async def tell(kind: str, data: object) -> None:
        body = f"event: {kind}\ndata: {json.dumps(data)}\n\n".encode()
        await send({"type": "http.response.body", "body": body, "more_body": True})

    headers = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    told = version = 0
    try:
        while not scene.is_away:
            if version != scene.version:
                version, told = scene.version, 0
            for event in scene.events[told:]:
                await tell("event", event)
            told = len(scene.events)
            scene.advance()
            if scene.trouble:
                await tell("trouble", {"message": scene.trouble})
            else:
                await tell("metrics", scene.metrics())
            await asyncio.sleep(scene.tick)
    except OSError:
        return
    await send({"type": "http.response.body", "body": b""})


async def _act(path: str, scope: dict[str, Any], receive: Any, send: Any) -> None:
    body = b""
    while True:
        message = await receive()
        body += message["body"]
        if not message.get("more_body"):
            break
    values = json.loads(body)
    if path == "/play":
        if "reset" in values:
            scene.__init__()  # type: ignore[misc] # the streams that there are see the new one
        for name, value in values.items():
            setattr(scene, name, value)
        scene.version += "events" in values
        await _answer(send, 200, b"{}", {})
        return
    if dict(scope["headers"]).get(b"authorization") != f"Bearer {TOKEN}".encode():
        await _answer(send, 401, b'{"ok": false, "message": "The token is not the right one."}', {})
        return
    scene.posts.append(f"{path} {json.dumps(values)}")
    if path == "/api/scale":
        scene.workers += values["change"]
    answer: dict[str, Any] = {"ok": True, "message": "Done in 0.1 s.", "details": ""}
    if path == "/api/reload" and scene.reload_fails:
        answer = {"ok": False, "message": "The application cannot be imported.", "details": TRACEBACK}
    await _answer(send, 200, json.dumps(answer).encode(), {"content-type": "application/json"})
