"""What each check says of which facts, and what it advises."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from srvctl.doctor import check_kernel, check_limits, check_places, check_process
from srvctl.doctor.checks import CHECKS, examine
from srvctl.doctor.facts import (
    Address,
    Capacity,
    Certificate,
    Facts,
    Import,
    Interpreter,
    Kernel,
    Limits,
    Place,
    Places,
    Surroundings,
)
from srvctl.doctor.finding import Level
from srvctl.ipc.topology import Topology
from srvctl.settings.groups import Settings

if TYPE_CHECKING:
    from srvctl.doctor.finding import Finding

GIB = 2**30


def settings(**values: Any) -> Settings:
    """Settings with some values, written as group__name."""
    made = Settings()
    for key, value in values.items():
        group, _, name = key.partition("__")
        made = replace(made, **{group: replace(getattr(made, group), **{name: value})})
    return made


def said(found: list[Finding]) -> list[tuple[str, str]]:
    return [(finding.level.value, finding.text) for finding in found]


NODES = Facts(
    capacity=Capacity(
        affinity=8,
        cpus=frozenset(range(8)),
        topology=Topology((frozenset(range(4)), frozenset(), frozenset(range(4, 8)))),
    )
)
LIMIT_CASES: list[tuple[Any, dict[str, Any], Facts, str, str, str]] = [
    (check_limits.open_files, {}, Facts(), "ok", "no limit", ""),
    (check_limits.open_files, {}, Facts(limits=Limits(files=65536)), "ok", "65536", ""),
    (
        check_limits.open_files,
        {},
        Facts(limits=Limits(files=1024, files_hard=65536)),
        "warning",
        "about 960 connections",
        "--rlimit nofile=65536",
    ),
    (
        check_limits.open_files,
        {},
        Facts(limits=Limits(files=1024, files_hard=4096)),
        "warning",
        "1024",
        "LimitNOFILE=65536 in the unit",
    ),
    (
        check_limits.open_files,
        {"limits__concurrency": 1000, "limits__concurrency_queue": 100},
        Facts(limits=Limits(files=1024)),
        "problem",
        "have 1100 requests",
        "--rlimit nofile=1228",
    ),
    (
        check_limits.open_files,
        {"workers__rlimits": ("core=0", "nofile=9000")},
        Facts(limits=Limits(files=10)),
        "ok",
        "9000",
        "",
    ),
    (
        check_limits.open_files,
        {"workers__rlimits": ("nofile=unlimited",)},
        Facts(limits=Limits(files=10)),
        "ok",
        "no limit",
        "",
    ),
    (
        check_limits.tasks,
        {"workers__count": 4},
        Facts(limits=Limits(tasks=20, tasks_now=10)),
        "problem",
        "10 more",
        "TasksMax=33",
    ),
    (
        check_limits.tasks,
        {"workers__count": 4, "app__interface": "wsgi"},
        Facts(limits=Limits(tasks=60)),
        "ok",
        "60 more",
        "",
    ),
    (
        check_limits.tasks,
        {"workers__count": 4, "app__interface": "wsgi"},
        Facts(limits=Limits(tasks=50)),
        "problem",
        "need about 58",
        "--pids-limit 108",
    ),
    (check_limits.cpus, {"workers__count": 1}, Facts(), "ok", "1 worker for 1 CPU", ""),
    (
        check_limits.cpus,
        {"workers__count": 9},
        Facts(capacity=Capacity(affinity=4)),
        "warning",
        "wait for each other",
        "--workers 4",
    ),
    (check_limits.cpus, {"workers__count": 8}, Facts(capacity=Capacity(affinity=4)), "ok", "8 workers", ""),
    (
        check_limits.cpus,
        {"workers__count": 2},
        Facts(capacity=Capacity(affinity=4)),
        "note",
        "nothing to do",
        "--workers auto",
    ),
    (
        check_limits.cpus,
        {"workers__count": 4},
        Facts(capacity=Capacity(affinity=8, quota=1.5)),
        "warning",
        "1.5 CPUs' worth",
        "--workers 1",
    ),
    (
        check_limits.cpus,
        {"workers__count": "auto"},
        Facts(capacity=Capacity(affinity=8, quota=2)),
        "ok",
        "2 workers",
        "",
    ),
    (
        check_limits.cpus,
        {"workers__count": 1, "reload__enabled": True},
        Facts(capacity=Capacity(affinity=8)),
        "ok",
        "1 worker",
        "",
    ),
    (check_limits.affinity, {}, NODES, "note", "2 memory nodes", "--cpu-affinity numa"),
    (
        check_limits.affinity,
        {"workers__cpu_affinity": "auto", "workers__count": 9},
        NODES,
        "warning",
        "9 workers on CPUs 0-7: some must share one",
        "--workers 8, or leave workers.cpu_affinity out",
    ),
    (
        check_limits.affinity,
        {"workers__cpu_affinity": "0;1", "workers__count": 3},
        NODES,
        "warning",
        "3 workers on CPUs 0-1",
        "--workers 2, or leave",
    ),
    (
        check_limits.affinity,
        {"workers__cpu_affinity": "numa", "workers__count": 1},
        NODES,
        "note",
        "the memory node of CPUs 4-7 is not used",
        "--workers auto",
    ),
    (
        check_limits.affinity,
        {"workers__cpu_affinity": "numa", "workers__count": 64},
        NODES,
        "ok",
        "64 workers on CPUs 0-7",
        "",
    ),
    (check_limits.memory, {}, Facts(), "ok", "no cgroup", ""),
    (
        check_limits.memory,
        {"workers__count": 4, "workers__max_memory": GIB},
        Facts(capacity=Capacity(memory=2 * GIB)),
        "problem",
        "4 workers may have 1GiB each",
        "--max-memory 368MiB",
    ),
    (
        check_limits.memory,
        {"workers__max": 4, "workers__max_memory": GIB},
        Facts(capacity=Capacity(memory=2 * GIB)),
        "problem",
        "4 workers may have 1GiB each",
        "--max-memory 368MiB",
    ),
    (
        check_limits.memory,
        {"workers__count": 4},
        Facts(capacity=Capacity(memory=GIB // 4)),
        "warning",
        "less than 128MiB",
        "--workers auto",
    ),
    (
        check_limits.memory,
        {"workers__count": 1},
        Facts(capacity=Capacity(memory=GIB)),
        "note",
        "gives 1GiB",
        "--max-memory 460MiB",
    ),
    (
        check_limits.memory,
        {"workers__count": 2, "workers__max_memory": GIB // 4},
        Facts(capacity=Capacity(memory=GIB)),
        "ok",
        "replaced at 256MiB",
        "",
    ),
]

OPEN, LOCAL = Address(":80", 80, is_open=True), Address("127.0.0.1:8000", 8000)
KERNEL_CASES: list[tuple[Any, dict[str, Any], Facts, str, str, str]] = [
    (check_kernel.queue, {}, Facts(kernel=Kernel(somaxconn=4096)), "ok", "queues 2048", ""),
    (
        check_kernel.queue,
        {},
        Facts(kernel=Kernel(somaxconn=128)),
        "warning",
        "only 128",
        "sysctl -w net.core.somaxconn=2048",
    ),
    (
        check_kernel.sight,
        {},
        Facts(kernel=Kernel(tells_waiting=False)),
        "note",
        "schedstat",
        "--hang-timeout",
    ),
    (
        check_kernel.sight,
        {"workers__max_memory": GIB},
        Facts(kernel=Kernel(tells_memory=False)),
        "warning",
        "smaps_rollup",
        "--max-memory",
    ),
    (check_kernel.sight, {}, Facts(kernel=Kernel(is_linux=False)), "note", "not Linux", ""),
    (check_kernel.sight, {}, Facts(), "ok", "tells what srvctl asks", ""),
    (
        check_kernel.memory_promises,
        {},
        Facts(kernel=Kernel(overcommit=2)),
        "warning",
        "overcommit_memory is 2",
        "--preload off",
    ),
    (
        check_kernel.memory_promises,
        {},
        Facts(kernel=Kernel(huge_pages="always")),
        "note",
        "huge pages are always",
        "madvise",
    ),
]

PLACE_CASES: list[tuple[Any, dict[str, Any], Facts, str, str, str]] = [
    (
        check_places.files,
        {},
        Facts(places=Places(control=Place("/run/x.sock"))),
        "ok",
        "/run/x.sock",
        "",
    ),
    (check_places.files, {}, Facts(), "note", "control.socket is none", ""),
    (
        check_places.files,
        {},
        Facts(places=Places(control=Place(reason="/run is full"))),
        "warning",
        "/run is full",
        "RuntimeDirectory=srvctl",
    ),
    (check_places.logs, {}, Facts(places=Places(log=Place("/l"))), "ok", "/l", ""),
    (
        check_places.logs,
        {},
        Facts(places=Places(access_log=Place("/l", "may not"))),
        "problem",
        "may not",
        "--access-log-file",
    ),
    (
        check_places.logs,
        {"log__capture": False},
        Facts(surroundings=Surroundings(stdout="pipe", stdout_blocks=True)),
        "warning",
        "stand still",
        "--log-capture",
    ),
    (check_places.addresses, {}, Facts(addresses=(LOCAL,)), "ok", "127.0.0.1:8000 is free", ""),
    (check_places.addresses, {}, Facts(addresses=(OPEN,)), "problem", "below 1024", "CAP_NET_BIND_SERVICE"),
    (
        check_places.addresses,
        {},
        Facts(addresses=(OPEN,), surroundings=Surroundings(may_bind_low=True)),
        "ok",
        ":80 is free",
        "",
    ),
    (
        check_places.addresses,
        {},
        Facts(addresses=(OPEN,), kernel=Kernel(first_free_port=0)),
        "ok",
        ":80 is free",
        "",
    ),
    (
        check_places.addresses,
        {},
        Facts(addresses=(replace(LOCAL, holder="pid 7 (nginx)"),)),
        "problem",
        "in use by pid 7 (nginx)",
        "--bind",
    ),
    (
        check_places.addresses,
        {},
        Facts(addresses=(replace(LOCAL, holder="pid 7 (srvctl)", is_ours=True),)),
        "note",
        "is a srvctl",
        "",
    ),
    (
        check_places.addresses,
        {},
        Facts(addresses=(Address("unix:/s", reason="no directory"),)),
        "problem",
        "no directory",
        "--bind",
    ),
    (
        check_places.addresses,
        {},
        Facts(addresses=(Address("unix:/s", mode="666"),)),
        "note",
        "every user",
        "mode=660",
    ),
    (
        check_places.certificates,
        {},
        Facts(certificates=(Certificate("c.pem", -2.5),)),
        "problem",
        "ended 2 days ago",
        "renew",
    ),
    (
        check_places.certificates,
        {},
        Facts(certificates=(Certificate("c.pem", 13.9),)),
        "warning",
        "in 13 days",
        "renew",
    ),
    (check_places.certificates, {}, Facts(certificates=(Certificate("c.pem", 20),)), "note", "20 days", ""),
    (check_places.certificates, {}, Facts(certificates=(Certificate("c.pem", 90),)), "ok", "90 days", ""),
    (
        check_places.trust,
        {"proxy__forwarded_allow_ips": ("*",)},
        Facts(addresses=(OPEN, LOCAL)),
        "warning",
        "can reach :80:",
        "--forwarded-allow-ips",
    ),
]

PROCESS_CASES: list[tuple[Any, dict[str, Any], Facts, str, str, str]] = [
    (
        check_process.user,
        {},
        Facts(surroundings=Surroundings(uid=0)),
        "warning",
        "runs as root",
        "--user NAME",
    ),
    (check_process.user, {"workers__user": "www"}, Facts(surroundings=Surroundings(uid=0)), "ok", "www", ""),
    (check_process.user, {}, Facts(), "ok", "user 1000", ""),
    (
        check_process.service,
        {},
        Facts(surroundings=Surroundings(watchdog=30.0)),
        "ok",
        "the watchdog (30 s) is fed while more than half of the workers beat",
        "",
    ),
    (
        check_process.service,
        {},
        Facts(surroundings=Surroundings(watchdog=0.5)),
        "warning",
        "WatchdogSec=0.5 is shorter",
        "WatchdogSec=2 or more",
    ),
    (
        check_process.service,
        {},
        Facts(surroundings=Surroundings(is_service=True, mistakes=("NOTIFY_SOCKET is odd.",))),
        "warning",
        "NOTIFY_SOCKET is odd",
        "",
    ),
    (
        check_process.service,
        {},
        Facts(surroundings=Surroundings(is_notified=True, is_service=True)),
        "ok",
        "is told",
        "",
    ),
    (
        check_process.service,
        {},
        Facts(surroundings=Surroundings(is_service=True)),
        "note",
        "does not ask",
        "notify-reload",
    ),
    (
        check_process.container,
        {},
        Facts(surroundings=Surroundings(is_container=True, first_process="sh")),
        "warning",
        "process 1 is sh",
        "exec form",
    ),
    (
        check_process.container,
        {},
        Facts(surroundings=Surroundings(is_container=True, first_process="srvctl")),
        "ok",
        "process 1 is srvctl",
        "",
    ),
    (check_process.application, {}, Facts(), "note", "none is named", "srvctl doctor APP"),
    (
        check_process.application,
        {"app__target": "a:b"},
        Facts(imported=Import(seconds=60, is_late=True)),
        "problem",
        "not done within 60 s",
        "--timeout-boot",
    ),
    (
        check_process.application,
        {"app__target": "a:b"},
        Facts(imported=Import(error="broken", details="the traceback\n")),
        "problem",
        "broken",
        "the traceback",
    ),
    (
        check_process.application,
        {"app__target": "a:b"},
        Facts(imported=Import(seconds=0.51)),
        "ok",
        "a:b is imported in 0.5 s",
        "",
    ),
    (
        check_process.application,
        {"app__target": "a:b"},
        Facts(imported=Import(seconds=40)),
        "warning",
        "has 60 s",
        "--timeout-boot 120s",
    ),
    (
        check_process.application,
        {"app__target": "a:b", "workers__preload": "off"},
        Facts(imported=Import(seconds=5)),
        "note",
        "in each worker",
        "--preload auto",
    ),
]


@pytest.mark.parametrize(
    ("check", "given", "facts", "level", "text", "advice"),
    [*LIMIT_CASES, *KERNEL_CASES, *PLACE_CASES, *PROCESS_CASES],
)
def test_what_is_said(
    check: Any, given: dict[str, Any], facts: Facts, level: str, text: str, advice: str
) -> None:
    """The first finding; it has advice if anything can be done."""
    finding = next(iter(check(settings(**given), facts)))
    assert (finding.level.value, text in finding.text, advice in finding.advice) == (level, True, True), (
        finding
    )
    assert bool(advice) == bool(finding.advice)


@pytest.mark.parametrize(
    ("loop", "python", "expected"),
    [
        ("auto", Interpreter("3.12.1", uvloop="0.21"), [("ok", "3.12.1"), ("ok", "uvloop 0.21")]),
        ("uvloop", Interpreter("3.12.1"), [("ok", "3.12.1"), ("problem", "uvloop cannot be imported")]),
        ("auto", Interpreter("3.12.1"), [("ok", "3.12.1"), ("warning", "uvloop cannot be imported")]),
        (
            "asyncio",
            Interpreter("3.12.1", slowed_by=("-X dev",), uvloop="1"),
            [("warning", "slowed down for debugging by -X dev"), ("note", "workers.loop is asyncio")],
        ),
        ("my:loop", Interpreter("7.3", "pypy", uvloop="1"), [("warning", "made and tested for CPython")]),
    ],
)
def test_python_and_its_loop(loop: str, python: Interpreter, expected: list[tuple[str, str]]) -> None:
    found = said(list(check_process.interpreter(settings(workers__loop=loop), Facts(interpreter=python))))
    assert [(level, text in full) for (level, text), (_, full) in zip(expected, found, strict=True)] == [
        (level, True) for level, _ in found
    ]


def test_half_open_connections_matter_only_to_others() -> None:
    kernel = Kernel(somaxconn=4096, syn_backlog=256)
    levels = [
        [
            finding.level
            for finding in check_kernel.queue(settings(), Facts(kernel=kernel, addresses=(address,)))
        ]
        for address in (OPEN, LOCAL)
    ]
    assert levels == [[Level.OK, Level.NOTE], [Level.OK]]


def test_what_the_kernel_does_not_tell_of_pressure_and_debuggers() -> None:
    kernel = Kernel(tells_pressure=False, ptrace_scope=2)
    found = list(check_kernel.sight(settings(), Facts(kernel=kernel)))
    assert [finding.level for finding in found] == [Level.NOTE, Level.OK, Level.NOTE]
    assert "/proc/pressure" in found[0].text
    assert "py-spy" in found[2].text


def test_a_limit_that_nobody_relies_on_is_none() -> None:
    kernel = Kernel(tells_waiting=False, tells_memory=False)
    found = check_kernel.sight(settings(health__hang_timeout=0.0), Facts(kernel=kernel))
    assert said(list(found)) == [("ok", "it tells what srvctl asks about workers")]


@pytest.mark.parametrize(("preload", "level"), [("auto", "note"), ("on", "warning"), ("off", None)])
def test_what_an_import_leaves_behind(preload: str, level: str | None) -> None:
    facts = Facts(imported=Import(seconds=0.1, left=("started the thread 'poller'",)))
    found = list(check_process.application(settings(app__target="a:b", workers__preload=preload), facts))
    assert [finding.level.value for finding in found] == ["ok", *([level] if level else [])]
    if level:
        assert "importing a:b started the thread 'poller'" in found[1].text


def test_files_beside_the_log() -> None:
    places = Places(Place("/c"), Place("/l", "no room"), Place("/p", "no such directory"))
    found = list(check_places.files(settings(), Facts(places=places)))
    assert [(finding.level.value, finding.topic) for finding in found] == [
        ("ok", "control socket"),
        ("warning", "ledger"),
        ("problem", "pid file"),
    ]
    fine = list(check_places.files(settings(), Facts(places=Places(Place("/c"), Place("/l"), Place("/p")))))
    assert {finding.level for finding in fine} == {Level.OK}


def test_a_certificate_that_workers_cannot_read_again() -> None:
    facts = Facts(certificates=(Certificate("c.pem", 90, is_readable=False),))
    given = settings(workers__user="www", tls__certfile="c.pem")
    found = list(check_places.certificates(given, facts))
    assert [finding.level for finding in found] == [Level.OK, Level.WARNING]
    given = replace(given, tls=replace(given.tls, reload_interval=0.0))
    assert len(list(check_places.certificates(given, facts))) == 1


def test_a_read_only_container_without_room() -> None:
    here = Surroundings(is_container=True, is_read_only=True)
    full = Facts(surroundings=here, places=Places(control=Place(reason="read-only")))
    assert [f.level for f in check_process.container(settings(), full)] == [Level.OK, Level.WARNING]
    room = Facts(surroundings=here, places=Places(control=Place("/run/srvctl/x.sock")))
    assert [f.level for f in check_process.container(settings(), room)] == [Level.OK]


@pytest.mark.parametrize(
    ("check", "given", "facts"),
    [
        (check_limits.tasks, {}, Facts()),
        (check_limits.affinity, {}, Facts()),
        (check_limits.affinity, {}, Facts(capacity=Capacity(cpus=frozenset({0, 1})))),
        (check_kernel.queue, {}, Facts()),
        (check_kernel.memory_promises, {}, Facts()),
        (check_kernel.memory_promises, {"workers__preload": "off"}, Facts(kernel=Kernel(overcommit=2))),
        (check_places.logs, {}, Facts(surroundings=Surroundings(stdout="pipe", stdout_blocks=True))),
        (check_places.trust, {"proxy__forwarded_allow_ips": ("*",)}, Facts(addresses=(LOCAL,))),
        (check_places.trust, {}, Facts(addresses=(OPEN,))),
        (
            check_places.trust,
            {"proxy__forwarded_allow_ips": ("*",), "proxy__headers": False},
            Facts(addresses=(OPEN,)),
        ),
        (check_process.service, {}, Facts()),
        (check_process.container, {}, Facts()),
    ],
)
def test_what_needs_no_word(check: Any, given: dict[str, Any], facts: Facts) -> None:
    assert list(check(settings(**given), facts)) == []


def test_all_checks_are_asked() -> None:
    """Of a machine of which nothing is known."""
    found = examine(settings(), Facts())
    assert len({check.__name__ for check in CHECKS}) == len(CHECKS) == 18
    assert Level.PROBLEM not in {finding.level for finding in found}
