"""srvctl why: which ledger it reads, which deaths it shows, and that nothing in them harms a terminal."""

from __future__ import annotations

import io
import json
import os
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from srvctl.cli.app import invoke
from srvctl.cli.census import Found
from srvctl.cli.death_text import as_text
from srvctl.errors import ExitCode
from srvctl.ipc.deaths import Death
from srvctl.supervisor.ledger import Ledger

MIB = 2**20
NOW = 1_795_000_000.0
OOM = Death(
    at=NOW - 200,
    master=4100,
    worker=5,
    slot=0,
    generation=2,
    pid=4142,
    state="ready",
    cause="killed by SIGKILL",
    oom=True,
    uptime=3725.0,
    rss=612 * MIB,
    rss_trend=(80 * MIB, 0, 410 * MIB),
    lag=0.2,
    lag_max=1.5,
    served=120,
    in_flight=1,
    cut=2,
    stderr=("warning: \x1b[2Jcache grows\r", "\tdone \udcff"),
)
HUNG = Death(
    at=NOW - 90_000,
    master=4100,
    worker=4,
    slot=1,
    generation=1,
    pid=4140,
    state="dying",
    cause="killed by SIGKILL",
    asked_by="hang: loop blocked for 31 s",
    uptime=41.25,
    is_measured=False,
    stack="/var/lib/srvctl/web.ledger.stacks/4140-20261122T091530.120Z.txt",
)


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No instance of this machine is found, and none of its variables are read."""
    monkeypatch.chdir(tmp_path)
    for name in [*os.environ]:
        if name.startswith(("SRVCTL_", "XDG_", "STATE_", "UVICORN_", "WEB_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setattr("srvctl.settings.instance.SYSTEM_STATE", tmp_path / "system")
    monkeypatch.setattr("srvctl.cli.why.SYSTEM_STATE", tmp_path / "system")
    monkeypatch.setattr("srvctl.cli.why.time.time", lambda: NOW)
    run(monkeypatch)


def run(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Have instances of these names answer, beside one that does not."""
    found = [
        Found(Path("left.sock"), problem="it is gone"),
        *(Found(Path(), 7, {"name": one}) for one in names),
    ]
    monkeypatch.setattr("srvctl.cli.why.ask_all", lambda _paths, _seconds: found)


def record(path: str, *deaths: Death) -> Path:
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    ledger = Ledger(file)
    ledger.prepare()
    for death in deaths:
        ledger.add(death)
    assert ledger.take_error() == ""
    return file


