"""The micro-benchmarks run, and each stage does what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.apps import bare
from benchmarks.micro import connection, cycle, frames, measure, scope
from benchmarks.micro.measure import Stage
from benchmarks.micro.requests import HELLO
from benchmarks.ws.frames import plain
from srvctl.settings.groups import Settings
from srvctl.worker.websocket.websockets_codec import WebsocketsCodec
from srvctl.worker.websocket.wsproto_codec import WsprotoCodec

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

ALL = {"connection": connection.STAGES, "cycle": cycle.STAGES, "frames": frames.STAGES, "scope": scope.STAGES}


@pytest.mark.parametrize(
    "stage",
    [pytest.param(stage, id=f"{module}: {stage.name}") for module, stages in ALL.items() for stage in stages],
)
def test_each_stage_runs(stage: Stage) -> None:
    stage.make()(20)


def test_every_request_of_a_connection_is_answered() -> None:
    written: list[bytes] = []
    serving = connection._Serving(bare.hello, [HELLO], Settings())
    serving._connection.write = written.append
    serving.run(7)
    assert len(written) == 7
    assert all(response.endswith(b"Hello, world!") for response in written)


@pytest.mark.parametrize("codec", [WebsocketsCodec, WsprotoCodec])
def test_the_frame_that_is_measured_is_the_message_that_is_written(codec: Any) -> None:
    sink = frames._Sink()
    read: list[str] = []
    sink.message_received = read.append
    made = codec(sink, frames._LIMITS)
    assert made.feed(frames._FRAME) == len(frames._FRAME)
    assert read == [frames._TEXT]
    assert made.text(frames._TEXT) == plain(frames._TEXT.encode())


def test_stages_take_turns_and_the_best_round_counts() -> None:
    calls: list[tuple[str, int]] = []

    def stage(name: str) -> Stage:
        return Stage(name, lambda: lambda operations: calls.append((name, operations)))

    times = measure.microseconds([stage("a"), stage("b")], rounds=2, operations=5)
    assert list(times) == ["a", "b"]
    assert [name for name, operations in calls if operations == 5] == ["a", "b", "a", "b"]


@pytest.mark.parametrize("only", [[], ["--only", "2"]])
def test_a_line_is_printed_for_each_stage(only: Sequence[str], capsys: pytest.CaptureFixture[str]) -> None:
    stages = [Stage("1", lambda: lambda _: None), Stage("2", lambda: lambda _: None)]
    assert measure.main("any", stages, ["--rounds", "1", *only]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == (["2"] if only else ["1", "2"])


def test_instructions_need_valgrind(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert measure.main("any", [], ["--instructions"]) == 2
    assert "install the package 'valgrind'" in capsys.readouterr().err
