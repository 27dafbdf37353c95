"""One FastAPI endpoint, as most users would write it."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

app = FastAPI()


@app.get("/")
async def root() -> dict[str, Any]:
    """Answer with a small JSON object."""
    return {"message": "Hello, world!", "numbers": [1, 2, 3]}