class Why:
    """Runs the command."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *argv: str, code: ExitCode = ExitCode.OK) -> str:
        assert invoke(["why", *argv]) is code
        printed = self._capsys.readouterr()
        assert (printed.err == "") is (code is ExitCode.OK)
        return printed.out or printed.err

    def pids(self, *argv: str) -> list[int]:
        return [death["pid"] for death in json.loads(self("--ledger-file", "web.ledger", "--json", *argv))]


@pytest.fixture
def why(capsys: pytest.CaptureFixture[str]) -> Why:
    return Why(capsys)


class TestText:
    def test_a_block_for_each_death_the_newest_first(self, why: Why) -> None:
        record("web.ledger", HUNG, OOM)
        blocks = why("--ledger-file", "web.ledger").split("\n\n")
        lines = [block.splitlines() for block in blocks]
        # The first lines are in local time.
        assert [line[0].partition(" ")[2] for line in lines] == [
            "(3 min ago): process 4142, slot 0, generation 2",
            "(1 d ago): process 4140, slot 1, generation 1",
        ]
        assert lines[0][1:] == [
            "  why       killed by the kernel's OOM killer (memory grew from 80 MiB to 612 MiB)",
            "  end       killed by SIGKILL, 1 h 2 min after its start, while ready",
            "  asked by  nobody",
            "  requests  120 served, 1 in flight, 2 cut by its end",
            "  memory    80 MiB, 410 MiB, 612 MiB",
            "  loop      late by 0.200 s at last, 1.500 s at most",
            r"  stderr    warning: \x1b[2Jcache grows\r",
            r"                    done \udcff",
        ]
        assert lines[1][1:] == [
            "  why       hung: loop blocked for 31 s, so it was killed",
            "  end       killed by SIGKILL, 41.2 s after its start, while dying",
            "  asked by  hang: loop blocked for 31 s",
            "  numbers   none: what it told about itself could not be read",
            "  stacks    /var/lib/srvctl/web.ledger.stacks/4140-20261122T091530.120Z.txt",
        ]

    def test_the_time_is_local(self) -> None:
        first = as_text([OOM], NOW).partition(" ")[0]
        assert first[:19].count("-") == 2
        assert first[19] in "+-"
        assert len(first) == len("2026-11-22T10:15:30+01:00")

    @pytest.mark.parametrize(
        ("age", "ago"),
        [
            (0.0, " (0 s ago)"),
            (59.9, " (59 s ago)"),
            (7300.0, " (2 h ago)"),
            (9e6, " (104 d ago)"),
            (-1.0, ""),
        ],
    )
    def test_how_long_ago(self, age: float, ago: str) -> None:
        """Of a death in the future nothing is said: the clock was set back."""
        assert as_text([OOM], OOM.at + age).partition(": ")[0].partition(" ")[2] == ago.strip()

    @pytest.mark.parametrize(
        ("uptime", "text"),
        [(0.04, "0.0 s"), (59.9, "59.9 s"), (60, "1 min 0 s"), (3599, "59 min 59 s"), (200_000, "2 d 7 h")],
    )
    def test_how_long_it_lived(self, uptime: float, text: str) -> None:
        assert f"killed by SIGKILL, {text} after" in as_text([replace(OOM, uptime=uptime)], NOW)

    def test_nothing_that_anybody_wrote_moves_the_cursor(self) -> None:
        evil = "\x1b]0;x\x07\r\n\x9b2J\u202e"
        death = replace(OOM, state=evil, cause=evil, asked_by=evil, stack=evil, stderr=(evil,), oom=False)
        assert all(line.isprintable() for line in as_text([death], NOW).split("\n"))

    def test_memory_that_is_not_known_is_not_told(self) -> None:
        assert "memory  " not in as_text([replace(OOM, rss=0, rss_trend=())], NOW)

    def test_any_time_in_a_ledger_can_be_shown(self) -> None:
        for at in (0.0, 1e11):
            assert as_text([replace(OOM, at=at)], NOW)

    def test_a_terminal_of_few_characters_gets_escapes(
        self, why: Why, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        record("web.ledger", replace(OOM, stderr=("é",)))
        stdout = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
        monkeypatch.setattr(sys, "stdout", stdout)
        assert invoke(["why", "--ledger-file", "web.ledger"]) is ExitCode.OK
        stdout.seek(0)
        assert r"stderr    \xe9" in stdout.read()


class TestJson:
    def test_a_list_of_objects_with_the_verdict(self, why: Why) -> None:
        record("web.ledger", HUNG, OOM)
        newest, oldest = json.loads(why("--ledger-file", "web.ledger", "--json"))
        verdict = "killed by the kernel's OOM killer (memory grew from 80 MiB to 612 MiB)"
        told = json.loads(json.dumps(asdict(OOM)))
        assert newest == {**told, "verdict": verdict, "is_expected": False}
        assert oldest["pid"] == 4140

    def test_nothing_is_an_empty_list(self, why: Why) -> None:
        record("web.ledger")
        assert json.loads(why("--ledger-file", "web.ledger", "--json")) == []


class TestChoice:
    @pytest.fixture(autouse=True)
    def _recorded(self) -> None:
        """A process 2, in a slot that is not 2, too."""
        slots_by_pid = [(10, 0), (11, 1), (12, 2), (13, 2), (2, 0)]
        record("web.ledger", *(replace(OOM, pid=pid, slot=slot) for pid, slot in slots_by_pid))

    @pytest.mark.parametrize(
        ("argv", "pids"),
        [
            ([], [2, 13, 12, 11, 10]),
            (["-n", "2"], [2, 13]),
            (["12"], [12]),
            (["1"], [11]),
            (["0"], [2, 10]),
            (["2"], [2]),
            (["--slot", "2"], [13, 12]),
            (["--slot", "2", "-n", "1"], [13]),
            (["--pid", "2"], [2]),
            (["--pid", "12", "--slot", "0"], []),
            (["12", "--slot", "0"], []),
            (["0", "--pid", "10"], [10]),
        ],
    )
    def test_which_deaths_are_shown(self, why: Why, argv: list[str], pids: list[int]) -> None:
        """A number that is both is a process."""
        assert why.pids(*argv) == pids

    @pytest.mark.parametrize(
        ("argv", "whose"),
        [
            (["77"], " of process or slot 77"),
            (["--slot", "7"], " of slot 7"),
            (["--pid", "7", "--slot", "1"], " of process 7 and slot 1"),
        ],
    )
    def test_none_is_a_sentence_and_no_failure(self, why: Why, argv: list[str], whose: str) -> None:
        said = why("--ledger-file", "web.ledger", *argv)
        assert said == f"No death{whose} is recorded in web.ledger.\n"

    def test_the_whole_ledger_may_be_empty(self, why: Why) -> None:
        record("empty.ledger")
        assert why("--ledger-file", "empty.ledger") == "No death is recorded in empty.ledger.\n"

    @pytest.mark.parametrize("argv", [["-n", "0"], ["--pid", "0"], ["--slot", "-1"], ["web"]])
    def test_what_is_no_number_of_anything_is_a_mistake(self, why: Why, argv: list[str]) -> None:
        assert why(*argv, code=ExitCode.USAGE).startswith("srvctl: error: ")

    def test_garbage_in_the_file_is_passed_over(self, why: Why) -> None:
        with Path("web.ledger").open("ab") as file:
            file.write(b"\xff\x00garbage\n{}\n" + b'{"at": 3')
        assert why.pids("-n", "1") == [2]


class TestLedger:
    def test_the_only_one_there_is_needs_no_name(self, why: Why) -> None:
        record("state/web.ledger", OOM)
        assert "process 4142" in why()

    def test_of_several_one_has_to_be_named(self, why: Why) -> None:
        record("state/web.ledger", OOM)
        record("state/api.ledger", HUNG)
        said = why(code=ExitCode.NO_INSTANCE)
        assert said == "srvctl: error: there are several ledgers: api, web; choose one with --name\n"
        assert "process 4142" in why("--name", "web")
        assert "process 4140" in why("--name", "api")

    def test_of_several_the_one_of_the_only_instance_that_runs(
        self, why: Why, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Ledgers stay when instances are gone."""
        record("state/web.ledger", OOM)
        record("state/api.ledger", HUNG)
        run(monkeypatch, "api")
        assert "process 4140" in why()
        for others in (("web", "api"), ("other",)):
            run(monkeypatch, *others)
            assert "several ledgers: api, web;" in why(code=ExitCode.NO_INSTANCE)

    def test_the_file_of_settings_names_the_instance(self, why: Why, monkeypatch: pytest.MonkeyPatch) -> None:
        record("state/web.ledger", OOM)
        record("state/api.ledger", HUNG)
        record("kept/deaths", replace(OOM, pid=5))
        Path("web.toml").write_text("[workers]\ncount = 2\n", encoding="utf-8")
        Path("b.toml").write_text('[server]\nname = "api"\n', encoding="utf-8")
        Path("c.toml").write_text('[ledger]\nfile = "kept/deaths"\n', encoding="utf-8")
        assert "process 4142" in why("-c", "web.toml")
        assert "process 4140" in why("-c", "b.toml")
        assert "process 5" in why("-c", "c.toml")
        monkeypatch.setenv("SRVCTL_CONFIG", "b.toml")
        assert "process 4140" in why()

    @pytest.mark.parametrize("place", ["system/web.ledger", "system/web/web.ledger", "system/w@1/web.ledger"])
    def test_a_service_has_other_directories(self, why: Why, place: str) -> None:
        """Who asks has no STATE_DIRECTORY, and may be another user; each unit may have one of its own."""
        record(place, OOM)
        assert "process 4142" in why("--name", "web")
        assert "process 4142" in why()

    def test_without_a_place_on_the_disk_it_is_in_memory_unless_somebody_else_made_that(
        self, why: Why, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shared = str(tmp_path / "shm")
        monkeypatch.setattr("srvctl.settings.instance.TEMPORARY", (shared,))
        monkeypatch.setattr("srvctl.cli.why.TEMPORARY", (shared,))
        record(f"shm/srvctl-{os.geteuid()}/web.ledger", OOM)
        assert "process 4142" in why()
        assert "process 4142" in why("--name", "web")
        monkeypatch.setattr("srvctl.cli.why.is_trusted", lambda *_: False)
        assert "no ledger is there" in why(code=ExitCode.NO_INSTANCE)
        assert "no ledger is there" in why("--name", "web", code=ExitCode.NO_INSTANCE)

    @pytest.mark.parametrize(
        ("argv", "said"),
        [
            ([], "no ledger is there: looked into {here}/state, "),
            (["--name", "web"], "no ledger is there: looked for {here}/state/web.ledger, "),
            (["--ledger-file", "no"], "no cannot be read: No such file or directory"),
            (["--ledger-file", "."], ". cannot be read: not a regular file"),
            (["-c", "none.toml"], "this instance keeps no ledger: ledger.file is none"),
        ],
    )
    def test_without_a_ledger_it_fails(self, why: Why, argv: list[str], said: str, tmp_path: Path) -> None:
        Path("none.toml").write_text('[ledger]\nfile = "none"\n', encoding="utf-8")
        told = why(*argv, code=ExitCode.NO_INSTANCE)
        assert told.startswith("srvctl: error: " + said.format(here=tmp_path))
        assert told.count("\n") == 1

    def test_settings_that_are_wrong_are_said(self, why: Why) -> None:
        Path("bad.toml").write_text("[ledger]\nfiel = 1\n", encoding="utf-8")
        assert "bad.toml:2: ledger.fiel: unknown key" in why("-c", "bad.toml", code=ExitCode.CONFIG)

    def test_a_file_that_is_given_needs_no_settings(self, why: Why, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SRVCTL_CONFIG", "gone.toml")
        record("web.ledger", OOM)
        assert "process 4142" in why("--ledger-file", "web.ledger")
