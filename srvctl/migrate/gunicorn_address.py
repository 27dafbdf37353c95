"""gunicorn's ways to write an application and an address, in srvctl's. Pure."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_PORT: Final = "8000"
_OPEN: Final = 0o666


def target_of(text: str) -> tuple[str | None, bool]:
    """Return the target, and whether it has to be called; None where it is called with arguments.

    Args:
        text: ``module``, which means its ``application``, ``module:attribute`` or ``module:factory()``.
    """
    module, _, attribute = text.partition(":")
    if "(" not in attribute:
        return f"{module}:{attribute or 'application'}", False
    try:
        call = ast.parse(attribute, mode="eval").body
    except SyntaxError:
        return None, False
    if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and not call.args and not call.keywords:
        return f"{module}:{call.func.id}", True
    return None, False


def bind_of(text: str, accounts: Mapping[str, str]) -> str:
    """Return an address as ``--bind`` takes it.

    Args:
        text: As gunicorn takes it.
        accounts: gunicorn's ``user``, ``group`` and ``umask``, where given: they are the socket file's too.
    """
    if text.startswith("unix:"):
        return f"unix:{text.removeprefix('unix:').removeprefix('//')}?{_socket_options(accounts)}"
    text = text.removeprefix("tcp://")
    if text.startswith(("fd://", "[")):
        return text if text.startswith("fd://") or "]:" in text else f"{text}:{_PORT}"
    host, colon, port = text.partition(":")
    # With an empty host gunicorn listens to IPv4 alone; srvctl's :8000 would be both.
    return f"{host or '0.0.0.0'}:{port if colon else _PORT}"


def _socket_options(accounts: Mapping[str, str]) -> str:
    """Return what makes the socket file as open as gunicorn makes it: write permission is what connects."""
    try:
        umask = _octal(accounts.get("umask", "0"))
    except ValueError:
        umask = 0
    owner = [f"{name}={accounts[name]}" for name in ("user", "group") if name in accounts]
    return "&".join([f"mode={_OPEN & ~umask:03o}", *owner])


def _octal(text: str) -> int:
    """Read a number as gunicorn does: octal behind a zero."""
    return int(text, 8) if text.startswith("0") and text.isdecimal() else int(text, 0)
