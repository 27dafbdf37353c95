"""The programs in the file that `srvctl init config` makes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from srvctl.cli.app import invoke
from srvctl.errors import ExitCode
from srvctl.settings.load import load

if TYPE_CHECKING:
    from pathlib import Path

_FILE = """
[app]
target = "shop.main:app"
[workers]
after = ["migrate"]
[[program]]
name = "migrate"
command = "alembic upgrade 'a \\"b'"
ready = "exit"
[[program]]
name = "queue"
command = ["rq", "worker"]
count = 3
bind = ["127.0.0.1:9000"]
after = ["migrate", "workers"]
stop_timeout = "1.5s"
environment = ["TOKEN=sesame", "B="]
"""


@pytest.mark.parametrize("words", [[], ["--full"]])
def test_programs_are_kept(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All but the values of their variables, which whoever makes the file is told of."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.toml").write_text(_FILE)
    assert invoke(["init", "config", *words, "-c", "a.toml"]) is ExitCode.OK
    text = capsys.readouterr().out
    assert "sesame" not in text
    assert '# environment = ["TOKEN=...", "B=..."]\n' in text
    (tmp_path / "b.toml").write_text(text)
    found, given = (load({}, {}, tmp_path / name).settings for name in ("b.toml", "a.toml"))
    assert found.workers.after == ("migrate",)
    assert [program.name for program in found.program] == ["migrate", "queue"]
    assert found.program[0] == given.program[0]
    assert found.program[1].stop_timeout == 1.5
    assert found.program[1].after == given.program[1].after
