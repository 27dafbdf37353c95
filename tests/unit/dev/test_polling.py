"""When files are looked at again and again, and how much of the time."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from srvctl.dev.patterns import make_patterns
from srvctl.dev.polling import Polling, must_poll

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("said", "polls"), [("1", True), ("true", True), ("false", False), ("Disabled", False)]
)
def test_the_variable_of_watchfiles_decides(monkeypatch: pytest.MonkeyPatch, said: str, polls: bool) -> None:
    monkeypatch.setenv("WATCHFILES_FORCE_POLLING", said)
    assert must_poll() is polls


class After:
    """Lets each wait look so often."""

    def __init__(self, looks: int) -> None:
        self.looks = looks

    def is_set(self) -> bool:
        self.looks -= 1
        return self.looks < 0


def test_each_change_is_found_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that leaves the time of the last change as it was."""
    monkeypatch.setenv("WATCHFILES_POLL_DELAY_MS", "1")
    main = tmp_path / "main.py"
    main.write_text("1")
    wanted = make_patterns(
        (str(tmp_path),), (), (), cwd=str(tmp_path), absolute=os.path.abspath, is_directory=os.path.isdir
    )
    with Polling(wanted) as polling:
        assert polling.wait(20, 250, After(2)) is None
        stamp = main.stat()
        main.write_text("22")
        os.utime(main, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
        assert polling.wait(20, 250, After(2)) == {(False, str(main))}
        assert polling.wait(20, 250, After(2)) is None
        main.unlink()
        begin = time.monotonic()
        assert polling.rest(50) == {(True, str(main))}
        assert time.monotonic() - begin >= 0.05
