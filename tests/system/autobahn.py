"""Runs the Autobahn test suite, another client for every WebSocket case there is, against running servers."""

from __future__ import annotations

import html
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.support.server_waits import FACTOR

if TYPE_CHECKING:
    from collections.abc import Mapping

_ROOT: Final = Path(__file__).parents[2]
_WSTEST: Final = _ROOT / ".autobahn" / "python" / "bin" / "wstest"
#: Whether every case is run, also those that take long: limits and performance, and compression.
IS_COMPLETE: Final = os.environ.get("SRVCTL_TEST_AUTOBAHN") == "all"
_SLOW: Final = ["9.*", "12.*", "13.*"]
CASES: Final = 517 if IS_COMPLETE else 247
TIMEOUT: Final = (7200 if IS_COMPLETE else 300) * FACTOR
PASSED: Final = {"OK", "INFORMATIONAL"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the suite says of one case.

    Attributes:
        case: Its number.
        behavior: How the server did.
        closing: How the server closed the WebSocket.
        report: The file with everything that was sent and received.
    """

    case: str
    behavior: str
    closing: str
    report: Path

    @property
    def is_passed(self) -> bool:
        """Whether there is nothing to say against the server, not even that it was not strict."""
        return {self.behavior, self.closing} <= PASSED

    def __str__(self) -> str:
        told = json.loads(self.report.read_text())
        return "\n    ".join(
            (
                f"{self.case} is {self.behavior}, its closing {self.closing}: {_plain(told['description'])}",
                f"expected: {_plain(told['expectation'])}",
                f"result: {_plain(told['result'])} {_plain(told['resultClose'])}",
            )
        )


def _plain(text: Any) -> str:
    """Return a text of the report without its mark-up."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", str(text))).split())


def install() -> str:
    """Install the suite where it is not yet; return why that cannot be done."""
    script = [str(_ROOT / "scripts" / "autobahn-environment")]
    done = subprocess.run(
        script, env={**os.environ, "PYTHON": sys.executable}, stderr=subprocess.PIPE, text=True, check=False
    )
    return done.stderr.strip() if done.returncode else ""


def judge(urls: Mapping[str, str], folder: Path) -> dict[str, list[Verdict]]:
    """Run the suite against all of these servers at once; return its verdicts, in order, by name.

    Args:
        urls: Where the servers are, by name.
        folder: Where the reports go.
    """
    running = {name: _start(name, url, folder) for name, url in urls.items()}
    try:
        for process in running.values():
            process.wait(TIMEOUT)
    finally:
        for process in running.values():
            process.kill()
            process.wait()
    return {name: _verdicts(name, folder / name) for name in urls}


def _start(name: str, url: str, folder: Path) -> subprocess.Popen[bytes]:
    spec = folder / f"{name}.json"
    server = {"agent": name, "url": url}
    excluded = [] if IS_COMPLETE else _SLOW
    spec.write_text(
        json.dumps(
            {"servers": [server], "outdir": str(folder / name), "cases": ["*"], "exclude-cases": excluded}
        )
    )
    with (folder / f"{name}.log").open("wb") as log:
        command = [str(_WSTEST), "--mode", "fuzzingclient", "--spec", str(spec)]
        return subprocess.Popen(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT)


def _verdicts(name: str, reports: Path) -> list[Verdict]:
    index = reports / "index.json"
    assert index.exists(), (reports.parent / f"{name}.log").read_text()[-3000:]
    found = [
        Verdict(case, told["behavior"], told["behaviorClose"], reports / told["reportfile"])
        for case, told in json.loads(index.read_text())[name].items()
    ]
    return sorted(found, key=lambda verdict: [int(part) for part in verdict.case.split(".")])
