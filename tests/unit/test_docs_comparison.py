"""What the comparison says of srvctl is true: each cell of its column has something that shows it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from srvctl.cli.app import everything
from srvctl.settings.catalog import catalog
from srvctl.supervisor.backoff import Backoff

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs/comparison").glob("*.md"))
FEATURES = ROOT / "docs/comparison/features.md"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
COMMANDS = {command.name for command in everything()}
SETTINGS = set(catalog())


def has(*names: str) -> Callable[[], bool]:
    """Shown by settings."""
    return lambda: set(names) <= SETTINGS


def lacks(*words: str) -> Callable[[], bool]:
    """Shown by no setting having a word for it."""
    return lambda: not any(word in name for word in words for name in SETTINGS)


def command(*names: str) -> Callable[[], bool]:
    """Shown by commands."""
    return lambda: set(names) <= COMMANDS


def shown(file: str, name: str) -> Callable[[], bool]:
    """Shown by a test."""
    return lambda: f"def {name}(" in (ROOT / "tests" / file).read_text(encoding="utf-8")


def source(file: str, line: str) -> Callable[[], bool]:
    """Shown by a line of the code."""
    return lambda: line in (ROOT / "srvctl" / file).read_text(encoding="utf-8")


def depends(word: str, *, on: bool) -> Callable[[], bool]:
    """Shown by what is installed with it."""
    return lambda: any(word in one for one in [*PROJECT["dependencies"], *extras()]) is on


def extras() -> list[str]:
    return [one for group in PROJECT["optional-dependencies"].values() for one in group]


def platform(name: str) -> Callable[[], bool]:
    """Shown by what is said to those who install it."""
    return lambda: not any(name in one for one in PROJECT["classifiers"])


def choices(name: str, *values: str) -> Callable[[], bool]:
    """Shown by the words a setting takes."""
    variable = f"`SRVCTL_{name.upper().replace('.', '__')}`"
    lines = (ROOT / "docs/reference/settings.md").read_text(encoding="utf-8").splitlines()
    said = " ".join(line for line in lines if variable in line)
    return lambda: name in SETTINGS and all(value in said for value in values)


RELOAD = "process/test_reload.py"
#: For each row the cell of srvctl, and what shows it.
CLAIMS: dict[str, tuple[str, Callable[[], bool]]] = {
    "ASGI 3": ("yes", choices("app.interface", "asgi3")),
    "WSGI": ("threads, by a2wsgi", depends("a2wsgi", on=True)),
    "another interface of its own": ("no", choices("app.interface", r"auto\|asgi3\|asgi2\|wsgi")),
    "HTTP/2": ("yes", has("http.http2")),
    "HTTP/3": ("no", depends("quic", on=False)),
    "WebSocket over HTTP/2": (
        "yes",
        source("worker/http2/peering.py", "settings[ENABLE_CONNECT_PROTOCOL] = 1"),
    ),
    "trio as event loop": ("no", depends("trio", on=False)),
    "Windows": ("no", platform("Windows")),
    "static files": ("no", lacks("static")),
    "connections spread evenly over workers": (
        "yes",
        shown("process/test_balance.py", "test_all_workers_have_the_same_number"),
    ),
    "several addresses": ("yes", has("server.bind")),
    "sockets of systemd, by name": (
        "yes",
        shown("process/test_sockets.py", "test_the_real_socket_activation"),
    ),
    "PROXY protocol": (
        "v1, v2",
        shown("process/test_proxy_protocol.py", "test_the_addresses_are_those_of_the_header"),
    ),
    "deadline for a request's head": ("yes, 30 s", lambda: default("timeouts.request_head") == 30.0),
    "limit of a request's body": ("yes", has("limits.request_body_size")),
    "queue with a deadline for too many requests": ("yes", has("limits.concurrency_queue", "timeouts.queue")),
    "renewed certificates without a restart": ("yes", has("tls.reload_interval")),
    "RFC 7239 `Forwarded`": ("yes", shown("system/test_haproxy.py", "test_the_standard_header")),
    "access log with durations, JSON": ("yes", choices("log.access_format", "json", "%D")),
    "a worker that crashes is replaced, also the only one": (
        "yes",
        shown("process/test_crash_policy.py", "test_a_service_that_once_served_is_never_given_up"),
    ),
    "a reload waits until a new worker is ready": ("yes", shown(RELOAD, "test_no_request_is_lost")),
    "code that fails at a reload": (
        "all go back",
        shown(RELOAD, "test_all_go_back_if_the_third_of_four_fails"),
    ),
    "replaced before it ends, for requests, age, memory": (
        "yes",
        shown("process/test_recycle.py", "test_a_limit_costs_no_request_and_no_worker"),
    ),
    "a blocked event loop is found": ("yes", has("health.hang_timeout")),
    "time without a CPU does not count": (
        "yes",
        shown(
            "process/test_liveness.py",
            "test_a_worker_that_is_starved_is_left_alone_and_one_that_is_blocked_as_well_is_not",
        ),
    ),
    "stacks of a worker that hung": (
        "yes",
        shown(
            "process/test_liveness.py",
            "test_a_blocked_loop_is_replaced_whatever_blocks_it_and_the_stacks_tell_where",
        ),
    ),
    "import once, and new code by a reload": (
        "yes",
        shown("process/test_mold.py", "test_a_worker_comes_back_with_the_code_that_was_imported"),
    ),
    "number of workers follows the load": (
        "yes",
        shown(
            "process/test_autoscale.py",
            "test_requests_in_flight_bring_workers_up_to_the_most_and_nothing_is_lost_as_they_go",
        ),
    ),
    "upgrade of the server in place": ("yes, same pid", command("upgrade")),
    "many applications from one master": ("no", lacks("emperor", "apps")),
    "programs in other languages beside it": ("yes", command("program")),
    "scheduled jobs": ("no", lacks("cron", "schedule")),
    "systemd: ready, reload, watchdog": (
        "yes",
        shown("system/test_systemd_watchdog.py", "test_who_is_well_is_left_alone"),
    ),
    "commands for what runs": ("yes", command("status", "reload", "scale", "worker", "stop")),
    "metrics": ("Prometheus, StatsD, OTLP", has("metrics.statsd", "metrics.otlp", "console.bind")),
    "rotation of log files": ("by size and age", has("log.max_size", "log.max_age")),
    "record of why workers died": ("yes", command("why")),
    "command that tries reloads and crashes under load": ("yes", command("rehearse")),
    "is a web server itself": ("yes", command("run")),
    "any program": ("beside the workers", command("program")),
    "order of starting, by readiness": ("yes", has("workers.after")),
    "a program says when it is ready": (
        "yes, descriptor or notify",
        shown("process/test_programs.py", "test_each_waits_for_what_it_comes_after_and_workers_for_some"),
    ),
    "waits longer after each failure": ("yes, up to 30 s", lambda: longest_wait() == 30.0),
    "opens sockets for its programs": (
        "yes",
        shown("process/test_fd_store.py", "test_sockets_of_programs_are_kept_as_well"),
    ),
    "web page": ("yes, the console", has("console.bind")),
    "API over the network": ("console", has("console.token")),
    "events to programs of yours": ("control socket", command("events")),
    "start at boot": ("units, by `srvctl init`", command("init")),
    "macOS": ("untested", platform("MacOS")),
}


def default(name: str) -> object:
    return catalog()[name].default


def longest_wait() -> float:
    return Backoff().cap


def rows() -> dict[str, str]:
    """The cell of srvctl, by the first of its row."""
    found = {}
    for line in FEATURES.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if len(cells) > 1 and cells[0] and not cells[0].startswith("-"):
            found[cells[0]] = cells[1]
    return found


def test_every_row_has_something_that_shows_it() -> None:
    """A row that is added needs it, too."""
    assert set(rows()) == set(CLAIMS)


@pytest.mark.parametrize("name", CLAIMS)
def test_what_is_said_of_srvctl_is_true(name: str) -> None:
    """The words in its column, and what they rest on."""
    words, is_true = CLAIMS[name]
    assert rows()[name] == words
    assert is_true()


def test_the_number_of_packages_is_true() -> None:
    """As it is said to those who come from uvicorn."""
    numbers = {12: "twelve", 13: "thirteen", 14: "fourteen"}
    words = numbers[len(PROJECT["dependencies"])]
    assert f"srvctl needs {words}." in (ROOT / "docs/comparison/uvicorn.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_each_page_says_what_it_answers_and_of_when_it_is(page: Path) -> None:
    """Versions and a date: comparisons grow old."""
    text = page.read_text(encoding="utf-8")
    assert text.splitlines()[2].startswith("This page answers:")
    assert re.search(
        r"\b(January|February|March|April|May|June|July|August|September|October|November|December) 20\d\d\b",
        text,
    )
    assert f"srvctl\n{PROJECT['version']}" in text or f"srvctl {PROJECT['version']}" in text


@pytest.mark.parametrize("page", [page for page in PAGES if page != FEATURES], ids=lambda page: page.stem)
def test_each_page_says_where_each_is_better(page: Path) -> None:
    """Both, before it says how to move."""
    headings = re.findall(r"^## (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert re.fullmatch(r"Where (?!srvctl).+ is better", headings[0])
    assert headings[1:3] == ["Where srvctl is better", "How to move"]
