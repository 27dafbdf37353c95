"""What a file is, by its name or by what is in it. Pure; light, for the command line."""

from __future__ import annotations

import re
from enum import Enum
from pathlib import PurePath
from typing import Final

_SERVER: Final = r"\b(?:uvicorn|gunicorn|fastapi)\b"


class Kind(Enum):
    """What a file is; the value is its name on the command line."""

    COMMAND = "command"
    GUNICORN = "gunicorn"
    DOCKERFILE = "dockerfile"
    SYSTEMD = "systemd"
    PROCFILE = "procfile"
    COMPOSE = "compose"
    SUPERVISORD = "supervisord"


def kind_of(name: str, text: str) -> Kind | None:
    """Return what a file is by its name, or else by what is in it; None for what cannot be told."""
    path = PurePath(name)
    lowered = path.name.lower()
    if "dockerfile" in lowered or "containerfile" in lowered:
        return Kind.DOCKERFILE
    if lowered.startswith("procfile"):
        return Kind.PROCFILE
    by_suffix = {".service": Kind.SYSTEMD, ".py": Kind.GUNICORN, ".yml": Kind.COMPOSE, ".yaml": Kind.COMPOSE}
    by_suffix |= {".sh": Kind.COMMAND, ".bash": Kind.COMMAND, ".conf": Kind.SYSTEMD}
    kind = by_suffix.get(path.suffix.lower())
    if kind is Kind.SYSTEMD and "[Service]" not in text:  # also .conf of Supervisor
        kind = None
    return kind or _kind_by_content(text)


def _kind_by_content(text: str) -> Kind | None:
    for pattern, kind in (
        (r"^\[Service\]", Kind.SYSTEMD),
        (r"^\[program:", Kind.SUPERVISORD),
        (r"^\s*FROM\s+\S+", Kind.DOCKERFILE),
        (r"^services:", Kind.COMPOSE),
        (r"^web:\s", Kind.PROCFILE),
        (r"^\s*(?:bind|workers|worker_class|timeout|wsgi_app)\s*=", Kind.GUNICORN),
        (_SERVER, Kind.COMMAND),
    ):
        if re.search(pattern, text, re.MULTILINE):
            return kind
    return None
