"""``srvctl doctor``: what on this machine is in the way of what is to be served."""

from __future__ import annotations

import os
from collections.abc import Mapping  # noqa: TC003 - typer evaluates the annotations of commands
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from srvctl.cli.answer import print_json
from srvctl.cli.flags import ConfigFlag  # noqa: TC001 - as above
from srvctl.cli.printing import show
from srvctl.cli.running import load_all
from srvctl.doctor.checks import examine
from srvctl.doctor.finding import Finding, Level
from srvctl.doctor.look import look
from srvctl.errors import ExitCode, printable
from srvctl.settings.instance import identify
from srvctl.settings.service import Service

if TYPE_CHECKING:
    from collections.abc import Sequence

_WIDTH = max(map(len, Level))


def doctor(
    given: Mapping[str, object],
    config: ConfigFlag = None,
    json: Annotated[bool, typer.Option("--json", help="Print an object.")] = False,
) -> ExitCode:
    """Look at this machine, and say what to change for APP and these settings."""
    settings = load_all(given, config).settings
    named = os.environ.get("SRVCTL_CONFIG")
    file = Path(named) if config is None and named else config
    facts = look(Service(settings, identify(settings, file)), os.environ, os.geteuid())
    findings = examine(settings, facts)
    is_well = all(finding.level is not Level.PROBLEM for finding in findings)
    if json:
        print_json({"ok": is_well, "findings": [_plain(finding) for finding in findings]})
    else:
        show("\n".join(as_lines(findings)))
    return ExitCode.OK if is_well else ExitCode.REFUSED


def _plain(finding: Finding) -> dict[str, str]:
    return {
        "level": finding.level.value,
        "topic": finding.topic,
        "text": finding.text,
        "advice": finding.advice,
    }


def as_lines(findings: Sequence[Finding]) -> list[str]:
    """Return a line for each finding, what to do below it, and at the end how many there are of each kind."""
    lines = []
    for finding in findings:
        lines.append(f"{finding.level:{_WIDTH}}  {finding.topic}: {printable(finding.text)}")
        lines += [f"{'':{_WIDTH}}    {printable(line)}" for line in finding.advice.splitlines()]
    return [*lines, "", _summary(findings)]


def _summary(findings: Sequence[Finding]) -> str:
    counts = {
        level: sum(finding.level is level for finding in findings)
        for level in (Level.PROBLEM, Level.WARNING, Level.NOTE)
    }
    told = [f"{count} {level}{'s' if count > 1 else ''}" for level, count in counts.items() if count]
    return f"{', '.join(told)}." if told else "Nothing to change."
