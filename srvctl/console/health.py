"""Whether the instance lives and whether it is ready, told from an answer of the master. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_SERVING: Final = "running"
_SILENT: Final = "the master does not answer"


def liveness(answer: Mapping[str, Any] | None) -> str:
    """Return why the instance does not live; empty if it does.

    Args:
        answer: Of the command ``metrics``; None if there is none in time.
    """
    return _SILENT if answer is None else ""


def readiness(answer: Mapping[str, Any] | None, quorum: int) -> tuple[str, dict[str, Any]]:
    """Return why the instance is not to be sent requests, empty if it is, and what that is told from.

    Args:
        answer: As for `liveness`.
        quorum: Workers that must serve.
    """
    if answer is None:
        return _SILENT, {}
    state = answer.get("state")
    ready = sum(worker.get("state") == "ready" for worker in answer.get("workers", ()))
    told = {"state": state, "ready": ready, "quorum": quorum}
    if state != _SERVING:
        return f"the instance is {state}", told
    if ready < quorum:
        return f"{ready} workers serve, and {quorum} must (console.quorum)", told
    return "", told
