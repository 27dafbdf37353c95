"""Becoming somebody else with limits: what is refused, in which words, and what the kernel says afterwards.

The second half looks at real processes. Where the tests do not run as root, those that would change the user
show the refusal instead.
"""

from __future__ import annotations

import dataclasses
import grp
import os
import pwd
import resource
from pathlib import Path
from typing import Any

import pytest

from srvctl.ipc.topology import read_topology
from srvctl.settings.cpu_placement import nodes_of, spell_cpus, spread
from srvctl.settings.groups import WorkersSettings
from srvctl.settings.process_values import UNLIMITED
from srvctl.worker import privileges
from srvctl.worker.privileges import PrivilegeError, _raise_oom_score, check, settle
from srvctl.worker.standing import Capability, Standing, standing
from tests.support.privileged import lacking, privileged

NOBODY = pwd.getpwnam("nobody")
#: A number that is nobody's.
STRANGER = max(entry.pw_uid for entry in pwd.getpwall() if entry.pw_uid < 60000) + 4711
ROOT = Standing(
    uid=0,
    gid=0,
    groups=frozenset({0}),
    capabilities=-1,
    cpus=frozenset({0, 1, 5}),
    niceness=0,
    limits={"nofile": (1024, 4096), "core": (0, UNLIMITED), "nice": (0, 0), "nproc": (100, 100)},
    most_files=1_000_000,
)
USER = dataclasses.replace(ROOT, uid=1000, gid=1000, groups=frozenset({1000}), capabilities=0)


def without(*capabilities: Capability) -> Standing:
    return dataclasses.replace(ROOT, capabilities=-1 & ~sum(1 << capability for capability in capabilities))


def problems(here: Standing, **settings: Any) -> list[str]:
    return check(WorkersSettings(**settings), here)


# -- what is refused -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"user": "nobody"},
        {"user": str(STRANGER), "group": "4711"},
        {"group": "0", "supplementary_groups": ("1", "2")},
        {"rlimits": ("nofile=1000000", "core=unlimited", "nproc=5000:6000")},
        {"nice": -20, "cpu_affinity": "0-1,5", "no_new_privs": True, "umask": "077"},
        {"cpu_affinity": "auto"},
    ],
)
def test_root_may_do_everything(settings: dict[str, Any]) -> None:
    """As long as there is such a thing."""
    assert problems(ROOT, **settings) == []


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"user": "1000"},
        {"user": "1000", "group": "1000", "supplementary_groups": ("1000",)},
        {"rlimits": ("nofile=4096", "core=unlimited", "nproc=1:1")},
        {"nice": 19, "cpu_affinity": "5", "no_new_privs": True},
    ],
)
def test_others_may_do_what_needs_no_privilege(settings: dict[str, Any]) -> None:
    """Above all name the user that a unit or a container has made them already."""
    assert problems(USER, **settings) == []


START_AS_ROOT = "start it as root or leave the setting out."
NOT_ROOT = f"but srvctl does not run as root: {START_AS_ROOT}"


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"user": "nobody"}, f"workers.user is nobody, {NOT_ROOT}"),
        ({"user": "nobody", "group": "1000"}, f"workers.user is nobody, {NOT_ROOT}"),
        ({"group": "4711"}, f"workers.group is 4711, {NOT_ROOT}"),
        ({"supplementary_groups": ("4", "5")}, f"workers.supplementary_groups is 4, 5, {NOT_ROOT}"),
        (
            {"rlimits": ("nofile=4097",)},
            (
                "workers.rlimits asks for nofile=4097, but the hard limit is 4096 and srvctl may not raise "
                "it: ask for less, or raise it where srvctl is started (the service's unit, the container's "
                "options)."
            ),
        ),
        (
            {"nice": -1},
            f"workers.nice is -1, but srvctl runs at 0 and only root may lower it: {START_AS_ROOT}",
        ),
    ],
)
def test_what_needs_root_is_refused_in_one_sentence(settings: dict[str, Any], sentence: str) -> None:
    """Which says what to do."""
    assert problems(USER, **settings) == [sentence]


