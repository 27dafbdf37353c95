"""``srvctl ls``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from srvctl.cli import asking
from srvctl.errors import UsageError

if TYPE_CHECKING:
    from argparse import Namespace

    from srvctl.cli.parsing import Parser
    from srvctl.errors import ExitCode


def declare(parser: Parser) -> None:
    """Add the flags."""
    asking.declare_instance(parser)


def carry_out(values: Namespace) -> ExitCode:
    """Placeholder until its owner has built it."""
    raise UsageError(f"not built yet: {values}")
