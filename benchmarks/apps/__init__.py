"""The applications every server runs: plain ASGI here, so that importing them costs no framework."""

from __future__ import annotations

from benchmarks.apps.bare import body100k, echo, hello

__all__ = ["body100k", "echo", "hello"]