@pytest.mark.parametrize(
    ("lacks", "settings", "start"),
    [
        (Capability.SETUID, {"user": "nobody"}, "workers.user is nobody"),
        (Capability.SETGID, {"user": "nobody"}, "workers.user is nobody"),
        (Capability.KILL, {"user": "nobody"}, "workers.user is nobody"),
        (Capability.SETGID, {"group": "4711"}, "workers.group is 4711"),
    ],
)
def test_root_without_a_capability_is_told_which(
    lacks: Capability, settings: dict[str, Any], start: str
) -> None:
    """In a container root need not be almighty; without KILL nobody could stop the workers."""
    reason = f"srvctl runs without the capability CAP_{lacks.name}: grant it or leave the setting out."
    assert problems(without(lacks), **settings) == [f"{start}, but {reason}"]


def test_limits_that_even_root_cannot_have() -> None:
    """Without CAP_SYS_RESOURCE it is like anybody else, and fs.nr_open is for all."""
    [sentence] = problems(without(Capability.SYS_RESOURCE), rlimits=("nproc=unlimited",))
    assert sentence.startswith("workers.rlimits asks for nproc=unlimited, but the hard limit is 100 and ")
    [sentence] = problems(ROOT, rlimits=("nofile=unlimited",))
    assert sentence == (
        "workers.rlimits asks for nofile=unlimited, but this system allows no more than 1000000: ask for "
        "less, or raise fs.nr_open with sysctl."
    )


def test_a_niceness_that_its_limit_allows() -> None:
    """RLIMIT_NICE counts from 20 downwards; what the settings make of it counts too."""
    allowed = dataclasses.replace(USER, limits={**USER.limits, "nice": (25, 25)})
    assert problems(allowed, nice=-5) == []
    assert len(problems(allowed, nice=-6)) == 1
    assert len(problems(allowed, nice=-5, rlimits=("nice=24",))) == 1


def test_what_is_not_there_is_named() -> None:
    """Users, groups, CPUs, limits; all mistakes at once."""
    assert problems(ROOT, user="no-such", cpu_affinity="0-6", rlimits=("rtprio=1", "core=0", "core=1")) == [
        "workers.user is no-such, but there is no such user: create it or name another one.",
        "workers.rlimits has core more than once: leave one.",
        "workers.rlimits has rtprio, which this system does not: leave it out.",
        "workers.cpu_affinity names CPU 2-4,6, but srvctl may use only 0-1,5: name some of these.",
    ]
    for setting, value in (("group", "no-such"), ("supplementary_groups", ("0", "no-such"))):
        assert problems(ROOT, **{setting: value}) == [
            f"workers.{setting} names no-such, but there is no such group: create it or name another one."
        ]


def test_cpus_of_every_list_must_be_there() -> None:
    """Not only those of the first slot."""
    assert problems(ROOT, cpu_affinity="0;1;6-7") == [
        "workers.cpu_affinity names CPU 6-7, but srvctl may use only 0-1,5: name some of these.",
    ]
    assert problems(ROOT, cpu_affinity="numa") == []


def test_a_number_without_a_name_needs_a_group() -> None:
    """There is no default for it."""
    [sentence] = problems(ROOT, user=str(STRANGER))
    assert sentence == (
        f"workers.user is {STRANGER}, a number without a name, so its group is unknown: set workers.group as "
        "well."
    )


def test_systems_that_lack_something_say_so() -> None:
    """Not everything is Linux."""
    elsewhere = dataclasses.replace(ROOT, is_linux=False, cpus=None)
    assert problems(elsewhere, no_new_privs=True, cpu_affinity="0") == [
        "workers.cpu_affinity is set, but this system has no such thing: leave the setting out.",
        "workers.no_new_privs is set, but only Linux has it: leave the setting out.",
    ]


def test_the_standing_of_this_process() -> None:
    """Is what the kernel says."""
    here = standing()
    assert (here.uid, here.gid, here.groups) == (os.geteuid(), os.getegid(), frozenset(os.getgroups()))
    assert here.cpus == frozenset(os.sched_getaffinity(0))
    assert here.niceness == os.getpriority(os.PRIO_PROCESS, 0)
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    assert here.limits["nofile"][0] == (UNLIMITED if soft == resource.RLIM_INFINITY else soft)
    assert here.most_files == int(Path("/proc/sys/fs/nr_open").read_text())
    status = Path("/proc/self/status").read_text()
    assert f"CapEff:\t{here.capabilities:016x}\n" in status


# -- what the kernel says afterwards --------------------------------------------------------------------


@pytest.fixture
def may_change_users(request: pytest.FixtureRequest) -> bool:
    """Whether this process may become somebody else; if not, say why less is tested."""
    if missing := lacking():
        print(f"{request.node.name}: without {', '.join(missing)} only the refusal is tested")
    return not missing


