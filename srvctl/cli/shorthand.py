"""Lets ``srvctl main:app --port 80`` be ``srvctl run main:app --port 80``, as uvicorn has no commands.

Pure, and loads nothing: every start passes through here, also that of an upgrade in place, which starts the
program with the command line that it was first started with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Flags of ``srvctl`` itself.
_OWN: Final = frozenset({"-h", "--help", "--version"})
#: Flags that every command has which looks for an instance: by themselves they do not mean ``run``.
_FINDING: Final = frozenset({"--config", "--name", "--control-socket"})


def spelled_out(argv: Sequence[str]) -> list[str]:
    """Return a command line that begins with its command, also where it says only what to serve.

    A first word with a colon is an application, since no command has one; and a flag that is not srvctl's
    own is one of ``run``.
    """
    words = list(argv)
    return ["run", *words] if words and _means_run(words) else words


def _means_run(words: Sequence[str]) -> bool:
    first = words[0]
    if not first.startswith("-"):
        return ":" in first
    if first[:2] == "-c" or first.partition("=")[0] in _FINDING:
        return any(":" in word for word in words[1:] if not word.startswith("-"))
    return first not in _OWN
