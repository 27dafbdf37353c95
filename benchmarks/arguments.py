"""What the subcommands have in common: arguments, lists, and lines of progress."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from benchmarks.servers import Server


def at_least_one(value: str) -> int:
    """Return a number of something.

    Raises:
        argparse.ArgumentTypeError: It is none.
    """
    number = int(value)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1")
    return number


def add_servers(
    parser: argparse.ArgumentParser, table: Mapping[str, Server], default: Sequence[Server]
) -> None:
    """Add ``--servers``, which takes names of this table."""
    names = ",".join(server.name for server in default)
    about = f"names, with commas (default {names})"
    parser.add_argument("--servers", type=_servers_of(table), default=default, help=about)


def _servers_of(table: Mapping[str, Server]) -> Callable[[str], list[Server]]:
    def servers(value: str) -> list[Server]:
        names = list(dict.fromkeys(name.strip() for name in value.split(",") if name.strip()))
        unknown = [name for name in names if name not in table]
        if unknown or not names:
            raise argparse.ArgumentTypeError(
                f"{', '.join(unknown) or 'nothing'} is none of {', '.join(table)}"
            )
        return [table[name] for name in names]

    return servers


def listing(workloads: Mapping[str, str], servers: Mapping[str, Server]) -> str:
    """Return workloads with what they are about, and servers with their versions."""
    lines = ["workloads", *(f"  {name:<26} {about}" for name, about in workloads.items())]
    versions = {name: server.installed_version() or "not installed" for name, server in servers.items()}
    return "\n".join([*lines, "servers", *(f"  {name:<26} {found}" for name, found in versions.items())])


def progress(line: str) -> None:
    """Tell somebody who waits what is going on."""
    print(line, file=sys.stderr, flush=True)