def is_refused(**settings: Any) -> None:
    with privileged(**settings) as process:
        assert process.said["error"] == " ".join(check(WorkersSettings(**settings)))


def test_a_user_with_everything_else(may_change_users: bool) -> None:
    """All ids change, and with the user come its groups and its home."""
    if not may_change_users:
        is_refused(user="nobody")
        return
    with privileged(user="nobody") as process:
        assert process.status["Uid"].split() == [str(NOBODY.pw_uid)] * 4
        assert process.status["Gid"].split() == [str(NOBODY.pw_gid)] * 4
        groups = {str(group) for group in os.getgrouplist("nobody", NOBODY.pw_gid)}
        assert {*process.status["Groups"].split(), str(NOBODY.pw_gid)} == groups
        assert int(process.status["CapEff"], 16) == int(process.status["CapPrm"], 16) == 0
        assert process.said["environ"] == {"HOME": NOBODY.pw_dir, "USER": "nobody", "LOGNAME": "nobody"}
        assert process.said["death_signal"] == 9, "asked for anew, after the change has cleared it"


def test_numbers_without_names(may_change_users: bool) -> None:
    """As in a container; extra groups by name or number."""
    group = grp.getgrgid(NOBODY.pw_gid).gr_name
    settings: dict[str, Any] = {
        "user": str(STRANGER),
        "group": "4712",
        "supplementary_groups": [group, "4713"],
    }
    if not may_change_users:
        is_refused(**settings)
        return
    with privileged(**settings) as process:
        assert process.status["Uid"].split() == [str(STRANGER)] * 4
        assert process.status["Gid"].split() == ["4712"] * 4
        assert set(process.status["Groups"].split()) == {"4713", str(NOBODY.pw_gid)}
        assert process.said["environ"] == {"HOME": "/"}, "nobody else's"


def test_a_group_alone(may_change_users: bool) -> None:
    """The user stays, and so do home and extra groups."""
    if not may_change_users:
        is_refused(group="4712")
        return
    with privileged(group="4712") as process:
        assert process.status["Uid"].split() == [str(os.geteuid())] * 4
        assert process.status["Gid"].split() == ["4712"] * 4
        assert {int(group) for group in process.status["Groups"].split()} == set(os.getgroups())
        assert process.said["environ"].get("HOME") == os.environ.get("HOME")


def test_nobody_who_is_not_root_becomes_somebody_else(may_change_users: bool) -> None:
    """The sentence, from a real process without privileges."""
    if not may_change_users:
        is_refused(user="nobody")
        return
    with privileged(uid=STRANGER, user="nobody", oom_score=0) as process:
        assert process.said == {
            "error": "workers.user is nobody, but srvctl does not run as root: start it as root or leave the "
            "setting out."
        }


def test_what_needs_no_privilege_works_without(may_change_users: bool) -> None:
    """Lower limits, a higher niceness, and the user that it is already."""
    dropped = {"uid": STRANGER, "user": str(STRANGER)} if may_change_users else {"user": str(os.geteuid())}
    nice = min(19, os.nice(0) + 7)  # the tests may be niced themselves
    with privileged(**dropped, rlimits=["nofile=200:300"], nice=nice, umask="077", oom_score=0) as process:
        assert "error" not in process.said
        assert process.limit("Max open files") == ("200", "300")
        assert process.niceness == nice
        assert process.status["Umask"] == "0077"


def test_capabilities_do_not_outlive_the_change_of_user(may_change_users: bool) -> None:
    """The kernel takes those of root only; a worker that keeps CAP_SETUID could become root."""
    if not may_change_users:
        is_refused(user="nobody")
        return
    with privileged(uid=STRANGER, capable=True, user="nobody", oom_score=0) as process:
        assert process.status["Uid"].split() == [str(NOBODY.pw_uid)] * 4
        for kind in ("CapPrm", "CapEff", "CapInh", "CapAmb"):
            assert int(process.status[kind], 16) == 0, kind


@pytest.mark.parametrize(
    ("limits", "writes_cores"), [([], False), (["core=0"], False), (["core=1024"], True)]
)
def test_who_was_root_is_dumpable_only_where_cores_are_asked_for(
    limits: list[str], writes_cores: bool, may_change_users: bool
) -> None:
    """Its memory may hold what only root could read."""
    if not may_change_users:
        is_refused(user="nobody", rlimits=limits)
        return
    kernels_choice = int(Path("/proc/sys/fs/suid_dumpable").read_text())
    with privileged(user="nobody", rlimits=limits) as process:
        assert process.said["dumpable"] == (1 if writes_cores else kernels_choice)


def test_limits_and_the_rest() -> None:
    """Each as the kernel shows it, also beyond 32 bits; a soft limit leaves the hard one alone."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    before = int(Path("/proc/self/oom_score_adj").read_text())
    cpus = spell_cpus(list(os.sched_getaffinity(0))[-1:])
    with privileged(
        rlimits=[f"nofile={soft - 1}", "core=0:0", "as=8TiB"],
        oom_score=150,
        nice=os.getpriority(os.PRIO_PROCESS, 0) + 3,
        no_new_privs=True,
        cpu_affinity=cpus,
        umask="027",
        slot=3,
    ) as process:
        shown = "unlimited" if hard == resource.RLIM_INFINITY else str(hard)
        assert process.limit("Max open files") == (str(soft - 1), shown)
        assert process.limit("Max core file size") == ("0", "0")
        assert process.limit("Max address space")[0] == str(8 * 1024**4)
        assert process.number("oom_score_adj") == min(before + 150, 1000)
        assert process.niceness == os.getpriority(os.PRIO_PROCESS, 0) + 3
        assert process.status["NoNewPrivs"] == "1"
        assert process.status["Umask"] == "0027"
        assert process.status["Cpus_allowed_list"] == cpus
        assert process.said["dumpable"] == 1, "who never changed its user stays as it is"
        environ = process.said["environ"]
        assert (environ["SRVCTL_SLOT"], environ["SRVCTL_GENERATION"]) == ("3", "7")


def test_by_default_only_the_oom_score_changes() -> None:
    """And the highest is high enough."""
    before = int(Path("/proc/self/oom_score_adj").read_text())
    with privileged(slot=0) as process, privileged(oom_score=1000) as other:
        assert process.number("oom_score_adj") == min(before + 100, 1000)
        assert other.number("oom_score_adj") == 1000
        assert process.status["Uid"].split()[0] == str(os.getuid())
        assert process.status["NoNewPrivs"] == "0"
        assert process.status["Cpus_allowed_list"] == spell_cpus(os.sched_getaffinity(0))


def test_auto_gives_each_slot_a_cpu() -> None:
    """One after the other, cores first, and from the beginning again."""
    available = frozenset(os.sched_getaffinity(0))
    cpus = spread(available, read_topology(available))
    for slot in (0, len(cpus) - 1, len(cpus)):
        with privileged(cpu_affinity="auto", slot=slot) as process:
            assert process.status["Cpus_allowed_list"] == str(cpus[slot % len(cpus)])


def test_numa_gives_each_slot_the_cpus_of_a_node() -> None:
    """Of this machine, which mostly has one."""
    available = frozenset(os.sched_getaffinity(0))
    nodes = nodes_of(available, read_topology(available))
    for slot in (0, len(nodes)):
        with privileged(cpu_affinity="numa", slot=slot) as process:
            assert process.status["Cpus_allowed_list"] == spell_cpus(nodes[0])


def test_a_slot_gets_its_own_list() -> None:
    """In turn."""
    first, last = min(os.sched_getaffinity(0)), max(os.sched_getaffinity(0))
    for slot, cpu in enumerate((first, last, first)):
        with privileged(cpu_affinity=f"{first};{last}", slot=slot) as process:
            assert process.status["Cpus_allowed_list"] == str(cpu)


def test_what_the_kernel_refuses_is_a_sentence() -> None:
    """Even if no check foresaw it, as when a CPU was taken away since the start."""
    settings = WorkersSettings(cpu_affinity="8191")
    with pytest.raises(
        PrivilegeError, match=r"^workers\.cpu_affinity cannot be obeyed, the kernel says: Invalid argument\. "
    ):
        settle(settings, 0, 1)


def test_a_score_that_cannot_be_written_is_only_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It has a default, and nobody is kept from starting by what they never asked for."""
    monkeypatch.setattr(privileges, "_OOM", tmp_path)
    monkeypatch.setattr(privileges.logger, "propagate", True)
    _raise_oom_score(100)
    assert caplog.messages == [
        f"workers.oom_score: {tmp_path} cannot be written: Is a directory. Set it to 0 to do without."
    ]
    monkeypatch.setattr(privileges, "_OOM", tmp_path / "none")
    _raise_oom_score(100)
    assert len(caplog.messages) == 1, "no Linux, no score"
